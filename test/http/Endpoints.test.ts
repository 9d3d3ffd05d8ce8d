import { createHash } from "node:crypto"
import { OpenApi } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { VenueId } from "../../src/domain/Market.ts"
import { Api } from "../../src/http/Api.ts"
import { type Answer, ask, book, breaker, catalogInfo, connection, market, served, T, type World } from "./World.ts"

const ISO = "2026-11-22T10:15:00.123Z"

const unchanged = (_: World) => {}

describe("markets", () => {
  it.live("are listed with exact text for money and times", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { headers, json, status } = yield* ask("/api/v1/markets")
        assert.strictEqual(status, 200)
        assert.match(headers.get("content-type") ?? "", /^application\/json/)
        assert.strictEqual(json.nextCursor, null)
        assert.deepStrictEqual(json.markets[0], {
          id: "polymarket:a",
          venue: "polymarket",
          venueMarketId: "a",
          slug: "slug-a",
          question: "Will a happen?",
          category: "Politics",
          tags: ["US Election"],
          status: "open",
          outcomes: [
            { instrumentId: "polymarket:a-yes", venueInstrumentId: "a-yes", name: "Yes", winner: null },
            { instrumentId: "polymarket:a-no", venueInstrumentId: "a-no", name: "No", winner: null }
          ],
          tickSize: "0.001",
          priceBands: [
            { start: "0", end: "0.1", step: "0.001" },
            { start: "0.1", end: "0.9", step: "0.01" },
            { start: "0.9", end: "1", step: "0.001" }
          ],
          minOrderSize: "5",
          negRisk: false,
          liquidity: "12345.67",
          volume24h: null,
          protocol: null,
          endTime: ISO
        })
      })
    )
  )

  it.live("are filtered", () =>
    served(
      (world) => {
        world.markets = [
          market("a"),
          market("b", { status: "closed", category: null, tags: ["Sports"] }),
          market("c", { question: "100% [sure]?", venue: VenueId.make("other") }),
          market("d", { status: "resolved", category: "sports", tags: [] })
        ]
      },
      Effect.gen(function* () {
        const found = (query: string) =>
          Effect.map(ask(`/api/v1/markets${query}`), ({ json }) =>
            json.markets.map((one: { venueMarketId: string }) => one.venueMarketId).join("")
          )
        assert.strictEqual(yield* found(""), "abcd")
        assert.strictEqual(yield* found("?venue=other"), "c")
        assert.strictEqual(yield* found("?venue=kalshi"), "")
        assert.strictEqual(yield* found("?status=closed"), "b")
        assert.strictEqual(yield* found("?category=SPORTS"), "bd")
        assert.strictEqual(yield* found("?category=us%20election"), "ac")
        assert.strictEqual(yield* found("?category=sport"), "")
        assert.strictEqual(yield* found("?q=WILL%20a"), "a")
        assert.strictEqual(yield* found("?q=slug-d"), "d")
        assert.strictEqual(yield* found("?q=100%25%20%5Bsure%5D%3F"), "c")
        assert.strictEqual(yield* found("?q=.*"), "")
        assert.strictEqual(yield* found("?category=sports&status=resolved&venue=polymarket&q=d"), "d")
      })
    )
  )

  it.live("are paged without repeating or skipping, whatever joins in between", () => {
    const names = Array.from({ length: 25 }, (_, i) => `m${String(i).padStart(2, "0")}`)
    let world: World
    return served(
      (own) => {
        world = own
        own.markets = names.toReversed().map((name) => market(name))
      },
      Effect.gen(function* () {
        const seen: Array<string> = []
        let cursor: string | null = null
        do {
          const { json }: Answer = yield* ask(`/api/v1/markets?limit=10${cursor === null ? "" : `&cursor=${cursor}`}`)
          seen.push(...json.markets.map((one: { venueMarketId: string }) => one.venueMarketId))
          cursor = json.nextCursor
          world.markets = [market("a-late-one"), ...world.markets]
        } while (cursor !== null)
        assert.deepStrictEqual(seen, ["a-late-one", ...names].slice(1))
      })
    )
  })

  it.live("end a page that is exactly full", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { json } = yield* ask("/api/v1/markets?limit=2")
        assert.lengthOf(json.markets, 2)
        assert.strictEqual(json.nextCursor, null)
      })
    )
  )

  it.live("refuse parameters by name", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const refused = (query: string) => ask(`/api/v1/markets?${query}`)
        for (const [query, parameter] of [
          ["limit=0", "limit"],
          ["limit=1001", "limit"],
          ["limit=", "limit"],
          ["limit=ten", "limit"],
          ["limit=1.5", "limit"],
          ["limit=-1", "limit"],
          ["limit=0x10", "limit"],
          ["limit=1&limit=2", "limit"],
          ["status=Open", "status"],
          ["cursor=nonsense", "cursor"],
          ["cursor=Ym9vaz1h", "cursor"],
          ["cursor=%00", "cursor"],
          ["cursor=", "cursor"],
          [`cursor=${encodeURIComponent(Buffer.from('["market","a"]').toString("base64"))}`, "cursor"],
          [`cursor=${Buffer.from('["book","a"]').toString("base64url")}`, "cursor"],
          [`cursor=${Buffer.from('["market", "a"]').toString("base64url")}`, "cursor"],
          [`cursor=${Buffer.from('["market","a","b"]').toString("base64url")}`, "cursor"],
          [`cursor=${Buffer.from(`["market","${"a".repeat(2000)}"]`).toString("base64url")}`, "cursor"],
          [`q=${"x".repeat(300)}`, "q"],
          ["lmit=5", "lmit"],
          ["constructor=5", "constructor"],
          ["toString=5&toString=6", "toString"],
          ["__proto__=5", "__proto__"],
          ["limit=1&__proto%5F%5f=5", "__proto__"]
        ] as const) {
          const { json, status } = yield* refused(query)
          assert.strictEqual(status, 400, query)
          assert.strictEqual(json._tag, "InvalidRequest")
          assert.strictEqual(json.parameter, parameter)
          assert.include(json.message, parameter)
        }
        assert.strictEqual(
          (yield* refused("limit=1001")).json.message,
          "limit: a whole number from 1 to 1000 is expected"
        )
        assert.strictEqual(
          (yield* refused("status=x")).json.message,
          "status: one of open, closed, resolved, unlisted is expected"
        )
      })
    )
  )

  it.live("are found one by one, under a plain or an escaped id", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const path of ["polymarket:a", "polymarket%3Aa", "polymarket%3aa", "%70olymarket:a", "polymarket:a/"]) {
          const { json, status } = yield* ask(`/api/v1/markets/${path}`)
          assert.strictEqual(status, 200, path)
          assert.strictEqual(json.id, "polymarket:a")
        }
      })
    )
  )

  it.live("that are not known are 404", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const id of ["polymarket:x", "x", "..%2f..%2fetc", "%F0%9F%98%80", `${"%41".repeat(300)}`, "__proto__"]) {
          const { json, status } = yield* ask(`/api/v1/markets/${id}`)
          assert.strictEqual(status, 404, id)
          assert.deepStrictEqual(json, {
            _tag: "MarketNotFound",
            message: `no market ${JSON.stringify(decodeURIComponent(id))} is known`
          })
        }
      })
    )
  )

  it.live("with hostile titles are text", () => {
    const title = `</script><script>alert(1)</script>\u0000\u001b[31m"\\\u2028\ud800 ${"x".repeat(10_000)}`
    return served(
      (world) => {
        world.markets = [market("a", { question: title, slug: "__proto__", tags: ["<b>", ""] })]
      },
      Effect.gen(function* () {
        const { headers, json } = yield* ask("/api/v1/markets/polymarket:a")
        assert.strictEqual(json.question, title)
        assert.strictEqual(json.slug, "__proto__")
        assert.match(headers.get("content-type") ?? "", /^application\/json/)
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
      })
    )
  })
})

