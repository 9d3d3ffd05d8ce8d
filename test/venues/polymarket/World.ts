/**
 * A simulated venue with a collector on it, over real sockets, and a judge who knows both: at every step it compares
 * each book that is called live with what the venue's book truly is.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Context, Duration, Effect, Layer, Logger, Option, Schedule, Stream } from "effect"
import { Bus } from "../../../src/bus/Bus.ts"
import { type BookView } from "../../../src/collector/BookKeeper.ts"
import { Books } from "../../../src/collector/Books.ts"
import { Catalog } from "../../../src/collector/Catalog.ts"
import * as Collector from "../../../src/collector/Collector.ts"
import { Feeds } from "../../../src/collector/Feeds.ts"
import * as Resync from "../../../src/collector/Resync.ts"
import { instrumentId } from "../../../src/domain/Market.ts"
import type { MarketEvent } from "../../../src/domain/MarketEvent.ts"
import { formatDecimal } from "../../../src/domain/Money.ts"
import type { Level } from "../../../src/domain/OrderBook.ts"
import { Tape } from "../../../src/tape/Tape.ts"
import { RateLimit } from "../../../src/resilience/RateLimit.ts"
import * as Exchange from "../../../src/simulator/Exchange.ts"
import * as ExchangeBackend from "../../../src/simulator/ExchangeBackend.ts"
import type { Fault } from "../../../src/simulator/Faults.ts"
import * as PolymarketServer from "../../../src/simulator/PolymarketServer.ts"
import * as PolymarketVenue from "../../../src/simulator/PolymarketVenue.ts"
import { MarketStore } from "../../../src/storage/MarketStore.ts"
import type { PolymarketConfig } from "../../../src/venues/polymarket/Config.ts"
import { POLYMARKET } from "../../../src/venues/polymarket/Reading.ts"
import * as Polymarket from "../../../src/venues/polymarket/Polymarket.ts"
import { readyDatabase } from "../../support/StubDatabase.ts"

export interface WorldOptions {
  readonly markets: number
  /** Operations a second. */
  readonly rate: number
  readonly config?: Partial<PolymarketConfig>
  /** Faults that are there before the collector is. */
  readonly before?: ReadonlyArray<Fault>
}

export class World extends Context.Tag("parallax/test/venues/polymarket/World")<
  World,
  {
    readonly inject: (fault: Fault) => Effect.Effect<void>
    /** Open tokens of the venue. */
    readonly tokens: () => ReadonlyArray<string>
    readonly books: Context.Tag.Service<Books>
    readonly feeds: Context.Tag.Service<Feeds>
    readonly server: PolymarketServer.PolymarketServer
    /** Everything that was published. */
    readonly events: ReadonlyArray<MarketEvent>
    readonly view: (token: string) => BookView | undefined
    /** Whether every open token has a live book that is the venue's. */
    readonly isWell: () => boolean
    /** Whether every open token has a live book that was the venue's since this began: a busy machine is seldom at one with it. */
    readonly becomesWell: () => () => boolean
    /** Waits until something holds; a defect that says what, when it does not in time. */
    readonly until: (what: string, holds: () => boolean, within?: Duration.DurationInput) => Effect.Effect<void>
    /** The longest time, in milliseconds, for which a book was called live and was not the venue's, since last asked. */
    readonly worst: () => number
  }
>() {}

const wire = (levels: ReadonlyArray<Level>): string =>
  levels
    .toReversed()
    .map(({ price, size }) => `{"price":"${formatDecimal(price)}","size":"${formatDecimal(size)}"}`)
    .join(",")

const STEP = 10

const collector = (config: PolymarketConfig) =>
  Layer.unwrapScoped(
    Effect.map(Polymarket.make(config), (venue) => {
      const filter = { maxMarkets: config.max_markets, categories: [], markets: [] }
      return Collector.layer([venue]).pipe(
        Layer.provideMerge(Resync.layer(new Map([[venue.id, venue]]))),
        Layer.provideMerge(Catalog.layer([{ venue, filter, refreshEvery: config.refresh_every }])),
        Layer.provideMerge(Books.layer(new Map([[venue.id, venue.protocol]]))),
        Layer.provideMerge(Bus.layer),
        Layer.provide(Tape.layerNone)
      )
    })
  ).pipe(
    Layer.provide(MarketStore.layerMemory),
    Layer.provide(readyDatabase()),
    Layer.provide(RateLimit.layer),
    Layer.provide(NodeHttpClient.layerUndici)
  )

