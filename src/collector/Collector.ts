/** Feeds to books to bus: one fiber a venue, which starts when everything that listens is there. */
import { Chunk, Clock, Effect, Layer, Schedule, Stream } from "effect"
import type { Connected, FeedEvent } from "../domain/MarketEvent.ts"
import type { Venue } from "../venues/Venue.ts"
import { Books } from "./Books.ts"
import { Catalog } from "./Catalog.ts"
import { Feeds } from "./Feeds.ts"

/** The connections that a feed has open, by what it said. */
const makeOpen = () => {
  const open = new Map<string, Connected>()
  return {
    note: (events: ReadonlyArray<FeedEvent>): void => {
      for (const event of events) {
        if (event._tag === "Connected") open.set(event.slot, event)
        else if (event._tag === "Disconnected") open.delete(event.slot)
      }
    },
    /** The word that the feed did not live to say. */
    lost: (receivedTime: number): ReadonlyArray<FeedEvent> => {
      const events = Array.from(open.values(), ({ connection, slot, venue }) => ({
        _tag: "Disconnected" as const,
        venue,
        slot,
        connection,
        reason: "the feed broke",
        receivedTime
      }))
      open.clear()
      return events
    }
  }
}

/** Closing the scope closes every socket. */
export const layer = (venues: ReadonlyArray<Venue>): Layer.Layer<Feeds, never, Books | Catalog> =>
  Layer.scoped(
    Feeds,
    Effect.gen(function* () {
      const books = yield* Books
      const catalog = yield* Catalog
      yield* Effect.forEach(
        venues,
        (venue) => {
          const desired = catalog.desired(venue.id)
          if (desired === undefined) return Effect.void
          const open = makeOpen()
          return venue.feed.events(desired).pipe(
            Stream.runForEachChunk((chunk) => {
              const events = Chunk.toReadonlyArray(chunk)
              open.note(events)
              return books.ingest(events)
            }),
            // A feed has no failure of its own; a defect is a fault of ours, which must not end the collection.
            Effect.tapErrorCause((cause) =>
              Effect.zipRight(
                Effect.logError("the feed broke; starting it again", cause),
                Effect.flatMap(Clock.currentTimeMillis, (now) => books.ingest(open.lost(now)))
              )
            ),
            Effect.sandbox,
            Effect.retry(Schedule.spaced("5 seconds")),
            Effect.ignore,
            Effect.annotateLogs({ venue: venue.id }),
            Effect.forkScoped
          )
        },
        { discard: true }
      )
      return Feeds.of({
        connections: Effect.map(
          Effect.forEach(venues, (venue) => venue.feed.connections),
          (all) => all.flat()
        )
      })
    })
  )
