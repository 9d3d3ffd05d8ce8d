import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { type Price, SCALE, type Size, complement, parsePrice, parseSize } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import { connect, start } from "./Harness.ts"

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex")

/** A book as a client would keep it, with everything that the hash needs. */
const follow = (market: any, dump: any) => {
  const side = (levels: ReadonlyArray<any>): ReadonlyArray<OrderBook.Level> =>
    levels.map(({ price, size }) => ({ price: parsePrice(price) as Price, size: parseSize(size) as Size }))
  const book = OrderBook.empty()
  OrderBook.applySnapshot(book, side(dump.bids), side(dump.asks))
  return {
    book,
    lastTradePrice: dump.last_trade_price as string,
    tick: dump.tick_size as string,
    hash: (lastTradePrice: string, tick: string, timestamp: string) => {
      const wire = (side: OrderBook.Side) =>
        OrderBook.levels(book, side)
          .toReversed()
          .map(({ price, size }) => ({ price: String(price / SCALE), size: String(size / SCALE) }))
      return sha1(
        JSON.stringify({
          market: market.condition_id,
          asset_id: dump.asset_id,
          timestamp,
          hash: "",
          bids: wire("bid"),
          asks: wire("ask"),
          min_order_size: "5",
          tick_size: tick,
          neg_risk: market.neg_risk,
          last_trade_price: lastTradePrice,
          ...(dump.version === "v2" ? { version: "v2" } : {})
        })
      )
    }
  }
}

