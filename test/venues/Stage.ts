/** A venue under test against its simulator, with the collector's parts around it, and what a case waits for. */
import type { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Context, type Duration, Effect, Layer, Logger, Schedule, type Scope, Stream, SubscriptionRef } from "effect"
import { Bus } from "../../src/bus/Bus.ts"
import { Books } from "../../src/collector/Books.ts"
import { Catalog } from "../../src/collector/Catalog.ts"
import * as Collector from "../../src/collector/Collector.ts"
import * as Probe from "../../src/collector/Probe.ts"
import * as Resync from "../../src/collector/Resync.ts"
import { type Instrument, type InstrumentId, instruments, type Market } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Level } from "../../src/domain/OrderBook.ts"
import { RateLimit } from "../../src/resilience/RateLimit.ts"
import { Tape } from "../../src/tape/Tape.ts"
import type { Venue, VenueError } from "../../src/venues/Venue.ts"

/** Both sides, best level first. */
export interface TrueBook {
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
}

/** A venue with its simulator. `F` is what the simulator calls a fault. */
export interface Running<F> {
  readonly venue: Venue
  readonly inject: (fault: F) => Effect.Effect<void>
  /** Lets trading go on, or stops it; what was said before is still on its way. */
  readonly trade: (on: boolean) => Effect.Effect<void>
  /** The book as the simulator has it, whatever it sends. */
  readonly trueBook: (instrument: Instrument) => Effect.Effect<TrueBook>
  /** Sockets that the simulator has open. */
  readonly sockets: Effect.Effect<number>
  /** Handshakes that were begun, refused ones included. */
  readonly handshakes: Effect.Effect<number>
  /** Nothing passes on the connections that are open any more, and nobody is told. */
  readonly strand: Effect.Effect<void>
  /** The venue's own ids of what it is asked to send. */
  readonly subscribed: Effect.Effect<ReadonlyArray<string>>
}

/** What a venue is made with. */
export type Needs = HttpClient.HttpClient | RateLimit | Scope.Scope

/** What a venue supplies to be tested. */
export interface Adapter<F, E> {
  readonly name: string
  /** Starts the simulator and the venue, trading; `perConnection` limits the books of one socket. */
  readonly start: (perConnection?: number) => Effect.Effect<Running<F>, E, Needs>
  /** The simulator's fault for each situation. */
  readonly faults: {
    /** Ends every connection without a closing handshake. */
    readonly drop: F
    readonly close: (code: number) => F
    /** The next change of some book does not arrive. */
    readonly lost: F
    readonly unknown: F
    /** A change of this book with a price that is no number. */
    readonly badNumber: (instrument: Instrument) => F
    readonly refuse: (status: number) => F
    /** Open sockets bring no data any more, while they go on to answer pings. */
    readonly stall: F
    /** Nothing more comes about this book on any socket; with `untilSubscribed`, until it is subscribed anew. */
    readonly freeze: (instrument: Instrument, untilSubscribed: boolean) => F
    readonly heal: F
  }
  readonly market: {
    /** Markets that the simulator lists; three at least. */
    readonly count: number
    /** A reference that names nothing. */
    readonly unknown: string
    /** The same for the venue's id of an instrument. */
    readonly unknownInstrument: string
    /** Books on one socket, so that all of them need several. */
    readonly few: number
  }
  readonly supports: {
    /** How a lost message shows: by the numbering of all messages, or by the digest of the book that it changed. */
    readonly loss: "numbered" | "digest"
  }
}

/** Waits for a condition that other fibers and sockets bring about. */
export const eventually = (
  what: string,
  condition: (() => boolean) | Effect.Effect<boolean>,
  within: Duration.DurationInput = "20 seconds"
): Effect.Effect<void> =>
  (Effect.isEffect(condition) ? condition : Effect.sync(condition)).pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("10 millis") }),
    Effect.timeoutFail({ duration: within, onTimeout: () => new Error(`${what}: waited in vain`) }),
    Effect.orDie,
    Effect.asVoid
  )

/** The events of a kind, from an index on. */
export const events = <T extends MarketEvent["_tag"]>(log: ReadonlyArray<MarketEvent>, tag: T, from = 0) =>
  log.slice(from).filter((event): event is Extract<MarketEvent, { readonly _tag: T }> => event._tag === tag)

