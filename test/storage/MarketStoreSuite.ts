/** What every market store must do. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Effect, type Layer } from "effect"
import { InstrumentId, type Market, MarketId, VenueId } from "../../src/domain/Market.ts"
import { MarketStore } from "../../src/storage/MarketStore.ts"
import { gridOf } from "../support/Events.ts"
import { price, size, venue } from "./Events.ts"

const market = (name: string, fields: Partial<Market> = {}): Market => ({
  id: MarketId.make(`polymarket:${name}`),
  venue,
  venueMarketId: name,
  slug: `will-${name}`,
  question: `Will ${name}? 🗳`,
  category: null,
  tags: [],
  status: "open",
  outcomes: ["Yes", "No"].map((outcome) => ({
    instrumentId: InstrumentId.make(`polymarket:${name}-${outcome}`),
    venueInstrumentId: `${name}-${outcome}`,
    name: outcome,
    winner: null
  })),
  tickSize: null,
  priceBands: null,
  minOrderSize: null,
  negRisk: false,
  liquidity: null,
  volume24h: null,
  protocol: null,
  endTime: null,
  ...fields
})

const full = market("full", {
  category: "Politics",
  tags: ["Elections", 'a "b", {c}'],
  tickSize: price("0.0001"),
  priceBands: gridOf(["0", "0.01", "0.0001"], ["0.01", "0.99", "0.001"], ["0.99", "1", "0.0001"]),
  minOrderSize: size("5"),
  negRisk: true,
  liquidity: size("1234567.890001"),
  volume24h: size("0"),
  protocol: "v2",
  endTime: DateTime.unsafeMake("2026-11-03T12:00:00.250Z")
})

/** `layer` is built anew for each test, on what `clear` has emptied. */
export const marketStoreSuite = <R>(
  it: Vitest.MethodsNonLive<R>,
  layer: Layer.Layer<MarketStore, never, R>,
  clear: Effect.Effect<void, never, R>
): void => {
  const test = (name: string, body: (store: MarketStore["Type"]) => Effect.Effect<void, unknown>) =>
    it.effect(name, () => Effect.zipRight(clear, Effect.provide(Effect.flatMap(MarketStore, body), layer)))

  test("gives markets back as they were, in their order", (store) =>
    Effect.gen(function* () {
      const markets = [market("b"), full, market("a")]
      yield* store.save(markets)
      assert.deepStrictEqual(yield* store.load(venue), markets)
    }))

  test("saves again without a trace, and saves changes", (store) =>
    Effect.gen(function* () {
      yield* store.save([market("a"), full])
      yield* store.save([market("a"), full])
      assert.lengthOf(yield* store.load(venue), 2)
      const renamed = market("a", { question: "Will it?", status: "open", liquidity: size("3") })
      yield* store.save([full, renamed])
      assert.deepStrictEqual(yield* store.load(venue), [full, renamed])
      const regridded = { ...full, tickSize: price("0.01"), priceBands: gridOf(["0", "1", "0.01"]) }
      const unknown = { ...renamed, tickSize: null, priceBands: null }
      yield* store.save([regridded, unknown])
      assert.deepStrictEqual(yield* store.load(venue), [regridded, unknown])
    }))

  test("keeps the order of pages", (store) =>
    Effect.gen(function* () {
      yield* store.save([market("y"), market("x")])
      yield* store.save([market("c"), market("b")], 2)
      const names = (yield* store.load(venue)).map(({ venueMarketId }) => venueMarketId)
      assert.deepStrictEqual(names, ["y", "x", "c", "b"])
    }))

  test("takes a market that is listed twice once", (store) =>
    Effect.gen(function* () {
      yield* store.save([market("a"), market("a")])
      assert.lengthOf(yield* store.load(venue), 1)
    }))

  test("loads open markets of the venue alone", (store) =>
    Effect.gen(function* () {
      yield* store.save([market("a", { status: "closed" }), market("b", { status: "unlisted" }), market("c")])
      assert.deepStrictEqual(yield* store.load(venue), [market("c")])
      assert.deepStrictEqual(yield* store.load(VenueId.make("kalshi")), [])
      yield* store.save([])
    }))

  test("resolves, and does not forget who won", (store) =>
    Effect.gen(function* () {
      const open = market("a")
      const [yes] = open.outcomes
      yield* store.save([open])
      yield* store.resolve(open.id, yes!.instrumentId)
      yield* store.resolve(MarketId.make("polymarket:unknown"), null)
      assert.deepStrictEqual(yield* store.load(venue), [])
      yield* store.save([open])
      const [again] = yield* store.load(venue)
      assert.deepStrictEqual(
        again?.outcomes.map(({ winner }) => winner),
        [true, false]
      )
    }))

  test("takes any text that a venue sends", (store) =>
    Effect.gen(function* () {
      yield* store.save([market("a", { question: "cut \ud83d short\0" })])
      const [saved] = yield* store.load(venue)
      assert.match(saved?.question ?? "", /^cut . short.$/)
    }))

  test("saves a thousand at once", (store) =>
    Effect.gen(function* () {
      const markets = Array.from({ length: 1000 }, (_, i) => market(`m${i}`))
      yield* store.save(markets)
      assert.deepStrictEqual(yield* store.load(venue), markets)
    }))
}
