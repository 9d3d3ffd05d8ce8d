import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseDecimal } from "../../src/domain/Money.ts"
import { start } from "./Harness.ts"

describe("CLOB REST", () => {
  it.scoped("answers health, time and version", () =>
    Effect.gen(function* () {
      const { get, pass } = yield* start({ markets: 1 })
      assert.strictEqual((yield* get("/ok")).json, "OK")
      assert.strictEqual((yield* get("/")).json, "OK")
      yield* pass(2000)
      assert.strictEqual((yield* get("/time")).json, 2)
      assert.deepStrictEqual((yield* get("/version")).json, { version: 2 })
      assert.strictEqual((yield* get("/nothing")).status, 404)
    })
  )

  it.scoped("pages through all markets by base64 offsets up to the end mark", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ markets: 230 })
      const seen: Array<string> = []
      const cursors: Array<string> = []
      let cursor = ""
      do {
        const { json } = yield* get(`/markets?next_cursor=${encodeURIComponent(cursor)}`)
        assert.strictEqual(json.count, json.data.length)
        seen.push(...json.data.map((market: any) => market.condition_id))
        cursors.push((cursor = json.next_cursor))
      } while (cursor !== "LTE=")
      assert.deepStrictEqual(cursors, ["MTAw", "MjAw", "LTE="])
      assert.strictEqual(new Set(seen).size, 230)
      assert.strictEqual((yield* get("/markets?next_cursor=MA==")).json.data[0].condition_id, seen[0])
      assert.deepStrictEqual((yield* get("/markets?next_cursor=LTE=")).json.data, [])
      assert.strictEqual((yield* get("/markets?next_cursor=nonsense")).status, 400)
      const { requests } = (yield* get("/_control/stats")).json
      assert.deepStrictEqual([requests["GET /markets"], requests["GET /sampling-markets"]], [6, 1])
    })
  )

  it.scoped("describes one market, long and compact", () =>
    Effect.gen(function* () {
      const { get, markets, tokens } = yield* start({ markets: 26 })
      const long = markets[0]
      const { json } = yield* get(`/clob-markets/${long.condition_id}`)
      assert.deepStrictEqual(json.t, [
        { t: tokens[0], o: long.tokens[0].outcome },
        { t: tokens[1], o: long.tokens[1].outcome }
      ])
      assert.deepStrictEqual([json.c, json.mts, json.mos], [long.condition_id, long.minimum_tick_size, 5])
      assert.deepStrictEqual((yield* get(`/markets/${long.condition_id}`)).json, long)
      assert.strictEqual((yield* get(`/markets-by-token/${tokens[1]}`)).json.condition_id, long.condition_id)
      const missing = yield* get("/markets/0x00")
      assert.deepStrictEqual([missing.status, missing.json], [404, { error: "market not found" }])
      const second = yield* get(`/clob-markets/${markets[24].condition_id}`)
      assert.strictEqual(second.json.v, "v2")
      const reserved = ((1n << 64n) - 1n) << 40n
      assert.strictEqual(BigInt(second.json.t[0].t) & reserved, 0n, "a Protocol V2 id says so itself")
      assert.notStrictEqual(BigInt(tokens[0]!) & reserved, 0n)
    })
  )

  it.scoped("prices a token from its book", () =>
    Effect.gen(function* () {
      const { get, post, tokens } = yield* start({ markets: 2 })
      const [yes, no] = tokens
      const { bids, asks, tick_size } = (yield* get(`/book?token_id=${yes}`)).json
      const [bid, ask] = [bids.at(-1).price, asks.at(-1).price]
      assert.isBelow(parseDecimal(bid), parseDecimal(ask))
      assert.isBelow(parseDecimal(bids[0].price), parseDecimal(bid), "the best level is last")
      const price = (side: string) => Effect.map(get(`/price?token_id=${yes}&side=${side}`), ({ json }) => json.price)
      assert.deepStrictEqual([yield* price("BUY"), yield* price("SELL")], [bid, ask])
      const middle = parseDecimal((yield* get(`/midpoint?token_id=${yes}`)).json.mid)
      assert.strictEqual(middle * 2, parseDecimal(bid) + parseDecimal(ask))
      assert.strictEqual((yield* get(`/tick-size?token_id=${yes}`)).json.minimum_tick_size, Number(tick_size))
      assert.deepStrictEqual((yield* get(`/last-trade-price?token_id=${no}`)).json, { price: "0.5", side: "" })
      assert.isBoolean((yield* get(`/neg-risk?token_id=${yes}`)).json.neg_risk)
      const both = yield* post("/books", [{ token_id: no }, { token_id: yes }, { token_id: "17" }])
      assert.deepStrictEqual(
        both.json.map((book: any) => book.asset_id),
        [no, yes]
      )
    })
  )

  it.scoped("refuses in the venue's words", () =>
    Effect.gen(function* () {
      const { get, post } = yield* start({ markets: 1 })
      const refusals = [
        [yield* get("/book?token_id=x"), 400, "Invalid token id"],
        [yield* get("/book?token_id=17"), 404, "No orderbook exists for the requested token id"],
        [yield* post("/books", "{"), 400, "Invalid payload"],
        [
          yield* post(
            "/books",
            Array.from({ length: 501 }, () => ({ token_id: "1" }))
          ),
          400,
          "Payload exceeds the limit"
        ]
      ] as const
      for (const [answer, status, error] of refusals) {
        assert.deepStrictEqual([answer.status, answer.json], [status, { error }])
      }
    })
  )

  it.scoped("limits requests as published, with the seconds to wait", () =>
    Effect.gen(function* () {
      const { get, pass } = yield* start({ markets: 1 })
      const answers = yield* Effect.forEach(Array.from({ length: 101 }), () => get("/ok"))
      assert.isTrue(answers.slice(0, 100).every(({ status }) => status === 200))
      const last = answers[100]!
      assert.deepStrictEqual([last.status, last.headers.get("retry-after")], [429, "10"])
      assert.strictEqual((yield* get("/time")).status, 200, "other scopes go on")
      yield* pass(10_000)
      assert.strictEqual((yield* get("/ok")).status, 200)
    })
  )

  it.scoped("drops the book of a market that resolved and says who won", () =>
    Effect.gen(function* () {
      const { get, markets, simulator, tokens } = yield* start()
      yield* simulator.inject({ fault: "resolve", tokenId: tokens[1]! })
      assert.strictEqual((yield* get(`/book?token_id=${tokens[1]}`)).status, 404)
      const { json } = yield* get(`/markets/${markets[0].condition_id}`)
      assert.deepStrictEqual(
        [json.closed, json.accepting_orders, json.tokens[0].winner, json.tokens[1].winner],
        [true, false, true, false]
      )
    })
  )
})

