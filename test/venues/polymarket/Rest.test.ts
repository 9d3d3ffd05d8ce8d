import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Either, Exit, FastCheck as fc, Fiber, Layer, Option, Stream, TestClock } from "effect"
import { RateLimit } from "../../../src/resilience/RateLimit.ts"
import type { PolymarketConfig } from "../../../src/venues/polymarket/Config.ts"
import { restSnapshot } from "../../../src/venues/polymarket/Normalize.ts"
import * as Rest from "../../../src/venues/polymarket/Rest.ts"
import type { MarketFilter, MarketPage, VenueError } from "../../../src/venues/Venue.ts"
import { instrument, levels, market } from "../../support/Events.ts"
import * as StubHttp from "../../support/StubHttp.ts"

const config: PolymarketConfig = {
  enabled: true,
  clob_url: "http://clob.test",
  gamma_url: "http://gamma.test",
  ws_url: "ws://ws.test/market",
  max_markets: 500,
  min_liquidity: 0,
  categories: [],
  markets: [],
  max_assets_per_connection: 200,
  refresh_every: Duration.minutes(10),
  stale_after: Duration.seconds(30)
}

const everything: MarketFilter = { maxMarkets: 1000, categories: [], markets: [] }

/** The REST of a venue that answers as `answer` says. */
const over = (
  answer: Parameters<typeof StubHttp.make>[0],
  changed: Partial<PolymarketConfig> = {},
  maxPages?: number
) => {
  const { asked, layer } = StubHttp.make(answer)
  const rest = Rest.make({ ...config, ...changed }, maxPages).pipe(Effect.provide(Layer.merge(layer, RateLimit.layer)))
  return { asked, rest, paths: () => asked.map(({ url }) => `${url.hostname} ${url.pathname}`) }
}

/** Runs something to its end while the clock goes on. */
const finish = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("5 minutes")
    return yield* Fiber.await(fiber)
  })

const failureOf = <A>(exit: Exit.Exit<A, VenueError>): VenueError => {
  assert(Exit.isFailure(exit) && exit.cause._tag === "Fail", "it should have failed")
  return exit.cause.error
}

/** All pages up to the end or to a failure. */
const readAll = (stream: Stream.Stream<MarketPage, VenueError>) => {
  const pages: Array<MarketPage> = []
  return Stream.runForEach(stream, (page) => Effect.sync(() => pages.push(page))).pipe(
    finish,
    Effect.map((exit) => ({ exit, pages, slugs: pages.flatMap((page) => page.markets.map(({ slug }) => slug)) }))
  )
}

const gammaMarket = (n: number, fields: Record<string, unknown> = {}) => ({
  id: String(n),
  question: `${n}?`,
  conditionId: `0x${n}`,
  slug: `m${n}`,
  enableOrderBook: true,
  outcomes: '["Yes","No"]',
  clobTokenIds: JSON.stringify([`${n}1`, `${n}2`]),
  liquidityNum: 20_000,
  ...fields
})
const clobMarket = (n: number, fields: Record<string, unknown> = {}) => ({
  condition_id: `0x${n}`,
  question: `${n}?`,
  market_slug: `m${n}`,
  active: true,
  closed: false,
  accepting_orders: true,
  minimum_order_size: 5,
  minimum_tick_size: 0.01,
  tokens: [
    { token_id: `${n}1`, outcome: "Yes" },
    { token_id: `${n}2`, outcome: "No" }
  ],
  tags: [],
  ...fields
})
const cursor = (offset: number | string) => Buffer.from(String(offset)).toString("base64")

/** Gamma gives these pages, one after the other; every page but the last names the next. */
const gammaPages =
  (...pages: ReadonlyArray<ReadonlyArray<unknown>>) =>
  (url: URL): StubHttp.Answer => {
    if (url.pathname !== "/markets/keyset") return { status: 404, body: { error: "not found" } }
    const at = Number(url.searchParams.get("after_cursor") ?? "0")
    const next = at + 1 < pages.length ? { next_cursor: String(at + 1) } : {}
    return { body: { markets: pages[at], ...next } }
  }

