import { assert, describe, it } from "@effect/vitest"
import { SCALE } from "../../src/domain/Money.ts"
import { bestPrice } from "../../src/domain/OrderBook.ts"
import * as Exchange from "../../src/simulator/Exchange.ts"
import * as FairValue from "../../src/simulator/FairValue.ts"
import * as KalshiGrid from "../../src/simulator/KalshiGrid.ts"
import * as KalshiNames from "../../src/simulator/KalshiNames.ts"
import * as Listings from "../../src/simulator/Listings.ts"
import type { Operation } from "../../src/simulator/Operation.ts"

const START = 1_791_000_000_000
const seed = 11
const lagMs = 2000

const first = (rate = 4000, now = START, turnover = 0) => Exchange.make({ seed, markets: 10, rate, turnover, now })
const second = (rate = 4000, now = START, turnover = 0) =>
  Exchange.make({
    seed,
    markets: 10,
    rate,
    turnover,
    now,
    venue: "kalshi ",
    lagMs,
    noise: 0.03,
    rules: KalshiGrid.make(seed).rules
  })

const run = (exchange: Exchange.Exchange, from: number, milliseconds: number): ReadonlyArray<Operation> =>
  Array.from({ length: milliseconds / 10 }, (_, step) => exchange.step(from + (step + 1) * 10)).flat()

describe("two exchanges of one seed", () => {
  it("ask the same questions and settle them alike, whatever their pace and a moment apart", () => {
    const story = (operations: ReadonlyArray<Operation>) =>
      operations.flatMap((operation) =>
        operation._tag === "Resolved"
          ? [`${operation.market.listing.serial} ${operation.market.listing.slug} ${operation.winner}`]
          : operation._tag === "Listed"
            ? [`${operation.market.listing.serial} ${operation.market.listing.slug}`]
            : []
      )
    const slow = story(run(first(50, START, 1000), START, 20_500))
    const fast = story(run(second(600, START + 40, 1000), START + 40, 20_500))
    assert.strictEqual(slow.length, 40)
    assert.deepStrictEqual(fast, slow)
  })

  it("price them alike, the second a little later and never quite the same", () => {
    const [here, there] = [first(), second()]
    run(here, START, 1000)
    run(there, START, 1000)
    let [apart, together, samples] = [0, 0, 0]
    for (let at = START + 1000; at < START + 31_000; at += 500) {
      run(here, at, 500)
      run(there, at, 500)
      for (const [i, market] of here.markets.entries()) {
        const mids = [market, there.markets[i]!].map(({ matching: { book } }) => {
          const [bid, ask] = [bestPrice(book, "bid"), bestPrice(book, "ask")]
          return bid === -1 || ask === -1 ? Number.NaN : (bid + ask) / 2 / SCALE
        })
        const gap = Math.abs(mids[0]! - mids[1]!)
        if (Number.isNaN(gap)) continue
        samples++
        if (gap > 0.005) apart++
        if (gap < 0.06) together++
      }
    }
    assert.isAbove(samples, 500)
    assert.isAbove(together / samples, 0.9)
    assert.isAbove(apart / samples, 0.1)
  })

  it("see the same walk, one of them late", () => {
    const [listing] = Listings.make(seed).next(START)
    const sharp = FairValue.make(seed, listing!, START, { venue: "", lagMs: 0, noise: 0 })
    const late = FairValue.make(seed, listing!, START + 77, { venue: "other", lagMs, noise: 0 })
    for (let after = 0; after < 60_000; after += 333) {
      assert.strictEqual(late.at(START + 77 + after + lagMs), sharp.at(START + after))
    }
  })
})

describe("Kalshi's view of an exchange", () => {
  it("keeps every price on its market's grid and every size on its grain, through orders of all kinds", () => {
    const grids = KalshiGrid.make(seed)
    const exchange = Exchange.make({
      seed,
      markets: 60,
      rate: 5000,
      turnover: 500,
      now: START,
      rules: grids.rules
    })
    const structures = new Set<string>()
    for (const operation of run(exchange, START, 3000)) {
      if (!("changes" in operation)) continue
      const structure = grids.structureOf(operation.market)
      structures.add(structure)
      for (const { outcome, price, size } of operation.changes) {
        const yes = outcome === 0 ? price : SCALE - price
        const onGrid = KalshiGrid.priceRanges(structure).some(({ end, start, step }) => {
          const [from, to, by] = [start, end, step].map((text) => Math.round(Number(text) * SCALE)) as [
            number,
            number,
            number
          ]
          return yes > 0 && yes < SCALE && yes >= from && yes <= to && (yes - from) % by === 0
        })
        assert.isTrue(onGrid, `${structure} ${yes}`)
        assert.strictEqual(size % 10_000, 0)
      }
    }
    assert.isAbove(structures.size, 5)
  })

  it("names every listing apart, in the venue's characters", () => {
    const source = Listings.make(seed)
    const infos = Array.from({ length: 400 }, () => source.next(START))
      .flat()
      .map((listing) => KalshiNames.infoOf(seed, listing))
    assert.strictEqual(new Set(infos.map((info) => info.ticker)).size, infos.length)
    assert.strictEqual(new Set(infos.map((info) => info.id)).size, infos.length)
    for (const { event, id, ticker } of infos) {
      assert.match(ticker, /^KX[A-Z0-9]+-[A-Z0-9]+-[A-Z0-9.]+$/)
      assert.isTrue(ticker.startsWith(`${event.ticker}-`))
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })
})
