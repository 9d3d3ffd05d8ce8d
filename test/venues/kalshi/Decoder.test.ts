import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import { formatDecimal, SCALE } from "../../../src/domain/Money.ts"
import type { Level } from "../../../src/domain/OrderBook.ts"
import { restSnapshot } from "../../../src/venues/kalshi/Normalize.ts"
import * as Sequence from "../../../src/venues/kalshi/Sequence.ts"
import { gridOf, price } from "../../support/Events.ts"
import { delta, instrumentOf, makeReader, NOW, snapshot } from "./Fixtures.ts"

const shown = (levels: ReadonlyArray<Level>) =>
  levels.map(({ price, size }) => [formatDecimal(price), formatDecimal(size)])

describe("books", () => {
  it("has one YES book: bids for NO on the YES scale are asks", () => {
    const reader = makeReader(["A"])
    reader.feed(
      snapshot(
        1,
        1,
        "A",
        [
          ["0.4600", "2.00"],
          ["0.4700", "3.00"]
        ],
        [
          ["0.5200", "1.00"],
          ["0.5300", "4.00"]
        ]
      )
    )
    const { asks, bids, status } = reader.view("A")
    assert.deepStrictEqual(shown(bids), [
      ["0.47", "3"],
      ["0.46", "2"]
    ])
    assert.deepStrictEqual(shown(asks), [
      ["0.52", "1"],
      ["0.53", "4"]
    ])
    assert.strictEqual(status, "live")
  })

  it("mirrors bids for NO where they come in NO prices", () => {
    const reader = makeReader(["A"], "no")
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], [["0.4800", "2.00"]]),
      delta(1, 2, "A", "no", "0.4800", "1.50")
    )
    assert.deepStrictEqual(shown(reader.view("A").asks), [["0.52", "3.5"]])
  })

  it("counts changes instead of replacing sizes", () => {
    const reader = makeReader(["A"])
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], []),
      delta(1, 2, "A", "yes", "0.4700", "2.50"),
      delta(1, 3, "A", "yes", "0.4700", "-1.00"),
      delta(1, 4, "A", "yes", "0.4700", "-0.01"),
      delta(1, 5, "A", "no", "0.6000", "7.77")
    )
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.47", "4.49"]])
    assert.deepStrictEqual(shown(reader.view("A").asks), [["0.6", "7.77"]])
    reader.feed(delta(1, 6, "A", "yes", "0.4700", "-4.49"))
    assert.deepStrictEqual(reader.view("A").bids, [])
    assert.strictEqual(reader.view("A").status, "live")
  })

  it("keeps levels below a cent apart", () => {
    const reader = makeReader(["A"])
    reader.feed(
      snapshot(
        1,
        1,
        "A",
        [
          ["0.0080", "100.00"],
          ["0.0090", "50.00"]
        ],
        [
          ["0.9911", "1.00"],
          ["0.9912", "2.00"]
        ]
      ),
      delta(1, 2, "A", "yes", "0.0080", "-100.00")
    )
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.009", "50"]])
    assert.deepStrictEqual(shown(reader.view("A").asks), [
      ["0.9911", "1"],
      ["0.9912", "2"]
    ])
  })

  it("doubts a book when a level falls below zero", () => {
    const reader = makeReader(["A", "B"])
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], []),
      snapshot(1, 2, "B", [["0.4700", "3.00"]], []),
      delta(1, 3, "A", "yes", "0.4700", "-3.01")
    )
    assert.strictEqual(reader.view("A").status, "suspect")
    assert.strictEqual(reader.view("B").status, "live")
    assert.deepStrictEqual(reader.resyncs, ["kalshi:A"])
  })

  it("never drops a change for bearing an older time than the snapshot before it", () => {
    const reader = makeReader(["A"])
    reader.feed(snapshot(1, 1, "A", [["0.4700", "3.00"]], []), delta(1, 2, "A", "yes", "0.4700", "1.00", NOW - 60_000))
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.47", "4"]])
  })

  it("takes the missing side of a book for an empty one", () => {
    const reader = makeReader(["A"])
    reader.feed(snapshot(1, 1, "A", [], []))
    assert.deepStrictEqual([reader.view("A").bids, reader.view("A").asks], [[], []])
    assert.strictEqual(reader.view("A").status, "live")
  })
})