describe("Gamma's list", () => {
  it.effect("is read page by page to its end, open markets only", () => {
    const { asked, rest } = over(
      gammaPages(
        [gammaMarket(1), gammaMarket(2, { closed: true })],
        [gammaMarket(3), gammaMarket(4, { active: false })]
      )
    )
    return Effect.gen(function* () {
      const { exit, pages, slugs } = yield* readAll((yield* rest).markets(everything))
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(slugs, ["m1", "m3"])
      assert.deepStrictEqual(
        pages.map(({ page }) => page),
        ["gamma /markets/keyset, page 1", "gamma /markets/keyset, page 2"]
      )
      const query = asked[0]!.url.searchParams
      assert.deepStrictEqual(
        ["limit", "closed", "order", "ascending", "liquidity_num_min"].map((name) => query.get(name)),
        ["100", "false", "volume24hr", "false", null]
      )
    })
  })

  it.effect("counts and names what does not decode, and skips it", () => {
    const { rest } = over(gammaPages([gammaMarket(1), gammaMarket(2, { clobTokenIds: null }), 7, gammaMarket(3)]))
    return Effect.gen(function* () {
      const { pages, slugs } = yield* readAll((yield* rest).markets(everything))
      assert.deepStrictEqual(slugs, ["m1", "m3"])
      assert.deepStrictEqual(pages[0]?.rejected[0], { id: "0x2", path: "clobTokenIds", problem: "no tokens yet" })
      assert.strictEqual(pages[0]?.rejected.length, 2)
    })
  })

  it.effect("asks for no page that nobody reads", () => {
    const { asked, rest } = over(gammaPages([gammaMarket(1)], [gammaMarket(2)], [gammaMarket(3)]))
    return Effect.gen(function* () {
      const stream = (yield* rest).markets(everything)
      yield* finish(Stream.runDrain(Stream.take(stream, 2)))
      assert.strictEqual(asked.length, 2)
    })
  })

  it.effect("leaves out what is too thin, and what hides it", () => {
    const markets = [
      gammaMarket(1, { liquidityNum: 9_999.99 }),
      gammaMarket(2, { liquidityNum: 10_000 }),
      gammaMarket(3, { liquidityNum: null })
    ]
    const { asked, rest } = over(gammaPages(markets), { min_liquidity: 10_000 })
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* readAll((yield* rest).markets(everything))).slugs, ["m2"])
      assert.strictEqual(asked[0]!.url.searchParams.get("liquidity_num_min"), "10000")
    })
  })

  it.effect("is filtered by the venue where it knows the categories", () => {
    const answer = (url: URL): StubHttp.Answer =>
      url.pathname.startsWith("/tags/slug/")
        ? { body: { id: url.pathname.endsWith("us-politics") ? "2" : 7, label: "x", slug: "x" } }
        : gammaPages([gammaMarket(1)])(url)
    const { asked, rest } = over(answer)
    return Effect.gen(function* () {
      const stream = (yield* rest).markets({ ...everything, categories: ["US Politics", "sports"] })
      assert.deepStrictEqual((yield* readAll(stream)).slugs, ["m1"])
      const { searchParams } = asked.at(-1)!.url
      assert.deepStrictEqual(searchParams.getAll("tag_id"), ["2", "7"])
      assert.strictEqual(searchParams.get("tag_match"), "any")
      assert.strictEqual(asked[0]!.url.pathname, "/tags/slug/us-politics")
    })
  })

  it.effect("is filtered by us where the venue knows no such category", () => {
    const tagged = gammaMarket(2, { tags: [{ id: "1", label: "My Topic", slug: "my-topic" }] })
    const { asked, rest } = over(gammaPages([gammaMarket(1), tagged]))
    return Effect.gen(function* () {
      const stream = (yield* rest).markets({ ...everything, categories: ["my topic"] })
      assert.deepStrictEqual((yield* readAll(stream)).slugs, ["m2"])
      assert.isFalse(asked.at(-1)!.url.searchParams.has("tag_id"))
    })
  })

  it.effect("is filtered by us where the venue knows only some of the categories", () => {
    const tagged = (n: number, slug: string) => gammaMarket(n, { tags: [{ id: "1", label: slug, slug }] })
    const markets = [gammaMarket(1), tagged(2, "my-topic"), tagged(3, "sports")]
    const { asked, rest } = over((url) =>
      url.pathname === "/tags/slug/sports" ? { body: { id: 7 } } : gammaPages(markets)(url)
    )
    return Effect.gen(function* () {
      const stream = (yield* rest).markets({ ...everything, categories: ["sports", "my topic"] })
      assert.deepStrictEqual((yield* readAll(stream)).slugs, ["m2", "m3"])
      assert.isFalse(asked.at(-1)!.url.searchParams.has("tag_id"))
    })
  })

  it.effect("that is cut off in the middle says so, and keeps what was read", () => {
    const pages = gammaPages([gammaMarket(1)], [gammaMarket(2)])
    const { paths, rest } = over((url) =>
      url.searchParams.has("after_cursor") ? { status: 503, body: { error: "down" } } : pages(url)
    )
    return Effect.gen(function* () {
      const { exit, slugs } = yield* readAll((yield* rest).markets(everything))
      assert.deepStrictEqual(slugs, ["m1"])
      assert.strictEqual(failureOf(exit).reason, "unavailable")
      assert.isFalse(
        paths().some((path) => path.startsWith("clob")),
        "the other list is no continuation"
      )
    })
  })

  it.effect("whose cursor repeats is an error that names the page, after the page", () => {
    const { rest } = over(() => ({ body: { markets: [gammaMarket(1)], next_cursor: "again" } }))
    return Effect.gen(function* () {
      const { exit, pages } = yield* readAll((yield* rest).markets(everything))
      const error = failureOf(exit)
      assert.strictEqual(error.reason, "cursor")
      assert.match(error.message, /gamma \/markets\/keyset, page 2: .*"again" was given before/)
      assert.strictEqual(pages.length, 2)
    })
  })

  for (const next_cursor of ["", null]) {
    it.effect(`ends with the cursor ${JSON.stringify(next_cursor)}`, () => {
      const { asked, rest } = over(() => ({ body: { markets: [gammaMarket(1)], next_cursor } }))
      return Effect.gen(function* () {
        const { exit } = yield* readAll((yield* rest).markets(everything))
        assert.isTrue(Exit.isSuccess(exit))
        assert.strictEqual(asked.length, 1)
      })
    })
  }

  it.effect("without an end is given up", () => {
    let page = 0
    const { asked, rest } = over(() => ({ body: { markets: [], next_cursor: `c${++page}` } }), {}, 50)
    return Effect.gen(function* () {
      const { exit } = yield* readAll((yield* rest).markets(everything))
      assert.match(failureOf(exit).message, /page 50: cursor: no end of the list after 50 pages/)
      assert.strictEqual(asked.length, 50)
    })
  })
})

