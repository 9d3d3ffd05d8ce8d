import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer, Option, Stream, SubscriptionRef, TestClock } from "effect"
import { Bus, unrecorded } from "../../src/bus/Bus.ts"
import { Catalog } from "../../src/collector/Catalog.ts"
import type { Market } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import { MarketStore } from "../../src/storage/MarketStore.ts"
import type { MarketFilter, MarketPage, Venue, VenueError } from "../../src/venues/Venue.ts"
import { gridOf, market as makeMarket, price, resolved, tickSize, venue } from "../support/Events.ts"
import { readyDatabase } from "../support/StubDatabase.ts"
import * as StubVenue from "../support/StubVenue.ts"

/** Market `n`, with tokens `n1` and `n2`. */
const market = (n: number, fields: Partial<Market> = {}) => makeMarket(`m${n}`, fields, [`${n}1`, `${n}2`])
const some = (...numbers: ReadonlyArray<number>) => numbers.map((n) => market(n))

interface Setup {
  readonly venue?: Partial<Venue>
  readonly filter?: Partial<MarketFilter>
  readonly cached?: ReadonlyArray<Market>
  readonly ready?: Effect.Effect<void>
  readonly store?: Layer.Layer<MarketStore>
}

const setUp = ({ cached = [], filter, ready, store = MarketStore.layerMemory, venue: parts }: Setup) => {
  const catalog = Catalog.layer([
    {
      venue: StubVenue.make(parts),
      filter: { maxMarkets: 100, categories: [], markets: [], ...filter },
      refreshEvery: Duration.seconds(20)
    }
  ])
  const filled = Layer.effectDiscard(Effect.flatMap(MarketStore, (one) => one.save(cached)))
  return catalog.pipe(
    Layer.provideMerge(filled),
    Layer.provideMerge(store),
    Layer.provideMerge(Bus.layer),
    Layer.provide(readyDatabase(ready))
  )
}

const gap: MarketEvent = {
  _tag: "Gap",
  venue,
  connection: "c",
  instrumentId: null,
  from: 0,
  to: 1,
  reason: "closed (1006)",
  receivedTime: 1
}

/** Lets everything that is due now happen. */
const settle = TestClock.adjust("1 millis")

const slugs = Effect.map(Catalog, (catalog) => catalog.markets().map((one) => one.slug))
const watched = Effect.gen(function* () {
  const catalog = yield* Catalog
  return (yield* SubscriptionRef.get(catalog.desired(venue)!)).map((one) => one.venueInstrumentId)
})
const info = Effect.map(Catalog, (catalog) => catalog.info()[0]!)
const stored = Effect.flatMap(MarketStore, (store) => store.load(venue)).pipe(
  Effect.map((markets) => markets.map((one) => one.slug))
)

const pages = (...all: ReadonlyArray<ReadonlyArray<Market>>): Stream.Stream<MarketPage, VenueError> =>
  Stream.fromIterable(all.map((markets, i) => StubVenue.page(i + 1, markets)))

describe("the list", () => {
  it.scoped("is fetched at the start, in the venue's order, and all of its open markets are watched", () =>
    Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m3", "m1", "m2"])
      assert.deepStrictEqual(yield* watched, ["31", "32", "21", "22"])
      assert.deepStrictEqual(yield* stored, ["m3", "m2"])
      const { lastError, lastRefresh, markets, state } = yield* info
      assert.deepStrictEqual({ state, markets, lastError }, { state: "fresh", markets: 3, lastError: null })
      assert.isNotNull(lastRefresh)
      const catalog = yield* Catalog
      assert.strictEqual(catalog.market(market(1).id)?.slug, "m1")
      assert.strictEqual(catalog.instrument(market(2).outcomes[1]!.instrumentId)?.market.slug, "m2")
    }).pipe(
      Effect.provide(
        setUp({ venue: { markets: () => pages([market(3), market(1, { status: "closed" })], [market(2)]) } })
      )
    )
  )

  it.scoped("is fetched again as often as configured, and what left it is remembered as unlisted", () => {
    let fetched = 0
    const markets = () => pages(++fetched === 1 ? some(1, 2) : some(2, 3))
    return Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(fetched, 1)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(fetched, 2)
      assert.deepStrictEqual(yield* slugs, ["m2", "m3"])
      assert.deepStrictEqual(yield* watched, ["21", "22", "31", "32"])
      assert.deepStrictEqual(yield* stored, ["m2", "m3"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => Stream.suspend(markets) } })))
  })

  it.scoped("stops asking for pages once it is full", () => {
    const asked: Array<number> = []
    const endless = Stream.iterate(1, (n) => n + 1).pipe(
      Stream.tap((n) => Effect.sync(() => asked.push(n))),
      Stream.map((n) => StubVenue.page(n, some(2 * n - 1, 2 * n)))
    )
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m3", "m4", "m5"])
      assert.deepStrictEqual(asked, [1, 2, 3])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => endless }, filter: { maxMarkets: 5 } })))
  })

  it.scoped("counts what does not decode, and keeps the rest of the page", () => {
    const rejected = [{ id: "0xbad", path: "tokens", problem: "no tokens yet" }]
    const markets = () => Stream.make({ ...StubVenue.page(1, some(1)), rejected })
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1"])
      assert.strictEqual((yield* info).rejected, 1)
    }).pipe(Effect.provide(setUp({ venue: { markets } })))
  })
})

