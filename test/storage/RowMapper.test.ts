import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Price, Size } from "../../src/domain/Money.ts"
import * as RowMapper from "../../src/storage/RowMapper.ts"
import type { Row } from "../../src/storage/Rows.ts"
import * as Events from "./Events.ts"

const { change, epoch, level, quotes, size, snapshot, status, trade } = Events

const rowsOf = (...events: ReadonlyArray<MarketEvent>): Array<Row> => {
  const mapper = RowMapper.make()
  const rows: Array<Row> = []
  for (const event of events) mapper(event, rows)
  return rows
}

/** The rows that the database would keep: the first of each natural key. */
const kept = (...events: ReadonlyArray<MarketEvent>): Array<Row> => {
  const seen = new Set<string>()
  return rowsOf(...events).filter((row) => {
    if (row.table === "feed_events") return true
    const key = [row.table, row.instrumentId, row.venueTime, row.high, row.low].join()
    return seen.has(key) ? false : seen.add(key)
  })
}

const kinds = (...events: ReadonlyArray<MarketEvent>) =>
  rowsOf(...events).map((row) => (row.table === "feed_events" ? row.kind : row.table))

describe("what becomes a row", () => {
  it("ticks go to their tables, in order", () => {
    const rows = rowsOf(snapshot(), change(), trade(), quotes())
    assert.deepStrictEqual(
      rows.map((row) => row.table),
      ["book_snapshots", "book_changes", "trades", "best_quotes"]
    )
    assert.deepStrictEqual(
      rows.map((row) => row.sequence),
      [1, 2, 3, 4]
    )
  })

  it("a snapshot's levels are best first, and empty ones are left out", () => {
    const bids = [level("0.4", "1"), level("0.41", "2"), level("0.39", "0")]
    const asks = [level("0.44", "3"), level("0.42", "4")]
    const [row] = rowsOf(snapshot({ bids, asks }))
    assert(row?.table === "book_snapshots")
    assert.deepStrictEqual(row.bids, [level("0.41", "2"), level("0.4", "1")])
    assert.deepStrictEqual(row.asks, [level("0.42", "4"), level("0.44", "3")])
  })

  it("what the venue says besides is not stored", () => {
    const { connection, instrument, venue } = Events
    const at = { venueTime: epoch, receivedTime: epoch }
    const rows = rowsOf(
      { _tag: "Subscribed", venue, connection, instrumentIds: [instrument], receivedTime: epoch },
      { _tag: "BestQuote", instrumentId: instrument, bid: -1, ask: -1, ...at }
    )
    assert.deepStrictEqual(rows, [])
  })

  it("messages about several instruments give a row for each", () => {
    const { connection, instrument, market, other, venue } = Events
    const instrumentIds = [instrument, other]
    const rows = rowsOf(
      { _tag: "MessageRejected", venue, connection, instrumentIds, reason: "no price", receivedTime: epoch },
      { _tag: "MessageRejected", venue, connection, instrumentIds: [], reason: "not JSON", receivedTime: epoch },
      { _tag: "MarketResolved", marketId: market, instrumentIds, winner: other, venueTime: epoch, receivedTime: epoch }
    )
    assert.deepStrictEqual(
      rows.map((row) => row.table === "feed_events" && [row.kind, row.instrumentId, row.reason]),
      [
        ["rejected", instrument, "no price"],
        ["rejected", other, "no price"],
        ["rejected", null, "not JSON"],
        ["resolved", instrument, "lost"],
        ["resolved", other, "won"]
      ]
    )
  })

  it("a reason is cut, and holds nothing that a database refuses", () => {
    const [row] = rowsOf(Events.disconnected({ reason: `a\0b${"x".repeat(10_000)}` }))
    assert(row?.table === "feed_events")
    assert.strictEqual(row.reason.length, 500)
    assert.isTrue(row.reason.startsWith("a bxxx"))
  })
})

