/** That books are read by their bytes as by JSON, whatever the bytes are. */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import { watch } from "../../../src/resilience/DriftLog.ts"
import { makeTally } from "../../../src/resilience/Slot.ts"
import * as PolymarketFrames from "../../../src/simulator/PolymarketFrames.ts"
import { BookScanner } from "../../../src/venues/polymarket/BookScanner.ts"
import * as Protocol from "../../../src/venues/polymarket/Protocol.ts"
import { POLYMARKET } from "../../../src/venues/polymarket/Reading.ts"
import { channels } from "../../../src/venues/polymarket/Watched.ts"
import { instrument, market } from "../../support/Events.ts"
import { haveRecordings, json, lines, text as recorded } from "../../support/Recordings.ts"
import { byJson, decimal, deviations, edited, hex, instruments, M, members, print, T, value } from "./Scanning.ts"

/** What is read by bytes, after another frame, and how many books that is. */
const byBytes = (frame: Buffer, of = instruments) => {
  const scanner = new BookScanner(of)
  const before = { _tag: "Connected", venue: POLYMARKET, slot: "s", connection: "c", receivedTime: T } as const
  const out: Array<FeedEvent> = [before]
  scanner.read(Buffer.from(dump), T, [])
  const count = scanner.read(frame, T, out)
  assert.strictEqual(out.shift(), before)
  if (count === 0) assert.isEmpty(out)
  return { count, out }
}

/** Whether bytes and JSON agree, and there is nothing new in it; how many books bytes sufficed for. */
const agree = (frame: Buffer, of = instruments): number => {
  const { count, out } = byBytes(frame, of)
  if (count === 0) return 0
  assert.deepStrictEqual(byJson(frame, of), { out, messages: [["book", count]], errors: [] })
  for (const book of [JSON.parse(frame.toString("utf8"))].flat()) {
    assert.deepStrictEqual(deviations(Buffer.from(JSON.stringify(book)), "book"), [])
  }
  return count
}
const takes = (text: string) => agree(Buffer.from(text))

const state: PolymarketFrames.BookState = {
  market: M,
  asset: "111",
  timestamp: String(T),
  hash: "d796068a0a4a7c05d139b2f5d683414249ba941d",
  bids: [PolymarketFrames.level("0.4", "1363.56"), PolymarketFrames.level("0.41", "12")].join(","),
  asks: [PolymarketFrames.level("0.99", "5"), PolymarketFrames.level("0.43", "0.000001")].join(","),
  minOrderSize: "5",
  tickSize: "0.01",
  negRisk: false,
  lastTradePrice: "0.420",
  version: "v1"
}
const other = { ...state, asset: "222", bids: "", asks: "", lastTradePrice: "" }
const dump = PolymarketFrames.dump([state, other])
const single = PolymarketFrames.book(state)