describe("a restart", () => {
  it.scoped("begins with the cached list at once, and confirms it behind", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const markets = () => Stream.unwrap(Effect.as(Deferred.await(gate), pages(some(2, 3))))
      yield* Effect.gen(function* () {
        yield* settle
        assert.deepStrictEqual(yield* watched, ["11", "12", "21", "22"])
        assert.strictEqual((yield* info).state, "cached")
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(yield* slugs, ["m2", "m3"])
        assert.strictEqual((yield* info).state, "fresh")
      }).pipe(Effect.provide(setUp({ venue: { markets }, cached: some(1, 2) })))
    })
  )

  it.scoped("takes no more from the cache than the limit", () =>
    Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1", "m2"])
    }).pipe(
      Effect.provide(
        setUp({ venue: { markets: () => Stream.never }, cached: some(1, 2, 3), filter: { maxMarkets: 2 } })
      )
    )
  )

  it.scoped("does not wait for a database that is away", () =>
    Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* watched, ["11", "12"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) }, ready: Effect.never })))
  )

  it.scoped("does not put the cached list over one that was fetched meanwhile", () =>
    Effect.gen(function* () {
      const ready = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        yield* settle
        yield* Deferred.succeed(ready, undefined)
        yield* settle
        assert.deepStrictEqual(yield* slugs, ["m1"])
        assert.strictEqual((yield* info).state, "fresh")
      }).pipe(
        Effect.provide(
          setUp({ venue: { markets: () => pages(some(1)) }, cached: some(2), ready: Deferred.await(ready) })
        )
      )
    })
  )

  it.scoped("goes without a cache that cannot be read or written", () => {
    const broken = new SqlError({ cause: "disk full" })
    const store = Layer.succeed(MarketStore, { save: () => broken, load: () => broken, resolve: () => broken })
    const layer = Catalog.layer([
      {
        venue: StubVenue.make({ markets: () => pages(some(1)) }),
        filter: { maxMarkets: 100, categories: [], markets: [] },
        refreshEvery: Duration.seconds(20)
      }
    ]).pipe(Layer.provide(store), Layer.provide(Bus.layer), Layer.provide(readyDatabase()))
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1"])
    }).pipe(Effect.provide(layer))
  })
})