describe("books", () => {
  it.live("are shown with all that says how far to trust them", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/books/polymarket%3Aa-no")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, {
          instrumentId: "polymarket:a-no",
          marketId: "polymarket:a",
          outcome: "No",
          venue: "polymarket",
          status: "live",
          statusSince: ISO,
          statusReason: "snapshot",
          fedBy: "stream",
          bids: [
            { price: "0.41", size: "270" },
            { price: "0.4", size: "1363.56" }
          ],
          asks: [{ price: "0.4205", size: "0.000001" }],
          venueTime: ISO,
          receivedTime: "2026-11-22T10:15:00.128Z",
          verifiedBy: "digest",
          verifiedTime: ISO,
          connection: "polymarket-1-abc"
        })
      })
    )
  )

  it.live("are cut at a depth", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { json } = yield* ask("/api/v1/books/polymarket:a-yes?depth=1")
        assert.lengthOf(json.bids, 1)
        assert.strictEqual(json.bids[0].price, "0.41")
        for (const depth of ["0", "x", "", "10001"]) {
          const { json, status } = yield* ask(`/api/v1/books/polymarket:a-yes?depth=${depth}`)
          assert.strictEqual(status, 400)
          assert.strictEqual(json.parameter, "depth")
        }
      })
    )
  )

  it.live("that are empty, unproven, unlisted or wrongly stamped are shown too", () =>
    served(
      (world) => {
        world.books = [
          book("stray", {
            status: "stale",
            bids: [],
            asks: [],
            venueTime: 9e15,
            receivedTime: null,
            verifiedBy: "nothing",
            verifiedTime: null
          })
        ]
      },
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/books/polymarket:stray")
        assert.strictEqual(status, 200)
        assert.include(json, { marketId: null, outcome: null, venueTime: null, receivedTime: null, verifiedTime: null })
        assert.deepStrictEqual([json.bids, json.asks], [[], []])
        const list = yield* ask("/api/v1/books")
        assert.include(list.json.books[0], { bestBid: null, bestAsk: null })
      })
    )
  )

  it.live("that are not kept are 404, and say why", () =>
    served(
      (world) => {
        world.markets = [market("a", { status: "resolved" })]
        world.books = []
      },
      Effect.gen(function* () {
        const known = yield* ask("/api/v1/books/polymarket:a-yes")
        assert.strictEqual(known.status, 404)
        assert.strictEqual(known.json._tag, "BookNotFound")
        assert.include(known.json.message, "resolved")
        const unknown = yield* ask("/api/v1/books/polymarket:nope")
        assert.strictEqual(unknown.status, 404)
        assert.include(unknown.json.message, "no instrument")
      })
    )
  )

  it.live("are listed, filtered and paged", () =>
    served(
      (world) => {
        world.books = [book("b-yes"), book("a-yes", { status: "suspect" }), book("b-no"), book("a-no")]
      },
      Effect.gen(function* () {
        const found = (query: string) =>
          Effect.map(ask(`/api/v1/books${query}`), ({ json }) =>
            json.books.map((one: { instrumentId: string }) => one.instrumentId.slice(11)).join(" ")
          )
        assert.strictEqual(yield* found(""), "a-no a-yes b-no b-yes")
        assert.strictEqual(yield* found("?status=suspect"), "a-yes")
        assert.strictEqual(yield* found("?market=polymarket:b"), "b-no b-yes")
        assert.strictEqual(yield* found("?venue=polymarket&status=live"), "a-no b-no b-yes")
        assert.strictEqual(yield* found("?venue=kalshi"), "")
        const first = yield* ask("/api/v1/books?limit=3")
        assert.strictEqual(yield* found(`?limit=3&cursor=${first.json.nextCursor}`), "b-yes")
        assert.deepStrictEqual(first.json.books[0].bestBid, { price: "0.41", size: "270" })
        assert.deepStrictEqual(first.json.books[0].bestAsk, { price: "0.4205", size: "0.000001" })
        assert.notProperty(first.json.books[0], "bids")
        assert.strictEqual((yield* ask("/api/v1/books?status=dead")).json.parameter, "status")
      })
    )
  )
})

