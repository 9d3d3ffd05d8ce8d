import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Either, Fiber, Option, Redacted, Stream, TestClock } from "effect"
import { generateKeyPairSync, verify } from "node:crypto"
import type * as Input from "../../../src/domain/Input.ts"
import { restSnapshot } from "../../../src/venues/kalshi/Normalize.ts"
import type * as Wire from "../../../src/venues/kalshi/Wire.ts"
import type { MarketFilter } from "../../../src/venues/Venue.ts"
import * as ClockSkew from "../../../src/venues/kalshi/ClockSkew.ts"
import { RateLimit } from "../../../src/resilience/RateLimit.ts"
import * as Signing from "../../../src/venues/kalshi/Signing.ts"
import { instrumentOf, marketObject } from "./Fixtures.ts"
import { type Answer, make, type Request } from "./Http.ts"

const filter = (over: Partial<MarketFilter> = {}): MarketFilter => ({
  maxMarkets: 500,
  categories: [],
  markets: [],
  ...over
})

const eventObject = (event_ticker: string, category: string | undefined = "Politics") => ({
  event_ticker,
  series_ticker: "SERIES",
  title: "An event",
  sub_title: "",
  collateral_return_type: "MECNET",
  mutually_exclusive: true,
  ...(category === undefined ? {} : { category })
})

const seriesObject = {
  ticker: "SERIES",
  title: "A series",
  category: "Climate and Weather",
  tags: ["Rain"],
  fee_type: "quadratic",
  fee_multiplier: 1
}

/** A venue with these pages of markets, by cursor. */
const venue =
  (pages: Readonly<Record<string, Answer["body"]>>, category: string | undefined = "Politics") =>
  ({ path, query }: Request): Answer => {
    if (path === "/markets") return { body: pages[query.get("cursor") ?? ""] }
    if (path === "/events") {
      const tickers = query.get("tickers")?.split(",") ?? []
      return { body: { events: tickers.map((ticker) => eventObject(ticker, category)), cursor: "" } }
    }
    if (path.startsWith("/series/")) return { body: { series: seriesObject } }
    return { status: 404, body: { error: { code: "not_found", message: "not found" } } }
  }

const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)
const volumes = (ticker: string, volume: string) => marketObject(ticker, { volume_24h_fp: volume })

