/** The grids of what Kalshi itself sent, and whether its own prices are on them. */
import { assert, describe, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { Market } from "../../../src/domain/Market.ts"
import { formatDecimal, parsePrice, type Price, SCALE } from "../../../src/domain/Money.ts"
import type { Level } from "../../../src/domain/OrderBook.ts"
import { isOnGrid, type PriceGrid } from "../../../src/domain/PriceGrid.ts"
import { isObject, type Json } from "../../../src/resilience/Reading.ts"
import { market, restSnapshot, wireMarket } from "../../../src/venues/kalshi/Normalize.ts"
import { priceGrid } from "../../../src/venues/kalshi/PriceGrid.ts"
import * as Wire from "../../../src/venues/kalshi/Wire.ts"
import { haveRecordings, json, lines, path } from "../../support/Recordings.ts"
import { instrumentOf, makeReader, NOW } from "./Fixtures.ts"

const FOLDERS = ["captures/kalshi_rest", "venues/samples/kalshi"]
const QUOTES = [
  "yes_bid_dollars",
  "yes_ask_dollars",
  "no_bid_dollars",
  "no_ask_dollars",
  "last_price_dollars",
  "previous_yes_bid_dollars",
  "previous_yes_ask_dollars",
  "previous_price_dollars"
]

/** Every object with a grid, anywhere in any recorded answer. */
const gridded = (): ReadonlyArray<Json> => {
  const found: Array<Json> = []
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk)
    if (!isObject(value)) return
    if (value["price_ranges"] !== undefined) found.push(value)
    Object.values(value).forEach(walk)
  }
  for (const folder of FOLDERS) {
    const names = readdirSync(path(folder), { recursive: true, encoding: "utf8" })
    for (const name of names) if (name.endsWith(".json")) walk(json(join(folder, name)))
  }
  return found
}

const grids = new Map<string, PriceGrid>()
const gridOf = (ticker: string): PriceGrid => grids.get(ticker) ?? assert.fail(`${ticker} has no grid`)

const read = (value: Json): Market =>
  Either.getOrThrowWith(
    Either.flatMap(wireMarket(value), (wire) => market(wire)),
    ({ id, path, problem }) => new Error(`${id}: ${path}: ${problem}`)
  )

const off = (grid: PriceGrid, levels: ReadonlyArray<Level>) =>
  levels.filter(({ price }) => !isOnGrid(grid, price)).map(({ price }) => formatDecimal(price))

describe.skipIf(!haveRecordings)("recorded grids", () => {
  it("are all valid, and those of their labels", () => {
    const labels = new Set<string>()
    let markets = 0
    for (const value of gridded()) {
      const { price_level_structure: label, price_ranges: ranges } = Schema.decodeUnknownSync(
        Wire.Market.pick("price_level_structure", "price_ranges")
      )(value)
      labels.add(label ?? "")
      assert.deepStrictEqual(priceGrid(ranges, undefined), priceGrid(undefined, label))
      if (value["ticker"] === undefined) continue
      const { priceBands, venueMarketId } = read(value)
      assert.isNotNull(priceBands, venueMarketId)
      if (priceBands !== null) grids.set(venueMarketId, priceBands)
      markets++
    }
    assert.deepStrictEqual([...labels].sort(), ["deci_cent", "linear_cent"])
    assert.isAbove(markets, 380)
    assert.strictEqual(grids.size, 360)
  })

  it("have every quote of their markets, where there is one", () => {
    let quotes = 0
    for (const value of gridded()) {
      if (typeof value["ticker"] !== "string") continue
      for (const name of QUOTES) {
        const said = value[name]
        if (typeof said !== "string") continue
        const price = parsePrice(said) as Price
        // 0 and 1 stand for no quote (Kalshi reference §10.11).
        if (price === 0 || price === SCALE) continue
        assert.isTrue(isOnGrid(gridOf(value["ticker"]), price), `${value["ticker"]} ${name} ${said}`)
        quotes++
      }
    }
    assert.isAbove(quotes, 500)
  })

  it("have every level of their books over REST", () => {
    const { orderbook_fp } = Schema.decodeUnknownSync(Wire.Orderbook)(
      json("captures/kalshi_rest/xavierbriggs/orderbook__base.json")
    )
    // The file's own .meta.json names the market.
    const ticker = "KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP"
    const book = Either.getOrThrow(restSnapshot(orderbook_fp!, instrumentOf(ticker).id, NOW, "rest"))
    assert.deepStrictEqual(off(gridOf(ticker), [...book.bids, ...book.asks]), [])
  })

  it("have every price of the sockets; of markets without a recorded object, the cents that every grid has", () => {
    const cents = priceGrid(undefined, "linear_cent")!
    const sessions = [
      ["xavierbriggs_ws__orderbook_trade_yes", "yes"],
      ["xavierbriggs_ws__orderbook_trade_noleg", "no"],
      ["jfreun123_demo_session_20260701", "no"]
    ] as const
    const known: Array<string> = []
    for (const [name, noPrices] of sessions) {
      const frames = lines(`captures/kalshi_ws/${name}.jsonl`)
      const tickers = new Set(frames.flatMap((frame) => /"market_ticker":"([^"]+)"/.exec(frame)?.[1] ?? []))
      const reader = makeReader([...tickers], noPrices)
      let levels = 0
      for (const event of reader.read(...frames)) {
        const said =
          event._tag === "BookSnapshot"
            ? [...event.bids, ...event.asks]
            : event._tag === "BookDelta" || event._tag === "Trade"
              ? [{ price: event.price, size: 0 as never }]
              : []
        if (said.length === 0 || !("instrumentId" in event)) continue
        const ticker = event.instrumentId.slice("kalshi:".length)
        if (grids.has(ticker)) known.push(ticker)
        assert.deepStrictEqual(off(grids.get(ticker) ?? cents, said), [], ticker)
        levels += said.length
      }
      assert.isAbove(levels, 2, name)
    }
    assert.deepStrictEqual([...new Set(known)], ["KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP"])
  })
})
