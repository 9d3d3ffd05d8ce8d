import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import { marketId } from "../../../src/domain/Market.ts"
import { SCALE } from "../../../src/domain/Money.ts"
import { makeTally } from "../../../src/resilience/Slot.ts"
import { makeDecoder } from "../../../src/venues/polymarket/Normalize.ts"
import { gridOf, id, instrument, levels, market, other, price, size, venue } from "../../support/Events.ts"
import { haveRecordings, text } from "../../support/Recordings.ts"
import * as Replay from "./Replay.ts"

const M = "0xabc123"
const one = { ...market("m"), venueMarketId: M }
const instruments = new Map(one.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(one, i)]))
const T = 1_790_766_981_628

const makeReader = () => {
  const tally = makeTally()
  const faults: Array<readonly [kind: string, detail: string, sample: string]> = []
  const decode = makeDecoder({
    connection: "polymarket-1-a",
    instrument: (token) => instruments.get(token),
    instruments: () => instruments.values(),
    tally,
    onFault: (...fault) => faults.push(fault)
  })
  const read = (frame: unknown): ReadonlyArray<FeedEvent> => {
    const out: Array<FeedEvent> = []
    decode(typeof frame === "string" ? frame : JSON.stringify(frame), T + 40, out)
    return out
  }
  return { read, tally, faults }
}
const read = (frame: unknown) => makeReader().read(frame)

const entry = (fields: Record<string, unknown> = {}) => ({
  asset_id: "111",
  price: "0.41",
  size: "1363.56",
  side: "BUY",
  hash: "cafe",
  best_bid: "0.41",
  best_ask: "0.43",
  ...fields
})
const mirrored = { asset_id: "222", price: "0.59", side: "SELL", best_bid: "0.57", best_ask: "0.59" }
const priceChange = (...changes: ReadonlyArray<Record<string, unknown>>) => ({
  market: M,
  price_changes: changes,
  timestamp: String(T),
  event_type: "price_change"
})
const book = (fields: Record<string, unknown> = {}) => ({
  market: M,
  asset_id: "111",
  timestamp: String(T),
  hash: "cafe",
  bids: [{ price: "0.41", size: "100" }],
  asks: [{ price: "0.43", size: "50" }],
  tick_size: "0.01",
  event_type: "book",
  last_trade_price: "0.490",
  ...fields
})