describe("feeds", () => {
  it.live("show every connection of every venue", () =>
    served(
      (world) => {
        world.catalogs = [catalogInfo(), catalogInfo({ venue: VenueId.make("kalshi") })]
        world.connections = [
          connection(),
          connection({
            slot: "polymarket-2",
            state: "waiting",
            breaker: breaker({ state: "open", nextAttempt: T, lastFailure: "closed 1006" }),
            attempts: 3,
            reason: "closed 1006",
            lastDataTime: null
          })
        ]
      },
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/feeds")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(
          json.feeds.map((feed: { venue: string; state: string }) => [feed.venue, feed.state]),
          [
            ["polymarket", "partial"],
            ["kalshi", "idle"]
          ]
        )
        assert.deepStrictEqual(json.feeds[0].connections[0], {
          slot: "polymarket-1",
          connection: "polymarket-1-abc",
          state: "connected",
          since: ISO,
          breaker: { state: "closed", since: ISO, nextAttempt: null },
          attempts: 0,
          reason: "",
          subscribed: 2,
          lastDataTime: ISO,
          frames: 10,
          bytes: 1234,
          messages: { book: 3, price_change: 4 },
          errors: {}
        })
        assert.include(json.feeds[0].connections[1], { state: "waiting", attempts: 3, lastDataTime: null })
        assert.deepStrictEqual(json.feeds[0].connections[1].breaker, { state: "open", since: ISO, nextAttempt: ISO })
      })
    )
  )
})

