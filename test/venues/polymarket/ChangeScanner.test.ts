/** That reading by bytes and reading by JSON give the same, whatever the bytes are. */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import { watch } from "../../../src/resilience/DriftLog.ts"
import { makeTally } from "../../../src/resilience/Slot.ts"
import * as PolymarketFrames from "../../../src/simulator/PolymarketFrames.ts"
import * as Protocol from "../../../src/venues/polymarket/Protocol.ts"
import { POLYMARKET } from "../../../src/venues/polymarket/Reading.ts"
import { ChangeScanner } from "../../../src/venues/polymarket/ChangeScanner.ts"
import { channels } from "../../../src/venues/polymarket/Watched.ts"
import { instrument, market } from "../../support/Events.ts"
import { haveRecordings, json, lines } from "../../support/Recordings.ts"
import {
  byJson,
  decimal,
  deviations,
  edited,
  hex,
  instruments,
  M,
  members,
  one,
  print,
  spacing,
  T,
  value
} from "./Scanning.ts"

/** The same by bytes, or nothing where that is not known. */
const byBytes = (frame: Buffer, of = instruments): ReadonlyArray<FeedEvent> | undefined => {
  const scanner = new ChangeScanner(of)
  const out: Array<FeedEvent> = []
  // A scanner that has read another frame before reads this one as if it had not.
  scanner.scan(Buffer.from(price_change([{ ...entry, asset_id: "222", best_bid: "0.1" }])))
  if (!scanner.scan(frame)) return undefined
  scanner.push(T, out)
  return out
}

/** Whether bytes and JSON agree, and there is nothing new in it; whether bytes sufficed. */
const agree = (frame: Buffer, of = instruments): boolean => {
  const found = byBytes(frame, of)
  if (found === undefined) return false
  assert.deepStrictEqual(byJson(frame, of), { out: [...found], messages: [["price_change", 1]], errors: [] })
  assert.deepStrictEqual(deviations(frame, "price_change"), [])
  return true
}

const entry = {
  asset_id: "111",
  price: "0.41",
  size: "1363.56",
  side: "BUY",
  hash: "d796068a0a4a7c05d139b2f5d683414249ba941d",
  best_bid: "0.41",
  best_ask: "0.43"
}
const mirrored = { ...entry, asset_id: "222", price: "0.59", side: "SELL", best_bid: "0.57", best_ask: "0.59" }
type Fields = Readonly<Record<string, unknown>>
const message = (changes: ReadonlyArray<Fields>, fields: Fields = {}) => ({
  market: M,
  price_changes: changes,
  timestamp: String(T),
  event_type: "price_change",
  ...fields
})
const price_change = (changes: ReadonlyArray<Fields>, fields: Fields = {}) =>
  PolymarketFrames.spaced(message(changes, fields) as never)
const takes = (text: string) => agree(Buffer.from(text))

