import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { finestStep } from "../../../src/domain/PriceGrid.ts"
import * as KalshiGrid from "../../../src/simulator/KalshiGrid.ts"
import { market, wireMarket } from "../../../src/venues/kalshi/Normalize.ts"
import { priceGrid } from "../../../src/venues/kalshi/PriceGrid.ts"
import { gridOf, price } from "../../support/Events.ts"
import { marketObject } from "./Fixtures.ts"

const range = (start: string, end: string, step: string) => ({ start, end, step })

describe("the grid of a market", () => {
  const read = (fields: Readonly<Record<string, unknown>>) =>
    Either.flatMap(wireMarket(marketObject("A", fields)), (wire) => market(wire))
  const grid = (fields: Readonly<Record<string, unknown>>) => {
    const { priceBands, tickSize } = Either.getOrThrow(read(fields))
    return { priceBands, tickSize }
  }

  it("is what the ranges say, whatever the label", () => {
    const ranges = [range("0.0000", "0.0500", "0.0010"), range("0.0500", "1.0000", "0.0100")]
    const expected = { priceBands: gridOf(["0", "0.05", "0.001"], ["0.05", "1", "0.01"]), tickSize: price("0.001") }
    for (const label of ["linear_cent", "invented_later", ""]) {
      assert.deepStrictEqual(grid({ price_ranges: ranges, price_level_structure: label }), expected)
    }
    assert.deepStrictEqual(grid({ price_ranges: ranges.toReversed() }), expected, "in any order")
  })

  it("is that of the label where no ranges are told, and unknown with a label that is not known", () => {
    const tapered = gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"])
    for (const price_ranges of [[], null, undefined]) {
      const known = grid({ price_ranges, price_level_structure: "tapered_deci_cent" })
      assert.deepStrictEqual(known, { priceBands: tapered, tickSize: price("0.001") })
      for (const price_level_structure of ["banded_centi_cent", "", "constructor", null]) {
        assert.deepStrictEqual(grid({ price_ranges, price_level_structure }), { priceBands: null, tickSize: null })
      }
    }
  })

  it("is known by every label that the venue has", () => {
    const labels: ReadonlyArray<readonly [label: KalshiGrid.Structure, finest: string]> = [
      ["linear_cent", "0.01"],
      ["deci_cent", "0.001"],
      ["tapered_deci_cent", "0.001"],
      ["center_whole_edge_half_cent", "0.005"],
      ["center_whole_edge_quint_cent", "0.002"],
      ["center_half_edge_half_cent", "0.005"],
      ["center_half_edge_quint_cent", "0.002"],
      ["center_half_edge_deci_cent", "0.001"],
      ["center_quint_edge_quint_cent", "0.002"],
      ["center_quint_edge_deci_cent", "0.001"],
      ["center_centi_edge_centi_cent", "0.0001"],
      ["center_deci_edge_centi_cent", "0.0001"]
    ]
    for (const [label, finest] of labels) {
      const known = priceGrid(undefined, label)
      assert.deepStrictEqual(known, priceGrid(KalshiGrid.priceRanges(label), undefined), label)
      assert.strictEqual(known && finestStep(known), price(finest), label)
    }
  })

  const faults: ReadonlyArray<readonly [title: string, path: string, ranges: ReadonlyArray<unknown>]> = [
    ["a step of nothing", "price_ranges[0]", [range("0", "1", "0.0000")]],
    ["an end before the start", "price_ranges[1]", [range("0", "0.1", "0.01"), range("0.9", "0.1", "0.01")]],
    ["an overlap", "price_ranges[0]", [range("0.5", "1", "0.01"), range("0", "0.6", "0.01")]],
    ["a step that is no number", "price_ranges[0].step", [range("0", "1", "a cent")]],
    ["a start below 0", "price_ranges[0].start", [range("-0.1", "1", "0.01")]],
    ["an end above 1", "price_ranges[0].end", [range("0", "1.0001", "0.01")]],
    ["a step finer than a millionth", "price_ranges[0].step", [range("0", "1", "0.0000001")]],
    ["a number in place of text", "price_ranges.0.step", [{ start: "0", end: "1", step: 0.01 }]],
    ["a band without an end", "price_ranges.0.end", [{ start: "0", step: "0.01" }]]
  ]
  for (const [title, path, price_ranges] of faults) {
    it(`costs the market and names itself: ${title}`, () => {
      const rejected = Either.getOrThrow(Either.flip(read({ price_ranges })))
      assert.deepStrictEqual([rejected.id, rejected.path], ["A", path])
    })
  }
})
