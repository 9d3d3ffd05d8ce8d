import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import * as Recordings from "../support/Recordings.ts"
import * as Follower from "./KalshiFollower.ts"
import { START, start } from "./KalshiHarness.ts"

/** The keys of an object and of all in it, in their order. */
const shape = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape)
  if (typeof value !== "object" || value === null) return typeof value
  return Object.entries(value).map(([key, inner]) => [key, shape(inner)])
}

const bare = (frame: any) => {
  const { sending_ts_ms: at, ...rest } = frame
  assert.isNumber(at)
  return rest
}

describe("KalshiServer handshake", () => {
  for (const keyType of ["ed25519", "rsa"] as const) {
    it.scoped(`takes ${keyType} signatures and refuses what is not one, each with the venue's words`, () =>
      Effect.gen(function* () {
        const { connect, now, simulator, socketHeaders } = yield* start({ keyType, rate: 0 })
        const at = (skew: number) => String(now() + skew)
        for (const skew of [0, 5000, -5000, 10_000, -10_000]) {
          yield* Effect.scoped(connect(socketHeaders({ timestamp: at(skew) })))
        }
        const expired = { code: "header_timestamp_expired", message: "header timestamp expired" }
        const missing = { code: "signature_is_missing_from_headers", message: "signature is missing from headers" }
        const wrong = {
          code: "authentication_error",
          message: "authentication_error",
          details: "INCORRECT_API_KEY_SIGNATURE"
        }
        const without = (name: string) =>
          Object.fromEntries(Object.entries(socketHeaders()).filter(([key]) => key !== name))
        const other =
          keyType === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519")
        const table = [
          [socketHeaders({ timestamp: at(-30_000) }), expired],
          [socketHeaders({ timestamp: at(30_000) }), expired],
          [socketHeaders({ timestamp: at(300_000) }), expired],
          [socketHeaders({ timestamp: String(Math.floor(now() / 1000)) }), expired],
          [socketHeaders({ timestamp: "now" }), expired],
          [{}, missing],
          [without("KALSHI-ACCESS-KEY"), missing],
          [without("KALSHI-ACCESS-TIMESTAMP"), missing],
          [without("KALSHI-ACCESS-SIGNATURE"), missing],
          [socketHeaders({ keyId: "00000000-0000-4000-8000-000000000000" }), { ...wrong, details: "NOT_FOUND" }],
          [socketHeaders({ path: "/trade-api/v2" }), wrong],
          [socketHeaders({ path: "/trade-api/ws/v2?x=1" }), wrong],
          [socketHeaders({ key: other.privateKey }), wrong],
          [{ ...socketHeaders(), "KALSHI-ACCESS-SIGNATURE": "no base64!" }, wrong],
          ...(keyType === "rsa"
            ? ([
                [socketHeaders({ saltLength: 0 }), wrong],
                [socketHeaders({ saltLength: 222 }), wrong]
              ] as const)
            : [])
        ] as const
        for (const [headers, error] of table) {
          const refusal = yield* Effect.flip(connect(headers))
          assert.strictEqual(refusal.status, 401)
          assert.deepStrictEqual(refusal.json, { error })
        }
        const elsewhere = yield* Effect.flip(connect(socketHeaders(), simulator.urls.ws_url.replace("/ws/", "/wss/")))
        assert.strictEqual(elsewhere.status, 404)
      })
    )
  }

  it.scoped("checks clocks by its own, which may be wrong, and shows it", () =>
    Effect.gen(function* () {
      const { connect, get, now, open, socketHeaders } = yield* start({ rate: 0, clockAhead: 25_000 })
      assert.strictEqual((yield* Effect.flip(open)).json.error.code, "header_timestamp_expired")
      yield* connect(socketHeaders({ timestamp: String(now() + 25_000) }))
      const { headers } = yield* get("/exchange/status")
      assert.strictEqual(Date.parse(headers.get("date") ?? ""), START + 25_000)
    })
  )

  it.scoped("opens as many sockets as it allows, without compression, and pings each", () =>
    Effect.gen(function* () {
      const { open, pass, stats } = yield* start({ rate: 0, sockets: 2 })
      const first = yield* open
      yield* open
      const refusal = yield* Effect.flip(open)
      assert.deepStrictEqual([refusal.status, refusal.json], [429, { error: "too many requests" }])
      assert.isUndefined(refusal.headers["retry-after"])
      yield* pass(31_000)
      assert.deepStrictEqual([...(yield* Queue.takeN(first.pings, 3))], ["heartbeat", "heartbeat", "heartbeat"])
      assert.strictEqual((yield* stats).connections, 2)
    })
  )
})