describe("a price change", () => {
  it("as the venue prints it is read by its bytes", () => {
    assert.isTrue(takes(price_change([entry, mirrored])))
    assert.isTrue(takes(price_change([entry])))
    assert.isTrue(takes(price_change([entry, mirrored, entry, mirrored, entry])))
    assert.isTrue(takes(JSON.stringify(message([entry, mirrored]))), "compact")
  })

  it("may lack a hash, and quotes of a side that is empty", () => {
    assert.isTrue(takes(price_change([{ ...entry, hash: "", best_bid: "", best_ask: "" }])))
    assert.isTrue(takes(price_change([{ ...entry, best_bid: "0", best_ask: "1" }])))
  })

  it("of a token that is not subscribed is left out", () => {
    assert.isTrue(takes(price_change([{ ...entry, asset_id: "999" }, mirrored])))
    assert.deepStrictEqual(byBytes(Buffer.from(price_change([{ ...entry, asset_id: "999" }]))), [])
  })

  it("is left to JSON with anything that is new or odd", () => {
    const odd: ReadonlyArray<string> = [
      price_change([]),
      price_change([{ ...entry, novelty: "1" }]),
      price_change([entry], { novelty: "1" }),
      price_change([{ ...entry, price: 0.41 }]),
      price_change([{ ...entry, price: "0" }]),
      price_change([{ ...entry, price: "1" }]),
      price_change([{ ...entry, price: "1.5" }]),
      price_change([{ ...entry, size: "-1" }]),
      price_change([{ ...entry, size: "1e3" }]),
      price_change([{ ...entry, size: "" }]),
      price_change([{ ...entry, size: "." }]),
      price_change([{ ...entry, size: "0.0000001" }]),
      price_change([{ ...entry, size: "9007199254.740992" }]),
      price_change([{ ...entry, side: "buy" }]),
      price_change([{ ...entry, side: "SELLING" }]),
      price_change([{ ...entry, hash: "a\\u0062" }]),
      price_change([{ ...entry, hash: "é" }]),
      price_change([{ ...entry, hash: null }]),
      price_change([{ ...entry, best_bid: null }]),
      price_change([{ ...entry, best_bid: "1.5" }]),
      price_change([{ ...entry, asset_id: undefined }].map((fields) => JSON.parse(JSON.stringify(fields)) as Fields)),
      price_change([entry], { timestamp: "1790766981" }),
      price_change([entry], { timestamp: T }),
      price_change([entry], { timestamp: "0790766981628" }),
      price_change([entry], { event_type: "price_changes" }),
      price_change([entry], { event_type: "last_trade_price" }),
      price_change([entry], { market: 5 }),
      `[${price_change([entry])}]`,
      `${price_change([entry])}\n`,
      ` ${price_change([entry])}`,
      price_change([entry]).replace(`"price":`, `"price" :`),
      price_change([entry]).replace(`"price":`, `"price":  `),
      price_change([entry]).replace(`"price":"0.41"`, `"price":"0.41", "price":"0.42"`),
      price_change([entry]).replace(`"market":`, `"market":"a", "market":`),
      price_change([entry]).replace(`"market":"${M}", `, ""),
      price_change([entry]).replace(`"price":`, `"__proto__":`),
      price_change([entry]).replace(`"hash":`, `"constructor":`),
      price_change([entry]).replace(`"hash":`, `"h\\u0061sh":`),
      price_change([entry]).replace("}]", "},]"),
      price_change([entry, mirrored]).replace("}, {", "},  {"),
      price_change([entry]).replace(`", "size"`, `","size"`),
      JSON.stringify(message([entry])).replace(`","size"`, `", "size"`),
      price_change([(({ best_ask: _, ...least }) => least)(entry)]),
      price_change([(({ hash: _, ...least }) => least)(entry)]),
      price_change([Object.fromEntries(Object.entries(entry).reverse())]),
      "PONG",
      "null",
      "{}",
      ""
    ]
    for (const text of odd) assert.isFalse(takes(text), text)
  })

  it("that is cut is none, wherever", () => {
    const whole = Buffer.from(price_change([entry, mirrored]))
    for (let end = 0; end < whole.length; end++) assert.isFalse(agree(whole.subarray(0, end)), String(end))
  })
})

const change = members({
  asset_id: value(fc.constantFrom("111", "222", "999")),
  price: value(decimal),
  size: value(decimal),
  side: value(fc.constantFrom(...Array<string>(30).fill("BUY"), "SELL", "Buy", "SELLER")),
  hash: value(hex),
  best_bid: value(decimal),
  best_ask: value(decimal)
})
const frameText = spacing.chain(([comma, colon]) =>
  fc
    .array(change, { maxLength: 3 })
    .chain((changes) =>
      members({
        market: value(fc.constant(M)),
        price_changes: fc.constant(`[${changes.map((list) => print(list, comma, colon)).join(comma)}]`),
        timestamp: value(
          fc.constantFrom(...Array<string>(9).fill(String(T)), "1790766981", "99999999999999", "0999999999999")
        ),
        event_type: value(fc.constant("price_change"))
      })
    )
    .map((list) => print(list, comma, colon))
)

describe("any frame", () => {
  it("that bytes suffice for is read by them as by JSON", () => {
    let sufficed = 0
    fc.assert(
      fc.property(frameText, (text) => {
        if (takes(text)) sufficed++
      }),
      { numRuns: 3_000 }
    )
    assert.isAbove(sufficed, 100)
  })

  it("of the venue with a few bytes changed, added or gone", () => {
    const whole = Buffer.from(price_change([entry, mirrored]))
    let sufficed = 0
    fc.assert(
      fc.property(edited(whole), (frame) => {
        if (agree(frame)) sufficed++
      }),
      { numRuns: 3_000 }
    )
    assert.isAbove(sufficed, 30)
  })
})