/** What the venue lists, up to a number of markets. */
export const listed = (venue: Venue, maxMarkets = 100): Effect.Effect<ReadonlyArray<Market>, VenueError> =>
  venue.markets({ maxMarkets, categories: [], markets: [] }).pipe(
    Stream.mapConcat((page) => page.markets),
    Stream.take(maxMarkets),
    Stream.runCollect,
    Effect.map((markets) => [...markets])
  )

/** Collects from a venue until the scope closes. */
export const collect = <F>({ trade, trueBook, venue }: Running<F>, wanted: ReadonlyArray<Instrument>) =>
  Effect.gen(function* () {
    const known = new Map((yield* listed(venue)).map((market) => [market.id, market]))
    const found = new Map<InstrumentId, Instrument>()
    for (const market of known.values()) {
      for (const { instrumentId: id, venueInstrumentId } of market.outcomes)
        found.set(id, { id, venueInstrumentId, market })
    }
    const desired = yield* SubscriptionRef.make(wanted)
    const catalog = Layer.succeed(Catalog, {
      markets: () => [...known.values()],
      market: (id) => known.get(id),
      instrument: (id) => found.get(id),
      desired: (id) => (id === venue.id ? desired : undefined),
      info: () => [],
      refresh: () => Effect.void
    })
    const kept = Books.layer(new Map([[venue.id, venue.protocol]])).pipe(
      Layer.provideMerge(Bus.layer),
      Layer.provide(Tape.layerNone)
    )
    const core = yield* Layer.build(Layer.merge(kept, catalog))
    const log: Array<MarketEvent> = []
    const batches = yield* Context.get(core, Bus).subscribe
    yield* Effect.forkScoped(Stream.runForEach(batches, (batch) => Effect.sync(() => log.push(...batch.events))))
    const venues = new Map([[venue.id, venue]])
    yield* Layer.build(
      Collector.layer([venue]).pipe(
        Layer.provideMerge(Layer.merge(Resync.layer(venues), Probe.layer(venues))),
        Layer.provide(Layer.succeedContext(core))
      )
    )
    const books = Context.get(core, Books)
    const view = (id: InstrumentId) => books.view(id)
    const live = (all: ReadonlyArray<Instrument>) =>
      eventually("live books", () => all.every(({ id }) => books.view(id, 0)?.status === "live"))
    return {
      log,
      desired,
      view,
      live,
      kept: () => [...books.ids()],
      /** Faults that the venue's connections have counted. */
      errors: Effect.map(venue.feed.connections, (all) =>
        all.flatMap(({ errors }) => Object.values(errors)).reduce((sum, count) => sum + count, 0)
      ),
      /** Stops trading, and fails unless the books come to be what the simulator has. */
      equalsTruth: (all: ReadonlyArray<Instrument>) =>
        Effect.gen(function* () {
          yield* trade(false)
          const truths = yield* Effect.forEach(all, trueBook)
          const seen = () =>
            all.map(({ id }) => {
              const { asks = [], bids = [], status = "stale" } = view(id) ?? {}
              return { id, status, bids, asks }
            })
          const due = all.map(({ id }, i) => ({ id, status: "live", ...truths[i] }))
          const text = JSON.stringify(due)
          const waited = eventually("the true books", () => JSON.stringify(seen()) === text, "15 seconds")
          yield* Effect.catchAllDefect(waited, () => Effect.sync(() => assert.deepStrictEqual(seen(), due as never)))
        })
    }
  })

/** Everything listed, collected, every book live. */
export const collectAll = <F>(running: Running<F>) =>
  Effect.gen(function* () {
    const all = (yield* listed(running.venue)).flatMap(instruments)
    const stage = yield* collect(running, all)
    yield* stage.live(all)
    return { ...stage, all }
  })

export const ids = (all: ReadonlyArray<Instrument>) => all.map(({ id }) => id)

/** Declares one case; `perConnection` as in {@link Adapter.start}. */
export type Declare<F> = (
  title: string,
  body: (running: Running<F>) => Effect.Effect<void, unknown, Needs>,
  perConnection?: number
) => void

/** What a venue is made with; the faults that are injected need no log. */
export const platform = Layer.mergeAll(RateLimit.layer, NodeHttpClient.layerUndici, Logger.remove(Logger.defaultLogger))