describe("sequence", () => {
  it("makes every book of the subscription suspect at once, and drops what follows until a snapshot", () => {
    const reader = makeReader(["A", "B"])
    reader.feed(snapshot(1, 1, "A", [["0.4700", "3.00"]], []), snapshot(1, 2, "B", [["0.3000", "1.00"]], []))
    const events = reader.feed(delta(1, 4, "A", "yes", "0.4700", "5.00"))
    assert.deepStrictEqual(
      events.filter(({ _tag }) => _tag === "BookStatusChanged").map((event) => "status" in event && event.status),
      ["suspect", "suspect"]
    )
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.47", "3"]])
    assert.deepStrictEqual(reader.resyncs, ["kalshi:A", "kalshi:B"])
    reader.feed(snapshot(1, 5, "A", [["0.4700", "9.00"]], []))
    assert.strictEqual(reader.view("A").status, "live")
    const healed = reader.feed(snapshot(1, 6, "B", [["0.3000", "2.00"]], []))
    assert.deepStrictEqual(
      healed.flatMap((event) => (event._tag === "Gap" ? [event.instrumentId] : [])),
      [null],
      "one gap for both"
    )
  })

  it("takes a message that comes late after the gap for a duplicate", () => {
    const reader = makeReader(["A"])
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], []),
      delta(1, 3, "A", "yes", "0.4700", "1.00"),
      delta(1, 2, "A", "yes", "0.4700", "1.00")
    )
    assert.strictEqual(reader.view("A").status, "suspect")
    assert.strictEqual(reader.tally.errors.get("duplicate"), 1)
  })

  it("ignores what comes twice", () => {
    const reader = makeReader(["A"])
    const twice = delta(1, 2, "A", "yes", "0.4700", "1.00")
    reader.feed(snapshot(1, 1, "A", [["0.4700", "3.00"]], []), twice, twice)
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.47", "4"]])
    assert.strictEqual(reader.view("A").status, "live")
  })

  it("counts acknowledgements, foreign markets and messages that it cannot use", () => {
    const reader = makeReader(["A"])
    reader.feed(
      `{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}`,
      `{"type":"ok","id":2,"sid":1,"seq":1,"msg":{"market_tickers":["A"]}}`,
      snapshot(1, 2, "A", [["0.4700", "3.00"]], []),
      delta(1, 3, "OTHER", "yes", "0.4700", "1.00"),
      `{"type":"something_new","sid":1,"seq":4,"msg":{}}`,
      `{"type":"unsubscribed","id":3,"sid":7,"seq":1}`,
      delta(1, 5, "A", "yes", "0.4700", "1.00")
    )
    assert.strictEqual(reader.view("A").status, "live")
    assert.deepStrictEqual(shown(reader.view("A").bids), [["0.47", "4"]])
    assert.isFalse(reader.tally.errors.has("gap"))
  })

  it("doubts only the market of a message that is malformed", () => {
    const reader = makeReader(["A", "B"])
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], []),
      snapshot(1, 2, "B", [["0.4700", "3.00"]], []),
      delta(1, 3, "A", "yes", "0.4700", "1e2"),
      delta(1, 4, "B", "yes", "0.4700", "1.00")
    )
    assert.strictEqual(reader.view("A").status, "suspect")
    assert.strictEqual(reader.view("B").status, "live")
  })

  it("says that trades are missing without doubting a book", () => {
    const reader = makeReader(["A"])
    const trade = (seq: number) =>
      `{"type":"trade","sid":2,"seq":${seq},"msg":{"trade_id":"t${seq}","market_ticker":"A","yes_price_dollars":"0.3600","no_price_dollars":"0.6400","count_fp":"136.00","taker_outcome_side":"no","ts_ms":1790000000000}}`
    reader.feed(
      snapshot(1, 1, "A", [["0.4700", "3.00"]], []),
      `{"type":"subscribed","id":2,"msg":{"channel":"trade","sid":2}}`
    )
    const events = reader.read(trade(1), trade(3))
    assert.deepStrictEqual(
      events.map(({ _tag }) => _tag),
      ["Trade", "MessageRejected", "Trade"]
    )
    reader.keeper.apply(events)
    assert.strictEqual(reader.view("A").status, "live")
    assert.strictEqual(events[0]!._tag === "Trade" && events[0].takerSide, "sell")
  })

  it("refuses what still comes of a subscription that ended", () => {
    const reader = makeReader(["A"])
    reader.feed(snapshot(1, 1, "A", [["0.4700", "3.00"]], []))
    const lost = reader.read(`{"type":"error","sid":1,"msg":{"code":25,"msg":"Subscription buffer overflow"}}`)
    assert.deepStrictEqual(
      lost.map(({ _tag }) => _tag),
      ["SequenceGap"]
    )
    assert.deepStrictEqual(reader.controls, [
      { _tag: "Ended", channel: "orderbook_delta", reason: "25 Subscription buffer overflow" }
    ])
    reader.keeper.apply(lost)
    assert.strictEqual(reader.view("A").status, "suspect")
    assert.deepStrictEqual(reader.read(snapshot(1, 2, "A", [["0.4700", "9.00"]], [])), [])
    reader.feed(
      `{"type":"subscribed","id":9,"msg":{"channel":"orderbook_delta","sid":5}}`,
      snapshot(5, 1, "A", [["0.4700", "4.00"]], [])
    )
    assert.strictEqual(reader.view("A").status, "live")
  })

  it("finds every hole and nothing else, whatever the order of arrival", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 }), (numbers) => {
        const sequence = Sequence.make()
        let highest = 0
        for (const seq of numbers) {
          const place = sequence.place(1, seq)
          assert.strictEqual(place, seq <= highest ? "duplicate" : seq === highest + 1 ? "next" : "gap")
          highest = Math.max(highest, seq)
          assert.strictEqual(sequence.due(1), highest + 1)
          assert.strictEqual(sequence.due(2), 1, "other subscriptions count for themselves")
        }
      })
    )
  })
})