describe("a price change", () => {
  it("is one change for each token that it names, in its order, with absolute sizes", () => {
    assert.deepStrictEqual(read(priceChange(entry(), entry(mirrored))), [
      {
        _tag: "BookChange",
        instrumentId: id,
        side: "bid",
        price: price("0.41"),
        size: size("1363.56"),
        venueTime: T,
        receivedTime: T + 40,
        sequence: null,
        hash: "cafe",
        bestBid: price("0.41"),
        bestAsk: price("0.43")
      },
      {
        _tag: "BookChange",
        instrumentId: other,
        side: "ask",
        price: price("0.59"),
        size: size("1363.56"),
        venueTime: T,
        receivedTime: T + 40,
        sequence: null,
        hash: "cafe",
        bestBid: price("0.57"),
        bestAsk: price("0.59")
      }
    ])
  })

  it("of a token that is not subscribed is left out", () => {
    const events = read(priceChange(entry({ asset_id: "999" }), entry(mirrored)))
    assert.deepStrictEqual(
      events.map((event) => "instrumentId" in event && event.instrumentId),
      [other]
    )
  })

  it("states an empty side as 0, 1, or nothing at all", () => {
    const bests = (best_bid: unknown, best_ask: unknown) => {
      const [event] = read(priceChange(entry({ best_bid, best_ask })))
      assert(event?._tag === "BookChange")
      return [event.bestBid, event.bestAsk]
    }
    assert.deepStrictEqual(bests("0", "1"), [-1, -1])
    assert.deepStrictEqual(bests("", ""), [-1, -1])
    assert.deepStrictEqual(bests(undefined, null), [null, null])
  })

  it("may print numbers, any case of the side, and seconds", () => {
    const [event] = read({
      ...priceChange(entry({ price: 0.41, size: 1363.56, side: "sell" })),
      timestamp: 1_790_766_981
    })
    assert(event?._tag === "BookChange")
    assert.deepInclude(event, {
      side: "ask",
      price: price("0.41"),
      size: size("1363.56"),
      venueTime: 1_790_766_981_000
    })
  })

  it("lands on one level however the price is spelled, and off the tick exactly", () => {
    const spelled = [".41", "0.41", "0.4100", "00.41", "0.410000"].map((text) =>
      read(priceChange(entry({ price: text })))
    )
    const prices = spelled.map(([event]) => event?._tag === "BookChange" && event.price)
    assert.deepStrictEqual([...new Set(prices)], [price("0.41")])
    const [fine] = read(priceChange(entry({ price: "0.412345" })))
    assert.strictEqual(fine?._tag === "BookChange" && fine.price, price("0.412345"))
  })

  it("in the form before 2025-09-15 is read without its hash, which covers a time that is not printed", () => {
    const [single] = read({
      ...entry(),
      market: M,
      timestamp: String(T),
      event_type: "price_change",
      best_bid: undefined,
      best_ask: undefined
    })
    assert(single?._tag === "BookChange")
    assert.deepInclude(single, { instrumentId: id, price: price("0.41"), hash: null, bestBid: null })
    const several = read({
      asset_id: "111",
      changes: [
        { price: "0.54", side: "SELL", size: "50" },
        { price: "0.52", side: "BUY", size: "0" }
      ],
      event_type: "price_change",
      hash: "f708c970",
      market: M,
      timestamp: String(T)
    })
    assert.deepStrictEqual(
      several.map((event) => event._tag === "BookChange" && [event.side, event.price, event.size, event.hash]),
      [
        ["ask", price("0.54"), size("50"), null],
        ["bid", price("0.52"), size("0"), null]
      ]
    )
  })
})

describe("a book", () => {
  it("is a snapshot with what its hash needs", () => {
    const [event] = read([book()])
    assert(event?._tag === "BookSnapshot")
    assert.deepInclude(event, { instrumentId: id, venueTime: T, hash: "cafe", source: "socket" })
    assert.deepStrictEqual([event.bids, event.asks], [levels("0.41 100"), levels("0.43 50")])
    assert.deepInclude(event.proof as object, { market: M, assetId: "111", tickSize: "0.01", lastTradePrice: "0.490" })
  })

  it("may be empty", () => {
    const [event] = read(book({ bids: [], asks: [] }))
    assert(event?._tag === "BookSnapshot")
    assert.deepStrictEqual([event.bids, event.asks], [[], []])
  })

  it("of a token that is not subscribed is ignored", () => {
    assert.deepStrictEqual(read(book({ asset_id: "999" })), [])
  })

  it("comes in an array or by itself, and one that is bad costs the others nothing", () => {
    const { faults, read, tally } = makeReader()
    const events = read([book({ bids: "none" }), book({ asset_id: "222" })])
    assert.deepStrictEqual(
      events.map((event) => event._tag),
      ["MessageRejected", "BookSnapshot"]
    )
    assert.deepStrictEqual(Object.fromEntries(tally.messages), { book: 1 })
    assert.deepStrictEqual(Object.fromEntries(tally.errors), { malformed: 1 })
    assert.match(faults[0]![1], /^book: bids: a list expected/)
  })
})