export const layer = ({ before = [], config: changed = {}, markets, rate }: WorldOptions): Layer.Layer<World> =>
  Layer.scoped(
    World,
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const now = () => clock.unsafeCurrentTimeMillis()
      const exchange = Exchange.make({ seed: 7, markets, rate, turnover: 0, now: now() })
      const venue = PolymarketVenue.make(7, exchange, now())
      const backend = ExchangeBackend.make(exchange, venue)
      const server = yield* Effect.orDie(PolymarketServer.make({ host: "127.0.0.1", port: 0, backend }))
      for (const fault of before) server.inject(fault)
      const authority = `127.0.0.1:${server.port}`
      const context = yield* Layer.build(
        collector({
          enabled: true,
          clob_url: `http://${authority}`,
          gamma_url: `http://${authority}/gamma`,
          ws_url: `ws://${authority}/ws/market`,
          max_markets: 500,
          min_liquidity: 0,
          categories: [],
          markets: [],
          max_assets_per_connection: 6,
          refresh_every: Duration.minutes(10),
          stale_after: Duration.seconds(1),
          ...changed
        })
      )
      const books = Context.get(context, Books)
      const feeds = Context.get(context, Feeds)
      const events: Array<MarketEvent> = []
      const published = yield* Context.get(context, Bus).subscribe
      yield* Effect.forkScoped(Stream.runForEach(published, (batch) => Effect.sync(() => events.push(...batch.events))))

      const tokens = () =>
        [...venue.markets()].filter((market) => market.open()).flatMap((market) => market.info.tokens)
      const view = (token: string) => books.view(instrumentId(POLYMARKET, token))
      const status = (token: string) => books.view(instrumentId(POLYMARKET, token), 0)
      /** What was last compared and equal: comparing whole books again and again would cost more than the rest. */
      const compared = new Map<string, string>()
      const isTrue = (token: string, { receivedTime, venueTime }: BookView): boolean => {
        const found = venue.find(token)
        const state = found?.market.book(found.outcome)
        if (state === undefined) return false
        const what = `${receivedTime} ${venueTime} ${state.hash}`
        if (compared.get(token) === what) return true
        const { asks, bids } = view(token)!
        const equal = wire(bids) === state.bids && wire(asks) === state.asks
        if (equal) compared.set(token, what)
        return equal
      }

      let worst = 0
      const wrongSince = new Map<string, number>()
      const judge = () => {
        for (const token of tokens()) {
          const shown = status(token)
          if (shown?.status !== "live" || isTrue(token, shown)) wrongSince.delete(token)
          else {
            const since = wrongSince.get(token) ?? now()
            wrongSince.set(token, since)
            worst = Math.max(worst, now() - since)
          }
        }
      }
      // What the last step made had a whole step's time to arrive.
      yield* Effect.sync(() => {
        judge()
        server.tick()
      }).pipe(Effect.repeat(Schedule.spaced(STEP)), Effect.forkScoped)

      const until = (what: string, holds: () => boolean, within: Duration.DurationInput = "20 seconds") =>
        Effect.sync(holds).pipe(
          Effect.repeat({ until: (held) => held, schedule: Schedule.spaced(STEP) }),
          Effect.timeoutOption(within),
          Effect.flatMap((done) => (Option.isSome(done) ? Effect.void : Effect.dieMessage(`in vain: ${what}`)))
        )
      const isWell = () =>
        tokens().every((token) => {
          const shown = status(token)
          return shown?.status === "live" && isTrue(token, shown)
        })
      const becomesWell = () => {
        const seen = new Set<string>()
        return () => {
          const open = tokens()
          for (const token of open) {
            const shown = status(token)
            if (shown?.status !== "live") seen.delete(token)
            else if (isTrue(token, shown)) seen.add(token)
          }
          return open.every((token) => seen.has(token))
        }
      }
      return {
        inject: (fault) => Effect.sync(() => server.inject(fault)),
        tokens,
        books,
        feeds,
        server,
        events,
        view,
        isWell,
        becomesWell,
        until,
        worst: () => {
          const found = worst
          worst = 0
          wrongSince.clear()
          return found
        }
      }
    })
  ).pipe(Layer.provide(Logger.remove(Logger.defaultLogger)))