describe("exactness", () => {
  const ladder = fc.uniqueArray(
    fc.record({ price: fc.integer({ min: 1, max: 9_999 }), size: fc.integer({ min: 1, max: 10_000_000 }) }),
    { selector: ({ price }) => price, maxLength: 40 }
  )
  const priceText = (n: number) => (n / 10_000).toFixed(4)
  const sizeText = (n: number) => (n / 100).toFixed(2)

  it("mirrors every ladder of NO exactly, to a hundredth of a cent", () => {
    fc.assert(
      fc.property(ladder, (levels) => {
        const no = levels.map(({ price, size }) => [priceText(price), sizeText(size)] as const)
        const book = Either.getOrThrow(restSnapshot({ no_dollars: no }, instrumentOf("A").id, NOW, "rest"))
        assert.deepStrictEqual(
          book.asks.map(({ price, size }) => [price, size]),
          levels.map(({ price, size }) => [SCALE - price * 100, size * 10_000])
        )
      })
    )
  })

  it("sums any run of changes to the same book, on either scale", () => {
    const change = fc.record({
      side: fc.constantFrom("yes" as const, "no" as const),
      price: fc.integer({ min: 1, max: 40 }),
      amount: fc.integer({ min: -500, max: 500 })
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
        const sizes = new Map<string, number>()
        const yesScale = makeReader(["A"], "yes")
        const noScale = makeReader(["A"], "no")
        for (const reader of [yesScale, noScale]) reader.feed(snapshot(1, 1, "A", [], []))
        let seq = 1
        for (const { amount, price, side } of changes) {
          const key = `${side} ${price}`
          // Bids stay below a half and asks above, so that the book never crosses.
          const size = sizes.get(key) ?? 0
          const by = Math.max(amount, -size)
          sizes.set(key, size + by)
          seq++
          const text = (by / 100).toFixed(2)
          yesScale.feed(delta(1, seq, "A", side, priceText(side === "yes" ? price : 10_000 - price), text))
          noScale.feed(delta(1, seq, "A", side, priceText(price), text))
        }
        const expected = (side: string) =>
          [...sizes]
            .filter(([key, size]) => key.startsWith(side) && size > 0)
            .map(([key, size]) => [Number(key.split(" ")[1]) * 100, size * 10_000] as const)
            .sort(([a], [b]) => b - a)
        for (const reader of [yesScale, noScale]) {
          const { asks, bids, status } = reader.view("A")
          assert.strictEqual(status, "live")
          assert.deepStrictEqual(
            bids.map(({ price, size }) => [price, size] as const),
            expected("yes")
          )
          assert.deepStrictEqual(
            asks.map(({ price, size }) => [SCALE - price, size] as const),
            expected("no")
          )
        }
      }),
      { numRuns: 60 }
    )
  })
})

