/** Feeds to books to bus: one fiber a venue, which starts when everything that listens is there. */
import { Chunk, Clock, Effect, Layer, Schedule, Stream } from "effect"
import { type FeedInput, type Opened, told } from "../domain/Input.ts"
import type { Venue } from "../venues/Venue.ts"
import { Books } from "./Books.ts"
import { Catalog } from "./Catalog.ts"
import { Feeds } from "./Feeds.ts"

/** The connections that a feed has open, by what it said. */
const makeOpen = () => {
  const open = new Map<string, Opened>()
  return {
    note: (inputs: ReadonlyArray<FeedInput>): void => {
      for (const input of inputs) {
        if (input._tag === "Opened") open.set(input.slot, input)
        else if (input._tag === "Told" && input.event._tag === "Disconnected") open.delete(input.event.slot)
      }
    },
    /** The word that the feed did not live to say. */
    lost: (receivedTime: number): ReadonlyArray<FeedInput> => {
      const ends = Array.from(open.values(), ({ connection, slot, venue }) =>
        told({ _tag: "Disconnected", venue, slot, connection, reason: "the feed broke", receivedTime })
      )
      open.clear()
      return ends
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
          return venue.feed.inputs(desired).pipe(
            Stream.runForEachChunk((chunk) => {
              const inputs = Chunk.toReadonlyArray(chunk)
              open.note(inputs)
              return books.receive(inputs)
            }),
            // A feed has no failure of its own; a defect is a fault of ours, which must not end the collection.
            Effect.tapErrorCause((cause) =>
              Effect.zipRight(
                Effect.logError("the feed broke; starting it again", cause),
                Effect.flatMap(Clock.currentTimeMillis, (now) => books.receive(open.lost(now)))
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
      const breakersOf = (venue: Venue) =>
        Effect.zipWith(venue.breakers, venue.feed.connections, (ofRest, connections) => {
          const all = [...connections.map(({ breaker }) => breaker), ...ofRest]
          return Array.from(new Map(all.map((breaker) => [breaker.name, { ...breaker, venue: venue.id }])).values())
        })
      return Feeds.of({
        connections: Effect.map(
          Effect.forEach(venues, (venue) => venue.feed.connections),
          (all) => all.flat()
        ),
        breakers: Effect.map(Effect.forEach(venues, breakersOf), (all) => all.flat())
      })
    })
  )