describe("a refresh that fails", () => {
  const failing = (first: ReadonlyArray<Market>, then: ReadonlyArray<Market>) => {
    let fetched = 0
    return () =>
      Stream.suspend(() =>
        ++fetched === 1
          ? pages(first)
          : Stream.concat(pages(then), Stream.fail(StubVenue.failure("unavailable", "half of it")))
      )
  }

  it.scoped("leaves the list as it is, says why, and is tried again soon", () => {
    let fetched = 0
    const markets = () =>
      Stream.suspend(() => {
        fetched++
        if (fetched === 2 || fetched === 3) return Stream.fail(StubVenue.failure("unreachable"))
        return pages(fetched === 1 ? some(1) : some(1, fetched))
      })
    return Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* slugs, ["m1"])
      const { lastError, state } = yield* info
      assert.strictEqual(state, "failing")
      assert.match(lastError!, /unreachable/)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(fetched, 4)
      assert.deepStrictEqual(yield* slugs, ["m1", "m4"])
      assert.strictEqual((yield* info).state, "fresh")
    }).pipe(Effect.provide(setUp({ venue: { markets } })))
  })

  it.scoped("adds what it brought before it failed, while there is room, and takes nothing away", () =>
    Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m3"])
      assert.deepStrictEqual(yield* watched, ["11", "12", "21", "22", "31", "32"])
    }).pipe(Effect.provide(setUp({ venue: { markets: failing(some(1, 2), some(2, 3)) } })))
  )

  it.scoped("fills the list up to the limit although most of what it brought is known", () =>
    Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m3", "m4", "m5"])
    }).pipe(
      Effect.provide(setUp({ venue: { markets: failing(some(1, 2, 3), some(2, 3, 4, 5)) }, filter: { maxMarkets: 5 } }))
    )
  )

  it.scoped("fills the list no further than the limit", () =>
    Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m3", "m4"])
    }).pipe(
      Effect.provide(setUp({ venue: { markets: failing(some(1, 2, 3), some(4, 5, 6)) }, filter: { maxMarkets: 4 } }))
    )
  )

  it.scoped("is better than nothing at the first start", () => {
    const markets = () => Stream.concat(pages(some(1, 2)), Stream.fail(StubVenue.failure("cursor")))
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* watched, ["11", "12", "21", "22"])
      assert.strictEqual((yield* info).state, "failing")
    }).pipe(Effect.provide(setUp({ venue: { markets } })))
  })
})

describe("pinned markets", () => {
  it.scoped("are kept whatever the filters say, before all others", () => {
    const lookup = (reference: string) =>
      Effect.succeed(reference === "pin" ? Option.some(market(9)) : Option.none<Market>())
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m9", "m1"])
    }).pipe(
      Effect.provide(
        setUp({
          venue: { markets: () => pages(some(1, 2)), market: lookup },
          filter: { markets: ["pin", "nobody knows it"], maxMarkets: 2 }
        })
      )
    )
  })

  it.scoped("that cannot be looked up do not keep the list from being fetched", () => {
    const lookup = () => StubVenue.failure("protocol", "tokens: no tokens yet")
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1"])
    }).pipe(
      Effect.provide(setUp({ venue: { markets: () => pages(some(1)), market: lookup }, filter: { markets: ["odd"] } }))
    )
  })

  it.scoped("that cannot be looked up for the moment are tried again soon, beside a list that serves", () => {
    let asked = 0
    const lookup = () =>
      Effect.suspend(() => (++asked === 1 ? StubVenue.failure("unreachable") : Effect.succeedSome(market(9))))
    return Effect.gen(function* () {
      yield* settle
      assert.deepStrictEqual(yield* slugs, ["m1"])
      assert.strictEqual((yield* info).state, "failing")
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* slugs, ["m9", "m1"])
      assert.strictEqual((yield* info).state, "fresh")
    }).pipe(
      Effect.provide(setUp({ venue: { markets: () => pages(some(1)), market: lookup }, filter: { markets: ["m9"] } }))
    )
  })

  it.scoped("that cannot be looked up again are kept as they are known", () => {
    let asked = 0
    const lookup = () =>
      Effect.suspend(() => (++asked === 1 ? Effect.succeedSome(market(9)) : StubVenue.failure("timeout")))
    return Effect.gen(function* () {
      yield* settle
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* slugs, ["m9", "m1"])
      assert.strictEqual(asked, 2)
    }).pipe(
      Effect.provide(setUp({ venue: { markets: () => pages(some(1)), market: lookup }, filter: { markets: ["m9"] } }))
    )
  })
})

