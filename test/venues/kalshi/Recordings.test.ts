/** What Kalshi itself sent, through the decoder and the books, and through the readers of REST answers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { formatDecimal } from "../../../src/domain/Money.ts"
import * as OrderBook from "../../../src/domain/OrderBook.ts"
import { errorText } from "../../../src/venues/kalshi/Client.ts"
import { market, restSnapshot, restTrade, wireMarket } from "../../../src/venues/kalshi/Normalize.ts"
import * as Wire from "../../../src/venues/kalshi/Wire.ts"
import { haveRecordings, json, lines, path } from "../../support/Recordings.ts"
import { instrumentOf, makeReader, NOW } from "./Fixtures.ts"

const TICKER = /"market_ticker":"([^"]+)"/g

describe.skipIf(!haveRecordings)("sockets", () => {
  const replay = (name: string, noPrices: "no" | "yes") => {
    const frames = lines(name)
    const tickers = new Set(frames.flatMap((frame) => Array.from(frame.matchAll(TICKER), (match) => match[1]!)))
    const reader = makeReader([...tickers], noPrices)
    for (const frame of frames) reader.feed(frame)
    return { ...reader, tickers: [...tickers] }
  }
  const sides = (levels: ReadonlyArray<{ readonly price: number; readonly size: number }>) =>
    levels.map(({ price, size }) => `${formatDecimal(price)} ${formatDecimal(size)}`)

  it("five minutes of five markets: every book live, no gap, no negative size, none crossed", () => {
    const reader = replay("captures/kalshi_ws/jfreun123_demo_session_20260701.jsonl", "no")
    assert.strictEqual(reader.tickers.length, 5)
    for (const ticker of reader.tickers) {
      const { asks, bids, status } = reader.view(ticker)
      assert.strictEqual(status, "live", ticker)
      assert.isTrue(bids.length > 0 && asks.length > 0, ticker)
      assert.isTrue([...bids, ...asks].every(({ size }) => size > 0))
      const book = OrderBook.empty()
      OrderBook.applySnapshot(book, bids, asks)
      assert.isFalse(OrderBook.isCrossed(book), ticker)
    }
    const { counters } = reader.keeper
    assert.deepStrictEqual([counters.snapshots, counters.applied, counters.early, counters.foreign], [5, 2_885, 0, 0])
    assert.deepStrictEqual([...reader.tally.errors], [["unknown-type", 2]], "two fills of the recorder's own")
    assert.deepStrictEqual(reader.resyncs, [])
  })

  it("would notice a single frame missing from it, wherever", () => {
    const frames = lines("captures/kalshi_ws/jfreun123_demo_session_20260701.jsonl")
    const tickers = new Set(frames.flatMap((frame) => Array.from(frame.matchAll(TICKER), (match) => match[1]!)))
    const numbered = frames.flatMap((frame, i) => (frame.includes('"seq":') ? [i] : []))
    for (const missing of [3, 10, 50, 700, 2_000].map((n) => numbered[n]!)) {
      const reader = makeReader([...tickers], "no")
      for (const [i, frame] of frames.entries()) if (i !== missing) reader.feed(frame)
      assert.strictEqual(reader.tally.errors.get("gap"), 1)
      if (missing > 20) assert.strictEqual(reader.resyncs.length, 5)
    }
  })

  it("both scales of the same market end in the book that the venue meant", () => {
    for (const folder of [
      "venues/samples/kalshi/ws-real-orderbook-use_yes_price-",
      "captures/kalshi_ws/xavierbriggs_ws__orderbook_trade_"
    ]) {
      const names = folder.startsWith("venues") ? ["true", "false"] : ["yes", "noleg"]
      const yes = replay(`${folder}${names[0]}.jsonl`, "yes")
      const no = replay(`${folder}${names[1]}.jsonl`, "no")
      const [ticker] = yes.tickers
      assert.deepStrictEqual([sides(yes.view(ticker!).bids), sides(yes.view(ticker!).asks)], [["0.47 3"], ["0.52 2"]])
      assert.deepStrictEqual([sides(no.view(ticker!).bids), sides(no.view(ticker!).asks)], [["0.47 3"], ["0.52 1"]])
      assert.isFalse(yes.tally.errors.has("gap") || no.tally.errors.has("gap"))
    }
  })

  it("the era of cents reads through the fields that stayed", () => {
    const trades = replay("captures/kalshi_ws/ssmd_kalshi_trade.jsonl", "yes")
    assert.strictEqual(trades.tally.messages.get("trade"), 10)
    assert.isFalse(trades.tally.errors.has("malformed"))
    const tickers = replay("captures/kalshi_ws/ssmd_kalshi_ticker.jsonl", "yes")
    assert.strictEqual(tickers.tally.messages.get("ticker"), 10)
    const quotes: Array<never> = []
    tickers.decoder.settle(NOW + 10_000, quotes)
    assert.isTrue(quotes.length > 0)
  })

  it("the two captured words of the lifecycle", () => {
    for (const name of ["determined", "settled"]) {
      const reader = makeReader(["KXMLBSPREAD-26JUL191605WSHATH-ATH4", "KXBNB15M-26JUL191830-30"])
      const events = reader.read(JSON.stringify(json(`venues/samples/kalshi/ws-real-lifecycle-${name}.json`)))
      assert.isTrue(
        events.some(({ _tag }) => _tag === "MarketResolved"),
        name
      )
    }
  })

  it("every documented message: read, or known and left alone", () => {
    const folder = "venues/samples/kalshi"
    const names = readdirSync(path(folder)).filter((name) => /^ws-doc-.*\.json$/.test(name))
    assert.isTrue(names.length > 40)
    const unread: Array<string> = []
    for (const name of names) {
      const message = json(`${folder}/${name}`) as { readonly type?: string }
      if (message.type === undefined) continue
      const reader = makeReader(["FED-23DEC-T3.00", "HIGHNY-22DEC23-B53.5", "INXD-23SEP14-B4487"])
      reader.read(JSON.stringify(message))
      assert.isFalse(reader.tally.errors.has("malformed"), name)
      if (reader.tally.errors.has("unknown-type")) unread.push(message.type)
    }
    // Private channels, reference prices and requests for quotes are not subscribed to.
    assert.deepStrictEqual([...new Set(unread)].sort(), [
      "cfbenchmarks_value",
      "cfbenchmarks_value_indexlist",
      "fill",
      "market_position",
      "order_group_updates",
      "pyth_value",
      "pyth_value_underlying_list",
      "quote_accepted",
      "quote_created",
      "quote_executed",
      "rfq_created",
      "rfq_deleted",
      "user_order"
    ])
  })
})

describe.skipIf(!haveRecordings)("REST", () => {
  const golden = "captures/kalshi_rest/obstacle_golden"
  const demo = "captures/kalshi_rest/xavierbriggs"

  const decodes = <A, I>(schema: Schema.Schema<A, I>, value: unknown, name: string): A =>
    Either.getOrThrowWith(Schema.decodeUnknownEither(schema)(value), (error) => new Error(`${name}: ${error.message}`))

  /** By the endpoint that the file names. */
  const readers: Readonly<Record<string, (value: unknown, name: string) => unknown>> = {
    market_single: (value, name) => readMarkets([decodes(Wire.SingleMarket, value, name).market], name),
    markets_list: (value, name) => readMarkets(decodes(Wire.MarketsPage, value, name).markets ?? [], name),
    events_list: (value, name) => decodes(Wire.EventsPage, value, name),
    events_multivariate_list: (value, name) => decodes(Wire.EventsPage, value, name),
    event_single: (value, name) => decodes(Wire.SingleEvent, value, name),
    series_list: (value, name) => decodes(Wire.SeriesList, value, name),
    series_single: (value, name) => decodes(Wire.SingleSeries, value, name),
    series_fee_changes: (value, name) => decodes(Wire.SeriesFeeChanges, value, name),
    series_candlesticks: (value, name) => decodes(Wire.Candlesticks, value, name),
    candlesticks_batch: (value, name) => decodes(Wire.CandlesticksBatch, value, name),
    exchange_status: (value, name) => decodes(Wire.ExchangeStatus, value, name),
    orderbook: (value, name) => decodes(Wire.Orderbook, value, name),
    trades_list: (value, name) =>
      (decodes(Wire.TradesPage, value, name).trades ?? []).forEach((trade) => {
        assert.isTrue(Either.isRight(restTrade(trade, NOW)), name)
      })
  }

  const readMarkets = (values: ReadonlyArray<unknown>, name: string) => {
    assert.isTrue(values.length > 0, name)
    return values.map((value) =>
      Either.getOrThrowWith(
        Either.flatMap(wireMarket(value), (wire) => market(wire)),
        (rejected) => new Error(`${name}: ${JSON.stringify(rejected)}`)
      )
    )
  }

  it("every recorded answer of production that this venue asks for", () => {
    const unread: Array<string> = []
    for (const file of readdirSync(path(golden))) {
      const kind = file.replace(/_response\.json$/, "")
      const reader = readers[kind]
      if (reader === undefined) unread.push(kind)
      else reader((json(join(golden, file)) as { readonly response: unknown }).response, file)
    }
    // Endpoints without a use here: nothing of them becomes a book, a trade or a market.
    assert.deepStrictEqual(unread.sort(), [
      "_recording_summary.json",
      "event_candlesticks",
      "event_metadata",
      "exchange_announcements",
      "exchange_schedule",
      "filters_by_sport",
      "incentive_programs",
      "live_data_batch",
      "live_data_milestone",
      "milestone_single",
      "milestones_list",
      "multivariate_event_collection_lookup_tickers",
      "multivariate_event_collection_single",
      "multivariate_event_collections_list",
      "structured_target_single",
      "structured_targets_list",
      "tags_by_categories",
      "user_data_timestamp"
    ])
  })

  it("every recorded answer of the demo", () => {
    let read = 0
    for (const file of readdirSync(path(demo)).filter(
      (name) => name.endsWith(".json") && !name.endsWith(".meta.json")
    )) {
      const value = json(join(demo, file)) as Readonly<Record<string, unknown>>
      const text = JSON.stringify(value)
      if ("markets" in value) readMarkets(value["markets"] as ReadonlyArray<unknown>, file)
      else if ("market" in value) readMarkets([value["market"]], file)
      else if (file.startsWith("markets__limit_over_max")) assert.match(errorText(text), /^Parameter validation failed/)
      else if (file.startsWith("exchange__status")) decodes(Wire.ExchangeStatus, value, file)
      else if (file.startsWith("orderbook")) decodes(Wire.Orderbook, value, file)
      else if (file.startsWith("series__fee")) decodes(Wire.SeriesFeeChanges, value, file)
      else if (file.startsWith("trades")) readers["trades_list"]!(value, file)
      else assert.fail(file)
      read++
    }
    assert.strictEqual(read, 17)
  })

  it("events with their markets, whose grids and exclusiveness are told", () => {
    const { events } = decodes(
      Wire.EventsPage,
      json("captures/kalshi_rest/josephsapinoso_events_nfl_preseason.json"),
      "nfl"
    )
    assert.isTrue(events!.length > 0)
    for (const event of events!) {
      assert.strictEqual(event.collateral_return_type, "MECNET")
      for (const one of readMarkets(event.markets ?? [], event.event_ticker)) assert.strictEqual(one.tickSize, 10_000)
    }
    const mentions = json("captures/kalshi_rest/landonct_KXFEDMENTION-26MAR_markets.json") as Record<string, unknown>
    readMarkets(Object.values(mentions), "mentions")
    const fees = json("captures/kalshi_rest/josephsapinoso_series_fee_fields.json") as {
      readonly payloads: Record<string, unknown>
    }
    for (const [name, payload] of Object.entries(fees.payloads)) decodes(Wire.SingleSeries, payload, name)
  })

  it("a book, with the NO list mirrored", () => {
    const { orderbook_fp } = decodes(Wire.Orderbook, json("venues/samples/kalshi/rest-orderbook-base.json"), "book")
    const book = Either.getOrThrow(restSnapshot(orderbook_fp!, instrumentOf("A").id, NOW, "rest"))
    assert.deepStrictEqual(
      [book.bids, book.asks].map((side) => side.map(({ price, size }): [number, number] => [price, size])),
      [[[470_000, 3_000_000]], [[520_000, 3_000_000]]]
    )
  })

  it.effect("every captured error says what it is about", () =>
    Effect.sync(() => {
      const words = (name: string) => errorText(JSON.stringify(json(`venues/samples/kalshi/${name}.json`)))
      assert.strictEqual(words("rest-auth-bad-signature"), "authentication_error: INCORRECT_API_KEY_SIGNATURE")
      assert.strictEqual(words("rest-auth-unknown-key-id"), "authentication_error: NOT_FOUND")
      assert.strictEqual(words("rest-auth-skew-minus30s"), "header_timestamp_expired")
      assert.match(words("rest-orders-numeric-field-types"), /^bad_request: json: cannot unmarshal/)
      assert.match(words("rest-markets-limit-over-max"), /^Parameter validation failed for GetMarkets/)
      assert.strictEqual(words("doc-rest-429"), "too many requests")
      assert.strictEqual(words("rest-orders-cancel-unknown-id"), "not_found")
    })
  )
})
