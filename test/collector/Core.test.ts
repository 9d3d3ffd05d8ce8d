/** That everything follows from the inputs alone, and that what is remembered is all that is needed. */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Core from "../../src/collector/Core.ts"
import type { Input } from "../../src/domain/Input.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import { protocols } from "../../src/venues/Venues.ts"
import { traffic } from "../support/Traffic.ts"

const begin = (saved?: Uint8Array): Core.Core =>
  Core.make({ protocols, onResync: () => {} }, saved) ?? assert.fail("an unusable state")

const run = (core: Core.Core, inputs: Iterable<Input>): Array<MarketEvent> => {
  const events: Array<MarketEvent> = []
  for (const input of inputs) for (const event of core.apply(input)) events.push(event)
  return events
}

const books = ({ books }: Core.Core) => [...books.ids()].map((id) => books.view(id))

describe("the core", () => {
  it("makes the same of the same inputs, whatever went wrong in them", () => {
    const inputs = [...traffic({ seed: 1, frames: 20_000, markets: 5, trouble: 0.02 })]
    const [one, two] = [begin(), begin()]
    assert.deepStrictEqual(run(one, inputs), run(two, inputs))
    assert.deepStrictEqual(one.chain(), two.chain())
    assert.deepStrictEqual(books(one), books(two))
    assert.isAbove(one.books.counters.verified, 5_000)
    assert.isAbove(one.books.counters.mismatches, 10)
    assert.isAbove(one.chain().events, 20_000)
  })

  it("goes on from a saved state as if it had never stopped", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, share) => {
        const inputs = [...traffic({ seed, frames: 600, markets: 3, trouble: 0.05 })]
        const cut = Math.floor(inputs.length * share)
        const whole = begin()
        const first = begin()
        const expected = run(whole, inputs).slice(run(first, inputs.slice(0, cut)).length)
        const second = begin(first.save())
        assert.deepStrictEqual(run(second, inputs.slice(cut)), expected)
        assert.deepStrictEqual(second.chain(), whole.chain())
        assert.deepStrictEqual(books(second), books(whole))
        assert.deepStrictEqual(second.books.counters, whole.books.counters)
      }),
      { numRuns: 60 }
    )
  })

  it("tells apart runs that differ in one frame", () => {
    const inputs = [...traffic({ seed: 3, frames: 2_000, markets: 3, trouble: 0 })]
    const last = inputs.findLastIndex((input) => input._tag === "Frames")
    const [one, two] = [begin(), begin()]
    run(one, inputs)
    run(
      two,
      inputs.filter((_, i) => i !== last)
    )
    assert.notStrictEqual(one.chain().digest, two.chain().digest)
  })

  it("does not go on from the state of another version", () => {
    const saved = begin().save()
    const other = Buffer.from(saved)
    const at = other.indexOf("version") + "version".length
    // The version is a small integer, zigzag-encoded after its tag.
    other[at + 1]! += 2
    assert.isUndefined(Core.make({ protocols, onResync: () => {} }, other))
  })
})
