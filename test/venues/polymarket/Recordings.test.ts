/** What the venue really sent, through the decoder, the books and the verifier. */
import { assert, describe, it } from "@effect/vitest"
import type { MarketEvent } from "../../../src/domain/MarketEvent.ts"
import { formatDecimal } from "../../../src/domain/Money.ts"
import * as OrderBook from "../../../src/domain/OrderBook.ts"
import { restSnapshot } from "../../../src/venues/polymarket/Normalize.ts"
import * as Verifier from "../../../src/venues/polymarket/Verifier.ts"
import type { RestBook } from "../../../src/venues/polymarket/Wire.ts"
import { instrument, market } from "../../support/Events.ts"
import { haveRecordings, json, lines, text } from "../../support/Recordings.ts"
import * as Replay from "./Replay.ts"

const changes = (events: ReadonlyArray<MarketEvent>) =>
  events.flatMap((event) => (event._tag === "BookStatusChanged" ? [`${event.status}: ${event.reason}`] : []))

/** Python's print of a JSON value. */
const fromPython = (line: string): string => line.replaceAll("'", '"')

describe.skipIf(!haveRecordings)("the session of 2026-09-30", () => {
  interface Line {
    readonly receivedAt: string
    readonly payloadUtf8: string
  }
  const read = (): ReadonlyArray<Replay.Frame> =>
    lines("venues/samples/polymarket/ws-market-session-2026-09-30.jsonl")
      .map((line) => JSON.parse(line) as Line)
      .filter(({ payloadUtf8 }) => payloadUtf8 !== "PONG")
      .map(({ payloadUtf8, receivedAt }) => ({ text: payloadUtf8, at: Date.parse(receivedAt) }))
  const A = "58726851105893121441976415044785550794620582864839872973127370351200548678811"
  const begin = () => {
    const frames = read()
    const replay = Replay.make(Replay.instrumentsOf(frames.map((frame) => frame.text)))
    const tokens = [...replay.keeper.ids()].map((id) => id.slice("polymarket:".length))
    const B = tokens.find((token) => token !== A)!
    return { frames, replay, B }
  }

  it("is proved hash by hash: dump, every operation, and the books of the trades", () => {
    const { frames, replay } = begin()
    replay.play(frames.slice(0, 21))
    const { counters } = replay.keeper
    assert.deepInclude(counters, { snapshots: 2, applied: 40, mismatches: 0, unverifiable: 0, outdated: 0, early: 0 })
    // Of an operation of eight frames only the last can be proved, for both tokens.
    assert.strictEqual(counters.verified, 2 + 40 - 14)
    replay.play(frames.slice(21))
    assert.strictEqual(counters.mismatches, 0)
    assert.strictEqual(counters.verified, 2 + 40 - 14 + 3)
    assert.deepStrictEqual(replay.faults, [])
    assert.deepStrictEqual(Object.fromEntries(replay.tally.messages), {
      book: 2 + 3,
      price_change: 20,
      last_trade_price: 2
    })
  })

  it("leaves both books live, until a trade brings the book of one token only", () => {
    const { B, frames, replay } = begin()
    replay.play(frames)
    assert.deepStrictEqual([replay.status(A), replay.status(B)], ["live", "live"])
    const later = [replay.wait(1900), replay.wait(200)].map(changes)
    assert.deepStrictEqual(later, [[], ["suspect: a trade changed the market and no new book came"]])
    assert.deepStrictEqual([replay.status(A), replay.status(B)], ["suspect", "live"])
  })

  it("has books that are each other's mirror after every operation", () => {
    const { B, frames, replay } = begin()
    const flip = (price: string) => formatDecimal(1_000_000 - Math.round(Number(price) * 1_000_000))
    let compared = 0
    for (const frame of frames.slice(0, 21)) {
      replay.play([frame])
      const [a, b] = [replay.wire(A), replay.wire(B)]
      const mirrored = a.asks.map(({ price, size }) => ({ price: flip(price), size }))
      assert.deepStrictEqual(b.bids, mirrored)
      compared += mirrored.length
    }
    assert.isAbove(compared, 500)
  })

  it("with any one frame of it lost leaves no wrong book live for longer than the graces", () => {
    const { B, frames, replay: whole } = begin()
    whole.play(frames.slice(0, 21))
    let found = 0
    for (let lost = 1; lost < 20; lost++) {
      const { replay } = begin()
      replay.play([...frames.slice(0, lost), ...frames.slice(lost + 1, 21)])
      replay.wait(250)
      for (const token of [A, B]) {
        // A later change of the same level may have made up for it, which the hash proves.
        if (replay.status(token) === "live") assert.deepStrictEqual(replay.wire(token), whole.wire(token))
        else found++
      }
    }
    assert.isAtLeast(found, 20)
  })
})