describe("the CLOB's list", () => {
  /** Gamma is down; the CLOB has rows in pages of two. */
  const rows = (count: number) => (url: URL) => {
    if (url.hostname === "gamma.test") return undefined
    const at = Number(Buffer.from(url.searchParams.get("next_cursor") ?? "MA==", "base64").toString())
    const data = [at + 1, at + 2].filter((n) => n <= count).map((n) => clobMarket(n))
    return { body: { data, next_cursor: at + 2 < count ? cursor(at + 2) : "LTE=", limit: 2, count: data.length } }
  }

  it.effect("serves when Gamma cannot be reached at all", () => {
    const { paths, rest } = over(rows(5), { min_liquidity: 10_000 })
    return Effect.gen(function* () {
      const { exit, pages, slugs } = yield* readAll((yield* rest).markets(everything))
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(slugs, ["m1", "m2", "m3", "m4", "m5"])
      assert.strictEqual(pages[2]?.page, "clob /markets, page 3")
      assert.strictEqual(paths().filter((path) => path === "gamma.test /markets/keyset").length, 4, "tried four times")
    })
  })

  it.effect("is filtered by its own tags", () => {
    const { rest } = over((url) =>
      url.hostname === "gamma.test"
        ? { status: 500, body: "<html><h1>oops</h1></html>" }
        : { body: { data: [clobMarket(1, { tags: ["Politics"] }), clobMarket(2)], next_cursor: "LTE=" } }
    )
    return Effect.gen(function* () {
      const { slugs } = yield* readAll((yield* rest).markets({ ...everything, categories: ["politics"] }))
      assert.deepStrictEqual(slugs, ["m1"])
    })
  })

  for (const [what, bad, problem] of [
    ["is not base64", "%%%", /page 1: .*"%%%": it is not base64/],
    ["is empty", "", /page 1: .*"": it is not base64/],
    ["does not hold a row offset", cursor("abc"), /page 1: .*it does not hold a row offset/],
    ["lies before the beginning", cursor(-5), /page 1: .*it does not hold a row offset/]
  ] as const) {
    it.effect(`whose cursor ${what} is an error that names the page`, () => {
      const { rest } = over((url) =>
        url.hostname === "gamma.test" ? undefined : { body: { data: [clobMarket(1)], next_cursor: bad } }
      )
      return Effect.gen(function* () {
        const { exit, slugs } = yield* readAll((yield* rest).markets(everything))
        assert.deepStrictEqual(slugs, ["m1"])
        assert.strictEqual(failureOf(exit).reason, "cursor")
        assert.match(failureOf(exit).message, problem)
      })
    })
  }

  it.effect("whose cursors go in a circle is an error that names the page", () => {
    const next: Record<string, string> = { "": cursor(100), [cursor(100)]: cursor(200), [cursor(200)]: cursor(100) }
    const { rest } = over((url) =>
      url.hostname === "gamma.test"
        ? undefined
        : { body: { data: [], next_cursor: next[url.searchParams.get("next_cursor") ?? ""] } }
    )
    return Effect.gen(function* () {
      const { exit } = yield* readAll((yield* rest).markets(everything))
      assert.match(failureOf(exit).message, /clob \/markets, page 3: cursor: next_cursor "MTAw" was given before/)
    })
  })

  it.effect("that fails as well leaves the first failure to see", () => {
    const { rest } = over((url) => (url.hostname === "gamma.test" ? undefined : { status: 401, body: {} }))
    return Effect.gen(function* () {
      const { exit } = yield* readAll((yield* rest).markets(everything))
      assert.strictEqual(failureOf(exit).reason, "unreachable")
      assert.match(failureOf(exit).message, /gamma\.test.*ECONNREFUSED/)
    })
  })
})

