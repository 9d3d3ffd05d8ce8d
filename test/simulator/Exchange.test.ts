import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { type Price, SCALE, type Size } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import * as Exchange from "../../src/simulator/Exchange.ts"
import * as MatchingBook from "../../src/simulator/MatchingBook.ts"
import type { ExchangeMarket, Operation } from "../../src/simulator/Operation.ts"
import { sides } from "../support/Books.ts"

const START = 1_791_000_000_000
const options = { seed: 1, markets: 12, rate: 2000, turnover: 0, now: START }

/** Everything that happens in `steps` steps of 10 ms. */
const run = (exchange: Exchange.Exchange, steps: number): ReadonlyArray<Operation> =>
  Array.from({ length: steps }, (_, step) => exchange.step(START + (step + 1) * 10)).flat()

/** An operation without its references into the exchange. */
const plain = (operation: Operation) => ({ ...operation, market: operation.market.listing.slug })

describe("Exchange", () => {
  it("does the same for the same seed, and something else for another", () => {
    const first = Exchange.make({ ...options, turnover: 500 })
    const second = Exchange.make({ ...options, turnover: 500 })
    const other = Exchange.make({ ...options, seed: 2, turnover: 500 })
    const operations = run(first, 100).map(plain)
    assert.isAbove(operations.length, 1000)
    assert.deepStrictEqual(run(second, 100).map(plain), operations)
    assert.deepStrictEqual(
      second.markets.map((market) => [market.listing, market.matching.book]),
      first.markets.map((market) => [market.listing, market.matching.book])
    )
    assert.notDeepEqual(run(other, 100).map(plain), operations)
  })

  it("keeps books that look like real ones, and never crosses them", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const exchange = Exchange.make({ ...options, seed })
        run(exchange, 40)
        for (const { matching, tick } of exchange.markets) {
          assert.isFalse(OrderBook.isCrossed(matching.book))
          const levels = [...OrderBook.levels(matching.book, "bid"), ...OrderBook.levels(matching.book, "ask")]
          assert.isAbove(levels.length, 20)
          for (const { price, size } of levels) {
            assert.isTrue(size > 0 && price % tick === 0 && price > 0 && price < SCALE)
          }
        }
      }),
      { numRuns: 15 }
    )
  })

  it("says everything that it does: the operations alone rebuild its books", () => {
    const exchange = Exchange.make({ ...options, turnover: 200 })
    const books = new Map<ExchangeMarket, OrderBook.OrderBook>(
      exchange.markets.map((market) => [market, OrderBook.copy(market.matching.book)])
    )
    const seen = new Set<string>()
    for (const operation of run(exchange, 300)) {
      seen.add(operation._tag)
      if (operation._tag === "Listed") books.set(operation.market, OrderBook.empty())
      if (!("changes" in operation)) continue
      for (const { outcome, price, side, size } of operation.changes) {
        const book = books.get(operation.market)!
        OrderBook.applyChange(book, MatchingBook.restingSide(outcome, side), MatchingBook.toYes(outcome, price), size)
      }
    }
    assert.sameMembers([...seen], ["LevelsChanged", "Traded", "Listed", "Resolved"])
    for (const market of exchange.markets) {
      assert.deepStrictEqual(sides(books.get(market)!), sides(market.matching.book))
    }
  })

  it("cancels several orders in one operation, one change for each level", () => {
    const exchange = Exchange.make(options)
    const [market] = exchange.markets
    const orders = market!.matching.orders.slice(0, 12)
    const operations = exchange.cancel(market!, orders, START + 1)
    assert.strictEqual(operations.length, 1)
    const [operation] = operations
    if (operation?._tag !== "LevelsChanged") return assert.fail("no change")
    const levels = new Set(orders.map((order) => `${order.rests} ${order.limit}`))
    assert.strictEqual(operation.changes.length, levels.size)
  })

  it("reports a sweep by price, with the last maker's own price", () => {
    const exchange = Exchange.make(options)
    const market = exchange.markets[0]!
    for (const order of market.matching.orders.slice()) MatchingBook.cancel(market.matching, order)
    const rest = (outcome: 0 | 1, price: number) =>
      exchange.submit(
        market,
        { owner: 1, outcome, side: outcome === 0 ? "sell" : "buy", price: price as Price, size: (5 * SCALE) as Size },
        true,
        START
      )
    rest(0, 500_000)
    rest(1, 500_000)
    rest(1, 490_000)
    const [traded] = exchange.submit(
      market,
      { owner: 2, outcome: 0, side: "buy", price: 600_000 as Price, size: (12 * SCALE) as Size },
      false,
      START
    )
    if (traded?._tag !== "Traded") return assert.fail("no trade")
    assert.deepStrictEqual(
      traded.prints.map(({ price, size }): ReadonlyArray<number> => [price, size / SCALE]),
      [
        [500_000, 10],
        [510_000, 2]
      ]
    )
    assert.strictEqual(traded.makerPrice, 490_000)
  })

  it("refines the grid when prices come near an end", () => {
    const exchange = Exchange.make({ ...options, markets: 40 })
    const market = exchange.markets.find((market) => market.tick === 10_000)!
    const { matching } = market
    for (const order of matching.orders.slice()) MatchingBook.cancel(matching, order)
    const bid = { owner: 1, outcome: 0, side: "buy", price: 970_000 as Price, size: SCALE as Size } as const
    const operations = exchange.submit(market, bid, true, START)
    assert.deepStrictEqual(
      operations.map((operation) => operation._tag),
      ["LevelsChanged", "TickSizeChanged"]
    )
    assert.strictEqual(market.tick, 1_000)
  })

  it("replaces a market that resolves", () => {
    const exchange = Exchange.make(options)
    const market = exchange.markets[3]!
    const [resolved, listed] = exchange.resolve(market, 1, START)
    assert.strictEqual(resolved?._tag, "Resolved")
    assert.strictEqual(listed?._tag, "Listed")
    assert.strictEqual(market.winner, 1)
    assert.strictEqual(exchange.markets.length, options.markets)
    assert.notInclude(exchange.markets, market)
    run(exchange, 100)
    assert.isAbove(listed!.market.matching.orders.length, 50)
    assert.deepStrictEqual(exchange.resolve(market, 1, START), [], "only once")
  })

  it("lists markets that can be told apart", () => {
    const { markets } = Exchange.make({ ...options, markets: 600, rate: 0 })
    assert.strictEqual(new Set(markets.map((market) => market.listing.slug)).size, 600)
    assert.isAbove(new Set(markets.map((market) => market.listing.category)).size, 6)
    assert.isTrue(markets.some((market) => market.listing.group !== null))
    assert.isTrue(markets.some((market) => market.tick === 1_000))
    for (const { listing } of markets) assert.match(listing.slug, /^[a-z0-9]+(-[a-z0-9]+)*$/)
  })
})
