import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
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