describe("what the venue announces", () => {
  const announce = (...events: ReadonlyArray<MarketEvent>) =>
    Effect.zipRight(
      Effect.flatMap(Bus, (bus) => bus.publish(unrecorded(events))),
      settle
    )
  const listed = (n: number) => ({ _tag: "MarketListed" as const, market: market(n), venueTime: 1, receivedTime: 1 })

  it.scoped("as new is watched when it passes the filters and there is room, and saved", () =>
    Effect.gen(function* () {
      yield* settle
      yield* announce(listed(2), listed(3), listed(4), listed(2))
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m4"])
      assert.deepStrictEqual(yield* watched, ["11", "12", "21", "22", "41", "42"])
      yield* TestClock.adjust("1 seconds")
      assert.sameMembers(yield* stored, ["m1", "m2", "m4"])
      yield* announce(listed(5))
      assert.deepStrictEqual(yield* slugs, ["m1", "m2", "m4"])
    }).pipe(
      Effect.provide(
        setUp({
          venue: { markets: () => pages(some(1)), wants: (one) => one.slug !== "m3" },
          filter: { maxMarkets: 3 }
        })
      )
    )
  )

  it.scoped("as resolved is watched no longer, and its winner is known", () =>
    Effect.gen(function* () {
      yield* settle
      const one = market(1)
      const winner = one.outcomes[1]!.instrumentId
      yield* announce(resolved(5, { marketId: one.id, instrumentIds: [winner], winner }))
      const catalog = yield* Catalog
      assert.strictEqual(catalog.market(one.id)?.status, "resolved")
      assert.deepStrictEqual(
        catalog.market(one.id)?.outcomes.map((outcome) => outcome.winner),
        [false, true]
      )
      assert.deepStrictEqual(yield* watched, ["21", "22"])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* stored, ["m2"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1, 2)) } })))
  )

  it.scoped("as resolved stays so although the list still shows it as open", () =>
    Effect.gen(function* () {
      yield* settle
      yield* announce(resolved(5, { marketId: market(1).id, instrumentIds: [], winner: null }))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* watched, ["21", "22"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1, 2)) } })))
  )

  it.scoped("makes room for another when it resolves", () =>
    Effect.gen(function* () {
      yield* settle
      yield* announce(listed(2))
      assert.deepStrictEqual(yield* watched, ["11", "12"])
      yield* announce(resolved(5, { marketId: market(1).id, instrumentIds: [], winner: null }), listed(2))
      assert.deepStrictEqual(yield* watched, ["21", "22"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) }, filter: { maxMarkets: 1 } })))
  )

  it.scoped("of a grid is true of the market from then on, and stored", () => {
    const priceBands = gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"])
    const of = { instrumentId: market(1).outcomes[0]!.instrumentId }
    return Effect.gen(function* () {
      yield* settle
      yield* announce(tickSize(5, "0.001", { ...of, priceBands }))
      const catalog = yield* Catalog
      assert.deepInclude(catalog.market(market(1).id), { tickSize: price("0.001"), priceBands })
      const desired = yield* SubscriptionRef.get(catalog.desired(venue)!)
      assert.deepInclude(desired[0]?.market, { tickSize: price("0.001"), priceBands })
      const coarse = gridOf(["0", "0.5", "0.01"], ["0.5", "1", "0.001"])
      yield* announce(tickSize(6, "0.001", { ...of, priceBands: coarse }))
      assert.deepStrictEqual(catalog.market(market(1).id)?.priceBands, coarse, "although the finest step is the same")
      yield* TestClock.adjust("2 seconds")
      const [saved] = yield* Effect.flatMap(MarketStore, (store) => store.load(venue))
      assert.deepInclude(saved, { tickSize: price("0.001"), priceBands: coarse })
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) } })))
  })

  it.scoped("of a grid outlives a list that lags behind it, until the list must know", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      const grid = () => catalog.market(market(1).id)?.tickSize
      yield* settle
      yield* announce(tickSize(5, "0.001", { instrumentId: market(1).outcomes[1]!.instrumentId }))
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(grid(), price("0.001"), "through three refreshes")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(grid(), price("0.01"), "the list has the last word")
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) } })))
  )

  it.scoped("of a grid gives way to the list after a gap, in which another may have come", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      yield* settle
      yield* announce(tickSize(5, "0.001", { instrumentId: market(1).outcomes[0]!.instrumentId }), gap)
      yield* TestClock.adjust("16 seconds")
      assert.strictEqual(catalog.market(market(1).id)?.tickSize, price("0.01"))
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) } })))
  )

  it.scoped("of a gap is followed by a refresh, since a resolution may have gone unheard", () => {
    let fetched = 0
    const markets = () => pages(++fetched === 1 ? some(1, 2) : some(2))
    return Effect.gen(function* () {
      yield* settle
      yield* announce(gap)
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual(yield* slugs, ["m1", "m2"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* slugs, ["m2"])
      assert.strictEqual(fetched, 2)
    }).pipe(Effect.provide(setUp({ venue: { markets } })))
  })

  it.scoped("of markets that are not known changes nothing", () =>
    Effect.gen(function* () {
      yield* settle
      yield* announce(resolved(5, { marketId: market(7).id }), tickSize(5, "0.001"))
      assert.deepStrictEqual(yield* slugs, ["m1"])
    }).pipe(Effect.provide(setUp({ venue: { markets: () => pages(some(1)) } })))
  )
})