describe("market list", () => {
  it.effect("walks every page and passes on the busiest first", () =>
    Effect.gen(function* () {
      const { markets, seen } = yield* make(
        {},
        venue({
          "": {
            markets: [volumes("A", "2000.00"), volumes("QUIET", "10.00"), volumes("KXMVE-X", "9999.00")],
            cursor: "two"
          },
          two: { markets: [volumes("B", "50000.55"), { ticker: "BROKEN", volume_24h_fp: "7000.00" }], cursor: null }
        })
      )
      const pages = yield* collect(markets.list(filter()))
      assert.deepStrictEqual(
        pages.flatMap((page) => page.markets.map(({ id, volume24h }) => [id, volume24h] as [string, number | null])),
        [
          ["kalshi:B", 50_000_550_000],
          ["kalshi:A", 2_000_000_000]
        ]
      )
      assert.deepStrictEqual(
        pages.flatMap((page) => page.rejected.map(({ id, path }) => [page.page, id, path])),
        [["/markets, page 2", "BROKEN", "event_ticker"]]
      )
      const [first] = seen
      assert.deepStrictEqual(
        [first!.query.get("status"), first!.query.get("mve_filter"), first!.query.get("limit")],
        ["open", "exclude", "1000"]
      )
      const [busiest] = pages.flatMap((page) => page.markets)
      assert.deepInclude(busiest, { category: "Politics", negRisk: true, status: "open", tickSize: 10_000 as never })
      assert.lengthOf(busiest!.outcomes, 1)
    })
  )

  it.effect("ends at an empty, a null and a missing cursor alike", () =>
    Effect.gen(function* () {
      for (const end of [{ cursor: "" }, { cursor: null }, {}]) {
        const { markets, seen } = yield* make({}, venue({ "": { markets: [volumes("A", "2000.00")], ...end } }))
        yield* Stream.runDrain(markets.list(filter()))
        assert.lengthOf(
          seen.filter(({ path }) => path === "/markets"),
          1
        )
      }
    })
  )

  it.effect("names the page whose cursor came before, and keeps what it had found", () =>
    Effect.gen(function* () {
      const { markets } = yield* make(
        {},
        venue({
          "": { markets: [volumes("A", "2000.00")], cursor: "two" },
          two: { markets: [volumes("B", "3000.00")], cursor: "three" },
          three: { markets: [], cursor: "two" }
        })
      )
      const found: Array<string> = []
      const error = yield* markets.list(filter()).pipe(
        Stream.runForEach((page) => Effect.sync(() => found.push(...page.markets.map(({ slug }) => slug)))),
        Effect.flip
      )
      assert.deepStrictEqual(
        [error.reason, error.where, error.detail],
        ["cursor", "/markets, page 3", `cursor "two" came before`]
      )
      assert.deepStrictEqual(found, ["B", "A"])
    })
  )

  it.effect("chooses by category of the event, or of the series where the event has none", () =>
    Effect.gen(function* () {
      const pages = { "": { markets: [volumes("A", "2000.00")], cursor: "" } }
      const kept = (category: string | undefined, wanted: string) =>
        Effect.gen(function* () {
          const { markets } = yield* make({ categories: [wanted] }, venue(pages, category))
          const listed = yield* collect(markets.list(filter({ categories: [wanted] })))
          return listed.flatMap((page) => page.markets).length
        })
      assert.strictEqual(yield* kept("Politics", "politics"), 1)
      assert.strictEqual(yield* kept("Politics", "sports"), 0)
      assert.strictEqual(yield* kept(undefined, "climate-and-weather"), 1)
      assert.strictEqual(yield* kept(undefined, "rain"), 1, "a tag of the series")
    })
  )

  it.effect("lists without categories while events cannot be read", () =>
    Effect.gen(function* () {
      const answers = venue({ "": { markets: [volumes("A", "2000.00")], cursor: "" } })
      const { markets } = yield* make({}, (request) =>
        request.path === "/events" ? { status: 400, body: { msg: "no" } } : answers(request)
      )
      const [market] = (yield* collect(markets.list(filter()))).flatMap((page) => page.markets)
      assert.deepInclude(market, { slug: "A", category: null, negRisk: false })
    })
  )

  it.effect("finds one market by ticker, with what its event says", () =>
    Effect.gen(function* () {
      const { markets } = yield* make({}, ({ path }) => {
        if (path === "/markets/KX-1")
          return { body: { market: marketObject("KX-1", { status: "finalized", result: "no" }) } }
        if (path === "/events/KX-1-EVENT") return { body: { event: eventObject("KX-1-EVENT", "World"), markets: [] } }
        if (path === "/series/SERIES") return { body: { series: seriesObject } }
        return { status: 404, body: { error: { code: "not_found", message: "not found" } } }
      })
      const found = Option.getOrThrow(yield* markets.find("kalshi:kx-1"))
      assert.deepInclude(found, { slug: "KX-1", category: "World", status: "resolved" })
      assert.strictEqual(found.outcomes[0]!.winner, false)
      assert.isTrue(Option.isNone(yield* markets.find("KX-2")))
    })
  )

  it.effect("judges announced markets by what is known of them", () =>
    Effect.gen(function* () {
      const wants = (min: number, volume24h: string | undefined) =>
        Effect.map(make({ min_volume_24h: min }, venue({})), ({ markets }) => {
          const market = {
            ...instrumentOf("A").market,
            volume24h: volume24h === undefined ? null : (Number(volume24h) as never)
          }
          return markets.wants(market, filter())
        })
      assert.isTrue(yield* wants(0, undefined))
      assert.isFalse(yield* wants(1, undefined))
      assert.isTrue(yield* wants(1, "1000000"))
    })
  )
})

