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
  path === "/markets/orderbooks"
    ? { body: { orderbooks: query.getAll("tickers").map((ticker) => ({ ticker, orderbook_fp: book("0.4700") })) } }
    : { status: 404, body: { error: { code: "not_found", message: "not found" } } }

describe("polling", () => {
  it.scoped("fetches a hundred books in a request, again and again, and says what a key would give", () =>
    Effect.gen(function* () {
      const tickers = Array.from({ length: 150 }, (_, i) => `M${i}`)
      const world = yield* makeWorld(tickers, batches)
      assert.deepStrictEqual(
        world.seen.map(({ query }) => query.getAll("tickers").length),
        [100, 50]
      )
      assert.deepInclude(world.view("M149"), { status: "live", fedBy: "poll", statusReason: "polled" })
      yield* TestClock.adjust("15 seconds")
      assert.lengthOf(world.seen, 4)
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
      const [info] = yield* world.feed.connections
      assert.strictEqual(info!.state, "waiting")
      assert.match(info!.reason, /maintenance.*no API key/)
      down = false
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(world.view("A")?.status, "live")
      const tags = world.events.map(({ _tag }) => _tag).filter((tag) => tag !== "BookSnapshot")
      assert.deepStrictEqual(tags, ["Connected", "Subscribed", "Disconnected", "Connected", "Subscribed"])
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
