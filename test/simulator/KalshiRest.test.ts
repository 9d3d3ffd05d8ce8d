import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseDecimal } from "../../src/domain/Money.ts"
import * as KalshiCursor from "../../src/simulator/KalshiCursor.ts"
import * as Recordings from "../support/Recordings.ts"
import { START, start } from "./KalshiHarness.ts"

const samples = "venues/samples/kalshi"

/** Fields that the venue has dropped since its answers were recorded. */
const dropped = new Set(["fractional_trading_enabled", "liquidity_dollars", "response_price_units"])
/** Fields that it has got since. */
const added = new Set(["exchange_index", "settlement_bounds_type"])
/** Fields that only some markets have. */
const some = new Set(["custom_strike", "cap_strike", "floor_strike", "strike_type"])

describe("Kalshi REST lists", () => {
  it.scoped("are walked by opaque cursors to the empty one, newest first, and garbage means page 1", () =>
    Effect.gen(function* () {
      const { get, inject, pass } = yield* start({ markets: 25, rate: 0, turnover: 1000 })
      yield* pass(3000)
      yield* inject({ fault: "resolve" })
      const seen: Array<any> = []
      let cursor = ""
      do {
        const { json } = yield* get(`/markets?limit=7&cursor=${cursor}`)
        assert.deepStrictEqual(Object.keys(json), ["cursor", "markets"])
        seen.push(...json.markets)
        cursor = json.cursor
        if (cursor !== "") assert.match(cursor, /^[A-Za-z0-9_-]+$/)
      } while (cursor !== "")
      const { json: whole } = yield* get("/markets?limit=1000")
      assert.strictEqual(whole.cursor, "")
      assert.deepStrictEqual(seen, whole.markets)
      assert.strictEqual(new Set(seen.map((market) => market.ticker)).size, 28)
      const times = seen.map((market) => Date.parse(market.created_time))
      assert.deepStrictEqual(
        times,
        times.toSorted((a, b) => b - a)
      )
      const first = yield* get("/markets?limit=7")
      for (const garbage of ["garbage-cursor-fixture", "AAAA", "%20", "EhIKEC4Yf1dC7Fly"]) {
        const page = yield* get(`/markets?limit=7&cursor=${garbage}`)
        assert.deepStrictEqual([page.status, page.text], [200, first.text])
      }
      const exact = yield* get("/markets?limit=28")
      assert.strictEqual(exact.json.cursor, "", "a full last page is the last")
    })
  )

  it.scoped("refuse a limit over the maximum in the venue's words", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ rate: 0 })
      const message = (operation: string) =>
        `Parameter validation failed for ${operation}: Key: '${operation}Params.Limit' ` +
        `Error:Field validation for 'Limit' failed on the 'lte' tag`
      for (const [path, operation] of [
        ["/markets?limit=1001", "GetMarkets"],
        ["/events?limit=201", "GetEvents"],
        ["/markets/trades?limit=1001", "GetTrades"]
      ] as const) {
        const { json, status } = yield* get(path)
        assert.deepStrictEqual([status, json], [400, { msg: message(operation) }])
      }
      if (Recordings.haveRecordings) {
        const { text } = yield* get("/markets?limit=1001")
        assert.strictEqual(text, Recordings.text(`${samples}/rest-markets-limit-over-max.json`))
      }
      assert.strictEqual((yield* get("/markets?limit=ten")).json.code, "bad_request")
      assert.strictEqual((yield* get("/markets?limit=1000")).status, 200)
    })
  )

  it.scoped("filter by status, tickers, event, series, combos and times", () =>
    Effect.gen(function* () {
      const { get, inject, markets, pass, tickers } = yield* start({ markets: 30, rate: 0, seed: 3 })
      const list = (query: string) =>
        Effect.map(get(`/markets?limit=1000&${query}`), ({ json }) => json.markets.map((market: any) => market.ticker))
      const [first, second, third] = tickers
      yield* inject([
        { fault: "resolve", tokenId: first },
        { fault: "pause", tokenId: third }
      ])
      assert.deepStrictEqual(yield* list("status=closed"), [first])
      assert.deepStrictEqual(yield* list("status=paused"), [third])
      assert.notIncludeMembers(yield* list("status=open"), [first, third])
      yield* pass(5100)
      assert.deepStrictEqual(yield* list("status=settled"), [first])
      const settled = START / 1000 + 5
      assert.deepStrictEqual(yield* list(`min_settled_ts=${settled}&max_settled_ts=${settled + 5}`), [first])
      assert.deepStrictEqual(yield* list(`min_settled_ts=${settled + 60}&status=settled`), [])
      assert.sameMembers(yield* list(`tickers=${first},${second},NOBODY`), [first, second])
      const [{ event_ticker: event }] = markets
      assert.sameMembers(
        yield* list(`event_ticker=${event}&status=open`),
        markets
          .filter((market) => market.event_ticker === event && market.ticker !== third && market.ticker !== first)
          .map((market) => market.ticker)
      )
      assert.deepStrictEqual(yield* list("mve_filter=only"), [])
      assert.strictEqual((yield* list("mve_filter=exclude")).length, 31)
      for (const query of ["status=active", "mve_filter=all"]) {
        assert.match((yield* get(`/markets?${query}`)).json.msg, /'oneof' tag$/)
      }
      for (const query of [
        "min_close_ts=1&status=open",
        "min_close_ts=1&min_created_ts=1",
        "min_updated_ts=1&status=open"
      ]) {
        assert.strictEqual((yield* get(`/markets?${query}`)).status, 400, query)
      }
      const { json } = yield* get("/series?category=Crypto")
      for (const series of json.series) {
        const found = yield* list(`series_ticker=${series.ticker}`)
        assert.isTrue(found.length > 0 && found.every((ticker: string) => ticker.startsWith(`${series.ticker}-`)))
      }
    })
  )

  it.scoped("tell of events with or without their markets", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ markets: 30, rate: 0, seed: 3 })
      const { json } = yield* get("/events?with_nested_markets=true&limit=200")
      const group = json.events.find((event: any) => event.mutually_exclusive && event.markets.length > 2)
      const single = yield* get(`/events/${group.event_ticker}`)
      assert.deepStrictEqual(single.json.markets, group.markets)
      assert.notProperty(single.json.event, "markets")
      assert.deepStrictEqual((yield* get(`/events/${group.event_ticker}?with_nested_markets=true`)).json, {
        event: group
      })
      assert.strictEqual(json.events.flatMap((event: any) => event.markets).length, 30)
      const open = yield* get(`/events?series_ticker=${group.series_ticker}&status=open&limit=1`)
      assert.strictEqual(open.json.events.length, 1)
      const { series } = (yield* get(`/series/${group.series_ticker}`)).json
      assert.include(["quadratic", "quadratic_with_maker_fees"], series.fee_type)
      assert.isNumber(series.fee_multiplier)
      assert.deepStrictEqual((yield* get("/series/fee_changes")).json, { series_fee_change_arr: [] })
    })
  )
})

