/**
 * The public entry: what a program or a REPL composes feeds with.
 *
 * Modules are namespaces of functions and types (`Money.formatDecimal`, `OrderBook.best`); services are the tags that
 * {@link App} provides. Everything here is made of Effect v3 values, and nothing happens until they are run.
 *
 * @example
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Effect, Layer, Option, Stream, SubscriptionRef } from "effect"
 * import { Market, Polymarket, RateLimit, Settings, Simulator } from "parallax"
 *
 * // The books of one market, straight from the venue; here from a simulated one. Settings that keep their URLs talk to
 * // the real one.
 * const firstSnapshot = Effect.gen(function* () {
 *   const { urls } = yield* Simulator.make({ markets: 4 })
 *   const venue = yield* Polymarket.make({ ...Settings.defaults.platforms.polymarket, ...urls })
 *   const page = yield* Stream.runHead(venue.markets({ maxMarkets: 1, categories: [], markets: [] }))
 *   const [market] = Option.getOrThrow(page).markets
 *   const desired = yield* SubscriptionRef.make(Market.instruments(market!))
 *   return yield* venue.feed.events(desired).pipe(
 *     Stream.filter((event) => event._tag === "BookSnapshot"),
 *     Stream.runHead
 *   )
 * }).pipe(Effect.scoped, Effect.provide(Layer.merge(RateLimit.layer, NodeHttpClient.layerUndici)))
 *
 * console.log(await Effect.runPromise(firstSnapshot))
 */

/** Exact prices and sizes: millionths inside, decimal text outside. */
export * as Money from "./domain/Money.ts"
/** Markets, outcomes, and the instruments that carry an order book. */
export * as Market from "./domain/Market.ts"
/** The prices at which a market trades: whether one is among them, and the nearest that is. */
export * as PriceGrid from "./domain/PriceGrid.ts"
/** One book as two sorted sides: applying changes, best levels, depth, cost to fill. */
export * as OrderBook from "./domain/OrderBook.ts"
/** The memory that many books share. */
export * as LevelPool from "./domain/LevelPool.ts"
/** What happens to a market, in one vocabulary for all venues. */
export type * as MarketEvent from "./domain/MarketEvent.ts"
export type { FeedEvent } from "./domain/MarketEvent.ts"

/** The contract that a venue fulfils, and how its calls fail. */
export * as Venue from "./venues/Venue.ts"
/** All venues that a configuration enables. */
export * as Venues from "./venues/Venues.ts"
/** One venue by itself: `Polymarket.make(config)`, `Kalshi.make(config)`. */
export * as Polymarket from "./venues/polymarket/Polymarket.ts"
export * as Kalshi from "./venues/kalshi/Kalshi.ts"

/** One WebSocket connection as a stream that fails when it ends. */
export * as WebSocketFeed from "./resilience/WebSocketFeed.ts"
/** A stream that starts again when it ends, after a delay that grows and is forgiven. */
export * as Reconnect from "./resilience/Reconnect.ts"
/** The quotas that a venue's REST calls keep to; `RateLimit.layer` serves a process. */
export { RateLimit } from "./resilience/RateLimit.ts"

/** The state of every book and the rules of its integrity, synchronous, for whoever has events of their own. */
export * as BookKeeper from "./collector/BookKeeper.ts"
/** The only holder of book state in a process. */
export { Books } from "./collector/Books.ts"
/** The markets that are watched. */
export { Catalog } from "./collector/Catalog.ts"
/** The connections of every venue. */
export { Feeds } from "./collector/Feeds.ts"
/** Where everything that happens flows by: `Bus.subscribe` for a stream of it, `Bus.listen` for what only watches. */
export { type Batch, Bus, unrecorded } from "./bus/Bus.ts"
/** The database: whether it is there, and queries that are measured. */
export { Database, type DatabaseStatus } from "./storage/Database.ts"
/** What is stored, what waits and what was lost. */
export { EventWriter, type EventWriterStatus } from "./storage/EventWriter.ts"
/** The markets that are known, kept over restarts. */
export { MarketStore } from "./storage/MarketStore.ts"

/** The composition root: `App.collector(settings)`, and `App.layer(settings)` with the HTTP interface. */
export * as App from "./App.ts"
/** The configuration: `Settings.defaults`, `Settings.load`. */
export * as Settings from "./Settings.ts"
/** Venues on loopback: `Simulator.make({ seed, markets })` and the URLs to configure. */
export * as Simulator from "./simulator/Simulator.ts"
export * as KalshiSimulator from "./simulator/KalshiSimulator.ts"
