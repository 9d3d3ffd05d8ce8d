/**
 * Books whose messages keep being unusable. A fresh snapshot would make such a book live for as long as it takes until the
 * next of those messages comes; so it stays untrusted until none came for a while, and is healed then.
 */
import type { InstrumentId } from "../domain/Market.ts"

/** After so many turns within so many milliseconds that brought a rejected message, a book is quarantined, */
export interface Rule {
  readonly turns: number
  readonly within: number
  /** if they have been coming for so many milliseconds, */
  readonly lasting: number
  /** until so many milliseconds went by without another. */
  readonly quiet: number
}

/** What happens once, or many times in one burst, a fresh snapshot mends. */
const RULE: Rule = { turns: 10, within: 60_000, lasting: 20_000, quiet: 60_000 }

/** What is known of one instrument's rejected messages: plain data. */
interface Rejections {
  /** When the last ones came, oldest first. */
  times: Array<number>
  /** When the first came after a quiet time. */
  readonly since: number
  /** Why the book is quarantined; `undefined` while it is not. */
  reason: string | undefined
}

/** Plain data, kept in place. */
export type Memory = Map<InstrumentId, Rejections>

export const memory = (): Memory => new Map()

export interface Quarantine {
  /**
   * A message about an instrument was rejected; whether this begins a quarantine. All that comes in one turn counts as one:
   * a single operation of the venue can take many messages.
   */
  readonly rejected: (id: InstrumentId, why: string, now: number) => boolean
  /** Why a book is quarantined, for people; `undefined` when it is not. */
  readonly reason: (id: InstrumentId) => string | undefined
  /** Ends what has been quiet for long enough, and names it. */
  readonly expire: (now: number) => ReadonlyArray<InstrumentId>
  readonly forget: (id: InstrumentId) => void
}

export const make = (records: Memory, { lasting, quiet, turns, within }: Rule = RULE): Quarantine => ({
  rejected: (id, why, now) => {
    let record = records.get(id)
    if (record === undefined) records.set(id, (record = { times: [], since: now, reason: undefined }))
    const last = record.times.at(-1)
    if (last === now) return false
    record.times = [...record.times.filter((time) => now - time <= within), now].slice(-turns)
    if (record.reason !== undefined || record.times.length < turns || now - record.since < lasting) return false
    record.reason = `quarantined: messages keep being rejected: ${why}`
    return true
  },
  reason: (id) => records.get(id)?.reason,
  expire: (now) => {
    const ended: Array<InstrumentId> = []
    for (const [id, { reason, times }] of records) {
      if (now - times.at(-1)! < quiet) continue
      records.delete(id)
      if (reason !== undefined) ended.push(id)
    }
    return ended
  },
  forget: (id) => {
    records.delete(id)
  }
})
