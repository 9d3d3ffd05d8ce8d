import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, LogLevel } from "effect"
import * as Dashboard from "../../src/cli/Dashboard.ts"
import { width } from "../../src/cli/Text.ts"
import { price, size } from "../domain/Arbitraries.ts"
import { bookRow, feedRow, liveState, observation } from "./Fixtures.ts"
import { anyText } from "./Texts.ts"

const ESCAPE = "\u001b"
const plain = stripVTControlCharacters

const render = (changes: Parameters<typeof liveState>[0] = {}, columns = 150, rows = 40, colors = false) =>
  Dashboard.render({ ...liveState(changes), name: "demo", url: "http://127.0.0.1:8080" }, { columns, rows, colors })

const quote = fc.option(fc.record({ price, size, fresh: fc.boolean() }))
const count = fc.oneof(fc.nat({ max: 50 }), fc.maxSafeNat())
const rate = fc.double({ min: 0, max: 1e12, noNaN: true })
const frame = fc
  .record({
    name: anyText,
    url: fc.option(anyText, { nil: undefined }),
    feeds: fc.array(
      fc.record({
        slot: anyText,
        connection: anyText,
        state: fc.constantFrom("connecting", "connected", "waiting", "halted", "closed"),
        reason: anyText,
        subscribed: count,
        rate,
        age: fc.option(count)
      }),
      { maxLength: 9 }
    ),
    books: fc.array(
      fc.record({
        venue: anyText,
        question: anyText,
        outcome: anyText,
        bid: quote,
        ask: quote,
        lastTrade: fc.option(fc.record({ price, takerSide: fc.constantFrom("buy", "sell", null) })),
        decimals: fc.constant(6),
        rate,
        status: fc.constantFrom("live", "stale", "suspect", "resyncing"),
        verifiedBy: fc.constantFrom("digest", "quotes", "nothing"),
        trail: fc.array(price, { maxLength: 12 })
      }),
      { maxLength: 30 }
    ),
    log: fc.array(
      fc.record({
        time: fc.nat(),
        level: fc.constantFrom(LogLevel.Info, LogLevel.Warning, LogLevel.Fatal),
        text: anyText
      }),
      { maxLength: 9 }
    ),
    updateRate: rate,
    rowRate: rate,
    elapsed: count,
    live: count
  })
  .map(({ elapsed, live, ...rest }) => ({
    ...rest,
    observation: observation({ elapsed, gaps: live, books: { live, stale: live, suspect: 1, resyncing: 0 } })
  })) as fc.Arbitrary<Dashboard.Frame>
const canvas = fc.record({
  columns: fc.integer({ min: 1, max: 220 }),
  rows: fc.integer({ min: 1, max: 70 }),
  colors: fc.boolean()
})

describe("Dashboard", () => {
  it.prop(
    "fits every screen, whatever is on it, and sets nothing but colours",
    [frame, canvas],
    ([frame, canvas]) => {
      const lines = Dashboard.render(frame, canvas)
      assert.isAtMost(lines.length, canvas.rows)
      for (const line of lines) {
        const text = plain(line)
        assert.isAtMost(width(text), canvas.columns)
        assert.notMatch(text, /[\p{C}\p{Zl}\p{Zp}]/u)
        if (!canvas.colors) assert.strictEqual(line, text)
        // A style that is begun is ended on its line.
        assert.isTrue(line === text || line.slice(line.lastIndexOf(ESCAPE)).startsWith(`${ESCAPE}[0m`))
      }
    },
    { fastCheck: { numRuns: 300 } }
  )

  it("has the same text with and without colours", () => {
    const colored = render({}, 120, 30, true)
    assert.deepStrictEqual(
      colored.map(plain).map((line) => line.trimEnd()),
      render({}, 120, 30, false)
    )
    assert.include(colored.join(""), `${ESCAPE}[32m`)
  })

  it("shows feeds, totals and books", () => {
    const text = render().join("\n")
    for (const expected of [
      /^ Parallax demo +http:\/\/127\.0\.0\.1:8080 {3}up 20 s$/m,
      /^ ● polymarket-1 +connected +polymarket-1-abcdef +120 +412 +0\.1 s$/m,
      /Integrity {2}✓ 7,070 digests verified {3}0 mismatches {3}0 resyncs {3}0 gaps/,
      /Stored {5}31,234 rows {3}500\/s/,
      /Database {3}embedded up {3}0 rows buffered {3}0 lost {3}180 MB memory/,
      /Will it rain in Paris\? +polymarket +Yes +1,203 +0\.41 +0\.42 +2\.5 +0\.01 +0\.42 ▲ {2}▂▄█ +12\.3 {2}✓ live/
    ]) {
      assert.match(text, expected)
    }
  })

  it("says what is wrong", () => {
    const text = render({
      feeds: [feedRow({ state: "waiting", reason: "closed (1006): cut", age: 12_000 })],
      books: [bookRow({ status: "suspect", verifiedBy: "nothing", ask: { ...bookRow().bid!, fresh: false } })],
      observation: observation({
        books: { live: 118, stale: 0, suspect: 2, resyncing: 0 },
        drops: 1,
        database: { driver: "postgres", where: "db", state: "down", since: 0, error: "refused" }
      })
    }).join("\n")
    assert.match(text, /waiting +closed \(1006\): cut/)
    assert.match(text, /118 live {3}2 suspect/)
    assert.match(text, /1 drop$/m)
    assert.match(text, /postgres down/)
    assert.match(text, /crossed.*! suspect/)
  })

  it("leaves out columns where the screen is narrow, and keeps the prices", () => {
    const [narrow, wide] = [60, 150].map((columns) => render({}, columns, 24).join("\n"))
    assert.include(wide, "Trend")
    assert.notInclude(narrow, "Trend")
    assert.match(narrow!, /0\.41 +0\.42 +✓ live/)
  })

  it("says how many books there is no room for", () => {
    const books = Array.from({ length: 40 }, (_, i) => bookRow({ question: `Question ${i}` }))
    const lines = render({ books }, 100, 30)
    assert.lengthOf(lines, 30)
    const shown = lines.filter((line) => line.includes("Question")).length
    assert.strictEqual(lines.at(-1), ` and ${40 - shown} quieter markets`)
  })

  it("shows the latest of the log at the bottom, and gives it up first", () => {
    const log = Array.from({ length: 8 }, (_, i) => ({ time: i * 1000, level: LogLevel.Info, text: `entry ${i}` }))
    assert.strictEqual(render({ log }, 80, 30).at(-1), " 00:00:07 entry 7")
    assert.notInclude(render({ log }, 80, 14).join(), "entry")
  })
})
