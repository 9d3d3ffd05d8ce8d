import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { BatchSize } from "../../src/storage/BatchSize.ts"

describe("BatchSize", () => {
  it("grows while commits are slow and rows wait, and comes back when they are quick", () => {
    const size = new BatchSize(100, 1000)
    const limits = (milliseconds: number) =>
      [1, 2, 3, 4, 5].map(() => {
        size.note(milliseconds, 10_000)
        return size.limit
      })
    assert.deepStrictEqual(limits(2000), [200, 400, 800, 1000, 1000])
    assert.deepStrictEqual(limits(10), [500, 250, 125, 100, 100])
  })

  it("does not grow for want of rows, and is reset by a failure", () => {
    const size = new BatchSize(100, 1000)
    size.note(2000, 99)
    assert.strictEqual(size.limit, 100)
    size.note(2000, 100)
    assert.strictEqual(size.limit, 200)
    size.reset()
    assert.strictEqual(size.limit, 100)
  })

  it("stays between the usual and the most", () => {
    const notes = fc.array(fc.tuple(fc.nat(5000), fc.nat(5000)))
    fc.assert(
      fc.property(notes, fc.integer({ min: 1, max: 500 }), fc.nat(5000), (history, usual, most) => {
        const size = new BatchSize(usual, most)
        for (const [milliseconds, waiting] of history) {
          size.note(milliseconds, waiting)
          assert.isAtLeast(size.limit, usual)
          assert.isAtMost(size.limit, Math.max(usual, most))
        }
      })
    )
  })
})