describe("a cursor", () => {
  it("is base64 of a row offset and nothing else", () => {
    fc.assert(
      fc.property(fc.nat(), (offset) => {
        assert.deepStrictEqual(Rest.decodeCursor(cursor(offset)), Either.right(offset))
      })
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        const decoded = Rest.decodeCursor(text)
        if (Either.isRight(decoded)) assert.match(Buffer.from(text, "base64").toString("latin1"), /^\d+$/)
      })
    )
  })
})

describe("one market", () => {
  const answer = (url: URL): StubHttp.Answer => {
    const known: Record<string, unknown> = {
      "gamma.test/markets/7": gammaMarket(7),
      "gamma.test/markets/slug/m7": gammaMarket(7),
      "gamma.test/markets?condition_ids=0x7": [gammaMarket(7)],
      "gamma.test/markets?condition_ids=0x8": [],
      "clob.test/markets/0x8": clobMarket(8),
      "gamma.test/markets?clob_token_ids=111111111111111111111111": [gammaMarket(7)],
      "gamma.test/markets?clob_token_ids=222222222222222222222222": [],
      "gamma.test/markets?position_ids=222222222222222222222222": [gammaMarket(9)],
      "gamma.test/markets/slug/broken": gammaMarket(7, { conditionId: 7 })
    }
    const body = known[`${url.hostname}${url.pathname}${url.search}`]
    if (body !== undefined) return { body }
    return url.search === "" ? { status: 404, body: { error: "market not found" } } : { body: [] }
  }
  const look = (reference: string) =>
    Effect.gen(function* () {
      const exit = yield* finish((yield* over(answer).rest).market(reference))
      return Exit.map(exit, (found) => Option.getOrNull(Option.map(found, ({ slug }) => slug)))
    })

  for (const [reference, slug] of [
    ["0x7", "m7"],
    ["polymarket:0x7", "m7"],
    ["0x8", "m8"],
    ["0x9", null],
    ["7", "m7"],
    ["m7", "m7"],
    ["no such slug/..", null],
    ["111111111111111111111111", "m7"],
    ["222222222222222222222222", "m9"],
    ["333333333333333333333333", null]
  ] as const) {
    it.effect(`is ${slug === null ? "not" : ""} found by ${reference}`, () =>
      Effect.map(look(reference), (exit) => assert.deepStrictEqual(exit, Exit.succeed(slug)))
    )
  }

  it.effect("that does not decode is an error that says where", () =>
    Effect.map(look("broken"), (exit) => {
      assert.strictEqual(failureOf(exit).reason, "protocol")
      assert.match(failureOf(exit).message, /conditionId/)
    })
  )

  it.effect("is found in the CLOB when Gamma is down", () => {
    const { rest } = over((url) => (url.hostname === "gamma.test" ? undefined : { body: clobMarket(8) }))
    return Effect.gen(function* () {
      const found = yield* finish((yield* rest).market("0x8"))
      assert.strictEqual(Exit.isSuccess(found) && Option.getOrThrow(found.value).slug, "m8")
    })
  })

  it("that is announced passes the filters as far as they can be told", () => {
    const wants = (
      changed: Partial<PolymarketConfig>,
      categories: ReadonlyArray<string>,
      tags: ReadonlyArray<string>
    ) => Effect.runSync(over(() => undefined, changed).rest).wants(market("m", { tags }), { ...everything, categories })
    assert.isTrue(wants({}, [], []))
    assert.isFalse(wants({ min_liquidity: 1 }, [], []), "its liquidity is not known yet")
    assert.isTrue(wants({}, ["Crypto"], ["crypto"]))
    assert.isFalse(wants({}, ["Crypto"], ["sports"]))
  })
})

