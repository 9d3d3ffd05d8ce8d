/** The only holder of book state in a process: what comes in is applied, and what held goes out on the bus. */
import { Clock, Context, Effect, Layer, Queue, Schedule } from "effect"
import { Bus, unrecorded } from "../bus/Bus.ts"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { BookStatus, FeedEvent, MarketEvent } from "../domain/MarketEvent.ts"
import type { BookVerifier } from "../venues/Venue.ts"
import * as BookKeeper from "./BookKeeper.ts"

export interface ResyncRequest {
  readonly instrumentId: InstrumentId
  readonly venue: VenueId
}

/** How often books are judged by the passing of time. */
const SWEEP_MILLIS = 100

export class Books extends Context.Tag("parallax/collector/Books")<
  Books,
  {
    /** Applies a batch in order and publishes the outcome; waits while the bus is full. */
    readonly ingest: (events: ReadonlyArray<FeedEvent>) => Effect.Effect<void>
    /** A book with at most `limit` levels a side, or `undefined` when it is not kept. */
    readonly view: (id: InstrumentId, limit?: number) => BookKeeper.BookView | undefined
    readonly ids: () => Iterable<InstrumentId>
    /** Books by venue and status. */
    readonly statuses: () => ReadonlyMap<VenueId, Readonly<Record<BookStatus, number>>>
    readonly counters: Readonly<BookKeeper.BookCounters>
    /** Books that need a fresh snapshot, in the order in which they lost trust. */
    readonly resyncRequests: Queue.Dequeue<ResyncRequest>
    readonly resyncing: (id: InstrumentId) => Effect.Effect<void>
    readonly resyncFailed: (id: InstrumentId, reason: string, final: boolean) => Effect.Effect<void>
  }
>() {
  /** Books that are judged by these verifiers, one for each venue that has one. */
  static readonly layer = (verifiers: ReadonlyMap<VenueId, BookVerifier>): Layer.Layer<Books, never, Bus> =>
    Layer.scoped(
      Books,
      Effect.gen(function* () {
        const bus = yield* Bus
        const requests = yield* Queue.unbounded<ResyncRequest>()
        const keeper = BookKeeper.make({
          verifier: (venue) => verifiers.get(venue),
          onResync: (instrumentId, venue) => requests.unsafeOffer({ instrumentId, venue })
        })
        const publishing = (events: (now: number) => ReadonlyArray<MarketEvent>) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => bus.publish(unrecorded(events(now))))

        let lastSweep = yield* Clock.currentTimeMillis
        const sweep = publishing((now) => {
          const late = now - lastSweep > 2 * SWEEP_MILLIS
          lastSweep = now
          // After a stall the frames that would settle a doubt may be here, unread; they are read before the next sweep.
          return late ? [] : keeper.sweep(now)
        })
        yield* sweep.pipe(Effect.schedule(Schedule.spaced(SWEEP_MILLIS)), Effect.interruptible, Effect.forkScoped)
        return Books.of({
          ingest: (events) => Effect.suspend(() => bus.publish(unrecorded(keeper.apply(events)))),
          view: keeper.view,
          ids: keeper.ids,
          statuses: keeper.statuses,
          counters: keeper.counters,
          resyncRequests: requests,
          resyncing: (id) => publishing((now) => keeper.resyncing(id, now)),
          resyncFailed: (id, reason, final) => publishing((now) => keeper.resyncFailed(id, now, reason, final))
        })
      })
    )
}