describe("refusals", () => {
  const refused = (answer: Answer) =>
    Effect.gen(function* () {
      const { rest } = yield* make({}, () => answer)
      const fiber = yield* Effect.fork(Effect.flip(rest.market("A")))
      yield* TestClock.adjust("10 minutes")
      return yield* Fiber.join(fiber)
    })

  it.effect("carry the reason for each status, and the venue's words from each shape of body", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Answer, string, RegExp]> = [
        [
          {
            status: 401,
            body: { error: { code: "authentication_error", message: "authentication_error", details: "NOT_FOUND" } }
          },
          "unauthorized",
          /^authentication_error: NOT_FOUND$/
        ],
        [
          { status: 403, body: { code: "forbidden", message: "scope missing" } },
          "unauthorized",
          /^forbidden: scope missing$/
        ],
        [{ status: 404, body: { error: { code: "not_found", message: "not found" } } }, "not-found", /^not_found$/],
        [
          { status: 400, body: { msg: "Parameter validation failed for GetMarkets" } },
          "rejected",
          /^Parameter validation/
        ],
        [{ status: 429, body: { error: "too many requests" } }, "rate-limited", /^too many requests$/],
        [
          { status: 502, body: "<html><title>502</title><h1>Bad gateway</h1></html>" },
          "unavailable",
          /^502 Bad gateway$/
        ],
        [{ status: 503, body: { exchange_active: false, trading_active: false } }, "unavailable", /exchange_active/],
        [{ body: "<html></html>" }, "protocol", /not JSON/]
      ]
      for (const [answer, reason, detail] of cases) {
        const error = yield* refused(answer)
        assert.strictEqual(error.reason, reason)
        assert.match(error.detail, detail)
      }
      const { rest } = yield* make({}, () => ({ body: { nothing: 1 } }))
      const error = yield* Effect.flip(rest.exchangeStatus)
      assert.strictEqual(error.reason, "protocol")
      assert.match(error.detail, /exchange_active/)
    })
  )

  it.effect("wait as long as a Retry-After asks, and by themselves without one", () =>
    Effect.gen(function* () {
      for (const headers of [{ "retry-after": "7" }, {}]) {
        let calls = 0
        const answer = (): Answer =>
          calls++ === 0
            ? { status: 429, body: { error: "too many requests" }, headers }
            : { body: { exchange_active: true, trading_active: true } }
        const { rest } = yield* make({}, answer, undefined, RateLimit.layer)
        const fiber = yield* Effect.fork(rest.exchangeStatus)
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(calls, "retry-after" in headers ? 1 : 2)
        yield* TestClock.adjust("2 seconds")
        assert.isTrue((yield* Fiber.join(fiber)).exchange_active)
      }
    })
  )
})

