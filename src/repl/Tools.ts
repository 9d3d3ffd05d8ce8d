/** What is in scope at the prompt: ways to run effects and to take from streams, and the venues. */
import type { HttpClient } from "@effect/platform"
import {
  Chunk,
  Console,
  Data,
  Duration,
  Effect,
  Either,
  Fiber,
  FiberSet,
  Layer,
  Option,
  Ref,
  Schedule,
  type Scope,
  Stream,
  SubscriptionRef
} from "effect"
import { type Instrument, instruments, type Market } from "../domain/Market.ts"
import * as Parallax from "../Parallax.ts"
import type { Settings } from "../Settings.ts"

const { Venues } = Parallax

/** What effects at the prompt may ask for. */
export type Services = HttpClient.HttpClient | Parallax.RateLimit

export class UnknownVenue extends Data.TaggedError("UnknownVenue")<{
  readonly venue: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const known = this.known.length === 0 ? "none is enabled" : `there is ${this.known.join(", ")}`
    return `no venue is named ${JSON.stringify(this.venue)}: ${known}`
  }
}

export class UnknownMarket extends Data.TaggedError("UnknownMarket")<{
  readonly venue: string
  readonly market: string
}> {
  override get message(): string {
    return `${this.venue} knows no market ${JSON.stringify(this.market)}`
  }
}

export interface Tools {
  /** Interrupts what {@link run} and {@link take} still run. */
  readonly stop: Effect.Effect<void>
  /** All names with their values. */
  readonly scope: Readonly<Record<string, unknown>>
}

/** Everything, no market too small. */
const ANY = { maxMarkets: 100_000, categories: [], markets: [] }

/** Closing the scope interrupts what still runs. */
export const make = (settings: Settings): Effect.Effect<Tools, never, Services | Scope.Scope> =>
  Effect.gen(function* () {
    const watches = yield* Venues.make(settings.platforms)
    const venues = Object.fromEntries(watches.map(({ venue }) => [venue.id as string, venue]))
    const fibers = yield* FiberSet.make<unknown, unknown>()
    const runPromise = yield* FiberSet.runtimePromise(fibers)<Services>()

    const named = (id: string): Effect.Effect<Parallax.Venue.Venue, UnknownVenue> => {
      const venue = Object.hasOwn(venues, id) ? venues[id] : undefined
      return venue === undefined ? new UnknownVenue({ venue: id, known: Object.keys(venues) }) : Effect.succeed(venue)
    }
    let stops = 0
    const stop = Effect.suspend(() => {
      stops++
      return FiberSet.clear(fibers)
    })
    yield* Effect.addFinalizer(() => stop)

    /** Runs an effect; Ctrl-C interrupts it. What was stopped has no answer any more, and is no error either. */
    const run = <A, E>(effect: Effect.Effect<A, E, Services>): Promise<A> => {
      const begun = stops
      return new Promise((resolve, reject) => {
        runPromise(effect).then(resolve, (error: unknown) => {
          if (begun === stops) reject(error)
        })
      })
    }
    /** The first `count` elements of a stream. */
    const take = <A, E>(stream: Stream.Stream<A, E, Services>, count: number): Promise<Array<A>> =>
      run(Effect.map(Stream.runCollect(Stream.take(stream, count)), Chunk.toArray))

    /** The open markets of a venue, in its order of importance. */
    const markets = (venueId: string): Stream.Stream<Market, UnknownVenue | Parallax.Venue.VenueError> =>
      Stream.unwrap(
        Effect.map(named(venueId), (venue) =>
          Stream.flatMap(venue.markets(ANY), ({ markets }) => Stream.fromIterable(markets))
        )
      )
    const resolve = (venue: Parallax.Venue.Venue, references: ReadonlyArray<string>) =>
      references.length === 0
        ? Stream.runCollect(Stream.take(markets(venue.id), 1))
        : Effect.forEach(references, (reference) =>
            Effect.flatMap(
              venue.market(reference),
              Effect.mapError(() => new UnknownMarket({ venue: venue.id, market: reference }))
            )
          )
    /**
     * Everything that happens to these markets, named by id, slug or ticker; without names to the venue's first one.
     * Each such stream has a connection of its own.
     */
    const feed = (
      venueId: string,
      ...references: ReadonlyArray<string>
    ): Stream.Stream<Parallax.FeedEvent, UnknownVenue | UnknownMarket | Parallax.Venue.VenueError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const venue = yield* named(venueId)
          const found = yield* resolve(venue, references)
          const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>(Array.from(found).flatMap(instruments))
          return venue.feed.events(desired)
        })
      )

    const effects = {
      Chunk,
      Console,
      Duration,
      Effect,
      Either,
      Fiber,
      Layer,
      Option,
      Ref,
      Schedule,
      Stream,
      SubscriptionRef
    }
    return {
      stop,
      scope: { ...effects, ...Parallax, settings, venues, run, take, markets, feed }
    }
  })