describe("a dump", () => {
  it("as the venue prints it is read by its bytes, whole", () => {
    assert.strictEqual(takes(dump), 2)
    assert.strictEqual(takes(dump.trimEnd()), 2)
    assert.strictEqual(takes(PolymarketFrames.dump([{ ...state, version: "v2" }])), 1)
    assert.strictEqual(takes(PolymarketFrames.dump([{ ...state, hash: "", tickSize: "" }])), 1)
    assert.strictEqual(takes(PolymarketFrames.dump(Array.from({ length: 100 }, () => state))), 100)
  })

  it("leaves out tokens that are not subscribed, and counts them", () => {
    assert.strictEqual(takes(PolymarketFrames.dump([{ ...state, asset: "999" }, state])), 2)
    assert.lengthOf(byBytes(Buffer.from(PolymarketFrames.dump([{ ...state, asset: "999" }, state]))).out, 1)
  })

  it("is left to JSON with anything that is new or odd in any of its books", () => {
    const odd: ReadonlyArray<string> = [
      "[]",
      "[]\n",
      `${dump}\n`,
      ` ${dump}`,
      dump.replace("]\n", ",]\n"),
      dump.replace("},{", "}, {"),
      dump.replace(`"0.4"`, "0.4"),
      dump.replace(`"0.4"`, `"0"`),
      dump.replace(`"0.4"`, `"1"`),
      dump.replace(`"0.4"`, `"1.5"`),
      dump.replace(`"0.4"`, `""`),
      dump.replace(`"12"`, `"-12"`),
      dump.replace(`"12"`, `"1e3"`),
      dump.replace(`"12"`, `"9007199254.740992"`),
      dump.replace(`"12"`, `"12","novelty":1`),
      dump.replace(`"price":`, `"price" :`),
      dump.replace(`{"price":"0.4","size":"1363.56"}`, `{"size":"1363.56","price":"0.4"}`),
      dump.replace(`"bids":[`, `"bids":[ `),
      dump.replace(`"bids":[`, `"bids":[,`),
      dump.replace(`"bids":[`, `"bids":null,"bids":[`),
      dump.replace(`"hash":"d`, `"hash":"\\u0064`),
      dump.replace(`"hash":"d`, `"hash":"é`),
      dump.replace(`"tick_size":"0.01",`, ""),
      dump.replace(`"tick_size":"0.01"`, `"tick_size":0.01`),
      dump.replace(`"last_trade_price":"0.420"`, `"last_trade_price":null`),
      dump.replace(`"last_trade_price":"0.420"`, `"last_trade_price":"0.420","novelty":"1"`),
      dump.replace(`"event_type":"book"`, `"event_type":"book2"`),
      dump.replace(String(T), "1790766981"),
      dump.replace(`"${T}"`, String(T)),
      PolymarketFrames.restBook(state),
      `[${single}]`,
      "[null]",
      "["
    ]
    for (const text of odd) assert.strictEqual(takes(text), 0, text)
  })
})

describe("the book after a trade", () => {
  it("as the venue prints it is read by its bytes", () => {
    assert.strictEqual(takes(single), 1)
    assert.strictEqual(takes(PolymarketFrames.book(other)), 1)
    assert.strictEqual(takes(PolymarketFrames.book({ ...state, hash: "" })), 1)
    assert.strictEqual(takes(PolymarketFrames.book({ ...state, asset: "999" })), 1)
    assert.isEmpty(byBytes(Buffer.from(PolymarketFrames.book({ ...state, asset: "999" }))).out)
  })

  it("is left to JSON with anything that is new or odd", () => {
    const odd: ReadonlyArray<string> = [
      `${single}\n`,
      ` ${single}`,
      single.replace("}, {", "},{"),
      single.replace("}, {", "},  {"),
      single.replace(`", "size"`, `","size"`),
      single.replace(`"0.4"`, `"0"`),
      single.replace(`, "event_type":"book"`, `, "event_type":"book", "novelty":1`),
      single.replace(`"event_type":"book"`, `"event_type":"price_change"`),
      single.replace(`"hash":"${state.hash}", `, ""),
      single.replace(`"${T}"`, String(T)),
      JSON.stringify(JSON.parse(single)),
      "{}",
      "null",
      "PONG",
      ""
    ]
    for (const text of odd) assert.strictEqual(takes(text), 0, text)
  })
})

describe("any frame", () => {
  it("that is cut is none, wherever", () => {
    for (const whole of [Buffer.from(dump), Buffer.from(single)]) {
      // Without its last newline a dump is as whole.
      const ends = whole.length - (whole.at(-1) === 10 ? 1 : 0)
      for (let end = 0; end < ends; end++) assert.strictEqual(agree(whole.subarray(0, end)), 0, String(end))
    }
  })

  it("of the venue with a few bytes changed, added or gone is read by them as by JSON, or left to it", () => {
    for (const whole of [Buffer.from(dump), Buffer.from(single)]) {
      let sufficed = 0
      fc.assert(
        fc.property(edited(whole), (frame) => {
          if (agree(frame) > 0) sufficed++
        }),
        { numRuns: 3_000 }
      )
      assert.isAbove(sufficed, 30)
    }
  })

  it("of members that are nearly those of the venue, too", () => {
    const level = members({ price: value(decimal), size: value(decimal) })
    const side = (comma: string) =>
      fc.array(level, { maxLength: 2 }).map((levels) => `[${levels.map((one) => print(one, comma, ":")).join(comma)}]`)
    const common = {
      market: value(fc.constant(M)),
      asset_id: value(fc.constantFrom("111", "222", "999")),
      timestamp: value(
        fc.constantFrom(...Array<string>(9).fill(String(T)), "1790766981", "99999999999999", "0999999999999")
      ),
      hash: value(fc.oneof(hex, fc.constant("")))
    }
    const price = value(fc.constantFrom("", "0.420", "0.5"))
    const { asset_id, hash, market, timestamp } = common
    const book = value(fc.constant("book"))
    const dumped = members({
      market,
      asset_id,
      timestamp,
      hash,
      bids: side(","),
      asks: side(","),
      tick_size: value(fc.constantFrom("0.01", "0.001")),
      event_type: book,
      last_trade_price: price
    })
    const frames = [
      fc.array(dumped, { maxLength: 3 }).map((books) => `[${books.map((one) => print(one, ",", ":")).join(",")}]\n`),
      members({ market, asset_id, bids: side(", "), asks: side(", "), hash, timestamp, event_type: book }).map((list) =>
        print(list, ", ", ":")
      )
    ]
    for (const frame of frames) {
      let sufficed = 0
      fc.assert(
        fc.property(frame, (text) => {
          if (takes(text) > 0) sufficed++
        }),
        { numRuns: 3_000 }
      )
      assert.isAbove(sufficed, 20)
    }
  })
})