describe("Kalshi REST markets", () => {
  it.scoped("have the fields of the recorded ones in their order, and quotes that follow from the book", () =>
    Effect.gen(function* () {
      const { get, markets, pass } = yield* start({ markets: 20, rate: 0 })
      for (const market of markets) {
        yield* pass(200)
        const keys = Object.keys(market)
        assert.deepStrictEqual(keys, keys.toSorted())
        assert.match(market.ticker, /^KX[A-Z0-9]+-[A-Z0-9]+-[A-Z0-9.]+$/)
        const { json } = yield* get(`/markets/${market.ticker}/orderbook`)
        const { no_dollars: no, yes_dollars: yes } = json.orderbook_fp
        for (const list of [no, yes]) {
          const prices = list.map(([price]: [string]) => parseDecimal(price))
          assert.deepStrictEqual(
            prices,
            prices.toSorted((a: number, b: number) => a - b)
          )
          for (const [price, size] of list) {
            assert.match(price, /^0\.\d{4}$/)
            assert.match(size, /^\d+\.\d\d$/)
          }
        }
        assert.deepStrictEqual([market.yes_bid_dollars, market.yes_bid_size_fp], yes.at(-1))
        assert.strictEqual(market.no_bid_dollars, no.at(-1)[0])
        assert.strictEqual(market.yes_ask_size_fp, no.at(-1)[1])
        assert.strictEqual(parseDecimal(market.yes_ask_dollars), 1_000_000 - parseDecimal(no.at(-1)[0]))
        const top = yield* get(`/markets/${market.ticker}/orderbook?depth=2`)
        assert.deepStrictEqual(top.json.orderbook_fp, { no_dollars: no.slice(-2), yes_dollars: yes.slice(-2) })
        for (const [price] of [...no, ...yes]) {
          const at = parseDecimal(price)
          const onGrid = market.price_ranges.some((range: any) => {
            const [from, to, step] = [range.start, range.end, range.step].map(parseDecimal) as [number, number, number]
            return at >= from && at <= to && (at - from) % step === 0
          })
          assert.isTrue(onGrid, `${market.price_level_structure} ${price}`)
        }
      }
      assert.isAbove(new Set(markets.map((market) => market.price_level_structure)).size, 3)
      if (!Recordings.haveRecordings) return
      const { market: recorded } = Recordings.json(`${samples}/rest-markets-single.json`) as any
      const expected = Object.keys(recorded).filter((key) => !dropped.has(key) && !some.has(key))
      const told = Object.keys(markets[0]).filter((key) => !some.has(key) && !added.has(key))
      assert.deepStrictEqual(told, expected)
    })
  )

  it.scoped("give books together, the unknown left out, a hundred at most", () =>
    Effect.gen(function* () {
      const { get, tickers } = yield* start({ rate: 0 })
      const query = (wanted: ReadonlyArray<string>) => wanted.map((ticker) => `tickers=${ticker}`).join("&")
      const { json } = yield* get(`/markets/orderbooks?${query([tickers[1]!, "NOBODY", tickers[0]!])}`)
      assert.deepStrictEqual(
        json.orderbooks.map((book: any) => book.ticker),
        [tickers[1], tickers[0]]
      )
      assert.deepStrictEqual(
        json.orderbooks[0].orderbook_fp,
        (yield* get(`/markets/${tickers[1]}/orderbook`)).json.orderbook_fp
      )
      assert.strictEqual(
        (yield* get(`/markets/orderbooks?${query(Array.from({ length: 101 }, () => "A"))}`)).status,
        400
      )
      assert.strictEqual((yield* get("/markets/orderbooks")).status, 400)
      assert.strictEqual((yield* get(`/markets/${tickers[0]}/orderbook?depth=101`)).status, 400)
      for (const path of [
        "/markets/NOBODY",
        "/markets/NOBODY/orderbook",
        "/events/NOBODY",
        "/series/NOBODY",
        "/x",
        "/markets/%zz"
      ]) {
        const missing = yield* get(path)
        assert.deepStrictEqual(
          [missing.status, missing.json],
          [404, { error: { code: "not_found", message: "not found" } }]
        )
      }
      const slash = yield* get("/markets/")
      assert.deepStrictEqual([slash.status, slash.headers.get("location")], [301, "/trade-api/v2/markets"])
    })
  )

  it.scoped("keep a tape, newest first, and candlesticks", () =>
    Effect.gen(function* () {
      const { get, pass, subscribe, tickers } = yield* start({ markets: 2, rate: 1000 })
      const client = yield* subscribe(["trade"], {})
      yield* pass(70_000)
      const told = (yield* client.frames).map((frame) => frame.msg.trade_id)
      const all: Array<any> = []
      let cursor = ""
      do {
        const { json } = yield* get(`/markets/trades?limit=400&cursor=${cursor}`)
        all.push(...json.trades)
        cursor = json.cursor
      } while (cursor !== "")
      assert.sameMembers(
        all.map((trade) => trade.trade_id),
        told
      )
      if (Recordings.haveRecordings) {
        const sample = Recordings.json(`${samples}/rest-trades-public-recorded.json`) as any
        assert.deepStrictEqual(Object.keys(all[0]), Object.keys(sample.trades[0]))
      }
      const own = all.filter((trade) => trade.ticker === tickers[0])
      const { json } = yield* get(`/markets/trades?ticker=${tickers[0]}&limit=1000`)
      assert.deepStrictEqual(json.trades, own.slice(0, 1000))
      const from = START / 1000
      const series = tickers[0]!.split("-")[0]
      const query = `start_ts=${from}&end_ts=${from + 7200}&period_interval`
      const minutes = yield* get(`/series/${series}/markets/${tickers[0]}/candlesticks?${query}=1`)
      assert.strictEqual(minutes.json.ticker, tickers[0])
      assert.isAtLeast(minutes.json.candlesticks.length, 2)
      const volume = (candles: ReadonlyArray<any>) =>
        candles.reduce((sum: number, candle) => sum + parseDecimal(candle.volume_fp), 0)
      const sold = own.reduce((sum: number, trade) => sum + parseDecimal(trade.count_fp), 0)
      assert.strictEqual(volume(minutes.json.candlesticks), sold)
      const batch = yield* get(`/markets/candlesticks?market_tickers=${tickers.join(",")}&${query}=60`)
      assert.deepStrictEqual(
        batch.json.markets.map((market: any) => market.market_ticker),
        tickers
      )
      assert.strictEqual(volume(batch.json.markets[0].candlesticks), sold)
      assert.strictEqual((yield* get(`/markets/candlesticks?market_tickers=A&${query}=5`)).status, 400)
    })
  )
})