describe("best quotes", () => {
  const ticker = (bid: string, ask: string, ts: number, askSize = "150.00") =>
    `{"type":"ticker","sid":3,"msg":{"market_ticker":"A","price_dollars":"0.4800","yes_bid_dollars":"${bid}","yes_ask_dollars":"${ask}","yes_bid_size_fp":"300.00","yes_ask_size_fp":"${askSize}","ts":1790000000,"ts_ms":${ts}}}`
  const settled = (reader: ReturnType<typeof makeReader>, after: number) => {
    const out: Array<never> = []
    reader.decoder.settle(NOW + after, out)
    return out as ReadonlyArray<{ _tag: string; bid: number; ask: number }>
  }

  it("are compared once nothing was said for a while", () => {
    const reader = makeReader(["A"])
    reader.feed(snapshot(1, 1, "A", [["0.4500", "3.00"]], []))
    assert.deepStrictEqual(reader.read(ticker("0.4500", "1.0000", 1_790_000_000_100, "0.00")), [])
    assert.deepStrictEqual(settled(reader, 1_000), [])
    assert.deepStrictEqual(
      settled(reader, 3_000).map(({ ask, bid }) => [bid, ask]),
      [[450_000, -1]]
    )
    assert.deepStrictEqual(settled(reader, 9_000), [], "once")
  })

  it("are forgotten when the book moves after them", () => {
    const reader = makeReader(["A"])
    reader.read(ticker("0.4500", "0.5300", 1_790_000_000_100), delta(1, 1, "A", "yes", "0.4600", "1.00"))
    assert.deepStrictEqual(settled(reader, 9_000), [])
  })
})

