import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Price, Size } from "../../src/domain/Money.ts"
import * as Book from "../../src/simulator/PolymarketBook.ts"
import * as Events from "../../src/simulator/PolymarketEvents.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import type { MarketInfo } from "../../src/simulator/PolymarketMarket.ts"
import * as Recording from "../../src/simulator/Recording.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import { start } from "./Harness.ts"

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url))
const session = `${shared}venues/samples/polymarket/ws-market-session-2026-09-30.jsonl`
const captured = existsSync(session)

const file = (lines: ReadonlyArray<string>): string => {
  const path = join(mkdtempSync(join(tmpdir(), "recording-")), "frames.jsonl")
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""))
  return path
}

/** A recording in the documented form: a dump of one token, two changes, a trade's book. */
const written = () => {
  const identity = { condition: "0xaa", tokens: ["71", "72"], minOrderSize: "5", negRisk: true, version: "v1" } as const
  const books = Book.make(identity, 10_000 as Price, 1_000)
  const subject = { books, info: identity as unknown as MarketInfo }
  const change = (price: number, size: number) => {
    const change = { outcome: 0, side: "buy", price: price as Price, size: size as Size } as const
    books.apply(change)
    return change
  }
  change(400_000, 7_000_000)
  const dump = Frames.dump([books.state(0)]).trimEnd()
  const changes = [2_000, 3_000].map((time) => {
    const made = change(300_000 + time, time * 1000)
    books.stamp(time)
    return Events.priceChange(subject, made, time).text
  })
  books.setLastTrade(490_000 as Price)
  books.stamp(4_000)
  const book = Events.bookFrames(subject, 0)[0]!.text
  const print = Frames.lastTradePrice({
    market: "0xaa",
    asset: "71",
    price: "0.51",
    size: "1",
    side: "BUY",
    timestamp: "4040",
    transactionHash: "0x00"
  })
  return { frames: [dump, ...changes, book, print], final: books.state(0) }
}

describe("Recording", () => {
  it.scoped("serves the frames as they are, in order, to each socket", () =>
    Effect.gen(function* () {
      const { frames } = written()
      const wrapped = JSON.stringify({ receivedAt: "2026-09-30T11:16:20.252Z", payloadUtf8: frames[1] })
      const { connect } = yield* start({ recording: file([frames[0]!, "PONG", "", wrapped, ...frames.slice(2)]) })
      for (let i = 0; i < 2; i++) {
        const client = yield* connect
        yield* client.send({ assets_ids: ["71"], type: "market" })
        for (const frame of frames) assert.strictEqual(yield* client.take, frame)
        yield* client.send("PING")
        assert.strictEqual(yield* client.take, "PONG")
      }
    })
  )

  it.scoped("lists the recorded markets and shows their books as of the frames sent", () =>
    Effect.gen(function* () {
      const { final, frames } = written()
      const { connect, get, markets, tokens } = yield* start({ recording: file(frames) })
      assert.lengthOf(markets, 1)
      assert.deepStrictEqual(tokens, ["71", "72"], "the changes name the other token")
      assert.isTrue(markets[0].neg_risk, "found out by the hash")
      const { json } = yield* get("/gamma/markets/keyset?liquidity_num_min=10000")
      assert.deepStrictEqual(json.markets[0].outcomes, `["Yes", "No"]`)
      assert.deepStrictEqual(JSON.parse(json.markets[0].clobTokenIds), ["71", "72"])
      assert.strictEqual((yield* get("/clob-markets/0xaa")).json.nr, true)
      const early = yield* get("/book?token_id=71")
      assert.deepStrictEqual(
        [early.status, early.json],
        [404, { error: "No orderbook exists for the requested token id" }]
      )
      const client = yield* connect
      yield* client.send({ assets_ids: ["71"], type: "market" })
      yield* client.next("last_trade_price")
      const book = yield* get("/book?token_id=71")
      assert.strictEqual(book.text, `${Frames.restBook(final)}\n`, "with the last price that explains the hash")
      assert.strictEqual((yield* get("/book?token_id=72")).status, 404, "no book of it was recorded")
    })
  )

  it.scoped("keeps the recorded intervals when asked to", () =>
    Effect.gen(function* () {
      const { frames } = written()
      const lines = frames.map((payloadUtf8, second) =>
        JSON.stringify({ receivedAt: `2026-09-30T11:16:2${second}.000Z`, payloadUtf8 })
      )
      const { connect, pass, stats } = yield* start({ recording: file(lines), speed: 2 })
      const client = yield* connect
      yield* client.send({ assets_ids: ["71"], type: "market" })
      assert.strictEqual(yield* client.take, frames[0])
      yield* pass(490)
      assert.isUndefined((yield* stats).frames["price_change"])
      yield* pass(20)
      assert.strictEqual(yield* client.take, frames[1])
    })
  )

  it("invents a token where only one is recorded", () => {
    const [dump] = written().frames
    const markets = Recording.marketsOf(Recording.parse(dump!))
    assert.deepStrictEqual(markets.get("0xaa")?.tokens, ["71"])
  })

  it("reads a list of frames over several lines, and the forms of before September 2025", () => {
    const changes = {
      event_type: "price_change",
      asset_id: "9",
      market: "0xbb",
      hash: "h",
      changes: [{ price: "0.4", side: "BUY", size: "3" }]
    }
    const single = { event_type: "price_change", asset_id: "9", market: "0xbb", price: "0.5", side: "SELL", size: "1" }
    const book = { event_type: "book", asset_id: "9", market: "0xbb", timestamp: "1", hash: "g", buys: [], sells: [] }
    const frames = Recording.parse(JSON.stringify([[book], changes, single], null, 2))
    assert.lengthOf(frames, 3)
    const books = Recording.books(Recording.marketsOf(frames))
    frames.forEach(books.apply)
    const state = books.book("9")
    assert.deepStrictEqual(
      [state?.bids, state?.asks, state?.hash],
      [`{"price":"0.4","size":"3"}`, `{"price":"0.5","size":"1"}`, "h"]
    )
  })

  it.scoped("does not start without frames", () =>
    Effect.gen(function* () {
      const empty = yield* Effect.flip(Simulator.make({ recording: file(["PONG"]) }))
      assert.deepStrictEqual([empty.reason, empty.detail], ["recording", "no frames in it"])
      assert.strictEqual((yield* Effect.flip(Simulator.make({ recording: "/nowhere" }))).reason, "recording")
    })
  )

  it.skipIf(!captured)("follows the captured session to the hash that it recorded last", () => {
    const frames = Recording.parse(readFileSync(session, "utf8"))
    assert.lengthOf(frames, 26)
    const markets = Recording.marketsOf(frames)
    const books = Recording.books(markets)
    const [market] = markets.values()
    frames.forEach(books.apply)
    const [first, second] = market!.tokens.map((token) => books.book(token)!)
    assert.strictEqual(second!.hash, "4fa83aaf2e470d1a7594729d5237f17e2d6e4f80")
    for (const state of [first!, second!]) assert.strictEqual(Frames.bookHash(state), state.hash)
    assert.strictEqual(second!.lastTradePrice, "0.500")
  })
})
