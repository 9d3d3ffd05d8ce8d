import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, Schema } from "effect"
import { Price, SCALE } from "../../src/domain/Money.ts"
import * as PriceGrid from "../../src/domain/PriceGrid.ts"
import { gridOf } from "../support/Events.ts"
import { price, priceGrid } from "./Arbitraries.ts"

/** The model: every price of a grid, ascending, told off band by band. */
const enumerate = (grid: PriceGrid.PriceGrid): ReadonlyArray<number> => {
  const found = new Set<number>()
  for (const { end, start, step } of grid) for (let at: number = start; at <= end; at += step) found.add(at)
  found.delete(0)
  found.delete(SCALE)
  return [...found].sort((a, b) => a - b)
}

/** A grid with prices that matter to it: at its bounds, on it, just beside it, and anywhere. */
const probed = priceGrid.chain((grid) => {
  const marks = grid.flatMap(({ end, start, step }) => [start, end, start + step, end - step])
  const near = fc
    .tuple(fc.constantFrom(...marks), fc.constantFrom(-1, 0, 1))
    .map(([mark, off]) => Price(Math.min(SCALE, Math.max(0, mark + off))))
  return fc.tuple(fc.constant(grid), fc.array(fc.oneof(near, price), { minLength: 1, maxLength: 20 }))
})

const tapered = gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"])

describe("a grid", () => {
  it.prop("holds and rounds to the prices that its bands tell off, and no others", [probed], ([[grid, prices]]) => {
    const all = enumerate(grid)
    for (const one of prices) {
      assert.strictEqual(PriceGrid.isOnGrid(grid, one), all.includes(one))
      assert.strictEqual(PriceGrid.roundDown(grid, one), all.findLast((at) => at <= one) ?? -1)
      assert.strictEqual(PriceGrid.roundUp(grid, one), all.find((at) => at >= one) ?? -1)
    }
  })

  it.prop("rounds on to the grid, within the price, and leaves there what is there", [probed], ([[grid, prices]]) => {
    for (const one of prices) {
      const down = PriceGrid.roundDown(grid, one)
      const up = PriceGrid.roundUp(grid, one)
      for (const rounded of [down, up]) {
        if (rounded === -1) continue
        assert.isTrue(PriceGrid.isOnGrid(grid, rounded))
        assert.strictEqual(PriceGrid.roundDown(grid, rounded), rounded)
        assert.strictEqual(PriceGrid.roundUp(grid, rounded), rounded)
      }
      assert.isAtMost(down, one)
      if (up !== -1) assert.isAtLeast(up, one)
      assert.strictEqual(down === up && down !== -1, PriceGrid.isOnGrid(grid, one))
    }
  })

  it.prop("rounds in order", [probed], ([[grid, prices]]) => {
    const sorted = [...prices].sort((a, b) => a - b)
    const down = sorted.map((one) => PriceGrid.roundDown(grid, one))
    const up = sorted.map((one) => PriceGrid.roundUp(grid, one)).map((one) => (one === -1 ? SCALE : one))
    for (const list of [down, up])
      assert.deepStrictEqual(
        list,
        [...list].sort((a, b) => a - b)
      )
  })

  it.prop("is as fine as its finest band", [priceGrid], ([grid]) => {
    const finest = PriceGrid.finestStep(grid)
    assert.isTrue(grid.every(({ step }) => step >= finest))
    assert.isTrue(grid.some(({ step }) => step === finest))
  })

  it.prop("survives JSON, and equals itself alone", [priceGrid, priceGrid], ([grid, other]) => {
    const text = JSON.stringify(Schema.encodeSync(PriceGrid.PriceGrid)(grid))
    const again = Schema.decodeUnknownSync(PriceGrid.PriceGrid)(JSON.parse(text))
    assert.deepStrictEqual(again, grid)
    assert.isTrue(PriceGrid.equivalence(grid, again))
    assert.isFalse(PriceGrid.equivalence(grid, null))
    assert.strictEqual(
      PriceGrid.equivalence(grid, other),
      text === JSON.stringify(Schema.encodeSync(PriceGrid.PriceGrid)(other))
    )
  })

  it("has the step that holds at a price, and both steps where bands meet", () => {
    const on = (at: number) => PriceGrid.isOnGrid(tapered, Price(at))
    assert.deepStrictEqual([99_000, 100_000, 101_000, 110_000].map(on), [true, true, false, true])
    assert.deepStrictEqual([890_000, 899_000, 900_000, 901_000].map(on), [true, false, true, true])
    assert.deepStrictEqual([0, 1_000, 999_000, SCALE].map(on), [false, true, true, false])
    assert.strictEqual(PriceGrid.roundDown(tapered, Price(105_500)), 100_000)
    assert.strictEqual(PriceGrid.roundUp(tapered, Price(105_500)), 110_000)
    assert.strictEqual(PriceGrid.roundDown(tapered, Price(99_999)), 99_000)
    assert.strictEqual(PriceGrid.roundUp(tapered, Price(899_001)), 900_000)
    assert.strictEqual(PriceGrid.roundDown(tapered, Price(SCALE)), 999_000)
    assert.strictEqual(PriceGrid.roundUp(tapered, Price(0)), 1_000)
    assert.strictEqual(PriceGrid.roundDown(tapered, Price(999)), -1)
    assert.strictEqual(PriceGrid.roundUp(tapered, Price(999_001)), -1)
  })
})

describe("bands that are no grid", () => {
  const band = (start: number, end: number, step: number) => ({
    start: Price(start),
    end: Price(end),
    step: Price(step)
  })
  const cases = [
    ["empty", 0, []],
    ["zero-step", 0, [band(0, SCALE, 0)]],
    ["zero-step", 1, [band(0, 10, 1), band(10, 20, 0)]],
    ["backwards", 0, [band(500_000, 499_999, 1)]],
    ["overlap", 1, [band(0, 10, 1), band(9, 20, 1)]],
    ["overlap", 1, [band(900_000, SCALE, 1_000), band(0, 100_000, 1_000)]]
  ] as const

  for (const [reason, at, bands] of cases) {
    it(`are refused: ${reason} at ${at} of ${bands.length}`, () => {
      const fault = Either.getOrThrow(Either.flip(PriceGrid.make(bands)))
      assert.deepStrictEqual([fault.reason, fault.band], [reason, at])
      const text = bands.map((one) => Schema.encodeSync(PriceGrid.PriceBand)(one))
      const decoded = Schema.decodeUnknownEither(PriceGrid.PriceGrid)(text)
      assert.include(Either.getOrThrow(Either.flip(decoded)).message, fault.message)
    })
  }

  it.prop(
    "are all that make refuses",
    [fc.array(fc.record({ start: price, end: price, step: price }), { maxLength: 3 })],
    ([bands]) => {
      const ascending = bands.flatMap(({ end, start }) => [start, end])
      const sound =
        bands.length > 0 &&
        bands.every(({ step }) => step > 0) &&
        ascending.every((at, i) => at >= (ascending[i - 1] ?? 0))
      assert.strictEqual(Either.isRight(PriceGrid.make(bands)), sound)
    }
  )
})
