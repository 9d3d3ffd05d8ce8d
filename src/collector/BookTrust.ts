/** Whether a book is trusted: what ends the trust in it, what restores it, and what the world is told of either. */
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { BookChange, BookStatus, BookStatusChanged } from "../domain/MarketEvent.ts"
import { awaitsSnapshot, type BookCounters, type Entry, type Moment, momentOf, statusOf } from "./BookEntry.ts"
import * as BookGaps from "./BookGaps.ts"
import type { Quarantine } from "./Quarantine.ts"

export interface BookTrust {
  /** Of a quarantined book nothing is said but that it is suspect, unless it is stale. */
  readonly setStatus: (entry: Entry, to: BookStatus, why: string, now: number) => void
  readonly setStall: (entry: Entry, stall: Entry["stall"], now: number) => void
  /** The venue's quotes contradict the book: for now it is doubted, not more. */
  readonly doubt: (entry: Entry, since: Moment, why: string) => void
  readonly clearDoubt: (entry: Entry) => void
  /** Something that the venue says speaks against a live book. */
  readonly contradicted: (entry: Entry, reason: string, now: number, trigger?: BookChange) => void
  /** Ends the trust in a book; `trigger` is the change that ended it, which was applied after `lastSure`. */
  readonly suspect: (entry: Entry, reason: string, now: number, trigger?: BookChange) => void
  /** Asks for a fresh snapshot; of a quarantined book when its quarantine is over. */
  readonly askSnapshot: (entry: Entry) => void
  /** The book is whole again, as the last of what it was made of shows; one that is quarantined is not trusted all the same. */
  readonly heal: (entry: Entry, reason: string, shownBy: Moment) => void
}

export interface BookTrustOptions {
  readonly doubted: Set<Entry>
  readonly counters: BookCounters
  readonly gaps: BookGaps.BookGaps
  readonly quarantine: Quarantine
  readonly push: (event: BookStatusChanged) => void
  readonly onResync: (id: InstrumentId, venue: VenueId) => void
}

export const make = ({ counters, doubted, gaps, onResync, push, quarantine }: BookTrustOptions): BookTrust => {
  const tell = (entry: Entry, previous: BookStatus, reason: string, now: number): void => {
    const { connection, id: instrumentId, venue } = entry
    const status = statusOf(entry)
    push({ _tag: "BookStatusChanged", instrumentId, venue, connection, status, previous, reason, receivedTime: now })
  }
  const setStatus = (entry: Entry, to: BookStatus, why: string, now: number): void => {
    const kept = to === "stale" ? undefined : quarantine.reason(entry.id)
    const [status, reason] = kept === undefined ? [to, why] : (["suspect", kept] as const)
    if (entry.status === status && entry.reason === reason) return
    const previous = statusOf(entry)
    entry.status = status
    entry.since = now
    entry.reason = reason
    entry.stall = undefined
    tell(entry, previous, reason, now)
  }
  const clearDoubt = (entry: Entry): void => {
    if (entry.doubt === undefined) return
    entry.doubt = undefined
    doubted.delete(entry)
  }
  const askSnapshot = (entry: Entry): void => {
    if (quarantine.reason(entry.id) === undefined) onResync(entry.id, entry.venue)
  }
  const suspect = (entry: Entry, reason: string, now: number, trigger?: BookChange): void => {
    clearDoubt(entry)
    const already = awaitsSnapshot(entry)
    entry.absent = false
    setStatus(entry, "suspect", reason, now)
    if (already) return
    entry.distrust ??= reason
    if (entry.built) {
      entry.held = trigger === undefined ? [] : [trigger]
      entry.lastSure = momentOf(entry)
    }
    askSnapshot(entry)
  }

  return {
    setStatus,
    setStall: (entry, stall, now) => {
      const previous = statusOf(entry)
      entry.stall = stall
      tell(entry, previous, stall?.reason ?? "caught up", now)
    },
    doubt: (entry, { receivedTime, venueTime }, why) => {
      entry.doubt = { venueTime, since: receivedTime, why }
      doubted.add(entry)
    },
    clearDoubt,
    contradicted: (entry, reason, now, trigger) => {
      if (entry.status !== "live") return
      counters.mismatches++
      suspect(entry, reason, now, trigger)
    },
    suspect,
    askSnapshot,
    heal: (entry, reason, shownBy) => {
      const now = shownBy.receivedTime
      const isQuarantined = quarantine.reason(entry.id) !== undefined
      if (isQuarantined && awaitsSnapshot(entry)) return
      clearDoubt(entry)
      entry.held = []
      entry.absent = false
      entry.frozen = false
      gaps.concede(entry, now)
      if (isQuarantined) suspect(entry, reason, now)
      else if (entry.status !== "live") setStatus(entry, "live", reason, now)
      entry.lastGood = BookGaps.happenedAt(shownBy)
    }
  }
}
