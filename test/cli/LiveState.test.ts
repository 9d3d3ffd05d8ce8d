import { assert, describe, it } from "@effect/vitest"
import * as Activity from "../../src/cli/Activity.ts"
import * as LiveState from "../../src/cli/LiveState.ts"
import { instrumentId, type Market } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import { Price, Size } from "../../src/domain/Money.ts"
import { market, observation, venue } from "./Fixtures.ts"

const START = 1_800_000_000_000

/** A collector of these markets whose books a test moves by hand. */
const collector = (...tokens: ReadonlyArray<string>) => {
  const markets: Array<Market> = tokens.map((token) => market(token))
  const quotes = new Map(tokens.map((token) => [token, [400_000, 420_000] as [number, number]]))
  const activity = Activity.make()
  const next = LiveState.make({
    markets: () => markets,
    view: (id) => {
      const token = id.split(":")[1] ?? ""
      const quote = quotes.get(token)
      if (quote === undefined) return undefined
      const level = (price: number) => ({ price: Price(price), size: Size(5_000_000) })
      return {
        bids: quote[0] < 0 ? [] : [level(quote[0])],
        asks: [level(quote[1])],
        status: "live",
        verifiedBy: "digest"
      }
    },
    activity,
    log: () => []
  })
  const update = (token: string, times: number) => {
    const snapshot: MarketEvent = {
      _tag: "BookSnapshot",
      instrumentId: instrumentId(venue, token),
      bids: [],
      asks: [],
      venueTime: START,
      receivedTime: START,
      sequence: null,
      hash: null,
      source: "socket",
      proof: null
    }
    activity.see(Array.from({ length: times }, () => snapshot))
  }
  const at = (millis: number, changes: Parameters<typeof observation>[0] = {}) =>
    next(observation({ time: START + millis, updates: activity.updates(), ...changes }))
  return { markets, quotes, update, at }
}

const questions = (state: LiveState.LiveState) => state.books.map(({ question }) => question)

describe("LiveState", () => {
  it("puts the busiest market first, and keeps the order for a while", () => {
    const { at, update } = collector("1", "2", "3")
    at(0)
    update("2", 10)
    update("3", 20)
    assert.deepStrictEqual(questions(at(300)), ["Question 1?", "Question 2?", "Question 3?"])
    assert.deepStrictEqual(questions(at(2100)), ["Question 3?", "Question 2?", "Question 1?"])
    update("1", 1000)
    assert.deepStrictEqual(questions(at(2400)), ["Question 3?", "Question 2?", "Question 1?"])
    assert.deepStrictEqual(questions(at(4200)), ["Question 1?", "Question 3?", "Question 2?"])
  })

  it("shows markets that have a book, new ones at the end until they are ranked", () => {
    const { at, markets, quotes } = collector("1", "2")
    at(0)
    markets.unshift(market("9"))
    assert.lengthOf(at(300).books, 2)
    quotes.set("9", [1, 2])
    assert.deepStrictEqual(questions(at(600)), ["Question 1?", "Question 2?", "Question 9?"])
    quotes.delete("1")
    assert.deepStrictEqual(questions(at(900)), ["Question 2?", "Question 9?"])
  })

  it("marks a price that just changed", () => {
    const { at, quotes } = collector("1")
    const fresh = (millis: number) => {
      const [book] = at(millis).books
      return [book?.bid?.fresh, book?.ask?.fresh]
    }
    assert.deepStrictEqual(fresh(0), [false, false])
    quotes.set("1", [405_000, 420_000])
    assert.deepStrictEqual(fresh(300), [true, false])
    assert.deepStrictEqual(fresh(600), [true, false])
    assert.deepStrictEqual(fresh(1200), [false, false])
  })

  it("shows prices on the grid of the market, or finer where a price is", () => {
    const { at, quotes } = collector("1")
    assert.strictEqual(at(0).books[0]?.decimals, 2)
    quotes.set("1", [400_100, 420_000])
    assert.strictEqual(at(300).books[0]?.decimals, 4)
  })

  it("follows the middle of a book, no longer than there is room for", () => {
    const { at, quotes } = collector("1")
    for (let step = 0; step < 40; step++) {
      quotes.set("1", [400_000 + step, 420_000 + step])
      at(step * 5000)
    }
    const trail = at(200_000).books[0]?.trail ?? []
    assert.lengthOf(trail, LiveState.TRAIL)
    assert.strictEqual(trail.at(-1), 410_039)
    quotes.set("1", [-1, 420_000])
    assert.strictEqual(at(210_000).books[0]?.trail.at(-1), 410_039)
    assert.isNull(at(210_000).books[0]?.bid)
  })

  it("gives rates, and the age of data", () => {
    const { at, update } = collector("1")
    at(0)
    update("1", 50)
    const state = at(1000, { updates: 50 })
    assert.strictEqual(state.updateRate, 50)
    assert.strictEqual(state.rowRate, 0)
    assert.strictEqual(state.books[0]?.rate, 50)
    assert.strictEqual(state.feeds[0]?.slot, "polymarket-1")
    assert.strictEqual(at(20_000).feeds[0]?.age, 100)
    assert.strictEqual(at(0).feeds[0]?.age, 0)
  })
})
