/** What must hold at every moment, whatever is done to the program: watched from a second to the next. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Prng } from "../../src/simulator/Prng.ts"
import type { Book, Collector } from "./Collector.ts"
import { type Truth, fingerprintOf } from "./Truth.ts"

/** A live book that was not what the venue had. */
export interface Wrong {
  readonly instrumentId: string
  /** Milliseconds for which every look at it found it live and wrong. */
  readonly milliseconds: number
  readonly what: string
}

export interface Invariants {
  /** The live book that was wrong for the longest time, if any was wrong at two looks in a row. */
  readonly worst: () => Wrong | undefined
  /** Looks at live books that found them right. */
  readonly confirmed: () => number
  /** Bytes of memory at first, and the most since. */
  readonly memory: () => { readonly first: number; readonly most: number }
  /** Begins anew. */
  readonly reset: () => void
  /** Watches a program that took the place of the one before. */
  readonly watch: (collector: Collector) => void
  readonly stop: () => Promise<void>
}

const ROUND = 250
const BOOKS_A_ROUND = 6

/** What is on its way, between the venue's word and our look at it, in milliseconds; the record is read that seldom too. */
const IN_FLIGHT = 1_000

const isCrossed = ({ asks, bids }: Book): boolean =>
  bids.length > 0 && asks.length > 0 && Number(bids[0]!.price) >= Number(asks[0]!.price)

export const make = (first: Collector, truth: Truth, prng: Prng): Invariants => {
  let collector = first
  const stopping = new AbortController()
  let confirmed = 0
  let worst: Wrong | undefined
  /** By instrument, since when it has been live and wrong. */
  let wrong = new Map<string, number>()
  const memory = { first: collector.memory(), most: 0 }

  const judge = (book: Book, seenAt: number): string | undefined => {
    if (isCrossed(book)) return "crossed"
    const age = truth.ageOf(book.instrumentId, fingerprintOf(book), seenAt)
    if (age === undefined) return "unlike the venue's book at any time"
    return age > IN_FLIGHT ? `what the venue had ${(age / 1000).toFixed(1)} s before` : undefined
  }
  const look = async (id: string): Promise<{ readonly book: Book; readonly seenAt: number } | undefined> => {
    const seenAt = Date.now()
    const book = await collector.book(id)
    return book?.status === "live" && truth.knows(id) ? { book, seenAt } : undefined
  }
  const round = async () => {
    const ids = (await collector.books()).filter(({ status }) => status === "live").map((book) => book.instrumentId)
    if (ids.length === 0) {
      wrong.clear()
      return truth.follow()
    }
    const chosen = new Set([
      ...wrong.keys(),
      ...Array.from({ length: BOOKS_A_ROUND }, () => ids[prng.int(ids.length)]!)
    ])
    const seen = await Promise.all(Array.from(chosen, async (id) => [id, await look(id)] as const))
    await truth.follow()
    for (const [id, found] of seen) {
      const what = found === undefined ? undefined : judge(found.book, found.seenAt)
      if (what === undefined) {
        wrong.delete(id)
        if (found !== undefined) confirmed++
        continue
      }
      const since = wrong.get(id) ?? found!.seenAt
      wrong.set(id, since)
      const milliseconds = found!.seenAt - since
      if (milliseconds > (worst?.milliseconds ?? 0)) worst = { instrumentId: id, milliseconds, what }
    }
  }
  const running = (async () => {
    while (!stopping.signal.aborted) {
      memory.most = Math.max(memory.most, collector.memory())
      // A program that is down or busy serves nothing, so nothing wrong either.
      await round().catch(() => truth.follow().catch(() => {}))
      await sleep(ROUND)
    }
  })()
  return {
    worst: () => worst,
    confirmed: () => confirmed,
    memory: () => memory,
    reset: () => {
      worst = undefined
      wrong = new Map()
      confirmed = 0
      memory.first = collector.memory()
      memory.most = 0
    },
    watch: (next) => {
      collector = next
      wrong.clear()
    },
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}