describe("KalshiServer books", () => {
  for (const yesScale of [false, true]) {
    it.scoped(`are rebuilt by any client, use_yes_price ${yesScale}`, () =>
      Effect.gen(function* () {
        const { control, pass, subscribe, tickers } = yield* start({ markets: 12, rate: 3000, seed: 7 })
        const client = yield* subscribe(["orderbook_delta"], { market_tickers: tickers, use_yes_price: yesScale })
        const follower = Follower.make(yesScale)
        yield* pass(1500)
        const frames = yield* client.frames
        for (const frame of frames) follower.see(frame)
        assert.isAbove(follower.seq(1), 1500)
        assert.deepStrictEqual(
          frames.slice(0, 12).map((frame) => frame.type),
          tickers.map(() => "orderbook_snapshot")
        )
        const finer = new Set<number>()
        for (const ticker of tickers) {
          const { json } = yield* control(`books/${ticker}`)
          const book = follower.book(ticker)
          assert.deepStrictEqual(book, Follower.truth(json))
          assert.isBelow(book.bids[0]!.price, book.asks[0]!.price)
          for (const { price } of [...book.bids, ...book.asks]) if (price % 10_000 !== 0) finer.add(price)
        }
        assert.isAbove(finer.size, 10, "some levels lie between cents")
      })
    )
  }

  it.scoped.skipIf(!Recordings.haveRecordings)("look like the recorded ones, key by key", () =>
    Effect.gen(function* () {
      const { open, pass, tickers } = yield* start({ markets: 1, rate: 200 })
      for (const yesScale of [false, true]) {
        const recorded = Recordings.lines(
          `venues/samples/kalshi/ws-real-orderbook-use_yes_price-${yesScale}.jsonl`
        ).map((line) => JSON.parse(line))
        const client = yield* open
        const params = { channels: ["orderbook_delta", "trade"], market_tickers: tickers, use_yes_price: yesScale }
        yield* client.send({ id: 1, cmd: "subscribe", params })
        const opening = yield* client.frames
        yield* pass(500)
        const frames = [...opening, ...(yield* client.frames)]
        for (const type of ["subscribed", "orderbook_snapshot", "orderbook_delta"]) {
          const like = (list: ReadonlyArray<any>) => list.find((frame) => frame.type === type)
          assert.deepStrictEqual(shape(bare(like(frames))), shape(like(recorded)), type)
        }
      }
    })
  )

  it.scoped("leave out an empty side, and both of an empty book", () =>
    Effect.gen(function* () {
      const { inject, subscribe, tickers } = yield* start({ markets: 1, rate: 0 })
      yield* inject({ fault: "resolve", tokenId: tickers[0] })
      const client = yield* subscribe(["orderbook_delta"])
      const [snapshot] = yield* client.frames
      assert.deepStrictEqual(Object.keys(snapshot.msg).slice(0, 2), ["market_ticker", "market_id"])
      assert.notProperty(snapshot.msg, "yes_dollars_fp")
      assert.notProperty(snapshot.msg, "no_dollars_fp")
    })
  )
})