describe("other messages", () => {
  it("tell of trades, tick sizes, best quotes, new and resolved markets", () => {
    const base = { market: M, asset_id: "111", timestamp: String(T) }
    const [trade] = read({
      ...base,
      event_type: "last_trade_price",
      price: "0.51",
      size: "5",
      side: "BUY",
      fee_rate_bps: "0",
      transaction_hash: "0xf"
    })
    assert(trade?._tag === "Trade")
    assert.deepInclude(trade, { takerSide: "buy", price: price("0.51"), tradeId: "0xf" })
    const [tick] = read({ ...base, event_type: "tick_size_change", old_tick_size: "0.01", new_tick_size: "0.001" })
    assert(tick?._tag === "TickSizeChange")
    assert.deepInclude(tick, {
      instrumentId: id,
      tickSize: price("0.001"),
      priceBands: gridOf(["0.001", "0.999", "0.001"])
    })
    const [quote] = read({ ...base, event_type: "best_bid_ask", best_bid: "0.41", best_ask: "1", spread: "0.59" })
    assert(quote?._tag === "BestQuote")
    assert.deepInclude(quote, { bid: price("0.41"), ask: -1 })
    const [listed] = read({
      event_type: "new_market",
      market: "0xdef",
      question: "?",
      slug: "s",
      assets_ids: ["7", "8"],
      outcomes: ["Up", "Down"],
      tags: ["crypto"],
      order_price_min_tick_size: "0.01",
      timestamp: String(T)
    })
    assert(listed?._tag === "MarketListed")
    assert.deepInclude(listed.market, { id: marketId(venue, "0xdef"), status: "open", tags: ["crypto"] })
    assert.deepStrictEqual(
      listed.market.outcomes.map((outcome) => outcome.name),
      ["Up", "Down"]
    )
    const [resolved] = read({
      event_type: "market_resolved",
      market: M,
      assets_ids: ["111", "222"],
      winning_asset_id: "222",
      winning_outcome: "No",
      timestamp: String(T)
    })
    assert(resolved?._tag === "MarketResolved")
    assert.deepInclude(resolved, { marketId: marketId(venue, M), winner: other })
  })

  it("of a new market that are incomplete are counted, and no book is doubted for them", () => {
    const { read, tally } = makeReader()
    assert.deepStrictEqual(
      read({ event_type: "new_market", market: "0xdef", slug: "s", assets_ids: [], outcomes: [], timestamp: "1" }),
      []
    )
    assert.deepStrictEqual(Object.fromEntries(tally.errors), { malformed: 1 })
  })

  it("of unknown types, or none, are counted and change nothing", () => {
    const { faults, read, tally } = makeReader()
    for (const frame of ["null", "[]", "{}", "42", '"text"', "true", '[null,1,"x",[],{}]', '{"event_type":7}']) {
      assert.deepStrictEqual(read(frame), [])
    }
    assert.deepStrictEqual(read({ event_type: "liquidity_report", market: M, asset_id: "111" }), [])
    assert.deepStrictEqual(Object.fromEntries(tally.errors), { untyped: 11, "unknown-type": 1 })
    assert.include(
      faults.map(([kind]) => kind),
      "unknown-type liquidity_report"
    )
  })

  it("that are no JSON at all are the venue talking", () => {
    const { read, tally } = makeReader()
    assert.deepStrictEqual([...read("NO NEW ASSETS"), ...read(""), ...read("PONG")], [])
    assert.deepStrictEqual(Object.fromEntries(tally.errors), { "not-json": 3 })
  })
})

