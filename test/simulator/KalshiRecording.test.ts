import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as KalshiRecording from "../../src/simulator/KalshiRecording.ts"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import * as Recordings from "../support/Recordings.ts"
import * as Follower from "./KalshiFollower.ts"
import { START, start } from "./KalshiHarness.ts"

const ticker = "KXGAME-26DEC01ABC-A"
const head = `"market_ticker":"${ticker}","market_id":"f5ed38e2-0991-4c8f-817e-08c4fd9cbfdb"`
const lines = [
  `{"type":"subscribed","id":4,"msg":{"channel":"trade","sid":1}}`,
  `{"type":"subscribed","id":4,"msg":{"channel":"orderbook_delta","sid":2}}`,
  `{"type":"orderbook_snapshot","sid":2,"seq":1,"msg":{${head},"yes_dollars_fp":[["0.4700","3.00"]],"no_dollars_fp":[["0.4805","2.00"]]}}`,
  `{"type":"trade","sid":1,"seq":1,"msg":{"market_ticker":"${ticker}","ts_ms":${START}}}`,
  `{"type":"ok","id":9,"sid":2,"seq":2,"msg":{"market_tickers":["${ticker}"]}}`,
  `{"type":"orderbook_delta","sid":2,"seq":3,"msg":{${head},"price_dollars":"0.4805","delta_fp":"-2.00","side":"no","ts_ms":${START + 1000}}}`,
  `{"type":"orderbook_delta","sid":2,"seq":4,"msg":{${head},"price_dollars":"0.4600","delta_fp":"7.77","side":"yes","ts_ms":${START + 2000}}}`
]

const file = (): string => {
  const path = join(mkdtempSync(join(tmpdir(), "kalshi-recording-")), "session.jsonl")
  writeFileSync(path, `${lines.join("\n\n")}\n`)
  return path
}

describe("Kalshi recordings", () => {
  it.scoped("are served as they are, under the recorded sids, once a channel is subscribed", () =>
    Effect.gen(function* () {
      const { control, markets, open, pass, tickers } = yield* start({ recording: file() })
      assert.deepStrictEqual(tickers, [ticker])
      assert.strictEqual(markets[0].price_level_structure, "center_centi_edge_centi_cent")
      const client = yield* open
      yield* pass(100)
      assert.isEmpty(yield* client.waiting)
      yield* client.send({ id: 1, cmd: "subscribe", params: { channels: ["orderbook_delta"], market_ticker: ticker } })
      const [ack, ...texts] = yield* client.waiting
      assert.deepInclude(JSON.parse(ack!), { type: "subscribed", id: 1, msg: { channel: "orderbook_delta", sid: 2 } })
      assert.deepStrictEqual(
        texts,
        lines.filter((line) => line.includes(`"sid":2,"seq"`))
      )
      const { json } = yield* control(`books/${ticker}`)
      assert.deepStrictEqual(Follower.truth(json).bids, [
        { price: 470_000, size: 3_000_000 },
        { price: 460_000, size: 7_770_000 }
      ])
      assert.isEmpty(json.asks)
      yield* client.send({ id: 2, cmd: "subscribe", params: { channels: ["ticker", "trade"] } })
      assert.deepStrictEqual(
        (yield* client.frames).map((frame) => [frame.type, frame.msg.sid]),
        [
          ["subscribed", 3],
          ["subscribed", 1],
          ["trade", undefined]
        ]
      )
      yield* client.send({ id: 3, cmd: "unsubscribe", params: { sids: [2] } })
      assert.strictEqual((yield* client.next("unsubscribed"))["seq"], 5)
    })
  )

  it.scoped("keep their intervals, and turn NO prices for those who want them turned", () =>
    Effect.gen(function* () {
      const { open, pass } = yield* start({ recording: file(), speed: 2 })
      const client = yield* open
      const params = { channels: ["orderbook_delta"], market_ticker: ticker, use_yes_price: true }
      yield* client.send({ id: 1, cmd: "subscribe", params })
      const opening = yield* client.frames
      assert.deepStrictEqual(opening[1].msg.no_dollars_fp, [["0.5195", "2.00"]])
      assert.strictEqual(opening.length, 3)
      yield* pass(490)
      assert.isEmpty(yield* client.frames)
      yield* pass(20)
      const [delta] = yield* client.frames
      assert.deepStrictEqual([delta.seq, delta.msg.price_dollars, delta.msg.delta_fp], [3, "0.5195", "-2.00"])
      yield* pass(500)
      assert.strictEqual((yield* client.waiting)[0], lines.at(-1))
    })
  )

  it.scoped("that hold nothing, or are not there, are refused", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(KalshiSimulator.make({ recording: "/nowhere/session.jsonl" }))
      assert.strictEqual(missing.reason, "recording")
      const empty = join(mkdtempSync(join(tmpdir(), "kalshi-recording-")), "empty.jsonl")
      writeFileSync(empty, "\n\n")
      const { detail } = yield* Effect.flip(KalshiSimulator.make({ recording: empty }))
      assert.strictEqual(detail, "no frames in it")
    })
  )

  it.scoped.skipIf(!Recordings.haveRecordings)(
    "of a real session replay whole: no gap, no negative size, no cross",
    () =>
      Effect.gen(function* () {
        const name = "captures/kalshi_ws/jfreun123_demo_session_20260701.jsonl"
        const frames = KalshiRecording.parse(Recordings.text(name)).filter((frame) => frame.sid === 1)
        const { control, open, pass, tickers } = yield* start({ recording: Recordings.path(name) })
        assert.strictEqual(tickers.length, 5)
        for (const yesScale of [false, true]) {
          const client = yield* open
          const params = { channels: ["orderbook_delta"], market_tickers: tickers, use_yes_price: yesScale }
          yield* client.send({ id: 1, cmd: "subscribe", params })
          const follower = Follower.make(yesScale)
          while (follower.seq(1) < frames.at(-1)!.seq) {
            yield* pass(10)
            ;(yield* client.frames).forEach(follower.see)
          }
          assert.strictEqual(follower.seq(1), frames.length)
          for (const ticker of tickers) {
            const book = follower.book(ticker)
            assert.deepStrictEqual(book, Follower.truth((yield* control(`books/${ticker}`)).json))
            assert.isBelow(book.bids[0]!.price, book.asks[0]!.price)
          }
        }
      })
  )
})