describe("KalshiServer commands", () => {
  it.scoped("number sids by channel and messages by sid, over all of its markets", () =>
    Effect.gen(function* () {
      const { open, pass, tickers } = yield* start({ rate: 1000 })
      const client = yield* open
      const [first, second, third] = tickers
      const params = { channels: ["orderbook_delta", "ticker", "trade"], market_tickers: [first] }
      yield* client.send({ id: 7, cmd: "subscribe", params })
      const opening = yield* client.frames
      assert.deepStrictEqual(
        opening
          .slice(0, 4)
          .map(bare)
          .map((frame) => [frame.type, frame.id, frame.msg.sid]),
        [
          ["subscribed", 7, 1],
          ["subscribed", 7, 2],
          ["subscribed", 7, 3],
          ["orderbook_snapshot", undefined, undefined]
        ]
      )
      const follower = Follower.make(false)
      opening.forEach(follower.see)
      yield* client.send({
        id: 8,
        cmd: "update_subscription",
        params: { sid: 1, action: "add_markets", market_tickers: [third, second] }
      })
      const [ok, ...snapshots] = yield* client.frames
      follower.see(ok)
      snapshots.forEach(follower.see)
      assert.deepStrictEqual(bare(ok), {
        type: "ok",
        id: 8,
        sid: 1,
        seq: 2,
        msg: { market_tickers: [first, second, third].sort() }
      })
      assert.deepStrictEqual(
        snapshots.map((frame) => [frame.seq, frame.msg.market_ticker]),
        [
          [3, third],
          [4, second]
        ]
      )
      yield* pass(2000)
      const flow = yield* client.frames
      flow.forEach(follower.see)
      const types = new Set(flow.map((frame) => `${frame.type} ${frame.sid} ${"seq" in frame}`))
      assert.sameMembers([...types], ["orderbook_delta 1 true", "ticker 2 false", "trade 3 true"])
      yield* client.send({
        id: 9,
        cmd: "update_subscription",
        params: { sids: [1], action: "delete_markets", market_ticker: first }
      })
      const [less] = yield* client.frames
      yield* pass(300)
      const rest = yield* client.frames
      assert.deepStrictEqual(less.msg.market_tickers, [second, third].toSorted())
      ;[less, ...rest].forEach(follower.see)
      assert.isFalse(rest.some((frame) => frame.type === "orderbook_delta" && frame.msg.market_ticker === first))
      yield* client.send({ id: 10, cmd: "list_subscriptions" })
      yield* client.send({ id: 11, cmd: "unsubscribe", params: { sids: [1] } })
      const [list, gone] = yield* client.frames
      assert.deepStrictEqual(bare(list), {
        type: "ok",
        id: 10,
        msg: [
          { channel: "orderbook_delta", sid: 1 },
          { channel: "ticker", sid: 2 },
          { channel: "trade", sid: 3 }
        ]
      })
      assert.deepStrictEqual(bare(gone), { type: "unsubscribed", id: 11, sid: 1, seq: follower.seq(1) + 1 })
      yield* client.send({ id: 12, cmd: "subscribe", params: { channels: ["orderbook_delta"], market_ticker: first } })
      assert.deepStrictEqual(
        (yield* client.frames).slice(0, 2).map((frame) => [frame.msg.sid, frame.sid, frame.seq]),
        [
          [4, undefined, undefined],
          [undefined, 4, 1]
        ]
      )
    })
  )

  it.scoped("merge a second subscription into the first, which confirms with all of its markets", () =>
    Effect.gen(function* () {
      const { subscribe, tickers } = yield* start({ rate: 0 })
      const [first, second] = tickers
      const client = yield* subscribe(["orderbook_delta"], { market_tickers: [first], use_yes_price: true })
      yield* client.send({
        id: 2,
        cmd: "subscribe",
        params: { channels: ["orderbook_delta"], market_tickers: [second, first] }
      })
      const frames = yield* client.frames
      assert.deepStrictEqual(
        frames.map((frame) => [frame.type, frame.id, frame.seq]),
        [
          ["orderbook_snapshot", undefined, 1],
          ["ok", 2, 2],
          ["orderbook_snapshot", undefined, 3]
        ]
      )
      assert.deepStrictEqual(frames[1].msg.market_tickers, [first, second].toSorted())
    })
  )

  it.scoped("give snapshots on demand in the running sequence, of named markets only", () =>
    Effect.gen(function* () {
      const { control, pass, subscribe, tickers } = yield* start({ rate: 1000 })
      const client = yield* subscribe(["orderbook_delta"])
      yield* pass(500)
      const follower = Follower.make(false)
      ;(yield* client.frames).forEach(follower.see)
      const before = follower.seq(1)
      const ask = (id: number, market_tickers: ReadonlyArray<string>) =>
        client.send({ id, cmd: "update_subscription", params: { sids: [1], action: "get_snapshot", market_tickers } })
      yield* ask(5, [])
      yield* ask(6, ["KXNOBODY-26JAN01-T1"])
      yield* ask(7, [tickers[2]!, tickers[0]!])
      const frames = yield* client.frames
      frames.forEach(follower.see)
      assert.deepStrictEqual(
        frames.map((frame) => [frame.type, frame.id, frame.seq, frame.msg.market_ticker]),
        [
          ["orderbook_snapshot", 7, before + 1, tickers[2]],
          ["orderbook_snapshot", 7, before + 2, tickers[0]]
        ]
      )
      assert.deepStrictEqual(follower.book(tickers[2]!), Follower.truth((yield* control(`books/${tickers[2]}`)).json))
    })
  )

  it.scoped("are refused by number", () =>
    Effect.gen(function* () {
      const { open, tickers } = yield* start({ rate: 0 })
      const client = yield* open
      const [ticker] = tickers
      const update = (params: object) => ({ id: 3, cmd: "update_subscription", params })
      yield* client.send({ id: 1, cmd: "subscribe", params: { channels: ["ticker"] } })
      yield* client.next("subscribed")
      const table: ReadonlyArray<readonly [unknown, number]> = [
        ["nonsense", 1],
        ["[]", 1],
        [{ id: 3, cmd: "subscribe" }, 2],
        [{ id: 3, cmd: "subscribe", params: {} }, 3],
        [{ id: 3, cmd: "unsubscribe", params: {} }, 4],
        [{ id: 3, cmd: "dance" }, 5],
        [{ id: 3, cmd: "unsubscribe", params: { sids: [9] } }, 7],
        [update({ sid: 9, action: "add_markets", market_ticker: ticker }), 7],
        [{ id: 3, cmd: "subscribe", params: { channels: ["ticker_v2"] } }, 8],
        [{ id: 3, cmd: "subscribe", params: { channels: ["trade"], market_ticker: 5 } }, 11],
        [{ id: 3, cmd: "subscribe", params: { channels: ["trade"], market_ticker: "A", market_tickers: ["B"] } }, 11],
        [update({ action: "add_markets", market_ticker: ticker }), 12],
        [update({ sids: [1, 2], action: "add_markets", market_ticker: ticker }), 12],
        [update({ sid: 1, action: "replace_markets", market_ticker: ticker }), 13],
        [update({ sid: 1, action: "get_snapshot", market_ticker: ticker }), 13],
        [{ id: 3, cmd: "subscribe", params: { channels: ["orderbook_delta"] } }, 14],
        [update({ sid: 1, action: "add_markets" }), 14],
        [update({ sid: 1, market_ticker: ticker }), 15]
      ]
      for (const [message, code] of table) {
        yield* client.send(message as string)
        const error = bare(yield* client.next("error"))
        assert.strictEqual(error.msg.code, code, JSON.stringify(message))
        assert.deepStrictEqual(
          Object.keys(error),
          typeof message === "string" ? ["type", "msg"] : ["type", "id", "msg"]
        )
      }
      yield* client.send({ id: 4, cmd: "subscribe", params: { channels: ["fill", "market_positions", "user_orders"] } })
      assert.deepStrictEqual(
        (yield* client.frames).map((frame) => frame.msg),
        [
          { channel: "fill", sid: 2 },
          { channel: "market_positions", sid: 3 },
          { channel: "user_orders", sid: 4 }
        ]
      )
    })
  )
})

