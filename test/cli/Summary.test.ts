import { assert, describe, it } from "@effect/vitest"
import * as Summary from "../../src/cli/Summary.ts"
import { observation } from "./Fixtures.ts"

describe("Summary", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [31_234, "31,234"],
    [1_234_567.6, "1,234,568"],
    [9_007_199_254_740_991, "9,007,199,254,740,991"]
  ])("groups %d as %s", (count, text) => {
    assert.strictEqual(Summary.grouped(count), text)
  })

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9_949, "9.9 kB"],
    [9_960, "10 kB"],
    [999_499, "999 kB"],
    [999_600, "1.0 MB"],
    [180_000_000, "180 MB"],
    [5e15, "5000 TB"]
  ])("writes %d bytes as %s", (count, text) => {
    assert.strictEqual(Summary.bytes(count), text)
  })

  it.each([
    [0, "0.0 s"],
    [12_340, "12.3 s"],
    [59_499, "59.5 s"],
    [59_500, "1 min 00 s"],
    [83_000, "1 min 23 s"],
    [119_600, "2 min 00 s"],
    [3_599_400, "59 min 59 s"],
    [3_600_000, "1 h 00 min"],
    [7_500_000, "2 h 05 min"],
    [-5, "0.0 s"]
  ])("writes %d ms as %s", (millis, text) => {
    assert.strictEqual(Summary.duration(millis), text)
  })

  it("ends with a line for scripts", () => {
    assert.strictEqual(
      Summary.text("demo", observation()).split("\n").at(-1),
      "demo: 120 of 120 books live, 7070 hashes verified, 0 hash mismatches, 31234 rows stored, 0 rows lost"
    )
  })

  it("tells what was received, verified and stored", () => {
    const text = Summary.text("demo", observation())
    for (const line of [
      "  ran for      20.0 s",
      "  connections  1 opened, 0 dropped",
      "  received     6,012 frames, 9.4 MB: 5,800 price_change, 120 book, 92 last_trade_price",
      "  books        120 live, 0 stale, 0 suspect, 0 resyncing",
      "  integrity    7,070 digests verified, 0 mismatches, 3 unverifiable, 0 resyncs, 0 gaps",
      "  stored       31,234 rows: 31,000 book_changes, 120 book_snapshots, 92 trades, 21 best_quotes, 1 feed_events",
      "  lost         0 rows",
      "  database     embedded, up",
      "  memory       190 MB at most"
    ]) {
      assert.include(text.split("\n"), line)
    }
    assert.notInclude(text, "errors")
    assert.notInclude(text, "not stored")
  })

  it("tells what went wrong", () => {
    const ordinary = observation()
    const text = Summary.text(
      "demo",
      observation({
        connections: ordinary.connections.map((info) => ({ ...info, errors: { malformed: 2 } })),
        books: { live: 118, stale: 1, suspect: 1, resyncing: 0 },
        writer: { ...ordinary.writer, buffered: 1500, lost: 1 },
        database: { ...ordinary.database, driver: "postgres", state: "down", error: "connection refused" }
      })
    )
    assert.match(text, /errors {7}2 malformed/)
    assert.match(text, /not stored {3}1,500 rows/)
    assert.match(text, /lost {9}1 row$/m)
    assert.match(text, /database {5}postgres, down: connection refused/)
    assert.match(text, /demo: 118 of 120 books live/)
  })

  it("has nothing to tell of a run without venues", () => {
    const none = { live: 0, stale: 0, suspect: 0, resyncing: 0 }
    const text = Summary.text("demo", observation({ connections: [], books: none }))
    assert.match(text, /received {5}0 frames, 0 B$/m)
    assert.match(text, /demo: 0 of 0 books live/)
  })
})