describe.skipIf(!haveRecordings)("short recordings of the socket", () => {
  const frames = (name: string) =>
    (json(`captures/polymarket_ws/${name}`) as ReadonlyArray<unknown>).map((one) => JSON.stringify(one))

  it("of June 2026 are proved to the last change, and what is older than its snapshot is dropped", () => {
    const all = frames("cepiokta_ws_market_capture.json")
    const replay = Replay.make(Replay.instrumentsOf(all))
    const events = replay.play(all)
    assert.deepInclude(replay.keeper.counters, { snapshots: 2, outdated: 4, applied: 6, verified: 8, mismatches: 0 })
    assert.deepStrictEqual(replay.faults, [])
    const dumped = events.flatMap((event) => (event._tag === "BookSnapshot" ? [event.venueTime] : []))
    for (const event of events) {
      if (event._tag === "BookChange") assert.isAtLeast(event.venueTime, Math.min(...dumped))
    }
    replay.wait(5_000)
    for (const id of replay.keeper.ids()) assert.strictEqual(replay.keeper.view(id)?.status, "live")
  })

  it("of three books are proved, with every repetition in them", () => {
    const all = frames("funkekaiser_ws_market_capture.json")
    const replay = Replay.make(Replay.instrumentsOf(all))
    replay.play(all)
    replay.wait(5_000)
    assert.deepInclude(replay.keeper.counters, {
      snapshots: 3,
      applied: 8,
      verified: 11,
      mismatches: 0,
      unverifiable: 0
    })
    for (const id of replay.keeper.ids()) assert.strictEqual(replay.keeper.view(id)?.verifiedBy, "digest")
  })

  it("of February 2026 hold books that are proved one by one", () => {
    const all = lines("captures/polymarket_ws/ssmd_polymarket_book.jsonl")
    const replay = Replay.make(Replay.instrumentsOf(all))
    replay.play(all)
    assert.deepInclude(replay.keeper.counters, { snapshots: 10, verified: 10 })
    const trades = lines("captures/polymarket_ws/ssmd_polymarket_trade.jsonl")
    const events = trades.flatMap((line) => Replay.make(Replay.instrumentsOf(trades)).decoded(line))
    assert.strictEqual(events.filter((event) => event._tag === "Trade").length, 10)
  })

  it("that somebody shortened prove nothing and contradict nothing", () => {
    const [book] = [text("captures/polymarket_ws/byronxlg_ws_market_book.json")]
    const replay = Replay.make(Replay.instrumentsOf([book]))
    replay.play([book])
    assert.deepInclude(replay.keeper.counters, { snapshots: 1, verified: 0, unverifiable: 1, mismatches: 0 })
  })
})

describe.skipIf(!haveRecordings)("recordings of the form before 2025-09-15", () => {
  const folder = "captures/polymarket_ws/polypy_2025-02_old_changes_format"

  it("lead to the books that REST had after each change, whose hash was that of then", () => {
    const found = lines(`${folder}/messages_hash.txt`).filter((line) => line.startsWith("{"))
    assert.strictEqual(found.length, 5)
    const [first = "", ...rest] = found
    const instruments = Replay.instrumentsOf(found)
    const replay = Replay.make(instruments)
    replay.play([first])
    assert.strictEqual(replay.keeper.counters.verified, 1, "by the recipe of 2024")
    const [[token, one]] = [...instruments] as unknown as [readonly [string, ReturnType<typeof instrument>]]
    for (let i = 0; i < rest.length; i += 2) {
      replay.play([rest[i]!])
      const truth = JSON.parse(rest[i + 1]!) as RestBook
      assert.deepStrictEqual(replay.wire(token), { bids: truth.bids, asks: truth.asks })
      const snapshot = restSnapshot(truth, one, 0)
      assert(snapshot._tag === "Right")
      const book = OrderBook.empty()
      OrderBook.applySnapshot(book, snapshot.right.bids, snapshot.right.asks)
      assert.strictEqual(Verifier.make().check(snapshot.right, book), "verified")
    }
    assert.strictEqual(replay.status(token), "live")
  })

  it("of several books decode and are proved where the venue printed the time", () => {
    for (const name of ["test_server_messages.txt", "test_server_multi_book.txt"]) {
      const all = lines(`${folder}/${name}`).map(fromPython)
      const replay = Replay.make(Replay.instrumentsOf(all))
      replay.play(all)
      assert.deepStrictEqual(replay.faults, [])
      assert.strictEqual(replay.keeper.counters.mismatches, 0)
      const books = all.filter((line) => line.includes('"event_type": "book"')).length
      assert.strictEqual(replay.keeper.counters.verified, books, `${name}: every book`)
    }
  })
})

describe.skipIf(!haveRecordings)("recorded REST books", () => {
  const books: ReadonlyArray<readonly [name: string, proved: boolean]> = [
    ["captures/polymarket_rest/trebuchet_fed-decision-june_clob-books.json", true],
    ["captures/polymarket_rest/funkekaiser_clob_book_binary.json", true],
    ["captures/polymarket_rest/funkekaiser_clob_book_negrisk_outcome.json", true],
    ["captures/polymarket_rest/denisgorbachev_clob_book_2024-10_old6field.json", true],
    ["venues/samples/polymarket/rest-book-v1.json", true],
    ["venues/samples/polymarket/rest-book-protocol-v2.json", true],
    // Its hash is of neither recipe, or its text was edited.
    ["venues/samples/polymarket/rest-book-2024.json", false]
  ]
  for (const [name, proved] of books) {
    it(`${name.split("/").at(-1)} ${proved ? "reproduces its hash" : "decodes"}`, () => {
      const value = json(name)
      const all = (Array.isArray(value) ? value : [value]) as ReadonlyArray<RestBook>
      assert.isAbove(all.length, 0)
      for (const book of all) {
        const one = instrument(market("m", {}, [book.asset_id]))
        const snapshot = restSnapshot(book, one, 0)
        assert(snapshot._tag === "Right")
        const held = OrderBook.empty()
        OrderBook.applySnapshot(held, snapshot.right.bids, snapshot.right.asks)
        assert.strictEqual(Verifier.make().check(snapshot.right, held) === "verified", proved)
      }
    })
  }
})