describe("Kalshi REST limits and keys", () => {
  it.scoped("empty a bucket and refill it with time, without saying when", () =>
    Effect.gen(function* () {
      const { get, pass, signed } = yield* start({
        rate: 0,
        budget: { read: { refill_rate: 200, bucket_capacity: 200 }, write: { refill_rate: 100, bucket_capacity: 100 } }
      })
      const path = "/exchange/status"
      yield* pass(1000)
      for (let i = 0; i < 20; i++) assert.strictEqual((yield* get(path)).status, 200)
      const limited = yield* get(path)
      assert.deepStrictEqual([limited.status, limited.text], [429, `{"error":"too many requests"}\n`])
      assert.isNull(limited.headers.get("retry-after"))
      assert.strictEqual((yield* get(path, signed(`/trade-api/v2${path}`))).status, 200, "a key has its own")
      yield* pass(40)
      assert.strictEqual((yield* get(path)).status, 429)
      yield* pass(10)
      assert.strictEqual((yield* get(path)).status, 200)
      const limits = "/account/limits"
      const { json } = yield* get(limits, signed(`/trade-api/v2${limits}`))
      assert.deepStrictEqual(json.read, { bucket_capacity: 200, refill_rate: 200 })
      yield* pass(1000)
      const { json: costs } = yield* get("/account/endpoint_costs")
      assert.strictEqual(costs.default_cost, 10)
      assert.strictEqual((yield* get("/cfbenchmarks")).status, 404)
      assert.strictEqual((yield* get("/cfbenchmarks")).status, 429, "some cost more")
    })
  )

  it.scoped("want a signature where it is needed, and a right one where it is given", () =>
    Effect.gen(function* () {
      const { get, signed } = yield* start({ rate: 0 })
      assert.strictEqual((yield* get("/account/limits")).json.error.code, "signature_is_missing_from_headers")
      assert.strictEqual((yield* get("/account/limits", signed("/trade-api/v2/account/limits"))).status, 200)
      assert.strictEqual((yield* get("/markets?limit=1", signed("/trade-api/v2/markets"))).status, 200)
      const refused = yield* get("/markets?limit=1", signed("/trade-api/v2/markets?limit=1"))
      assert.deepStrictEqual([refused.status, refused.json.error.details], [401, "INCORRECT_API_KEY_SIGNATURE"])
      if (!Recordings.haveRecordings) return
      assert.strictEqual(refused.text, Recordings.text(`${samples}/rest-auth-bad-signature.json`))
      const missing = yield* get("/account/limits")
      assert.strictEqual(missing.text, Recordings.text(`${samples}/rest-auth-missing-signature-header.json`))
      const unknown = yield* get("/markets", signed("/trade-api/v2/markets", { keyId: "nobody" }))
      assert.strictEqual(unknown.text, Recordings.text(`${samples}/rest-auth-unknown-key-id.json`))
      const late = yield* get("/markets", signed("/trade-api/v2/markets", { timestamp: String(START - 30_000) }))
      assert.strictEqual(late.text, Recordings.text(`${samples}/rest-auth-skew-minus30s.json`))
    })
  )
})

