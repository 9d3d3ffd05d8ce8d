import { assert, describe, it } from "@effect/vitest"
import * as FaultState from "../../src/simulator/FaultState.ts"
import type { Frame } from "../../src/simulator/Frame.ts"

const frame = (text: string, market = "m"): Frame => ({ type: "change", market, assets: [market], text, delay: 0 })
const all = (state: FaultState.FaultState, frames: ReadonlyArray<Frame>) =>
  frames.flatMap((one) => FaultState.distort(state, one, 0))

describe("FaultState", () => {
  it("swaps frames of one market and leaves the others' order alone", () => {
    const state = FaultState.make()
    FaultState.begin(state, { fault: "reorder", count: 2, tokenId: "m" }, 0)
    const frames = [frame("1"), frame("x", "n"), frame("2"), frame("3"), frame("4"), frame("5"), frame("6")]
    assert.deepStrictEqual(all(state, frames), ["x", "2", "1", "4", "3", "5", "6"])
  })

  it("passes a frame held back on with the next that arrives, whatever befalls that one", () => {
    const state = FaultState.make()
    FaultState.begin(state, { fault: "reorder" }, 0)
    assert.deepStrictEqual(all(state, [frame("1")]), [])
    FaultState.begin(state, { fault: "lost", type: "change" }, 0)
    assert.deepStrictEqual(all(state, [frame("2")]), [])
    FaultState.begin(state, { fault: "duplicate" }, 0)
    assert.deepStrictEqual(all(state, [frame("3"), frame("4")]), ["3", "3", "1", "4"])
  })
})
