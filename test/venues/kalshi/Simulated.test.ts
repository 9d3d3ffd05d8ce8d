/** The real client with its market list against the simulated venue, over sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Stream } from "effect"
import { Bus } from "../../../src/bus/Bus.ts"
import { Books } from "../../../src/collector/Books.ts"
import { Catalog } from "../../../src/collector/Catalog.ts"
import * as Collector from "../../../src/collector/Collector.ts"
import * as Resync from "../../../src/collector/Resync.ts"
import type { InstrumentId, MarketId } from "../../../src/domain/Market.ts"
import { Tape } from "../../../src/tape/Tape.ts"
import type { MarketEvent } from "../../../src/domain/MarketEvent.ts"
import { isOnGrid } from "../../../src/domain/PriceGrid.ts"
import * as Settings from "../../../src/Settings.ts"
import * as KalshiSimulator from "../../../src/simulator/KalshiSimulator.ts"
import { MarketStore } from "../../../src/storage/MarketStore.ts"
import * as Kalshi from "../../../src/venues/kalshi/Kalshi.ts"
import { gridOf, price } from "../../support/Events.ts"
import { readyDatabase } from "../../support/StubDatabase.ts"
import { eventually, events, platform } from "../Stage.ts"

const options = { seed: 5, markets: 4, rate: 200, turnover: 0 }

/** Collects everything that the simulator lists; `faults` are in force before anybody connects. */
const collecting = (...faults: ReadonlyArray<Parameters<KalshiSimulator.KalshiSimulator["Type"]["inject"]>[0]>) =>
  collectingFrom({}, ...faults)

const collectingFrom = (
  changed: Partial<KalshiSimulator.KalshiSimulatorOptions>,
  ...faults: ReadonlyArray<Parameters<KalshiSimulator.KalshiSimulator["Type"]["inject"]>[0]>
) =>
  Effect.gen(function* () {
    const simulator = yield* KalshiSimulator.make({ ...options, ...changed })
    yield* Effect.forEach(faults, simulator.inject)
    const { credentials, urls } = simulator
    const venue = yield* Kalshi.make({
      ...Settings.defaults.platforms.kalshi,
      ...urls,
      key_id: credentials?.key_id ?? "",
      private_key: Redacted.make(credentials?.private_key_pem ?? ""),
      min_volume_24h: 0
    })
    const filter = { maxMarkets: 100, categories: [], markets: [] }
    const core = yield* Layer.build(
      Catalog.layer([{ venue, filter, refreshEvery: Duration.hours(1) }]).pipe(
        Layer.provideMerge(Books.layer(new Map([[venue.id, venue.protocol]]))),
        Layer.provideMerge(Layer.mergeAll(Bus.layer, MarketStore.layerMemory)),
        Layer.provide(Tape.layerNone),
        Layer.provide(readyDatabase())
      )
    )
    const log: Array<MarketEvent> = []
    const batches = yield* Context.get(core, Bus).subscribe
    yield* Effect.forkScoped(Stream.runForEach(batches, (batch) => Effect.sync(() => log.push(...batch.events))))
    yield* Layer.build(
      Layer.merge(Resync.layer(new Map([[venue.id, venue]])), Collector.layer([venue])).pipe(
        Layer.provide(Layer.succeedContext(core))
      )
    )
    const catalog = Context.get(core, Catalog)
    const books = Context.get(core, Books)
    const statuses = () =>
      catalog.markets().flatMap(({ outcomes }) => outcomes.map((one) => books.view(one.instrumentId, 0)?.status))
    return {
      log,
      catalog,
      inject: simulator.inject,
      /** Commands that the simulator refused. */
      refusals: Effect.map(simulator.stats, ({ frames }) => frames["error"] ?? 0),
      view: (id: InstrumentId) => books.view(id),
      stored: (id: MarketId) =>
        Effect.map(Context.get(core, MarketStore).load(venue.id), (all) => all.find((market) => market.id === id)),
      live: eventually("live books", () => {
        const all = statuses()
        return all.length === options.markets && all.every((status) => status === "live")
      })
    }
  })