describe("KalshiCursor", () => {
  it("prints and reads what it says", () => {
    const list = { time: START + 7, id: "KXBTCD-26NOV04PEAN3-T3399.99" }
    const trade = { time: START, id: "56932642-f55c-41a6-1cad-35b95c27373b" }
    assert.deepStrictEqual(KalshiCursor.parse(KalshiCursor.ofList(list)), list)
    assert.deepStrictEqual(KalshiCursor.parse(KalshiCursor.ofTrades(trade)), trade)
    for (const garbage of ["", "garbage", "CgwI", "////"]) assert.isUndefined(KalshiCursor.parse(garbage))
  })

  it.skipIf(!Recordings.haveRecordings)("reads recorded ones as the last rows of their pages", () => {
    for (const name of ["rest-markets-page1", "rest-markets-page2"]) {
      const { cursor, markets } = Recordings.json(`${samples}/${name}.json`) as any
      const last = markets.at(-1)
      const read = KalshiCursor.parse(cursor)
      assert.strictEqual(read?.id, last.ticker)
      assert.strictEqual(read?.time, Date.parse(last.created_time))
    }
    const { cursor } = Recordings.json(`${samples}/rest-trades-public-recorded.json`) as any
    assert.match(KalshiCursor.parse(cursor)?.id ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })
})