describe("KalshiServer channels", () => {
  it.scoped("tell tickers and trades as documented, tickers at once if asked, by id if so named", () =>
    Effect.gen(function* () {
      const { open, pass, subscribe, tickers } = yield* start({ markets: 1, rate: 1000 })
      const [market_ticker] = tickers
      const books = yield* subscribe(["orderbook_delta"])
      const id = (yield* books.next("orderbook_snapshot"))["msg"].market_id
      const client = yield* open
      const params = { channels: ["ticker"], market_id: id, send_initial_snapshot: true }
      yield* client.send({ id: 1, cmd: "subscribe", params })
      const first = yield* client.next("ticker")
      assert.strictEqual(first["msg"].market_ticker, market_ticker)
      yield* client.send({ id: 2, cmd: "subscribe", params: { channels: ["trade"] } })
      yield* client.next("subscribed")
      yield* pass(3000)
      const frames = yield* client.frames
      const trade = frames.find((frame) => frame.type === "trade")
      const ticker = frames.find((frame, i) => frame.type === "ticker" && frames.indexOf(trade) < i)
      assert.strictEqual(ticker.msg.price_dollars, trade.msg.yes_price_dollars)
      assert.strictEqual(ticker.msg.last_trade_size_fp, trade.msg.count_fp)
      assert.match(trade.msg.trade_id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.strictEqual(trade.msg.taker_book_side, trade.msg.taker_outcome_side === "yes" ? "bid" : "ask")
      if (Recordings.haveRecordings) {
        for (const [frame, name] of [
          [ticker, "ticker-tickerUpdate"],
          [trade, "trade-tradeNotification"]
        ] as const) {
          const sample = Recordings.json(`venues/samples/kalshi/ws-doc-${name}.json`) as any
          assert.deepStrictEqual(shape(frame.msg), shape(sample.msg))
        }
      }
    })
  )

  it.scoped("tell a market's life: listed, suspended, resumed, determined, settled", () =>
    Effect.gen(function* () {
      const { get, inject, pass, subscribe, tickers } = yield* start({ rate: 500 })
      const client = yield* subscribe(["market_lifecycle_v2", "orderbook_delta"])
      const follower = Follower.make(false)
      const [ticker] = tickers
      const statusOf = Effect.map(get(`/markets/${ticker}`), ({ json }) => json.market.status)
      yield* inject({ fault: "pause", tokenId: ticker, durationMs: 1000 })
      assert.strictEqual(yield* statusOf, "inactive")
      yield* pass(990)
      const paused = yield* client.frames
      paused.forEach(follower.see)
      const deactivated = paused.findIndex((frame) => frame.msg.event_type === "deactivated")
      assert.deepStrictEqual(paused[deactivated].msg, {
        market_ticker: ticker,
        is_deactivated: true,
        event_type: "deactivated"
      })
      const changes = (frames: ReadonlyArray<any>) =>
        frames.filter((frame) => frame.type === "orderbook_delta" && frame.msg.market_ticker === ticker)
      assert.isEmpty(changes(paused.slice(deactivated)))
      yield* pass(20)
      const resumed = yield* client.frames
      const activated = resumed.findIndex((frame) => frame.msg.event_type === "activated")
      for (const frame of changes(resumed.slice(0, activated))) assert.match(frame.msg.delta_fp, /^-/)
      resumed.slice(0, activated).forEach(follower.see)
      assert.deepStrictEqual(follower.book(ticker!), { bids: [], asks: [] }, "all that rested is cancelled")
      resumed.slice(activated).forEach(follower.see)
      yield* pass(500)
      yield* inject({ fault: "resolve", tokenId: ticker })
      yield* pass(5100)
      const frames = yield* client.frames
      frames.forEach(follower.see)
      assert.deepStrictEqual(follower.book(ticker!), { bids: [], asks: [] })
      const life = frames.filter((frame) => frame.sid === 1)
      const kinds = life.map((frame) => frame.msg.event_type ?? frame.type)
      assert.deepStrictEqual(kinds.slice(0, 1), ["determined"])
      assert.includeMembers(kinds, ["created", "settled"])
      if (Recordings.haveRecordings) {
        for (const name of ["determined", "settled"]) {
          const sample = JSON.parse(Recordings.text(`venues/samples/kalshi/ws-real-lifecycle-${name}.json`))
          assert.deepStrictEqual(shape(bare(life[kinds.indexOf(name)])), shape(sample))
        }
      }
      assert.strictEqual(yield* statusOf, "finalized")
      const { json } = yield* get(`/markets/${ticker}`)
      assert.deepStrictEqual([json.market.result, json.market.settlement_value_dollars], ["yes", "1.0000"])
    })
  )
})
