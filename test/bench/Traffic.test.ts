/** What the benchmarks send has to be true: the product that is measured verifies it, and the books are compared. */
import { assert, describe, it } from "@effect/vitest"
import { digestOf, EPOCH, make } from "../../bench/workload/Traffic.ts"
import { instrumentsOf } from "../../bench/workload/Listing.ts"
import { frame } from "../../bench/workload/Wire.ts"
import * as Core from "../../src/collector/Core.ts"
import type { FeedInput } from "../../src/domain/Input.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import * as Venues from "../../src/venues/Venues.ts"

const COUNT = 400

describe.each(["one", "both"] as const)("traffic with %s of a market's tokens", (entries) => {
  const listing = { seed: 7, tokens: 20, entries }
  const options = { ...listing, depth: 12 }

  it("is the same for the same seed", () => {
    const [one, other] = [make(options), make(options)]
    for (let i = 0; i < COUNT; i++) assert.deepStrictEqual(one.next(), other.next())
    assert.notStrictEqual(make({ ...options, seed: 8 }).next().frame, make(options).next().frame)
  })

  it("holds by the product's own reckoning, and leads to the books that it says", () => {
    const traffic = make(options)
    const core = Core.make({ protocols: Venues.protocols, onResync: () => {} })!
    const instruments = instrumentsOf(listing)
    const { venue } = instruments[0]!.market
    const about = { venue, connection: "bench-a", receivedTime: EPOCH }
    const dump = Frames.dump(instruments.map((_, i) => traffic.state(i)))
    const changes = Array.from({ length: COUNT }, () => Buffer.from(traffic.next().frame))
    const inputs: ReadonlyArray<FeedInput> = [
      { _tag: "Opened", slot: "bench", terms: {}, ...about },
      { _tag: "Wanted", instruments, ...about },
      { _tag: "Frames", frames: [Buffer.from(dump)], ...about },
      { _tag: "Frames", frames: changes, ...about, receivedTime: EPOCH + COUNT }
    ]
    const events = inputs.flatMap((input) => [...core.apply(input)])
    core.apply({ _tag: "Swept", receivedTime: EPOCH + COUNT + 1_000 })

    const entriesInFrame = entries === "one" ? 1 : 2
    const initial = instruments.length
    assert.lengthOf(
      events.filter(({ _tag }) => _tag === "BookChange"),
      COUNT * entriesInFrame
    )
    assert.lengthOf(
      events.filter(({ _tag }) => _tag === "BestChanged"),
      initial + traffic.bestMoves()
    )
    assert.strictEqual(core.books.counters.mismatches, 0)
    assert.isAbove(core.books.counters.verified, initial)
    const side = (levels: ReadonlyArray<{ readonly price: number; readonly size: number }>) =>
      levels.map(({ price, size }) => [price / 1e6, size / 1e6] as const)
    for (const { id, venueInstrumentId } of instruments) {
      const view = core.books.view(id)!
      assert.strictEqual(view.status, "live")
      assert.strictEqual(digestOf(side(view.bids), side(view.asks)), traffic.digests().get(venueInstrumentId))
    }
  })
})

describe("frames on the wire", () => {
  it("are whole texts, one after the other", () => {
    const texts = ["a".repeat(126), "b".repeat(300), "c".repeat(65_535)]
    const { bytes, starts } = frame(texts, texts.length, 100)
    assert.lengthOf(starts, texts.length + 1)
    for (const [i, text] of texts.entries()) {
      const one = bytes.subarray(starts[i], starts[i + 1])
      assert.deepStrictEqual([one[0], one[1], one.readUInt16BE(2)], [0x81, 126, text.length])
      assert.strictEqual(one.toString("latin1", 4), text)
    }
    assert.strictEqual(starts[texts.length], bytes.length)
    assert.throws(() => frame(["short"], 1, 10))
  })
})