describe("one book", () => {
  const one = instrument(market("m"))
  const book = {
    market: "0x6d",
    asset_id: "111",
    timestamp: "1791241810525",
    hash: "cafe",
    bids: [{ price: "0.01", size: "1123" }],
    asks: [],
    min_order_size: "5",
    tick_size: "0.01",
    neg_risk: false,
    last_trade_price: "0.040"
  }
  const snapshot = (answer: StubHttp.Answer | undefined) => {
    const { asked, rest } = over(() => answer)
    return Effect.gen(function* () {
      return { exit: yield* finish((yield* rest).snapshot(one)), asked }
    })
  }

  it.effect("is a snapshot of REST", () =>
    Effect.gen(function* () {
      const { asked, exit } = yield* snapshot({ body: book })
      assert(Exit.isSuccess(exit))
      assert.deepInclude(exit.value, { instrumentId: one.id, of: "book", source: "rest", receivedTime: 0 })
      const read = Either.getOrThrow(restSnapshot(exit.value.body, one, 0))
      assert.deepInclude(read, { instrumentId: one.id, source: "rest", hash: "cafe", venueTime: 1_791_241_810_525 })
      assert.deepStrictEqual(read.bids, levels("0.01 1123"))
      assert.strictEqual(asked[0]?.url.href, "http://clob.test/book?token_id=111")
    })
  )

  for (const [what, answer, reason, requests] of [
    ["that the venue does not keep", { status: 404, body: { error: "No orderbook exists" } }, "not-found", 1],
    ["of another token", { body: { ...book, asset_id: "222" } }, "protocol", 1],
    ["that is none", { body: { ...book, bids: null } }, "protocol", 1],
    ["with a bad number", { body: { ...book, bids: [{ price: "NaN", size: "1" }] } }, "protocol", 1],
    ["that is HTML", { body: "<html>sorry</html>" }, "protocol", 1],
    ["that is refused", { status: 400, body: { error: "Invalid token id" } }, "rejected", 1],
    ["that is forbidden", { status: 403, body: "<h1>Forbidden</h1>" }, "unauthorized", 1],
    ["while the engine restarts", { status: 425, body: {} }, "unavailable", 4],
    ["while the venue is down", { status: 502, body: "" }, "unavailable", 4],
    ["while it is unreachable", undefined, "unreachable", 4],
    ["that never comes", { body: book, after: 3_600_000 }, "timeout", 4],
    ["too many", { status: 429, headers: { "retry-after": "7" }, body: {} }, "rate-limited", 4]
  ] as const) {
    it.effect(`${what} is an error: ${reason}, after ${requests} requests`, () =>
      Effect.gen(function* () {
        const { asked, exit } = yield* snapshot(answer)
        const error = failureOf(exit)
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(asked.length, requests)
        if (reason !== "rate-limited") return
        assert.strictEqual(Duration.toMillis(error.retryAfter!), 7_000)
        const waits = asked.slice(1).map(({ at }, i) => at - asked[i]!.at)
        assert.isTrue(waits.every((wait) => wait >= 7_000))
      })
    )
  }
})