describe("a changed grid", () => {
  it.scopedLive(
    "arrives with its bands, and the market list holds, serves and stores it",
    () =>
      Effect.gen(function* () {
        const { catalog, inject, live, log, stored, view } = yield* collecting()
        yield* live
        const [first, second] = catalog.markets()
        const { id, outcomes, venueMarketId: tokenId } = first!
        const [{ instrumentId }] = outcomes as [(typeof outcomes)[0]]
        const steps = [
          ["deci_cent", "0.001", gridOf(["0", "1", "0.001"])],
          ["tapered_deci_cent", "0.001", gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"])],
          ["center_half_edge_half_cent", "0.005", gridOf(["0", "1", "0.005"])]
        ] as const
        for (const [structure, finest, priceBands] of steps) {
          const before = log.length
          yield* inject({ fault: "structure", structure, tokenId })
          yield* eventually("the word of it", () => events(log, "TickSizeChange", before).length > 0)
          const [change] = events(log, "TickSizeChange", before)
          assert.deepInclude(change, { instrumentId, tickSize: price(finest), priceBands })
          yield* eventually("the list", () => catalog.market(id)?.priceBands === change?.priceBands, "1 seconds")
          assert.deepInclude(catalog.market(id), { tickSize: price(finest), priceBands })
          assert.deepStrictEqual(catalog.instrument(instrumentId)?.market, catalog.market(id))
          yield* eventually(
            "the store",
            Effect.map(
              Effect.orDie(stored(id)),
              (saved) => JSON.stringify(saved?.priceBands) === JSON.stringify(priceBands)
            )
          )
          yield* live
          const { asks, bids } = view(instrumentId)!
          assert.isTrue(
            [...bids, ...asks].every((level) => isOnGrid(priceBands, level.price)),
            structure
          )
        }
        assert.strictEqual(catalog.market(second!.id), second, "the others are as they were")
      }).pipe(Effect.provide(platform)),
    30_000
  )
})

describe("a command that the venue refuses", () => {
  const connections = (log: ReadonlyArray<MarketEvent>) => events(log, "Connected").length

  it.scopedLive(
    "with 27 is sent again a little later, on the same connection",
    () =>
      Effect.gen(function* () {
        const { live, log } = yield* collecting({
          fault: "command_error",
          code: 27,
          count: 2,
          channel: "orderbook_delta"
        })
        yield* live
        assert.strictEqual(connections(log), 1)
        assert.isEmpty(events(log, "Disconnected"))
        const [connected] = events(log, "Connected")
        const [snapshot] = events(log, "BookSnapshot")
        assert.isAtLeast(snapshot!.receivedTime - connected!.receivedTime, 2_900, "after 1 s and 2 s more")
      }).pipe(Effect.provide(platform)),
    30_000
  )

  it.scopedLive(
    "with 27 when it asks for whole books mends them a little later",
    () =>
      Effect.gen(function* () {
        const { inject, live, log, refusals } = yield* collecting()
        yield* live
        const before = log.length
        const doubted = () => events(log, "BookStatusChanged", before).some(({ status }) => status === "suspect")
        yield* inject({ fault: "command_error", code: 27, channel: "orderbook_delta" })
        yield* inject({ fault: "lost" })
        yield* eventually("a doubt", doubted)
        yield* live
        assert.strictEqual(connections(log), 1)
        assert.strictEqual(yield* refusals, 1)
        const doubt = events(log, "BookStatusChanged", before).find(({ status }) => status === "suspect")
        const waited = events(log, "BookSnapshot", before).map(({ receivedTime }) => receivedTime - doubt!.receivedTime)
        assert.isAtLeast(Math.max(...waited), 900, "after 1 s more")
      }).pipe(Effect.provide(platform)),
    30_000
  )

  it.scopedLive(
    "with 26 ends the connection if it was for the books, and the next one brings them",
    () =>
      Effect.gen(function* () {
        const { live, log } = yield* collecting({ fault: "command_error", code: 26, channel: "orderbook_delta" })
        yield* live
        const [ended, ...others] = events(log, "Disconnected")
        assert.include(ended?.reason, "26 Subscription market limit exceeded")
        assert.isEmpty(others)
        assert.strictEqual(connections(log), 2)
      }).pipe(Effect.provide(platform)),
    30_000
  )

  it.scopedLive(
    "with 26 changes nothing else if it was for another channel",
    () =>
      Effect.gen(function* () {
        const { live, log, refusals } = yield* collecting({ fault: "command_error", code: 26, channel: "ticker" })
        yield* live
        assert.strictEqual(yield* refusals, 1)
        yield* eventually("trades", () => events(log, "Trade").length > 0)
        assert.strictEqual(connections(log), 1)
      }).pipe(Effect.provide(platform)),
    30_000
  )
})

describe("a clock that is wrong", () => {
  for (const clockAhead of [-300_000, 300_000]) {
    it.scopedLive(
      `by ${-clockAhead / 1000} s does not get our signatures refused`,
      () =>
        Effect.gen(function* () {
          const { live, log } = yield* collectingFrom({ clockAhead })
          yield* live
          assert.lengthOf(events(log, "Connected"), 1)
        }).pipe(Effect.provide(platform)),
      30_000
    )
  }
})
