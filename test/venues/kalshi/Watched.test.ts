/** What the venue really sent, compared with what is known of it. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { make, watch } from "../../../src/resilience/DriftLog.ts"
import { isObject, type Json } from "../../../src/resilience/Reading.ts"
import { channels } from "../../../src/venues/kalshi/Watched.ts"
import * as Wire from "../../../src/venues/kalshi/Wire.ts"
import { haveRecordings, path, text } from "../../support/Recordings.ts"

const under = (prefix: string, keys: string): ReadonlyArray<string> =>
  keys
    .trim()
    .split(/\s+/)
    .map((key) => `${prefix}${key}`)

/** Deviations that recordings have for a reason. */
const EXPLAINED = [
  // Prices in cents and counts as whole numbers, taken away on 2026-03-12 (§3.4), and so on the socket.
  ...under("ticker unknown msg.", "price yes_bid yes_ask volume open_interest Clock"),
  ...under("trade unknown msg.", "yes_price no_price count"),
  ...under("GET /markets unknown markets[].", "last_price liquidity no_ask no_bid notional_value open_interest"),
  ...under("GET /markets unknown markets[].", "previous_price previous_yes_ask previous_yes_bid volume volume_24h"),
  ...under("GET /markets unknown markets[].", "yes_ask yes_bid"),
  ...under("GET /markets/trades unknown trades[].", "yes_price no_price price"),
  ...under("GET /markets/{ticker}/orderbook unknown orderbook.", "yes no"),
  ...["price", "yes_ask", "yes_bid"].flatMap((key) => [
    ...under(`GET /series/{series_ticker}/markets/{ticker}/candlesticks unknown candlesticks[].${key}.`, "open low"),
    ...under(`GET /series/{series_ticker}/markets/{ticker}/candlesticks unknown candlesticks[].${key}.`, "high close")
  ]),
  ...under(
    "GET /series/{series_ticker}/markets/{ticker}/candlesticks unknown candlesticks[].",
    "open_interest volume price.max price.mean price.min price.previous"
  ),
  // Taken away on 2026-05-07, 2026-07-09, 2026-10-01 and, of events, 2026-09-10 (§3.3, §3.4).
  ...under("GET /markets unknown markets[].", "tick_size response_price_units fractional_trading_enabled"),
  ...under("GET /markets unknown markets[].", "liquidity_dollars"),
  "GET /events unknown events[].available_on_brokers"
]

const files = (folder: string): ReadonlyArray<string> =>
  readdirSync(path(folder)).flatMap((name) => {
    const file = join(folder, name)
    return statSync(path(file)).isDirectory() ? files(file) : [file]
  })

const values = (file: string): ReadonlyArray<unknown> => {
  const all = text(file)
  if (file.endsWith(".json")) return [JSON.parse(all)]
  return all.split("\n").flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line) as unknown]))
}

const objects = (value: unknown): ReadonlyArray<Json> => {
  if (Array.isArray(value)) return value.flatMap(objects)
  return isObject(value) ? [value, ...Object.values(value).flatMap(objects)] : []
}

const types = new Set(Array.from(channels.messages, ([type]) => type))

/** The answer that an object is or would have come in, by the keys that tell. */
const answerOf = (one: Json): readonly [schema: unknown, body: unknown] | undefined => {
  const has = (...keys: ReadonlyArray<string>) => keys.every((key) => key in one)
  if (has("ticker", "event_ticker", "status")) return [Wire.MarketsPage, { markets: [one], cursor: "" }]
  if (has("event_ticker", "series_ticker", "mutually_exclusive")) {
    return [Wire.EventsPage, { events: [{ ...one, markets: [] }], cursor: "" }]
  }
  if (has("ticker", "fee_type", "category")) return [Wire.SeriesList, { series: [one] }]
  if (has("trade_id", "created_time", "yes_price_dollars", "ticker") && !has("order_id")) {
    return [Wire.TradesPage, { trades: [one], cursor: "" }]
  }
  if (has("orderbook_fp") || has("orderbook")) return [Wire.Orderbook, one]
  if (has("end_period_ts")) return [Wire.Candlesticks, { ticker: "", candlesticks: [one] }]
  if (has("exchange_active", "trading_active") && !has("exchange_index")) return [Wire.ExchangeStatus, one]
  return has("series_fee_change_arr") ? [Wire.SeriesFeeChanges, one] : undefined
}

describe.skipIf(!haveRecordings)("recordings", () => {
  it("deviate nowhere from the Schemas, except for reasons that are known", () => {
    const { list, note } = make(() => {})
    const drift = watch({ list, note }, "kalshi", channels)
    const seen = new Map<unknown, number>()
    const count = (what: unknown) => seen.set(what, (seen.get(what) ?? 0) + 1)
    const all = ["captures/kalshi_ws", "captures/kalshi_rest", "venues/samples/kalshi"].flatMap(files)
    for (const file of all.filter((name) => /\.jsonl?$/.test(name) && !name.includes("/spec/"))) {
      for (const one of values(file).flatMap(objects)) {
        const { msg, type } = one
        if (typeof type === "string" && msg !== undefined) {
          if (!types.has(type)) continue
          count(type)
          drift.message(type, one, 0, true)
          continue
        }
        const answer = answerOf(one)
        if (answer === undefined) continue
        count(answer[0])
        drift.answer(...answer, 0)
      }
    }
    const found = list().map(({ channel, kind, path }) => `${channel} ${kind} ${path}`)
    assert.deepStrictEqual(found.toSorted(), EXPLAINED.toSorted())
    assert.isAtLeast(seen.get("orderbook_delta")!, 2_000)
    for (const type of ["orderbook_snapshot", "trade", "ticker", "market_lifecycle_v2", "subscribed", "error"]) {
      assert.isAtLeast(seen.get(type) ?? 0, 2, type)
    }
    assert.isAtLeast(seen.get(Wire.MarketsPage)!, 300)
    for (const schema of [Wire.EventsPage, Wire.SeriesList, Wire.TradesPage, Wire.Orderbook, Wire.ExchangeStatus]) {
      assert.isAtLeast(seen.get(schema) ?? 0, 2)
    }
  })
})
