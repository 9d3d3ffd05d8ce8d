import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { median, quantile, slope, spread } from "../../bench/Statistics.ts"

const numbers = fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1, maxLength: 50 })

describe("statistics", () => {
  it("puts the quantiles between the least and the greatest, in order", () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const found = [0, 0.2, 0.5, 0.99, 1].map((share) => quantile(values, share))
        assert.deepStrictEqual([found[0], found[4]], [Math.min(...values), Math.max(...values)])
        assert.deepStrictEqual(
          found,
          found.toSorted((a, b) => a - b)
        )
      })
    )
  })

  it("has as many values below the median as above it", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([4, 1, 2, 3]), 2.5)
    assert.isNaN(median([]))
    assert.deepStrictEqual(spread([3, 1, 2]), { median: 2, min: 1, max: 3, rounds: 3 })
  })

  it("finds the line that points lie on", () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }), (rise, from) => {
        const points = [0, 1, 2, 5].map((x) => [x, from + rise * x] as const)
        assert.closeTo(slope(points), rise, 1e-9)
      })
    )
  })
})