describe("a reader of frames", () => {
  it("counts books by their number, and has none compared that its bytes sufficed for", () => {
    const noted: Array<string> = []
    const note = (_: string, channel: string, path: string, kind: string) => noted.push(`${channel} ${kind} ${path}`)
    const drift = watch({ note, list: () => [] }, "v", channels)
    const tally = makeTally()
    const observers = new Map([["c", { tally, onFault: () => {}, onEvents: () => {} }]])
    const { read } = Protocol.make(observers, undefined, drift)
    const about = { venue: POLYMARKET, connection: "c", receivedTime: T }
    const out: Array<FeedEvent> = []
    read({ _tag: "Opened", slot: "s", terms: {}, ...about }, out)
    read({ _tag: "Wanted", instruments: [...instruments.values()], ...about }, out)
    out.length = 0
    const unusual = dump.replace(`"tick_size"`, `"novelty":1,"tick_size"`)
    read({ _tag: "Frames", frames: [dump, single, unusual].map((text) => Buffer.from(text)), ...about }, out)
    assert.strictEqual(out.filter(({ _tag }) => _tag === "BookSnapshot").length, 5)
    assert.deepStrictEqual([...tally.messages], [["book", 5]])
    assert.deepStrictEqual(noted, ["book unknown novelty"])
  })
})

describe.skipIf(!haveRecordings)("what the venue really sent", () => {
  const readIn = (text: string): number => {
    const ids = new Set([...text.matchAll(/"asset_id":\s?"(\d+)"/g)].map(([, id]) => id!))
    const known = market("m", {}, [...ids])
    const of = new Map(known.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(known, i)]))
    return agree(Buffer.from(text), of)
  }

  it("in the session of 2026-09-30 is read by its bytes, all books", () => {
    const frames = lines("venues/samples/polymarket/ws-market-session-2026-09-30.jsonl").map(
      (line) => (JSON.parse(line) as { readonly payloadUtf8: string }).payloadUtf8
    )
    const books = frames.filter((text) => text.includes(`"event_type":"book"`))
    assert.deepStrictEqual(
      books.map(readIn),
      books.map((text) => text.split(`"event_type":"book"`).length - 1)
    )
    assert.isAtLeast(books.length, 4)
  })

  it("in single frames is, as of either protocol", () => {
    const names = ["initial-dump", "initial-dump-protocol-v2", "book-after-trade"]
    const counts = names.map((name) => readIn(recorded(`venues/samples/polymarket/ws-market-${name}.frame.json`)))
    assert.deepStrictEqual(counts, [2, 1, 1])
  })

  it("in other recordings is read alike, however it is printed", () => {
    const names = [
      "captures/polymarket_ws/byronxlg_ws_market_book.json",
      "captures/polymarket_ws/nautilus_test_data/ws_market_book_msg.json",
      "captures/polymarket_ws/nautilus_py_resources/ws_messages__book.json"
    ]
    for (const name of names) {
      for (const book of [json(name)].flat(2)) {
        for (const text of [JSON.stringify(book), JSON.stringify([book]), PolymarketFrames.spaced(book as never)]) {
          readIn(text)
        }
      }
    }
  })
})
