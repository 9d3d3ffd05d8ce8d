import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Layer, Logger, Schema, TestClock } from "effect"
import { type Drift, DriftLog, frequent, make, rare, watch } from "../../src/resilience/DriftLog.ts"

const Message = Schema.Struct({ type: Schema.String, price: Schema.String })
const good = { type: "a", price: "0.5" }
const bad = { type: "a", price: 0.5 }

const registry = () => {
  const firsts: Array<Drift> = []
  return { firsts, ...make((drift) => firsts.push(drift)) }
}

describe("the list of drift", () => {
  it("counts by venue, channel, path and kind, with times and the first sample", () => {
    const { firsts, list, note } = registry()
    note("kalshi", "trade", "msg.price", "type", 5, 1_000)
    note("kalshi", "trade", "msg.price", "type", 6, 3_000)
    note("kalshi", "trade", "msg.price", "unknown", 7, 2_000)
    note("polymarket", "trade", "msg.price", "type", 8, 4_000)
    const about = { venue: "kalshi", channel: "trade", path: "msg.price" }
    assert.deepStrictEqual(list(), [
      { ...about, kind: "type", count: 2, firstSeen: 1_000, lastSeen: 3_000, sample: "5" },
      { ...about, kind: "unknown", count: 1, firstSeen: 2_000, lastSeen: 2_000, sample: "7" },
      { ...about, venue: "polymarket", kind: "type", count: 1, firstSeen: 4_000, lastSeen: 4_000, sample: "8" }
    ])
    assert.deepStrictEqual(
      firsts.map(({ count, sample }) => [count, sample]),
      [
        [1, "5"],
        [1, "7"],
        [1, "8"]
      ]
    )
  })

  it.prop(
    "is bounded for each venue and loses no count, whatever comes",
    [fc.array(fc.tuple(fc.constantFrom("v", "w"), fc.string(), fc.nat()), { maxLength: 600, size: "max" })],
    ([notes]) => {
      const { list, note } = registry()
      for (const [venue, path, now] of notes) note(venue, "trade", path, "unknown", path, now)
      for (const venue of ["v", "w"]) assert.isAtMost(list().filter((one) => one.venue === venue).length, 257)
      assert.strictEqual(
        list().reduce((sum, { count }) => sum + count, 0),
        notes.length
      )
      for (const { firstSeen, lastSeen } of list()) assert.isAtMost(firstSeen, lastSeen)
    },
    { fastCheck: { numRuns: 20 } }
  )

  it("keeps 256 kinds of a venue, and counts the rest as one", () => {
    const { firsts, list, note } = registry()
    for (let i = 0; i < 1_000; i++) note("kalshi", "trade", `new_${i}`, "unknown", i, i)
    note("kalshi", "trade", "new_3", "unknown", 3, 5_000)
    note("polymarket", "book", "x".repeat(1_000), "missing", null, 1)
    const kalshi = list().filter(({ venue }) => venue === "kalshi")
    assert.strictEqual(kalshi.length, 257)
    assert.strictEqual(firsts.length, 258)
    assert.deepInclude(kalshi.at(-1), { channel: "other", path: "", kind: "other", count: 744, lastSeen: 999 })
    assert.deepInclude(kalshi[3], { path: "new_3", count: 2, lastSeen: 5_000 })
    assert.isAtMost(list().at(-1)!.path.length, 120)
  })
})

describe("a watch", () => {
  const watching = (isFrequent: boolean) => {
    const { list, note } = registry()
    const drift = watch({ list, note }, "v", {
      messages: [["a", isFrequent ? frequent(Message) : rare(Message)]],
      answers: new Map([[Message, ["GET /a", rare(Message)]]])
    })
    return {
      drift,
      counts: () => list().map(({ channel, count, kind, path }) => `${channel} ${kind} ${path} ${count}`)
    }
  }

  it("compares all of a rare type", () => {
    const { counts, drift } = watching(false)
    for (let i = 0; i < 5_000; i++) drift.message("a", i % 2 === 0 ? bad : good, i)
    assert.deepStrictEqual(counts(), ["a type price 2500"])
  })

  it("compares the first 1,000 of a frequent type, then every 64th, and whatever could not be used", () => {
    const { counts, drift } = watching(true)
    for (let i = 0; i < 1_000 + 64 * 10; i++) drift.message("a", bad, i)
    assert.deepStrictEqual(counts(), ["a type price 1010"])
    drift.message("a", bad, 0)
    const before = counts()
    drift.message("a", bad, 0, true)
    assert.notDeepEqual(counts(), before)
  })

  it("compares answers by the Schema that decodes them, and names types that nobody knows", () => {
    const { counts, drift } = watching(false)
    drift.answer(Message, bad, 1)
    drift.answer(Schema.Unknown, bad, 1)
    drift.message("new type", good, 1)
    assert.deepStrictEqual(counts(), ["GET /a type price 1", "new type unknown  1"])
  })
})

it.scoped("each kind is told once in the log, and without a layer nothing is kept", () =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ annotations, message }) => {
      lines.push([message, Object.fromEntries(annotations)])
    })
    yield* Effect.gen(function* () {
      const { list, note } = yield* DriftLog
      note("kalshi", "trade", "price", "type", 5, 1)
      note("kalshi", "trade", "price", "type", 6, 1)
      note("kalshi", "trade", "size", "missing", { price: 5 }, 1)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(list().length, 2)
    }).pipe(Effect.provide(Layer.provideMerge(DriftLog.layer, Logger.replace(Logger.defaultLogger, logger))))
    const said = ["a message is not what the protocol says"]
    const about = { venue: "kalshi", channel: "trade" }
    assert.deepStrictEqual(lines, [
      [said, { ...about, path: "price", kind: "type", sample: "5" }],
      [said, { ...about, path: "size", kind: "missing", sample: '{"price":5}' }]
    ])
    const nobody = yield* DriftLog
    nobody.note("kalshi", "trade", "price", "type", 5, 1)
    assert.deepStrictEqual(nobody.list(), [])
  })
)
