/** Heals suspect books, one token at a time: a fresh snapshot, and again with patience until it holds. */
import { Chunk, Clock, Duration, Effect, FiberMap, Layer, Queue, Stream } from "effect"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { Venue } from "../venues/Venue.ts"
import { Books } from "./Books.ts"
import { Catalog } from "./Catalog.ts"

const FIRST_DELAY = Duration.millis(250)
const LONGEST_DELAY = Duration.seconds(30)
/** A book that stayed whole for this long starts from the first delay again. */
const FORGIVEN_AFTER = 60_000

/** How long to wait before the n-th attempt in a row: none before the first, then doubling. */
export const delayBefore = (attempt: number): Duration.Duration =>
  attempt === 0
    ? Duration.zero
    : Duration.min(Duration.times(FIRST_DELAY, 2 ** Math.min(attempt - 1, 20)), LONGEST_DELAY)

/** How long a snapshot that was asked for on the socket may take. */
const SNAPSHOT_PATIENCE = "3 seconds"
/** Instruments in one request on the socket. */
const MOST_TOGETHER = 500

interface History {
  attempts: number
  lastAttempt: number
}

export const layer = (venues: ReadonlyMap<VenueId, Venue>): Layer.Layer<never, never, Books | Catalog> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const books = yield* Books
      const catalog = yield* Catalog
      const fibers = yield* FiberMap.make<InstrumentId>()
      const running = new Set<InstrumentId>()
      const histories = new Map<InstrumentId, History>()

      // Books lose trust together when a sequence breaks; one command asks for all of them.
      const batchers = new Map<VenueId, Queue.Queue<InstrumentId>>()
      for (const venue of venues.values()) {
        const request = venue.feed.requestSnapshots
        if (request === undefined) continue
        const queue = yield* Queue.unbounded<InstrumentId>()
        batchers.set(venue.id, queue)
        yield* Stream.fromQueue(queue).pipe(
          Stream.groupedWithin(MOST_TOGETHER, "20 millis"),
          Stream.runForEach((ids) =>
            Effect.catchAll(request(Chunk.toReadonlyArray(ids)), (error) =>
              Effect.forEach(ids, (id) => books.resyncFailed(id, `no fresh snapshot: ${error.message}`, false))
            )
          ),
          Effect.forkScoped
        )
      }

      const attempt = (id: InstrumentId, venue: Venue) =>
        Effect.gen(function* () {
          const instrument = catalog.instrument(id)
          if (instrument === undefined) return yield* books.resyncFailed(id, "no longer in the market list", true)
          yield* books.resyncing(id)
          const now = yield* Clock.currentTimeMillis
          const history = histories.get(id) ?? { attempts: 0, lastAttempt: 0 }
          histories.set(id, { attempts: history.attempts + 1, lastAttempt: now })
          const onSocket = batchers.get(venue.id)
          if (onSocket !== undefined) {
            yield* onSocket.offer(id)
            return yield* Effect.sleep("50 millis").pipe(
              Effect.repeat({ while: () => needsHelp(id) }),
              Effect.timeoutOption(SNAPSHOT_PATIENCE)
            )
          }
          yield* Effect.matchEffect(venue.snapshot(instrument), {
            onSuccess: (answer) => books.receive([answer]),
            onFailure: (error) =>
              books.resyncFailed(
                id,
                error.reason === "not-found" ? "the venue keeps no book for it" : `no fresh snapshot: ${error.message}`,
                error.reason === "not-found"
              )
          })
        }).pipe(
          // A defect is a fault of ours, and no reason to leave the book alone for good.
          Effect.catchAllDefect((defect) =>
            Effect.zipRight(
              Effect.logError("a fresh snapshot broke", defect),
              books.resyncFailed(id, `no fresh snapshot: ${String(defect)}`, false)
            )
          )
        )

      const needsHelp = (id: InstrumentId): boolean => {
        const view = books.view(id, 0)
        // A quarantined book asks again when that is over.
        return (view?.status === "suspect" || view?.status === "resyncing") && !view.quarantined
      }

      const heal = (id: InstrumentId, venue: Venue): Effect.Effect<void> =>
        Effect.gen(function* () {
          // Looking and leaving happen in one step, so that a request in between cannot be missed.
          while (needsHelp(id) || !running.delete(id)) {
            const history = histories.get(id)
            const now = yield* Clock.currentTimeMillis
            if (history !== undefined && now - history.lastAttempt > FORGIVEN_AFTER) histories.delete(id)
            yield* Effect.sleep(delayBefore(histories.get(id)?.attempts ?? 0))
            // It may have healed by itself meanwhile.
            if (needsHelp(id)) yield* attempt(id, venue)
          }
          if (books.view(id, 0) === undefined) histories.delete(id)
        })

      yield* Stream.fromQueue(books.resyncRequests).pipe(
        Stream.runForEach(({ instrumentId, venue: venueId }) =>
          Effect.suspend(() => {
            const venue = venues.get(venueId)
            if (venue === undefined || running.has(instrumentId)) return Effect.void
            running.add(instrumentId)
            return FiberMap.run(fibers, instrumentId, heal(instrumentId, venue))
          })
        ),
        Effect.forkScoped
      )
    })
  )