describe("the interface", () => {
  it.live("describes itself, and nothing that it describes is amiss", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { json, status } = yield* ask("/openapi.json")
        assert.strictEqual(status, 200)
        assert.strictEqual(json.openapi, "3.1.0")
        assert.deepStrictEqual(Object.keys(json.paths), [
          "/health/live",
          "/health/ready",
          "/metrics",
          "/api/v1/markets",
          "/api/v1/markets/{id}",
          "/api/v1/books",
          "/api/v1/books/{instrumentId}",
          "/api/v1/feeds",
          "/api/v1/drift",
          "/api/v1/tape"
        ])
        const references = [...JSON.stringify(json).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)]
        assert.isAbove(references.length, 10)
        for (const [, name] of references) assert.property(json.components.schemas, name!)
        const { Market, PriceBand, PriceGrid } = json.components.schemas
        assert.match(
          Market.properties.priceBands.description,
          /each with its own step.*Null when the venue does not say/
        )
        assert.strictEqual(PriceGrid.items.$ref, "#/components/schemas/PriceBand")
        assert.deepStrictEqual(PriceBand.required, ["start", "end", "step"])
        const text = JSON.stringify(OpenApi.fromApi(Api))
        assert.notInclude(text, "HttpApiDecodeError")
        for (const { get } of Object.values<any>(json.paths)) {
          assert.isNotEmpty(get.summary)
          for (const parameter of get.parameters) assert.property(parameter, "schema")
        }
      })
    )
  )

  it.live("is documented on a page that needs no other", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { headers, status, text } = yield* ask("/docs")
        assert.strictEqual(status, 200)
        assert.match(headers.get("content-type") ?? "", /^text\/html/)
        assert.include(text, "SwaggerUIBundle")
        assert.notMatch(text, /<(script|link)[^>]+(src|href)=["']?https?:/i)
        const policy = headers.get("content-security-policy") ?? ""
        for (const element of ["script", "style"]) {
          const [, source] = new RegExp(`<${element}>([^]*?)</${element}>`).exec(text) ?? assert.fail(element)
          const digest = createHash("sha256").update(source!).digest("base64")
          assert.include(policy, `${element}-src 'sha256-${digest}'`)
        }
        // Beside those two there is data, and nothing that runs or loads.
        const markup = text.replace(/(<(?:script|style)[^>]*>)[^]*?<\/(?:script|style)>/g, "$1")
        assert.deepStrictEqual(
          [...markup.matchAll(/<(?:script|style|link|img|iframe|object|embed)[^>]*>/g)].map(([tag]) => tag),
          ["<style>", '<script id="swagger-spec" type="application/json">', "<script>"]
        )
        assert.notMatch(markup, /\son\w+=|javascript:|style=/)
      })
    )
  )
})