describe("requests", () => {
  it.effect("are signed anew at each attempt, over the path alone, and the key is in no error", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519")
      const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      const signer = Either.getOrThrow(Signing.make("key-id", Redacted.make(pem)))
      const { rest, seen } = yield* make({}, () => ({ status: 500, body: "" }), signer)
      const fiber = yield* Effect.fork(Effect.flip(rest.trades("A", 5)))
      yield* TestClock.adjust("1 minutes")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "unavailable")
      assert.notInclude(JSON.stringify(error) + String(error), pem.split("\n")[1]!)
      assert.lengthOf(seen, 4)
      const times = seen.map(({ headers }) => headers["kalshi-access-timestamp"]!)
      assert.lengthOf(new Set(times), 4)
      for (const { headers } of seen) {
        const text = `${headers["kalshi-access-timestamp"]}GET/trade-api/v2/markets/trades`
        const signature = Buffer.from(headers["kalshi-access-signature"]!, "base64")
        assert.isTrue(verify(null, Buffer.from(text), publicKey, signature))
      }
    })
  )

  it.effect("ask for books in batches, and for one, in either of its forms", () =>
    Effect.gen(function* () {
      const levels = {
        yes_dollars: [
          ["0.0080", "1.00"],
          ["0.0090", "2.00"]
        ],
        no_dollars: null
      }
      const { rest, seen } = yield* make({}, ({ path }) =>
        path === "/markets/orderbooks"
          ? {
              body: {
                orderbooks: [
                  { ticker: "A", orderbook_fp: levels },
                  { ticker: "B", orderbook_fp: null }
                ]
              }
            }
          : { body: path.includes("OLD") ? { orderbook: {} } : { orderbook_fp: levels } }
      )
      const bidsOf = ({ body, instrumentId, receivedTime, source }: Input.Answer) =>
        Either.getOrThrow(restSnapshot(body as Wire.RestLevels, instrumentId, receivedTime, source)).bids
      const [a, b] = yield* rest.orderbooks(["A", "B"], "poll")
      assert.deepStrictEqual(seen[0]!.query.getAll("tickers"), ["A", "B"])
      assert.deepStrictEqual(
        bidsOf(a!).map(({ price }) => Number(price)),
        [8_000, 9_000]
      )
      assert.deepStrictEqual([b!.instrumentId, bidsOf(b!).length, b!.source], ["kalshi:B" as never, 0, "poll"])
      assert.lengthOf(bidsOf(yield* rest.orderbook(instrumentOf("A"), "rest")), 2)
      assert.lengthOf(bidsOf(yield* rest.orderbook(instrumentOf("OLD"), "rest")), 0)
    })
  )

  it.effect("read the rest of the public data", () =>
    Effect.gen(function* () {
      const candle = {
        end_period_ts: 60,
        yes_bid: { open_dollars: "0.1" },
        price: { open_dollars: null },
        volume_fp: "1.00",
        open_interest_fp: "2.00"
      }
      const change = {
        id: "1",
        series_ticker: "S",
        fee_type: "quadratic",
        fee_multiplier: 0.5,
        scheduled_ts: "2026-01-01T00:00:00Z"
      }
      const { rest } = yield* make({}, ({ path, query }) => {
        switch (path) {
          case "/series":
            return { body: { series: [seriesObject, { ...seriesObject, tags: null }] } }
          case "/series/fee_changes":
            return { body: { series_fee_change_arr: query.get("show_historical") === "true" ? [change] : [] } }
          case "/events/fee_changes":
            return {
              body: { event_fee_changes: [{ ...change, event_ticker: "E", fee_type_override: null }], cursor: "" }
            }
          case "/events":
            return { body: { events: [eventObject("E")], cursor: query.get("cursor") === null ? "next" : "" } }
          case "/markets/trades":
            return {
              body: {
                trades: [
                  {
                    trade_id: "t",
                    ticker: "A",
                    count_fp: "7.77",
                    yes_price_dollars: "0.4200",
                    taker_outcome_side: "yes",
                    created_time: "2026-06-11T06:29:30.164956Z"
                  }
                ]
              }
            }
          case "/markets/candlesticks":
            return { body: { markets: [{ market_ticker: "A", candlesticks: [candle] }] } }
          default:
            return { body: { ticker: "A", candlesticks: [candle, candle] } }
        }
      })
      const range = { start: 0, end: 60, interval: 1 } as const
      assert.lengthOf(yield* rest.seriesList("Politics"), 2)
      assert.lengthOf(yield* rest.seriesFeeChanges(false), 0)
      assert.strictEqual((yield* rest.seriesFeeChanges(true))[0]!.fee_multiplier, 0.5)
      assert.lengthOf((yield* collect(rest.eventFeeChanges)).flat(), 1)
      assert.lengthOf((yield* collect(rest.openEvents)).flat(), 2)
      assert.lengthOf(yield* rest.candlesticks("S", "A", range), 2)
      assert.lengthOf((yield* rest.candlesticksOf(["A"], range)).get("A")!, 1)
      const [trade] = yield* rest.trades("A", 1)
      assert.deepInclude(trade, { size: 7_770_000 as never, takerSide: "buy", venueTime: 1_781_159_370_164 })
    })
  )
})