describe("lifecycle", () => {
  const lifecycle = (msg: object) => JSON.stringify({ type: "market_lifecycle_v2", sid: 4, msg })

  it("resolves at the determination, and keeps the winner for the settlement, which does not name it", () => {
    const reader = makeReader(["A"])
    const events = reader.read(
      lifecycle({
        market_ticker: "A",
        event_type: "determined",
        result: "no",
        determination_ts: 1_784_501_722,
        settlement_value: "0.0000"
      }),
      lifecycle({ market_ticker: "A", event_type: "settled", settled_ts: 1_784_501_782 }),
      lifecycle({ market_ticker: "UNWATCHED", event_type: "determined", result: "yes" })
    )
    assert.deepStrictEqual(
      events.map(
        (event): unknown => event._tag === "MarketResolved" && [event.marketId, event.winner, event.venueTime]
      ),
      [
        ["kalshi:A", "kalshi:A:no", 1_784_501_722_000],
        ["kalshi:A", "kalshi:A:no", 1_784_501_782_000]
      ]
    )
  })

  it("lists what is created, except combinations", () => {
    const reader = makeReader([])
    const created = (market_ticker: string, open_ts: number) =>
      lifecycle({
        market_ticker,
        event_type: "created",
        open_ts,
        close_ts: 1_800_000_000,
        price_level_structure: "linear_cent",
        additional_metadata: { title: "S&P 500 closes up?", yes_sub_title: "0.02%+", event_ticker: "INX" }
      })
    const events = reader.read(created("INX-1", 1), created("INX-2", 1_900_000_000), created("KXMVE-1", 1))
    assert.deepStrictEqual(
      events.map(
        (event) => event._tag === "MarketListed" && [event.market.id, event.market.status, event.market.question]
      ),
      [
        ["kalshi:INX-1", "open", "S&P 500 closes up?: 0.02%+"],
        ["kalshi:INX-2", "closed", "S&P 500 closes up?: 0.02%+"]
      ]
    )
  })

  it("follows the grid of prices and the time of closing", () => {
    const reader = makeReader(["A"])
    const events = reader.read(
      lifecycle({
        market_ticker: "A",
        event_type: "price_level_structure_updated",
        price_level_structure: "tapered_deci_cent",
        price_ranges: [
          { start: "0.0000", end: "0.1000", step: "0.0010" },
          { start: "0.1000", end: "0.9000", step: "0.0100" },
          { start: "0.9000", end: "1.0000", step: "0.0010" }
        ]
      }),
      lifecycle({ market_ticker: "A", event_type: "close_date_updated", close_ts: 1_800_000_000 }),
      lifecycle({ market_ticker: "A", event_type: "deactivated", is_deactivated: true }),
      lifecycle({ market_ticker: "A", event_type: "invented_later" })
    )
    assert.deepStrictEqual(
      events.map(({ _tag }) => _tag),
      ["TickSizeChange", "MarketListed"]
    )
    assert.deepInclude(events[0], {
      tickSize: price("0.001"),
      priceBands: gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"])
    })
  })

  it("takes a grid by its label, and neither one that it does not know nor one that is none", () => {
    const reader = makeReader(["A"])
    const update = (fields: object) =>
      reader.read(lifecycle({ market_ticker: "A", event_type: "price_level_structure_updated", ...fields }))
    const [byLabel] = update({ price_level_structure: "deci_cent" })
    assert.deepInclude(byLabel, { tickSize: price("0.001"), priceBands: gridOf(["0", "1", "0.001"]) })
    const range = { start: "0.0000", end: "1.0000", step: "0.0000" }
    assert.deepStrictEqual(update({ price_level_structure: "deci_cent", price_ranges: [range] }), [])
    assert.deepStrictEqual(update({ price_level_structure: "banded_centi_cent" }), [])
    assert.strictEqual(reader.tally.errors.get("malformed"), 2)
  })
})

describe("errors", () => {
  it("are told with the command or the subscription that they are about", () => {
    const reader = makeReader([])
    reader.read(
      `{"id":126,"type":"error","msg":{"code":9,"msg":"Authentication required"}}`,
      `{"type":"error","sid":3,"seq":4,"msg":{"code":25,"msg":"Subscription buffer overflow"}}`,
      `{"id":127,"type":"error","msg":{"code":16,"msg":"Market not found","market_ticker":"X"}}`
    )
    assert.deepStrictEqual(
      reader.controls.map(
        (control) => control._tag === "Refused" && [control.id, control.sid, control.code, control.tickers]
      ),
      [
        [126, undefined, 9, []],
        [undefined, 3, 25, []],
        [127, undefined, 16, ["X"]]
      ]
    )
  })

  it("survives anything", () => {
    const reader = makeReader(["A"])
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.constantFrom(`{"type":7}`, `[]`, `{"type":"orderbook_delta"}`)),
        (frame) => {
          reader.read(frame)
        }
      )
    )
  })
})
