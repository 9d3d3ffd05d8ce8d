import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream, SubscriptionRef, TestClock } from "effect"
import * as BookKeeper from "../../../src/collector/BookKeeper.ts"
import type { Instrument } from "../../../src/domain/Market.ts"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import * as PollFeed from "../../../src/venues/kalshi/PollFeed.ts"
import { instrumentOf, marketObject } from "./Fixtures.ts"
import { type Answer, make as makeRest, type Request } from "./Http.ts"

const book = (price: string) => ({ yes_dollars: [[price, "3.00"]], no_dollars: [["0.4800", "1.00"]] })

const makeWorld = (tickers: ReadonlyArray<string>, answer: (request: Request) => Answer, fields: object = {}) =>
  Effect.gen(function* () {
    const { config, rest, seen } = yield* makeRest(fields, answer)
    const feed = yield* PollFeed.make(config, rest, undefined)
    const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>(tickers.map(instrumentOf))
    const keeper = BookKeeper.make({ verifier: () => undefined, onResync: () => {} })
    const events: Array<FeedEvent> = []
    yield* feed.events(desired).pipe(
      Stream.runForEach((event) =>
        Effect.sync(() => {
          events.push(event)
          keeper.apply([event])
        })
      ),
      Effect.forkScoped
    )
    yield* TestClock.adjust("1 millis")
    return { feed, desired, events, keeper, seen, view: (ticker: string) => keeper.view(instrumentOf(ticker).id) }
  })

const batches = ({ path, query }: Request): Answer =>
  path === "/markets/trades"
    ? { body: { trades: [], cursor: "" } }
    : path === "/markets/orderbooks"
      ? { body: { orderbooks: query.getAll("tickers").map((ticker) => ({ ticker, orderbook_fp: book("0.4700") })) } }
      : { status: 404, body: { error: { code: "not_found", message: "not found" } } }