describe("the state of books", () => {
  it("says nothing of a start", () => {
    assert.deepStrictEqual(kinds(status({ status: "stale" }), status({ status: "live" })), [])
  })

  it("records what was never live if it is suspect", () => {
    assert.deepStrictEqual(kinds(status({ status: "suspect" }), status({ status: "live" })), ["suspect", "live"])
  })

  it("ends trouble with a row that spans all of it, with its first cause", () => {
    const rows = rowsOf(
      status({ status: "live" }),
      status({ status: "suspect", reason: "hash mismatch", receivedTime: epoch + 10 }),
      status({ status: "resyncing", reason: "asked for a snapshot", receivedTime: epoch + 20 }),
      status({ status: "live", receivedTime: epoch + 500 })
    )
    assert.deepStrictEqual(
      rows.map((row) => row.table === "feed_events" && [row.kind, row.from - epoch, row.to, row.reason]),
      [
        ["suspect", 10, null, "hash mismatch"],
        ["resyncing", 20, null, "asked for a snapshot"],
        ["live", 10, epoch + 500, "hash mismatch"]
      ]
    )
  })

  it("forgets an instrument that is no longer wanted", () => {
    const { connection, instrument, venue } = Events
    const receivedTime = epoch
    const ended: MarketEvent = { _tag: "Unsubscribed", venue, connection, instrumentIds: [instrument], receivedTime }
    assert.deepStrictEqual(kinds(status({ status: "live" }), ended, status({ status: "stale" })), ["unsubscribed"])
  })
})

describe("the natural key", () => {
  it("a message sent twice is one row", () => {
    assert.lengthOf(kept(change(), change()), 1)
    assert.lengthOf(kept(snapshot(), snapshot({ source: "rest", receivedTime: epoch + 900 })), 1)
    assert.lengthOf(kept(trade(), trade()), 1)
    assert.lengthOf(kept(quotes(), quotes()), 1)
  })

  it("a message sent twice is one row after a restart too", () => {
    const [first] = rowsOf(change({ size: size("7") }), change())
    const [again] = rowsOf(change({ size: size("7") }))
    assert(first?.table === "book_changes" && again?.table === "book_changes")
    assert.deepStrictEqual([first.high, first.low], [again.high, again.low])
  })

  it("a level that comes back to a size within the millisecond is a row each time", () => {
    const [five, six] = [size("5"), size("6")]
    assert.lengthOf(kept(change({ size: five }), change({ size: six }), change({ size: five })), 3)
  })

  it("so are quotes and whole books that come back", () => {
    const wide = { bid: Events.price("0.4") }
    assert.lengthOf(kept(quotes(), quotes(wide), quotes()), 3)
    assert.lengthOf(kept(snapshot(), snapshot({ bids: [] }), snapshot()), 3)
  })

  it("fills of one settlement are told apart by what the wire says of them", () => {
    const fills = [
      trade(),
      trade({ size: size("6") }),
      trade({ price: Events.price("0.43") }),
      trade({ takerSide: "sell" })
    ]
    assert.lengthOf(kept(...fills), 4)
  })

  it("a late message of an earlier millisecond keeps its own key", () => {
    const late = change({ size: size("9") })
    assert.lengthOf(kept(change(), change({ venueTime: epoch + 1 }), late), 3)
  })

  it("whatever the changes, the last one kept for each level is its state", () => {
    const changes = fc.array(
      fc.record({
        side: fc.constantFrom("bid" as const, "ask" as const),
        price: fc.integer({ min: 40, max: 43 }).map((cents) => (cents * 10_000) as Price),
        size: fc.integer({ min: 0, max: 3 }).map((n) => (n * 1_000_000) as Size),
        venueTime: fc.integer({ min: 0, max: 2 }).map((n) => epoch + n)
      }),
      { maxLength: 60 }
    )
    fc.assert(
      fc.property(changes, (fields) => {
        const sorted = fields.toSorted((a, b) => a.venueTime - b.venueTime)
        const levels = (list: ReadonlyArray<{ side: string; price: number; size: number }>) =>
          Object.fromEntries(list.map((one) => [`${one.side} ${one.price}`, one.size]))
        const rows = kept(...sorted.map((one) => change(one))).filter((row) => row.table === "book_changes")
        assert.deepStrictEqual(levels(rows), levels(sorted))
      })
    )
  })
})