describe("PolymarketServer", () => {
  it.scoped("answers a subscription with the books of its tokens and nothing else", () =>
    Effect.gen(function* () {
      const { get, stats, subscribe, tokens } = yield* start()
      const client = yield* subscribe(tokens.slice(0, 3))
      assert.deepStrictEqual(
        client.dump.map((book) => book.asset_id),
        tokens.slice(0, 3)
      )
      assert.hasAllKeys(client.dump[0], [
        "market",
        "asset_id",
        "timestamp",
        "hash",
        "bids",
        "asks",
        "tick_size",
        "event_type",
        "last_trade_price"
      ])
      const rest = yield* get(`/book?token_id=${tokens[0]}`)
      assert.strictEqual(rest.json.hash, client.dump[0].hash)
      assert.strictEqual(rest.json.timestamp, client.dump[0].timestamp)
      assert.deepStrictEqual(rest.json.bids, client.dump[0].bids)
      assert.deepStrictEqual((yield* stats).subscribed, tokens.slice(0, 3))
      assert.deepStrictEqual(yield* client.waiting, [])
    })
  )

  it.scoped("sends every change for both tokens, with the hash and the bests after its operation", () =>
    Effect.gen(function* () {
      const { get, markets, pass, subscribe, tokens } = yield* start({ markets: 1, rate: 2000 })
      const market = markets[0]
      const client = yield* subscribe()
      const books = new Map(client.dump.map((dump) => [dump.asset_id as string, follow(market, dump)]))
      yield* pass(500)
      const rest = yield* get(`/book?token_id=${tokens[0]}`)
      const texts = yield* client.waiting
      assert.isAbove(texts.length, 500)
      let lastTradePrice = client.dump[0].last_trade_price
      let tick = client.dump[0].tick_size
      let verified = 0
      for (const [index, text] of texts.entries()) {
        const frame = JSON.parse(text)
        if (frame.event_type === "tick_size_change") tick = frame.new_tick_size
        if (frame.event_type === "book") {
          const known = books.get(frame.asset_id)!
          const fresh = follow(market, { ...frame, tick_size: tick, last_trade_price: "" })
          OrderBook.applySnapshot(known.book, OrderBook.levels(fresh.book, "bid"), OrderBook.levels(fresh.book, "ask"))
          // The new last price is told 40 ms later; until then it can only be one of the prices that fit the hash.
          const candidates = [
            lastTradePrice,
            ...Array.from({ length: 999 }, (_, mills) => ((mills + 1) / 1000).toFixed(3))
          ]
          const found = candidates.find((price) => known.hash(price, tick, frame.timestamp) === frame.hash)
          assert.isDefined(found, "some last price explains the hash of a book after a trade")
          lastTradePrice = found
        }
        if (frame.event_type !== "price_change") continue
        const [own, mirror] = frame.price_changes
        assert.strictEqual(parsePrice(mirror.price), complement(parsePrice(own.price) as Price))
        assert.strictEqual(mirror.size, own.size)
        assert.notStrictEqual(mirror.side, own.side)
        const next = index + 1 < texts.length ? JSON.parse(texts[index + 1]!) : {}
        const more = (next.price_changes ?? []).some((change: any) => change.hash === own.hash)
        for (const change of [own, mirror]) {
          const known = books.get(change.asset_id)!
          const side = change.side === "BUY" ? "bid" : "ask"
          OrderBook.applyChange(known.book, side, parsePrice(change.price) as Price, parseSize(change.size) as Size)
          if (more) continue
          assert.strictEqual(known.hash(lastTradePrice, tick, frame.timestamp), change.hash)
          assert.strictEqual(String(Math.max(0, OrderBook.bestPrice(known.book, "bid")) / SCALE), change.best_bid)
          verified++
        }
      }
      assert.isAbove(verified, 800)
      const known = books.get(tokens[0]!)!
      assert.strictEqual(
        known.hash(rest.json.last_trade_price, rest.json.tick_size, rest.json.timestamp),
        rest.json.hash
      )
      assert.strictEqual(rest.json.last_trade_price, lastTradePrice)
    })
  )

  it.scoped("sends the books of a trade at once and its print about 40 ms later", () =>
    Effect.gen(function* () {
      const { pass, subscribe } = yield* start({ markets: 1, rate: 300 })
      const client = yield* subscribe()
      yield* pass(3000)
      const first = yield* client.next("book")
      const second = yield* client.next("book")
      const print = yield* client.next("last_trade_price")
      assert.strictEqual(second.timestamp, first.timestamp)
      assert.notStrictEqual(second.asset_id, first.asset_id)
      assert.notProperty(first, "tick_size")
      assert.notProperty(first, "last_trade_price")
      assert.strictEqual(print.asset_id, first.asset_id, "the taker's token first")
      const delay = Number(print.timestamp) - Number(first.timestamp)
      assert.isTrue(delay >= 30 && delay <= 45, `${delay} ms`)
      assert.match(print.transaction_hash, /^0x[0-9a-f]{64}$/)
    })
  )

  it.scoped("lets subscriptions come and go on one socket", () =>
    Effect.gen(function* () {
      const { connect, get, tokens } = yield* start()
      const client = yield* connect
      yield* client.send({ assets_ids: [tokens[0]], type: "market" })
      assert.lengthOf(JSON.parse(yield* client.take), 1)
      yield* client.send({ assets_ids: [tokens[0], tokens[2]], operation: "subscribe" })
      const added = JSON.parse(yield* client.take)
      assert.deepStrictEqual([added.length, added[0].asset_id], [1, tokens[2]])
      yield* client.send({ assets_ids: [tokens[2]], operation: "subscribe", custom_feature_enabled: true })
      assert.strictEqual(yield* client.take, "NO NEW ASSETS")
      yield* client.send({ assets_ids: [tokens[0], tokens[2]], operation: "unsubscribe" })
      yield* client.send({ assets_ids: [tokens[4]], operation: "subscribe", initial_dump: false })
      yield* client.send("PING")
      assert.strictEqual(yield* client.take, "PONG")
      assert.deepStrictEqual((yield* get("/_control/stats")).json.subscribed, [tokens[4]])
    })
  )

  it.scoped("ignores what it does not understand and answers PING with PONG", () =>
    Effect.gen(function* () {
      const { connect } = yield* start()
      const client = yield* connect
      for (const nonsense of ["", "ping", "{", "[]", "null", `{"type":"user"}`, `{"type":"market","assets_ids":7}`]) {
        yield* client.send(nonsense)
      }
      yield* client.send("PING")
      assert.strictEqual(yield* client.take, "PONG")
    })
  )

  it.scoped("hangs up on more than a thousand ids in a frame", () =>
    Effect.gen(function* () {
      const { connect } = yield* start()
      const client = yield* connect
      yield* client.send({ assets_ids: Array.from({ length: 1001 }, (_, id) => String(id)), type: "market" })
      assert.strictEqual((yield* client.closed).code, 1006)
    })
  )

  it.scoped("sends no dump above five hundred assets on a socket", () =>
    Effect.gen(function* () {
      const { connect, tokens } = yield* start()
      const client = yield* connect
      yield* client.send({ assets_ids: Array.from({ length: 500 }, (_, id) => String(id)), type: "market" })
      assert.strictEqual(yield* client.take, "[]\n")
      yield* client.send({ assets_ids: [tokens[0]], operation: "subscribe" })
      yield* client.send("PING")
      assert.strictEqual(yield* client.take, "PONG")
    })
  )

  it.scoped("refuses sockets that are opened too quickly", () =>
    Effect.gen(function* () {
      const { connect, pass } = yield* start()
      const opened = yield* Effect.forEach(Array.from({ length: 21 }), () => Effect.exit(connect))
      assert.strictEqual(opened.filter(Exit.isSuccess).length, 20)
      const refused = yield* Effect.flip(connect)
      assert.deepStrictEqual([refused.status, refused.headers["retry-after"]], [429, "1"])
      yield* pass(1000)
      yield* connect
    })
  )

  it.scoped("tells sockets that ask for it of best quotes, new markets and resolutions", () =>
    Effect.gen(function* () {
      const { pass, simulator, stats, subscribe, tokens } = yield* start()
      const custom = yield* subscribe(tokens, true)
      const plain = yield* subscribe(tokens, false)
      yield* pass(2000)
      yield* simulator.inject({ fault: "resolve", tokenId: tokens[0]! })
      const best = yield* custom.next("best_bid_ask")
      assert.hasAllKeys(best, ["market", "asset_id", "best_bid", "best_ask", "spread", "timestamp", "event_type"])
      const listed = yield* custom.next("new_market")
      assert.deepStrictEqual(listed.assets_ids, listed.clob_token_ids)
      yield* pass(100)
      const resolved = yield* custom.next("market_resolved")
      assert.strictEqual(resolved.winning_asset_id, tokens[0])
      yield* plain.send("PING")
      yield* plain.next("PONG")
      assert.strictEqual((yield* stats).frames["market_resolved"], 1, "only to the socket that asked")
    })
  )

  it.scoped("closes the server and every socket with its scope, and frees the port", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { simulator, subscribe } = yield* start().pipe(Scope.extend(scope))
      const client = yield* subscribe()
      const closing = yield* Effect.fork(client.closed)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(closing)).code, 1006)
      const again = yield* Simulator.make({ markets: 1, port: simulator.port })
      assert.strictEqual(again.port, simulator.port)
      const taken = yield* Effect.flip(Simulator.make({ markets: 1, port: simulator.port }))
      assert.strictEqual(taken.reason, "port-in-use")
    })
  )

  it.scoped("knows no other socket", () =>
    Effect.gen(function* () {
      const { simulator } = yield* start()
      const refused = yield* Effect.flip(connect(`${simulator.urls.ws_url}s`))
      assert.strictEqual(refused.status, 404)
    })
  )
})