describe("polling", () => {
  it.scoped("fetches a hundred books in a request, again and again, and says what a key would give", () =>
    Effect.gen(function* () {
      const tickers = Array.from({ length: 150 }, (_, i) => `M${i}`)
      const world = yield* makeWorld(tickers, batches)
      const asked = () => world.seen.filter(({ path }) => path === "/markets/orderbooks")
      assert.deepStrictEqual(
        asked().map(({ query }) => query.getAll("tickers").length),
        [100, 50]
      )
      assert.deepInclude(world.view("M149"), { status: "live", fedBy: "poll", statusReason: "polled" })
      yield* TestClock.adjust("15 seconds")
      assert.lengthOf(asked(), 4)
      const [info] = yield* world.feed.connections
      assert.deepInclude(info, { slot: "kalshi-poll", state: "connected", subscribed: 150 })
      assert.match(info!.reason, /^no API key: books are polled every 15s; an API key .* gives every change/)
      assert.isUndefined(world.feed.requestSnapshots)
    })
  )

  it.scoped("goes one by one where a batch needs a key, changed markets first and all in turn", () =>
    Effect.gen(function* () {
      const tickers = Array.from({ length: 60 }, (_, i) => `M${i}`)
      let moved = ""
      const world = yield* makeWorld(
        tickers,
        ({ path, query }) => {
          if (path === "/markets/orderbooks")
            return { status: 401, body: { error: { code: "signature_is_missing_from_headers", message: "x" } } }
          if (path === "/markets") {
            const markets = query
              .get("tickers")!
              .split(",")
              .map((ticker) => marketObject(ticker, ticker === moved ? { volume_fp: "1.00" } : {}))
            return { body: { markets, cursor: "" } }
          }
          return { body: { orderbook_fp: book("0.4700") } }
        },
        { max_requests_per_second: 2, poll_every: "15 seconds" }
      )
      const polled = () => world.seen.flatMap(({ path }) => /^\/markets\/(M\d+)\/orderbook$/.exec(path)?.[1] ?? [])
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(polled(), tickers.slice(0, 29), "as many as two a second allow, with one look at the list")
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(polled().slice(29), tickers.slice(29, 58), "the others next")
      moved = "M7"
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(polled().slice(58)[0], "M58", "never seen is as urgent as changed")
      assert.include(polled().slice(58, 61), "M7")
      assert.strictEqual(world.view("M59")?.status, "live")
    })
  )

  it.scoped("says that books are stale while REST does not answer, and begins anew", () =>
    Effect.gen(function* () {
      let down = false
      const world = yield* makeWorld(["A"], (request) =>
        down ? { status: 503, body: "<html>maintenance</html>" } : batches(request)
      )
      assert.strictEqual(world.view("A")?.status, "live")
      down = true
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(world.view("A")?.status, "stale")
      // Delays have chance in them: at any one moment the feed may just be trying again.
      const waiting = Effect.map(world.feed.connections, ([info]) =>
        info?.state === "waiting" ? info.reason : undefined
      )
      let reason = yield* waiting
      for (let seconds = 0; reason === undefined && seconds < 120; seconds++) {
        yield* TestClock.adjust("1 seconds")
        reason = yield* waiting
      }
      assert.match(reason ?? "never waiting", /maintenance.*no API key/)
      down = false
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(world.view("A")?.status, "live")
      const tags = world.events.map(({ _tag }) => _tag).filter((tag) => tag !== "BookSnapshot")
      assert.deepStrictEqual(tags, ["Connected", "Subscribed", "Disconnected", "Connected", "Subscribed"])
    })
  )

  it.scoped("fetches the trades since the last look, each once, and goes on where that fails", () =>
    Effect.gen(function* () {
      const trade = (id: string, ticker: string, at: number) => ({
        trade_id: id,
        ticker,
        count_fp: "2.00",
        yes_price_dollars: "0.4700",
        no_price_dollars: "0.5300",
        taker_outcome_side: "yes",
        created_time: new Date(at).toISOString()
      })
      let trades: ReadonlyArray<ReturnType<typeof trade>> = [trade("old", "A", -60_000)]
      let fails = false
      const world = yield* makeWorld(["A", "B"], (request) => {
        if (request.path !== "/markets/trades") return batches(request)
        return fails ? { status: 404, body: "gone" } : { body: { trades, cursor: "" } }
      })
      const told = () =>
        world.events.flatMap((event) => (event._tag === "Trade" ? [`${event.instrumentId} ${event.tradeId}`] : []))
      assert.deepStrictEqual(told(), [], "nobody watched then")
      trades = [trade("3", "B", 9_000), trade("x", "OTHER", 8_000), trade("2", "A", 5_000), trade("1", "A", 4_000)]
      yield* TestClock.adjust("15 seconds")
      assert.sameMembers(told(), ["kalshi:A 1", "kalshi:A 2", "kalshi:B 3"])
      assert.isBelow(told().indexOf("kalshi:A 1"), told().indexOf("kalshi:A 2"), "in the order in which they happened")
      fails = true
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(world.view("A")?.status, "live")
      fails = false
      trades = [trade("4", "A", 20_000), ...trades]
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(told().slice(3), ["kalshi:A 4"])
      const asked = world.seen.filter(({ path }) => path === "/markets/trades").map(({ query }) => query.get("min_ts"))
      assert.deepStrictEqual(asked, ["-10", "-10", "5", "5"])
    })
  )

  it.scoped("says so when more trades happened than it fetches", () =>
    Effect.gen(function* () {
      let page = 0
      const full = Array.from({ length: 1_000 }, (_, i) => ({
        trade_id: `${i}`,
        ticker: "OTHER",
        count_fp: "1.00",
        yes_price_dollars: "0.5000",
        created_time: "2026-11-01T00:00:00.000001Z"
      }))
      const world = yield* makeWorld(["A"], (request) =>
        request.path === "/markets/trades" ? { body: { trades: full, cursor: `c${page++}` } } : batches(request)
      )
      yield* TestClock.adjust("10 seconds")
      const rejected = world.events.find((event) => event._tag === "MessageRejected")
      assert.match(rejected?._tag === "MessageRejected" ? rejected.reason : "", /trades are missing.*20000/)
      assert.strictEqual(page, 20)
    })
  )

  it.scoped("waits for something to be wanted, and follows what is", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld([], batches)
      yield* TestClock.adjust("10 minutes")
      assert.lengthOf(world.seen, 0)
      yield* SubscriptionRef.set(world.desired, ["A", "B"].map(instrumentOf))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(world.view("A")?.status, "live")
      yield* SubscriptionRef.set(world.desired, ["B", "C"].map(instrumentOf))
      yield* TestClock.adjust("15 seconds")
      assert.isUndefined(world.view("A"))
      assert.strictEqual(world.view("C")?.status, "live")
    })
  )
})
