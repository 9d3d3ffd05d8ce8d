/**
 * Looks for single books that froze while their socket goes on. A live book that is silent for longer than its own
 * rhythm explains is compared with the venue's book over REST; when that is another one at two looks a few seconds apart,
 * or none although ours has levels, and the socket brought nothing in between, the book is suspect and its subscription is
 * renewed. REST that agrees, is older, or fails raises no alarm.
 *
 * The bound: a book whose last data came within five minutes is looked at after 4 of its own beats of silence, at least
 * 15 s and at most 45 s, then every 45 s, and is found within 60 s of the first change that did not come. Quiet books
 * are found as soon while there are no more of them than 30 s' worth of the venue's budget; more of them share it,
 * and each is looked at once in as many seconds as the budget takes for all.
 */
import { Effect, Layer, Metric, Schedule } from "effect"
import { Bus } from "../bus/Bus.ts"
import type { Answer } from "../domain/Input.ts"
import type { Instrument, InstrumentId, VenueId } from "../domain/Market.ts"
import type { BookSnapshot, FeedEvent, MarketEvent } from "../domain/MarketEvent.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { Venue } from "../venues/Venue.ts"
import type { BookView } from "./BookEntry.ts"
import { Books } from "./Books.ts"
import { Catalog } from "./Catalog.ts"
import * as Rhythm from "./Rhythm.ts"

const TICK = "1 seconds"
/** Between two looks at a book that seems frozen: what is on its way comes meanwhile. */
const SETTLE_MILLIS = 5_000
/** Share of the budget for books that have been quiet for long. */
const QUIET_SHARE = 0.7
/** Requests under way at a time, and how long one, or a renewal, may take. */
const CONCURRENCY = 10
const PATIENCE = "10 seconds"
/** After a failure the venue is left alone. */
const REST_MILLIS = 10_000
/** A subscription that was renewed has its book within so long, or is renewed again, then once a minute. */
const RENEWAL_MILLIS = 5_000
const RENEWAL_AGAIN_MILLIS = 60_000

const looks = Metric.counter("parallax_probe_looks_total", {
  description: "Silent books that were compared over REST, by what came of it",
  incremental: true
})
const frozenBooks = Metric.counter("parallax_frozen_books_total", {
  description: "Books whose changes had ceased to come on a socket that went on",
  incremental: true
})

/** What was another book at the first look. */
interface Suspicion {
  /** The time of our last data then. */
  readonly receivedTime: number | null
  readonly at: number
}

/** Reads a book over REST as the venue's protocol does, apart from everything else; `undefined` when it is none. */
export const readBook = (venue: Venue, instrument: Instrument, answer: Answer): BookSnapshot | undefined => {
  const protocol = venue.protocol()
  const about = { venue: venue.id, connection: "probe", receivedTime: answer.receivedTime }
  const events: Array<FeedEvent> = []
  protocol.read({ _tag: "Opened", slot: "probe", terms: {}, ...about }, events)
  protocol.read({ _tag: "Wanted", instruments: [instrument], ...about }, events)
  protocol.read(answer, events)
  return events.find((event) => event._tag === "BookSnapshot")
}

const sameLevels = (one: ReadonlyArray<OrderBook.Level>, two: ReadonlyArray<OrderBook.Level>): boolean =>
  one.length === two.length && one.every(({ price, size }, i) => price === two[i]!.price && size === two[i]!.size)

/** Whether the venue has moved on to another book. One without a time of its own bears that of its arrival. */
export const isAhead = (snapshot: BookSnapshot, view: BookView): boolean => {
  const hasTime = snapshot.venueTime !== snapshot.receivedTime
  if (hasTime && snapshot.venueTime <= (view.venueTime ?? 0)) return false
  const book = OrderBook.empty()
  OrderBook.applySnapshot(book, snapshot.bids, snapshot.asks)
  return !sameLevels(OrderBook.levels(book, "bid"), view.bids) || !sameLevels(OrderBook.levels(book, "ask"), view.asks)
}

/** How an answer contradicts a book; there is no answer where the venue keeps no book. */
const contradiction = (venue: Venue, instrument: Instrument, answer: Answer | undefined, view: BookView) => {
  if (answer === undefined) {
    // A market that is over has no book any more; one that nobody quotes may have none either.
    return view.bids.length + view.asks.length > 0 ? "the venue keeps no book for it" : undefined
  }
  const snapshot = readBook(venue, instrument, answer)
  return snapshot !== undefined && isAhead(snapshot, view) ? "the venue has another book" : undefined
}