describe("a message that cannot be used", () => {
  const bad = [
    "NaN",
    "-1",
    "1e9",
    "1.5",
    "",
    "Infinity",
    "1e-9",
    "0",
    "1",
    "0.4.1",
    " 0.41",
    "0,41",
    "0x1",
    "٠.٤",
    null,
    true,
    {},
    [],
    ["0.41"],
    -0.1,
    1e-9
  ]
  for (const value of bad) {
    it(`for its price of ${JSON.stringify(value)} is rejected whole, and both books of its market are named`, () => {
      const { read, tally } = makeReader()
      const events = read(priceChange(entry(mirrored), entry({ price: value })))
      assert.strictEqual(events.length, 1)
      const [event] = events
      assert(event?._tag === "MessageRejected")
      assert.sameMembers([...event.instrumentIds], [id, other])
      assert.match(event.reason, /price_change: price_changes\[1\]\.price: /)
      assert.deepStrictEqual(Object.fromEntries(tally.messages), {})
      assert.deepStrictEqual(Object.fromEntries(tally.errors), { malformed: 1 })
    })
  }

  it("for its size is rejected too, though a size may be any amount or none", () => {
    for (const value of ["-1", "NaN", "", "1e9", "0.0000001", "99999999999999999999", null]) {
      assert.strictEqual(read(priceChange(entry({ size: value })))[0]?._tag, "MessageRejected", String(value))
    }
    for (const value of ["0", "0.000001", "9000000000", ".5"]) {
      assert.strictEqual(read(priceChange(entry({ size: value })))[0]?._tag, "BookChange", value)
    }
  })

  it("for its time is rejected: a time far ahead would make all that follows look old", () => {
    for (const timestamp of ["", "soon", "-1", "0", "1790766981628000", "9007199254740991", null]) {
      assert.strictEqual(read(book({ timestamp }))[0]?._tag, "MessageRejected", String(timestamp))
    }
  })

  it("for a side, a level or a list that is none is rejected", () => {
    const frames = [
      priceChange(entry({ side: "HOLD" })),
      { ...priceChange(), price_changes: { 0: entry() }, asset_id: "111" },
      { ...priceChange(), price_changes: [null], asset_id: "111" },
      book({ bids: [["0.41", "100"]] }),
      book({ asks: [{ price: "0.43" }] }),
      book({ bids: undefined })
    ]
    for (const frame of frames) assert.strictEqual(read(frame)[0]?._tag, "MessageRejected", JSON.stringify(frame))
  })

  it("because it was cut off names every book that it may have been about", () => {
    const whole = JSON.stringify(priceChange(entry(), entry(mirrored)))
    const from = whole.indexOf(M) + M.length + 1
    for (let length = from; length < whole.length; length++) {
      const { read, tally } = makeReader()
      const [event] = read(whole.slice(0, length))
      assert(event?._tag === "MessageRejected", whole.slice(0, length))
      assert.sameMembers([...event.instrumentIds], [id, other])
      assert.deepStrictEqual(Object.fromEntries(tally.errors), { truncated: 1 })
    }
    assert.deepStrictEqual(read(whole.slice(0, 10)), [], "of which nothing is known")
  })

  it("is shown to the log in part only", () => {
    const { faults, read } = makeReader()
    read(priceChange(entry({ price: "9".repeat(10_000) })))
    const [[kind, detail, sample]] = faults as [readonly [string, string, string]]
    assert.strictEqual(kind, "malformed price_change")
    assert.isAtMost(detail.length, 300)
    assert.isAtMost(sample.length, 300)
  })
})