describe("clock", () => {
  it.effect("is compared with the dates of answers, by the middle of the last ones", () =>
    Effect.gen(function* () {
      const skew = ClockSkew.make()
      const at = (now: number, venueTime: number, age?: string) =>
        skew.observe({ date: new Date(venueTime).toUTCString(), age }, now, now)
      assert.isNull(skew.current())
      yield* at(1_000_500, 1_000_000)
      assert.strictEqual(skew.current(), 0)
      assert.strictEqual(skew.warning(), "")
      for (let i = 0; i < 9; i++) yield* at(1_042_500, 1_000_000)
      assert.strictEqual(skew.warning(), "our clock is 42 s ahead of the venue's")
      yield* at(9_999_500, 1_000_000)
      assert.strictEqual(skew.current(), 42_000, "one outlier changes nothing")
      yield* skew.observe({}, 5, 5)
      yield* skew.observe({ date: "yesterday" }, 5, 5)
    })
  )

  it.effect("is corrected for in signatures only where it endangers them, and anew by what a refusal tells", () =>
    Effect.gen(function* () {
      const skew = ClockSkew.make()
      const at = (now: number, venueTime: number) => skew.observe({ date: new Date(venueTime).toUTCString() }, now, now)
      assert.strictEqual(skew.correction(), 0)
      assert.isFalse(skew.refused(0), "nothing is known")
      yield* at(1_004_500, 1_000_000)
      assert.deepStrictEqual([skew.current(), skew.correction()], [4_000, 0])
      for (let i = 0; i < 9; i++) yield* at(1_300_500, 1_000_000)
      assert.strictEqual(skew.correction(), 300_000)
      assert.isFalse(skew.refused(300_000), "it was not the clock")
      for (let i = 0; i < 8; i++) yield* at(1_300_500, 1_000_000)
      yield* at(1_000_500, 1_000_000)
      assert.strictEqual(skew.correction(), 300_000)
      assert.isTrue(skew.refused(300_000), "our clock was set since")
      assert.strictEqual(skew.correction(), 0)
    })
  )

  it.effect("makes a refused request once more for the time that the refusal tells, and no more than once", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust(Duration.seconds(1_000))
      const body = { error: { code: "header_timestamp_expired", message: "header timestamp expired" } }
      const date = "Thu, 01 Jan 1970 00:11:40 GMT"
      const signer = { headers: (_: string, __: string, timestamp: number) => ({ at: String(timestamp) }) }
      const { client, rest, seen } = yield* make({}, () => ({ status: 401, body, headers: { date } }), signer)
      assert.strictEqual((yield* Effect.flip(rest.market("A"))).reason, "unauthorized")
      const times = () => seen.map(({ headers }) => headers["at"])
      assert.deepStrictEqual(times(), ["1000000", "700500"])
      yield* Effect.flip(rest.market("A"))
      assert.deepStrictEqual(times(), ["1000000", "700500", "700500"])
      assert.strictEqual(client.clockSkew.correction(), 299_500)
    })
  )

  it.effect("counts the age of a cached answer, and is named beside a refused signature", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust(Duration.seconds(1_000))
      const date = "Thu, 01 Jan 1970 00:16:00 GMT"
      const { clockSkew, rest } = yield* make({}, ({ path }) =>
        path === "/exchange/status"
          ? { body: { exchange_active: true, trading_active: true }, headers: { date, age: "40" } }
          : {
              status: 401,
              body: { error: { code: "header_timestamp_expired", message: "header timestamp expired" } },
              headers: { date }
            }
      )
      yield* rest.exchangeStatus
      assert.strictEqual(clockSkew.current(), -500)
      yield* Effect.flip(rest.market("A"))
      const error = yield* Effect.flip(rest.market("A"))
      assert.match(error.detail, /^header_timestamp_expired; our clock is 40 s ahead of the venue's$/)
    })
  )
})