describe("Gamma REST", () => {
  it.scoped("walks a keyset in any order without missing or repeating a market", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ markets: 130, rate: 0 })
      for (const order of ["", "&order=liquidityNum&ascending=false", "&order=volume24hr,slug&ascending=false"]) {
        const seen: Array<any> = []
        let cursor: string | undefined
        do {
          const after = cursor === undefined ? "" : `&after_cursor=${encodeURIComponent(cursor)}`
          const { json } = yield* get(`/gamma/markets/keyset?limit=50${order}${after}`)
          seen.push(...json.markets)
          cursor = json.next_cursor
        } while (cursor !== undefined)
        assert.strictEqual(new Set(seen.map((market) => market.id)).size, 130)
        if (order.includes("liquidityNum")) {
          const amounts = seen.map((market) => market.liquidityNum)
          assert.deepStrictEqual(
            amounts,
            [...amounts].sort((a, b) => b - a)
          )
        }
      }
    })
  )

  it.scoped("filters as the venue does", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ markets: 60, rate: 0 })
      const list = (query: string) =>
        Effect.map(get(`/gamma/markets/keyset?limit=100${query}`), ({ json }) => json.markets as ReadonlyArray<any>)
      const all = yield* list("&include_tag=true")
      assert.lengthOf(all, 60)
      const [a, b] = all
      const ids = (markets: ReadonlyArray<any>) => markets.map((market) => market.id)
      assert.deepStrictEqual(ids(yield* list(`&slug=${a.slug}&slug=${b.slug}`)), ids([a, b]))
      assert.deepStrictEqual(ids(yield* list(`&condition_ids=${b.conditionId}`)), ids([b]))
      assert.deepStrictEqual(ids(yield* list(`&clob_token_ids=${JSON.parse(a.clobTokenIds)[1]}`)), ids([a]))
      assert.deepStrictEqual(
        ids(yield* list("&liquidity_num_min=20000")),
        ids(all.filter((market) => market.liquidityNum >= 20_000))
      )
      const politics = (yield* get("/gamma/tags/slug/politics")).json
      assert.deepStrictEqual(
        ids(yield* list(`&tag_id=${politics.id}`)),
        ids(all.filter((market) => market.tags.some((tag: any) => tag.slug === "politics")))
      )
      assert.deepStrictEqual(yield* list("&closed=true"), [])
    })
  )

  it.scoped("encodes what the venue encodes twice, and leaves out what is unknown", () =>
    Effect.gen(function* () {
      const { get, markets, simulator, tokens } = yield* start({ markets: 25 })
      const [first] = (yield* get("/gamma/markets?limit=1")).json
      assert.deepStrictEqual(JSON.parse(first.clobTokenIds), tokens.slice(0, 2))
      assert.deepStrictEqual(JSON.parse(first.outcomes), [markets[0].tokens[0].outcome, markets[0].tokens[1].outcome])
      assert.strictEqual(first.conditionId, markets[0].condition_id)
      assert.deepStrictEqual((yield* get(`/gamma/markets/${first.id}`)).json, first)
      assert.deepStrictEqual((yield* get(`/gamma/markets/slug/${first.slug}`)).json, first)
      const second = (yield* get(`/gamma/markets?condition_ids=${markets[24].condition_id}`)).json[0]
      assert.deepStrictEqual(
        [second.version, second.clobTokenIds, second.positionIds],
        ["v2", null, tokens.slice(48, 50)]
      )
      yield* simulator.inject({ fault: "resolve", tokenId: tokens[0]! })
      const closed = (yield* get("/gamma/markets?closed=true")).json
      assert.deepStrictEqual([closed.length, closed[0].id, closed[0].closed], [1, first.id, true])
      assert.notProperty(closed[0], "bestBid")
    })
  )

  it.scoped("refuses what the venue refuses", () =>
    Effect.gen(function* () {
      const { get } = yield* start({ markets: 1 })
      const refused = [
        ["offset=5", "offset is not allowed on keyset endpoints"],
        ["limit=0", "limit must be between 1 and 100"],
        ["limit=101", "limit must be between 1 and 100"],
        ["tag_id=politics", "invalid integer"],
        ["order=volume_24hr", "order fields are not valid: volume_24hr"],
        ["order=constructor", "order fields are not valid: constructor"],
        ["after_cursor=%7B", "invalid after_cursor"]
      ]
      for (const [query, error] of refused) {
        const answer = yield* get(`/gamma/markets/keyset?${query}`)
        assert.deepStrictEqual([answer.status, answer.json], [422, { type: "validation error", error }])
      }
      assert.strictEqual((yield* get("/gamma/markets/17")).status, 404)
      assert.strictEqual((yield* get("/gamma/tags/slug/none")).status, 404)
    })
  )
})
