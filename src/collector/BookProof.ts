/** What shows a book to be right: the venue's digest of it, or else its best quotes as the venue states them. */
import type { VenueId } from "../domain/Market.ts"
import type { BestQuote, BookChange, BookSnapshot, TickSizeChange, Trade } from "../domain/MarketEvent.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { BookVerifier, Judgement, Verdict } from "../venues/Venue.ts"
import { type BookCounters, type Entry, momentOf } from "./BookEntry.ts"
import * as BookGaps from "./BookGaps.ts"
import type { BookTrust } from "./BookTrust.ts"

export interface BookProof {
  /** Books of the venue begin: its verifier is needed from now on. */
  readonly begin: (venue: VenueId) => void
  readonly forget: (entry: Entry) => void
  /** Compares a book with the digest of what was applied to it last. What is urgent is not put off. */
  readonly check: (entry: Entry, event: BookSnapshot | BookChange, isUrgent: boolean) => Verdict
  /** Counts by what a change was compared; `states`: it states best quotes. */
  readonly count: (verdict: Verdict, states: boolean) => void
  /** Notes what a digest depends on besides the book. */
  readonly hear: (entry: Entry, event: Trade | TickSizeChange) => void
  /** The venue's best quotes, stated with a change or apart; `why` says how they contradict the book. */
  readonly judgeQuotes: (entry: Entry, event: BookChange | BestQuote, why: string | undefined) => void
  /** The best quotes agree. */
  readonly noteQuotes: (entry: Entry, now: number) => void
  /** What was put off turned out to be right. Nothing heals by it: it may be older than what ended the trust. */
  readonly proveLate: (entry: Entry, now: number) => void
  /** What time makes clear of digests that were put off or stand for themselves. */
  readonly expire: (now: number) => Iterable<Judgement>
  /** Whether digests are put off until the next {@link expire}. */
  readonly isBehind: () => boolean
}

export interface BookProofOptions {
  readonly verifier: (venue: VenueId) => BookVerifier | undefined
  readonly counters: BookCounters
  readonly trust: BookTrust
}

export const make = ({ counters, trust, verifier }: BookProofOptions): BookProof => {
  const verifiers = new Map<VenueId, BookVerifier | undefined>()
  const verifierOf = ({ venue }: Entry): BookVerifier | undefined => verifiers.get(venue)

  const noteVerdict = (entry: Entry, verdict: Verdict, now: number): void => {
    if (verdict === "verified") {
      counters.verified++
      entry.verifiedBy = "digest"
      entry.verifiedTime = now
    } else if (verdict === "unverifiable") {
      counters.unverifiable++
      if (entry.verifiedBy === "digest") entry.verifiedBy = "nothing"
    }
  }
  const noteQuotes = (entry: Entry, now: number): void => {
    entry.verifiedBy = "quotes"
    entry.verifiedTime = now
  }
  const noteProof = (entry: Entry, venueTime: number): void => {
    if (!OrderBook.isCrossed(entry.book)) entry.provenTime = Math.max(entry.provenTime, venueTime)
  }

  return {
    begin: (venue) => {
      if (!verifiers.has(venue)) verifiers.set(venue, verifier(venue))
    },
    forget: (entry) => verifierOf(entry)?.forget(entry.id),
    check: (entry, event, isUrgent) => {
      const verdict = verifierOf(entry)?.check(event, entry.book, isUrgent) ?? "unverifiable"
      noteVerdict(entry, verdict, event.receivedTime)
      if (verdict === "verified") noteProof(entry, event.venueTime)
      return verdict
    },
    count: (verdict, states) => {
      if (verdict === "deferred") counters.checkedLater++
      else if (verdict !== "unverifiable") counters.checkedByDigest++
      else if (states) counters.checkedByQuotes++
      else counters.unchecked++
    },
    hear: (entry, event) => void verifierOf(entry)?.check(event, entry.book),
    judgeQuotes: (entry, event, why) => {
      if (why === undefined) {
        trust.clearDoubt(entry)
        if (entry.verifiedBy !== "digest") noteQuotes(entry, event.receivedTime)
      } else if (entry.doubt === undefined) {
        trust.doubt(entry, event, why)
      } else if (entry.doubt.venueTime !== event.venueTime) {
        trust.contradicted(entry, why, event.receivedTime, event._tag === "BookChange" ? event : undefined)
      }
    },
    noteQuotes,
    proveLate: (entry, now) => {
      const moment = momentOf(entry)
      if (!entry.built || entry.status !== "live" || moment === undefined) return
      noteVerdict(entry, "verified", now)
      noteProof(entry, moment.venueTime)
      trust.clearDoubt(entry)
      entry.lastGood = BookGaps.happenedAt(moment)
    },
    expire: (now) => [...verifiers.values()].flatMap((one) => one?.expire(now) ?? []),
    isBehind: () => {
      for (const one of verifiers.values()) if (one?.isBehind() === true) return true
      return false
    }
  }
}
