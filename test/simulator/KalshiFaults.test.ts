import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseDecimal } from "../../src/domain/Money.ts"
import * as Follower from "./KalshiFollower.ts"
import { start } from "./KalshiHarness.ts"

const seqsOf = (frames: ReadonlyArray<any>, sid = 1): ReadonlyArray<number> =>
  frames.filter((frame) => frame?.sid === sid).map((frame) => frame.seq)

const consecutive = (seqs: ReadonlyArray<number>): boolean =>
  seqs.every((seq, i) => i === 0 || seq === seqs[i - 1]! + 1)

describe("Kalshi faults", () => {
  it.scoped("lost takes a sequence number along, and the books differ until a snapshot is asked for", () =>
    Effect.gen(function* () {
      const { control, inject, pass, subscribe, tickers } = yield* start({ markets: 2, rate: 500 })
      const client = yield* subscribe(["orderbook_delta"])
      const follower = Follower.make(false)
      ;(yield* client.frames).forEach(follower.see)
      yield* inject({ fault: "lost", tokenId: tickers[0] })
      yield* pass(1000)
      const frames = yield* client.frames
      const seqs = seqsOf(frames)
      const gap = seqs.findIndex((seq, i) => i > 0 && seq !== seqs[i - 1]! + 1)
      const missing = gap === -1 ? 0 : gap
      assert.strictEqual(seqs[missing], (missing === 0 ? follower.seq(1) : seqs[missing - 1]!) + 2, "one is missing")
      assert.isTrue(consecutive(seqs.slice(missing)))
      yield* client.send({
        id: 4,
        cmd: "update_subscription",
        params: { sid: 1, action: "get_snapshot", market_tickers: tickers }
      })
      const healed = yield* client.frames
      assert.isTrue(consecutive([seqs[seqs.length - 1]!, ...seqsOf(healed)]), "the sequence goes on")
      const fresh = Follower.make(false)
      healed.map(({ seq: _, ...frame }) => frame).forEach(fresh.see)
      for (const ticker of tickers) {
        assert.deepStrictEqual(fresh.book(ticker), Follower.truth((yield* control(`books/${ticker}`)).json))
      }
    })
  )

  it.scoped("duplicate repeats a frame, number and all, and reorder swaps two", () =>
    Effect.gen(function* () {
      const { inject, pass, stats, subscribe } = yield* start({ markets: 1, rate: 300 })
      const client = yield* subscribe(["orderbook_delta"])
      yield* client.waiting
      yield* inject({ fault: "duplicate" })
      yield* pass(200)
      const doubled = yield* client.waiting
      assert.strictEqual(doubled[0], doubled[1])
      const last = seqsOf(doubled.map((text) => JSON.parse(text))).at(-1)!
      yield* inject({ fault: "reorder", count: 2 })
      yield* pass(200)
      const seqs = seqsOf(yield* client.frames)
      assert.deepStrictEqual(seqs.slice(0, 5), [last + 2, last + 1, last + 4, last + 3, last + 5])
      assert.strictEqual((yield* stats).frames["reordered"], 2)
    })
  )

  it.scoped("truncated cuts frames, unknown and malformed ones come unnumbered", () =>
    Effect.gen(function* () {
      const { inject, pass, subscribe } = yield* start({ markets: 1, rate: 300 })
      const client = yield* subscribe(["orderbook_delta"])
      yield* client.waiting
      yield* inject([{ fault: "malformed", text: "<html>" }, { fault: "unknown_event" }, { fault: "truncated" }])
      yield* pass(200)
      const texts = yield* client.waiting
      assert.deepStrictEqual(texts.slice(0, 1), ["<html>"])
      assert.deepStrictEqual(texts.slice(2, 6), ["null", "[]", "{}", "42"])
      assert.throws(() => JSON.parse(texts[6]!))
      assert.isTrue(consecutive(seqsOf(texts.slice(7).map((text) => JSON.parse(text)))))
    })
  )

  it.scoped("freeze silences one market without a gap, stall everything with one", () =>
    Effect.gen(function* () {
      const { inject, pass, subscribe, tickers } = yield* start({ markets: 3, rate: 1000 })
      const client = yield* subscribe(["orderbook_delta"])
      const opening = yield* client.frames
      yield* inject({ fault: "freeze", tokenId: tickers[1], durationMs: 1000 })
      yield* pass(900)
      const frames = yield* client.frames
      assert.isTrue(consecutive(seqsOf([...opening, ...frames])))
      const seen = new Set(frames.map((frame) => frame.msg.market_ticker))
      assert.sameMembers([...seen], [tickers[0], tickers[2]])
      yield* pass(500)
      yield* client.waiting
      yield* inject({ fault: "stall", durationMs: 500 })
      yield* pass(490)
      yield* pass(510)
      const after = yield* client.frames
      assert.isNotEmpty(after)
      assert.isAbove(seqsOf(after)[0]!, seqsOf(frames).at(-1)! + 200)
    })
  )

  it.scoped("crossed tells of a bid above the best offer that is not in the book, and takes it back", () =>
    Effect.gen(function* () {
      const { control, inject, subscribe, tickers } = yield* start({ rate: 0 })
      const client = yield* subscribe(["orderbook_delta"])
      const follower = Follower.make(false)
      ;(yield* client.frames).forEach(follower.see)
      yield* inject({ fault: "crossed", tokenId: tickers[0], heals: true })
      const [bogus, undone] = yield* client.frames
      follower.see(bogus)
      const { asks, bids } = follower.book(tickers[0]!)
      assert.isAtLeast(bids[0]!.price, asks[0]!.price)
      follower.see(undone)
      assert.deepStrictEqual(follower.book(tickers[0]!), Follower.truth((yield* control(`books/${tickers[0]}`)).json))
    })
  )

  it.scoped("channel_error ends the book subscription for good; another one starts anew", () =>
    Effect.gen(function* () {
      const { inject, pass, subscribe, tickers } = yield* start({ rate: 500 })
      for (const code of [10, 25]) {
        const client = yield* subscribe(["orderbook_delta", "trade"])
        yield* inject({ fault: "channel_error", code })
        const error = yield* client.next("error")
        assert.deepStrictEqual([error["sid"], error["msg"].code, "id" in error], [1, code, false])
        yield* pass(300)
        assert.isFalse((yield* client.frames).some((frame) => frame.sid === 1))
        const params = { channels: ["orderbook_delta"], market_tickers: tickers }
        yield* client.send({ id: 3, cmd: "subscribe", params })
        assert.strictEqual((yield* client.next("subscribed"))["msg"].sid, 3)
        assert.strictEqual((yield* client.next("orderbook_snapshot"))["seq"], 1)
      }
    })
  )

  it.scoped("structure puts a market on another grid, cancels what is off it, and says so to all", () =>
    Effect.gen(function* () {
      const { control, get, inject, pass, subscribe, tickers } = yield* start({ rate: 1000 })
      const client = yield* subscribe(["orderbook_delta", "market_lifecycle_v2"])
      const follower = Follower.make(false)
      ;(yield* client.frames).forEach(follower.see)
      const [ticker] = tickers
      const grid = Effect.map(get(`/markets/${ticker}`), ({ json }) => ({
        price_level_structure: json.market.price_level_structure,
        price_ranges: json.market.price_ranges
      }))
      const band = (start: string, end: string, step: string) => ({ start, end, step })
      const structures = [
        ["deci_cent", [band("0.0000", "1.0000", "0.0010")]],
        [
          "center_whole_edge_quint_cent",
          [band("0.0000", "0.1000", "0.0020"), band("0.1000", "0.9000", "0.0100"), band("0.9000", "1.0000", "0.0020")]
        ],
        ["center_half_edge_half_cent", [band("0.0000", "1.0000", "0.0050")]]
      ] as const
      for (const [structure, price_ranges] of structures) {
        yield* inject({ fault: "structure", tokenId: ticker, structure })
        assert.deepStrictEqual(yield* grid, { price_level_structure: structure, price_ranges } as never)
        const frames = yield* client.frames
        const update = frames.find(({ msg, type }) => type === "market_lifecycle_v2" && msg.market_ticker === ticker)
        assert.deepStrictEqual(update?.msg, {
          market_ticker: ticker,
          event_type: "price_level_structure_updated",
          price_level_structure: structure,
          price_ranges
        })
        frames.forEach(follower.see)
        yield* pass(3000)
        ;(yield* client.frames).forEach(follower.see)
        const { asks, bids } = follower.book(ticker!)
        assert.deepStrictEqual({ asks, bids }, Follower.truth((yield* control(`books/${ticker}`)).json))
        const fits = ({ price }: { readonly price: number }) =>
          price_ranges.some(({ end, start, step }) => {
            const [from, to, by] = [start, end, step].map(parseDecimal) as [number, number, number]
            return price >= from && price <= to && (price - from) % by === 0
          })
        assert.isTrue([...bids, ...asks].every(fits), structure)
        assert.isTrue(asks.length > 0 && bids.length > 0)
      }
      const unknown = yield* inject({ fault: "structure", structure: "banded_centi_cent" })
      assert.strictEqual(unknown.status, 400)
    })
  )

  it.scoped("command_error refuses the next commands, of one channel or any, and lets those after them through", () =>
    Effect.gen(function* () {
      const { inject, open, tickers } = yield* start({ rate: 0 })
      const client = yield* open
      const params = (channel: string) => ({ channels: [channel], market_tickers: tickers })
      yield* inject({ fault: "command_error", code: 26, count: 2, channel: "orderbook_delta" })
      yield* client.send({ id: 1, cmd: "subscribe", params: params("trade") })
      yield* client.send({ id: 2, cmd: "subscribe", params: params("orderbook_delta") })
      yield* client.send({ id: 3, cmd: "subscribe", params: params("orderbook_delta") })
      yield* client.send({ id: 4, cmd: "subscribe", params: params("orderbook_delta") })
      const answers = (yield* client.frames).filter(({ type }) => type === "subscribed" || type === "error")
      assert.deepStrictEqual(
        answers.map(({ id, msg, type }) => [id, type, msg.code ?? msg.channel, msg.msg]),
        [
          [1, "subscribed", "trade", undefined],
          [2, "error", 26, "Subscription market limit exceeded"],
          [3, "error", 26, "Subscription market limit exceeded"],
          [4, "subscribed", "orderbook_delta", undefined]
        ]
      )
      yield* inject([
        { fault: "command_error", channel: "trade" },
        { fault: "command_error", count: 9, channel: "x" }
      ])
      const update = { sid: 1, action: "add_markets", market_tickers: tickers }
      yield* client.send({ id: 5, cmd: "update_subscription", params: update })
      const error = yield* client.next("error")
      assert.deepStrictEqual([error["id"], error["msg"]], [5, { code: 27, msg: "Too many requests" }])
      yield* inject([{ fault: "command_error" }, { fault: "heal" }])
      yield* client.send({ id: 6, cmd: "unsubscribe", params: { sids: [1] } })
      assert.strictEqual((yield* client.next("unsubscribed"))["id"], 6)
    })
  )

  it.scoped("drop, close and reset end sockets", () =>
    Effect.gen(function* () {
      const { inject, open, pass } = yield* start()
      const first = yield* open
      const second = yield* open
      yield* inject({ fault: "drop", sockets: 1 })
      assert.strictEqual((yield* first.closed).code, 1006)
      yield* inject({ fault: "close", code: 1012, reason: "restart" })
      assert.deepStrictEqual(yield* second.closed, { code: 1012, reason: "restart" })
      const third = yield* open
      yield* inject({ fault: "reset" })
      yield* pass(50)
      assert.strictEqual((yield* third.closed).code, 1006)
    })
  )

  it.scoped("silent keeps even heartbeats back", () =>
    Effect.gen(function* () {
      const { inject, open, pass } = yield* start({ rate: 0 })
      const client = yield* open
      yield* inject({ fault: "silent", durationMs: 25_000 })
      yield* pass(24_000)
      assert.strictEqual(yield* client.pings.size, 0)
      yield* pass(7000)
      assert.strictEqual(yield* client.pings.take, "heartbeat")
    })
  )

  it.scoped("rate_limited, unavailable and refuse answer in the venue's words", () =>
    Effect.gen(function* () {
      const { get, inject, open, pass } = yield* start({ rate: 0 })
      yield* inject({ fault: "rate_limited", durationMs: 1000, on: "both" })
      const limited = yield* get("/exchange/status")
      assert.deepStrictEqual([limited.status, limited.json], [429, { error: "too many requests" }])
      assert.isNull(limited.headers.get("retry-after"))
      const refused = yield* Effect.flip(open)
      assert.deepStrictEqual([refused.status, refused.json], [429, { error: "too many requests" }])
      yield* pass(1000)
      yield* inject({ fault: "rate_limited", retryAfter: 3, durationMs: 1000 })
      assert.strictEqual((yield* get("/markets")).headers.get("retry-after"), "3")
      yield* pass(1000)
      yield* inject([
        { fault: "unavailable", durationMs: 1000 },
        { fault: "refuse", status: 502, durationMs: 1000 }
      ])
      const down = yield* get("/markets")
      assert.deepStrictEqual([down.status, down.json.error.code], [503, "service_unavailable"])
      const gateway = yield* Effect.flip(open)
      assert.deepStrictEqual([gateway.status, gateway.json], [502, undefined])
      assert.include(gateway.text, "<html>")
      yield* pass(1000)
      assert.strictEqual((yield* get("/markets")).status, 200)
      yield* open
    })
  )

  it.scoped("slow holds frames back in their order, stall with rest shows old books", () =>
    Effect.gen(function* () {
      const { get, inject, pass, stats, subscribe, tickers } = yield* start({ markets: 1, rate: 500 })
      const client = yield* subscribe(["orderbook_delta"])
      const opening = yield* client.frames
      yield* inject({ fault: "slow", socketMs: 400, durationMs: 200 })
      yield* pass(300)
      assert.isUndefined((yield* stats).frames["orderbook_delta"])
      yield* pass(900)
      const frames = yield* client.frames
      assert.isTrue(consecutive(seqsOf([...opening, ...frames])))
      const before = (yield* get(`/markets/${tickers[0]}/orderbook`)).text
      yield* inject({ fault: "stall", rest: true })
      yield* pass(1000)
      assert.strictEqual((yield* get(`/markets/${tickers[0]}/orderbook`)).text, before)
      yield* inject({ fault: "heal" })
      assert.notStrictEqual((yield* get(`/markets/${tickers[0]}/orderbook`)).text, before)
    })
  )
})