describe("whatever a frame holds", () => {
  const key = fc.oneof(
    fc.constantFrom(
      "event_type",
      "market",
      "asset_id",
      "timestamp",
      "price_changes",
      "changes",
      "bids",
      "asks",
      "price",
      "size",
      "side",
      "hash",
      "__proto__",
      "constructor",
      "toString"
    ),
    fc.string()
  )
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(
      "book",
      "price_change",
      "last_trade_price",
      "111",
      "222",
      "999",
      M,
      "0.4",
      "BUY",
      String(T)
    ),
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt().map(String)
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 8 }),
      fc.record(
        {
          event_type: fc.constantFrom(
            "book",
            "price_change",
            "last_trade_price",
            "tick_size_change",
            "best_bid_ask",
            "new_market",
            "market_resolved"
          ),
          asset_id: fc.constantFrom<unknown>("111", "222", "999", 111, null),
          market: fc.constant(M),
          timestamp: tie("value"),
          price_changes: tie("value"),
          bids: tie("value"),
          asks: tie("value"),
          price: tie("value"),
          size: tie("value"),
          side: tie("value")
        },
        { requiredKeys: ["event_type"] }
      )
    )
  }))

  it("it never throws, and what comes out is sound", () => {
    const before = Object.getOwnPropertyNames(Object.prototype).sort()
    fc.assert(
      fc.property(
        fc.oneof(
          value.map((any) => JSON.stringify(any) ?? "undefined"),
          fc.string(),
          fc.json()
        ),
        (frame) => {
          for (const event of read(frame)) {
            if (event._tag === "BookChange") {
              assert.isTrue(event.price > 0 && event.price < SCALE)
              assert.isTrue(Number.isSafeInteger(event.size) && event.size >= 0)
              assert.isTrue(event.venueTime > 1e9 && event.venueTime < 1e13)
            } else if (event._tag === "MessageRejected") assert.isAbove(event.instrumentIds.length, 0)
          }
        }
      ),
      { numRuns: 1500 }
    )
    assert.deepStrictEqual(Object.getOwnPropertyNames(Object.prototype).sort(), before)
    assert.isUndefined(({} as Record<string, unknown>)["asset_id"])
  })

  it("keys that an object already has do no harm", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const { read, tally } = makeReader()
      assert.deepStrictEqual(read(priceChange(entry({ asset_id: name }))), [])
      assert.deepStrictEqual(read(`{"event_type":"${name}"}`), [])
      assert.deepStrictEqual(
        read(`{"event_type":"book","asset_id":"111","${name}":{"price":"0.1"}}`)[0]?._tag,
        "MessageRejected"
      )
      assert.strictEqual(tally.errors.get("unknown-type"), 1)
    }
  })

  it("a hostile venue cannot make the counters grow without end", () => {
    const { read, tally } = makeReader()
    for (let i = 0; i < 1000; i++) read({ event_type: `kind ${i}` })
    assert.isAtMost(tally.messages.size + tally.errors.size, 130)
  })
})

describe.skipIf(!haveRecordings)("captured frames", () => {
  const folder = "venues/samples/polymarket"
  const samples: ReadonlyArray<readonly [name: string, tag: FeedEvent["_tag"], events: number]> = [
    ["ws-market-initial-dump.frame.json", "BookSnapshot", 2],
    ["ws-market-initial-dump-protocol-v2.frame.json", "BookSnapshot", 1],
    ["ws-market-price-change.frame.json", "BookChange", 2],
    ["ws-market-price-change-single.frame.json", "BookChange", 2],
    ["ws-market-price-change-docs-2025.json", "BookChange", 3],
    ["ws-market-price-change-legacy-2024.json", "BookChange", 1],
    ["ws-market-book-after-trade.frame.json", "BookSnapshot", 1],
    ["ws-market-book-2024.json", "BookSnapshot", 1],
    ["ws-market-last-trade-price.frame.json", "Trade", 1],
    ["ws-market-last-trade-2024.json", "Trade", 1],
    ["ws-market-tick-size-change-2025.json", "TickSizeChange", 1],
    ["ws-market-best-bid-ask.docs.json", "BestQuote", 1],
    ["ws-market-new-market-2026-10.json", "MarketListed", 1],
    ["ws-market-new-market.docs.json", "MarketListed", 1],
    ["ws-market-resolved.docs.json", "MarketResolved", 1]
  ]
  for (const [name, tag, count] of samples) {
    it(`${name} decodes to ${count} × ${tag}`, () => {
      const frame = text(`${folder}/${name}`)
      const replay = Replay.make(Replay.instrumentsOf([frame]))
      const events = replay.decoded(frame)
      assert.deepStrictEqual(replay.faults, [])
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        Array.from({ length: count }, () => tag)
      )
    })
  }

  it("of the user channel are none of this channel's", () => {
    const frame = text(`${folder}/ws-user-order-placement-2024.json`)
    const replay = Replay.make(Replay.instrumentsOf([frame]))
    assert.deepStrictEqual(replay.decoded(frame), [])
    assert.deepStrictEqual(Object.fromEntries(replay.tally.errors), { "unknown-type": 1 })
  })
})