/** Whatever becomes of it: what hangs must not keep the other books from being watched. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.timeout(Effect.disconnect(effect), PATIENCE)

export const layer = (venues: ReadonlyMap<VenueId, Venue>): Layer.Layer<never, never, Books | Bus | Catalog> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const books = yield* Books
      const catalog = yield* Catalog
      const clock = yield* Effect.clock
      const now = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
      const rhythms = new Map<VenueId, Map<InstrumentId, Rhythm.Rhythm>>()
      for (const venue of venues.keys()) rhythms.set(venue, new Map())

      const note = (event: MarketEvent, time: number): void => {
        if (event._tag !== "BookChange" && event._tag !== "BookSnapshot") return
        const { instrumentId: id } = event
        const ofVenue = rhythms.get(id.slice(0, id.indexOf(":")) as VenueId)
        const rhythm = ofVenue?.get(id)
        if (rhythm === undefined) ofVenue?.set(id, Rhythm.begin(time))
        else if (event._tag === "BookChange" || event.source === "socket") Rhythm.note(rhythm, time)
      }

      /** A live book that a socket feeds. */
      const fed = (id: InstrumentId, limit?: number): BookView | undefined => {
        const view = books.view(id, limit)
        return view?.status === "live" && view.fedBy === "stream" ? view : undefined
      }

      const watch = (venue: Venue, own: Map<InstrumentId, Rhythm.Rhythm>) => {
        const { requestsPerSecond, snapshots, together } = venue.comparison
        const perSecond = requestsPerSecond * together
        const suspicions = new Map<InstrumentId, Suspicion>()
        const renewals = new Map<InstrumentId, number>()
        let restUntil = 0
        const counted = (outcome: string, count: number) =>
          Metric.incrementBy(looks.pipe(Metric.tagged("venue", venue.id), Metric.tagged("outcome", outcome)), count)

        /** The suspicion against a book, unless the socket has spoken of it since. */
        const suspicionOf = (id: InstrumentId): Suspicion | undefined => {
          const suspicion = suspicions.get(id)
          if (suspicion === undefined || fed(id, 0)?.receivedTime === suspicion.receivedTime) return suspicion
          suspicions.delete(id)
          return undefined
        }

        /** Books that are to be looked at now, the most urgent first. */
        const due = (time: number): ReadonlyArray<Instrument> => {
          let quiet = 0
          for (const rhythm of own.values()) if (Rhythm.isQuiet(rhythm, time)) quiet++
          const patience = Rhythm.quietWait(quiet, perSecond * QUIET_SHARE)
          const found: Array<readonly [urgency: number, id: InstrumentId]> = []
          for (const [id, rhythm] of own) {
            const suspicion = suspicionOf(id)
            const urgency =
              suspicion === undefined
                ? Rhythm.urgency(rhythm, time, patience)
                : time - suspicion.at >= SETTLE_MILLIS
                  ? Number.POSITIVE_INFINITY
                  : 0
            if (urgency >= 1) found.push([urgency, id])
          }
          found.sort(([one], [two]) => (one === two ? 0 : two - one))
          const chosen: Array<Instrument> = []
          for (const [, id] of found) {
            if (chosen.length >= perSecond) break
            const instrument = fed(id, 0) === undefined ? undefined : catalog.instrument(id)
            if (instrument !== undefined) chosen.push(instrument)
            else if (books.view(id, 0) === undefined) own.delete(id)
          }
          return chosen
        }

        /** Judges one answer; gives why the book is frozen, if it is. */
        const judge = (
          instrument: Instrument,
          answer: Answer | undefined,
          asked: number | null
        ): string | undefined => {
          const { id } = instrument
          const suspicion = suspicions.get(id)
          suspicions.delete(id)
          const view = fed(id)
          const rhythm = own.get(id)
          // What came meanwhile is not in the answer, or in it and not in the book: both say that the socket is alive.
          if (view === undefined || rhythm === undefined || view.receivedTime !== asked) return undefined
          const what = contradiction(venue, instrument, answer, view)
          if (what === undefined) return undefined
          const time = now()
          if (suspicion?.receivedTime !== view.receivedTime) {
            suspicions.set(id, { receivedTime: view.receivedTime, at: time })
            return undefined
          }
          const seconds = Math.round((time - rhythm.last) / 1_000)
          return `${what} over REST, and the socket has brought nothing for ${seconds} s`
        }

        const look = (instruments: ReadonlyArray<Instrument>) =>
          Effect.gen(function* () {
            const asked = new Map(instruments.map(({ id }) => [id, books.view(id, 0)?.receivedTime ?? null]))
            const answers = yield* inTime(snapshots(instruments))
            const time = now()
            for (const { id } of instruments) {
              const rhythm = own.get(id)
              if (rhythm !== undefined) rhythm.looked = time
            }
            const byId = new Map(answers.map((answer) => [answer.instrumentId, answer]))
            const frozen: Array<readonly [InstrumentId, string]> = []
            for (const instrument of instruments) {
              const why = judge(instrument, byId.get(instrument.id), asked.get(instrument.id) ?? null)
              if (why !== undefined) frozen.push([instrument.id, why])
            }
            yield* counted("frozen", frozen.length)
            yield* counted("unproven", instruments.filter(({ id }) => suspicions.has(id)).length)
            yield* counted("compared", instruments.length)
            return frozen
          }).pipe(
            Effect.catchAll((error) =>
              Effect.gen(function* () {
                restUntil = now() + REST_MILLIS
                yield* counted("failed", instruments.length)
                yield* Effect.logDebug("silent books cannot be compared").pipe(
                  Effect.annotateLogs({ error: error.message })
                )
                return []
              })
            )
          )

        const renew = (ids: ReadonlyArray<InstrumentId>) =>
          Effect.catchAll(inTime(venue.feed.renew?.(ids) ?? Effect.void), (error) =>
            Effect.annotateLogs(Effect.logWarning("a subscription cannot be renewed"), { error: error.message })
          )

        const alarm = (found: ReadonlyArray<readonly [InstrumentId, string]>) =>
          Effect.gen(function* () {
            const time = now()
            for (const [id, why] of found) {
              yield* books.frozen(id, why)
              renewals.set(id, time + RENEWAL_MILLIS)
              const rhythm = own.get(id)
              if (rhythm !== undefined) rhythm.watchedUntil = time + RENEWAL_AGAIN_MILLIS
            }
            yield* Metric.incrementBy(Metric.tagged(frozenBooks, "venue", venue.id), found.length)
            yield* Effect.logWarning("books are frozen on a socket that goes on; subscribing them again").pipe(
              Effect.annotateLogs({ books: found.length, first: found[0]![0], reason: found[0]![1] })
            )
            yield* renew(found.map(([id]) => id))
          })

        /** Renews again what a renewal did not bring back. */
        const followUp = Effect.suspend(() => {
          const time = now()
          const still: Array<InstrumentId> = []
          for (const [id, at] of renewals) {
            if (time < at) continue
            const view = books.view(id, 0)
            if (view === undefined || view.status === "live" || view.status === "stale") renewals.delete(id)
            else {
              still.push(id)
              renewals.set(id, time + RENEWAL_AGAIN_MILLIS)
            }
          }
          return still.length === 0 ? Effect.void : renew(still)
        })

        const tick = Effect.gen(function* () {
          yield* followUp
          const time = now()
          if (time < restUntil) return
          const instruments = due(time)
          const parts: Array<ReadonlyArray<Instrument>> = []
          for (let i = 0; i < instruments.length; i += together) parts.push(instruments.slice(i, i + together))
          const found = yield* Effect.forEach(parts, look, { concurrency: CONCURRENCY })
          const frozen = found.flat()
          if (frozen.length > 0) yield* alarm(frozen)
        })
        return tick.pipe(
          // A defect is a fault of ours, which must not end the watch.
          Effect.catchAllDefect((defect) => Effect.logError("a comparison broke", defect)),
          Effect.schedule(Schedule.fixed(TICK)),
          Effect.annotateLogs({ venue: venue.id })
        )
      }

      const bus = yield* Bus
      yield* bus.listen("the watch for frozen books", ({ events }) => {
        const time = now()
        for (const event of events) note(event, time)
      })
      for (const venue of venues.values()) {
        yield* Effect.forkScoped(Effect.interruptible(watch(venue, rhythms.get(venue.id)!)))
      }
    })
  )