describe("a host that fails", () => {
  const one = instrument(market("m"))

  it.effect("is left alone after a while, and says so, while the other one is asked as ever", () =>
    Effect.gen(function* () {
      const list = gammaPages([gammaMarket(1)])
      const { asked, rest } = over((url) => (url.hostname === "clob.test" ? { status: 500, body: {} } : list(url)))
      const { breakers, markets, snapshot } = yield* rest
      const exits = yield* finish(
        Effect.forEach(Array.from({ length: 10 }), () => Effect.exit(snapshot(one)), { concurrency: 10 })
      )
      assert(Exit.isSuccess(exits))
      for (const exit of exits.value) assert.strictEqual(failureOf(exit).reason, "unavailable")
      const [clob, gamma] = yield* breakers
      assert.deepInclude(clob, { name: "polymarket clob", state: "open" })
      assert.deepInclude(gamma, { name: "polymarket gamma", state: "closed" })
      assert.strictEqual(clob!.lastFailure, "GET http://clob.test/book: 500 {}")
      assert.isBelow(asked.length, 40)
      assert.deepStrictEqual((yield* readAll(markets(everything))).slugs, ["m1"])
    })
  )

  it.effect("is not asked while it is left alone, and why is in the error", () =>
    Effect.gen(function* () {
      const { asked, rest } = over(() => ({ status: 503, headers: { "retry-after": "600" }, body: {} }))
      const { snapshot } = yield* rest
      const exits = yield* finish(
        Effect.forEach(Array.from({ length: 5 }), () => Effect.exit(snapshot(one)), { concurrency: 5 })
      )
      assert(Exit.isSuccess(exits))
      const before = asked.length
      const error = yield* Effect.flip(snapshot(one))
      assert.strictEqual(asked.length, before)
      assert.strictEqual(error.where, "GET http://clob.test/book")
      assert.match(error.detail, /^polymarket clob is not asked since .*: GET http:\/\/clob\.test\/book: 503/)
      assert.isAbove(Duration.toSeconds(error.retryAfter!), 200)
    })
  )
})