describe("ids that come again", () => {
  it("are never taken for each other, however alike they are", () => {
    const alike = fc.constantFrom(
      ..."1234567 12345678 123456789 1234567890 123456781 12345678901 12345678902 123456789012 12345678x012".split(" "),
      "1",
      "12",
      "",
      "12345678 ",
      `${"1".repeat(76)}2`,
      "1".repeat(77),
      "1".repeat(78),
      `1${"2".repeat(76)}`
    )
    fc.assert(
      fc.property(fc.array(alike, { minLength: 1, maxLength: 12 }), fc.array(alike), (asked, listed) => {
        const known = market(
          "m",
          {},
          [...new Set(listed)].filter((token) => token !== "")
        )
        const of = new Map(known.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(known, i)]))
        const scanner = new ChangeScanner(of)
        for (const token of asked) {
          const frame = Buffer.from(price_change([{ ...entry, asset_id: token }]))
          const out: Array<FeedEvent> = []
          assert.isTrue(scanner.scan(frame))
          scanner.push(T, out)
          assert.deepStrictEqual(out, byJson(frame, of).out)
        }
      })
    )
  })

  it("are more than are kept", () => {
    const token = (n: number) => `${n}`.padStart(8, "7").padEnd(77, "1")
    const of = new Map([[token(20_000), { ...instrument(one), venueInstrumentId: token(20_000) }]])
    const scanner = new ChangeScanner(of)
    const out: Array<FeedEvent> = []
    for (let n = 0; n <= 20_000; n++) {
      assert.isTrue(scanner.scan(Buffer.from(price_change([{ ...entry, asset_id: token(n) }]))))
      scanner.push(T, out)
    }
    assert.strictEqual(out.length, 1)
  })
})

describe("a reader of frames", () => {
  it("counts what it reads by bytes as what it reads by JSON, and has all else compared", () => {
    const noted: Array<string> = []
    const drift = watch(
      { note: (_, channel, path, kind) => noted.push(`${channel} ${kind} ${path}`), list: () => [] },
      "v",
      channels
    )
    const tally = makeTally()
    const observers = new Map([["c", { tally, onFault: () => {}, onEvents: () => {} }]])
    const { read } = Protocol.make(observers, undefined, drift)
    const about = { venue: POLYMARKET, connection: "c", receivedTime: T }
    const out: Array<FeedEvent> = []
    read({ _tag: "Opened", slot: "s", terms: {}, ...about }, out)
    read({ _tag: "Wanted", instruments: [...instruments.values()], ...about }, out)
    const usual = Buffer.from(price_change([entry, mirrored]))
    const unusual = Buffer.from(price_change([{ ...entry, novelty: 1 }]))
    out.length = 0
    read({ _tag: "Frames", frames: Array.from({ length: 1_640 }, () => usual), ...about }, out)
    assert.deepStrictEqual(noted, [])
    read({ _tag: "Frames", frames: [usual, unusual, Buffer.from("{"), usual], ...about }, out)
    assert.strictEqual(out.filter(({ _tag }) => _tag === "BookChange").length, 2 * 1_642 + 1)
    assert.deepStrictEqual([...tally.messages], [["price_change", 1_643]])
    assert.deepStrictEqual([...tally.errors], [["truncated", 1]])
    assert.deepStrictEqual(noted, ["price_change unknown price_changes[].novelty"])
  })
})

describe.skipIf(!haveRecordings)("what the venue really sent", () => {
  it("in the session of 2026-09-30 is read by its bytes, all twenty changes", () => {
    const frames = lines("venues/samples/polymarket/ws-market-session-2026-09-30.jsonl").map(
      (line) => (JSON.parse(line) as { readonly payloadUtf8: string }).payloadUtf8
    )
    const ids = new Set(frames.flatMap((text) => [...text.matchAll(/"asset_id":"(\d+)"/g)].map(([, id]) => id!)))
    const known = market("m", {}, [...ids])
    const of = new Map(known.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(known, i)]))
    assert.strictEqual(frames.filter((text) => agree(Buffer.from(text), of)).length, 20)
  })

  it("in other recordings is read alike, however it is printed", () => {
    const names = [
      "captures/polymarket_ws/byronxlg_ws_market_price_change.json",
      "captures/polymarket_ws/cepiokta_ws_market_capture.json",
      "captures/polymarket_ws/funkekaiser_ws_market_capture.json",
      "captures/polymarket_ws/nautilus_test_data/ws_market_price_change_msg.json",
      "captures/polymarket_ws/nautilus_py_resources/ws_messages__price_change.json",
      "captures/polymarket_ws/nautilus_py_resources/ws_messages__price_change_v2.json"
    ]
    let sufficed = 0
    for (const name of names) {
      for (const value of [json(name)].flat(2) as ReadonlyArray<Fields>) {
        for (const text of [JSON.stringify(value), PolymarketFrames.spaced(value as never)]) {
          const token = /"asset_id":\s?"(\d+)"/.exec(text)?.[1] ?? "111"
          const known = market("m", {}, [token, "222"])
          const of = new Map(known.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(known, i)]))
          if (agree(Buffer.from(text), of)) sufficed++
        }
      }
    }
    assert.isAbove(sufficed, 10)
  })
})
