import { assert, describe, it } from "@effect/vitest"
import * as Meter from "../../src/cli/Meter.ts"

/** What a meter says after a counter grew by `perSecond` for `seconds`, looked at every 250 ms. */
const drive = (meter: Meter.Meter, from: number, seconds: number, perSecond: number, start = 0): number => {
  let rate = 0
  for (let t = 0; t <= seconds * 1000; t += 250) rate = meter(from + t, start + (t / 1000) * perSecond)
  return rate
}

describe("Meter", () => {
  it("says nothing of a single look, and the rate at once after two", () => {
    const meter = Meter.make(3000)
    assert.strictEqual(meter(1000, 500), 0)
    assert.strictEqual(meter(1500, 550), 100)
  })

  it("follows a change over its window", () => {
    const meter = Meter.make(3000)
    assert.closeTo(drive(meter, 0, 10, 100), 100, 1e-6)
    assert.closeTo(drive(meter, 10_000, 1, 0, 1000), 100 * Math.exp(-1 / 3), 1)
    assert.closeTo(drive(meter, 11_000, 30, 0, 1000), 0, 0.1)
  })

  it("is not led astray by a counter that began anew, or a clock that stands still or went back", () => {
    const meter = Meter.make(3000)
    meter(0, 1_000_000)
    assert.strictEqual(meter(1000, 5), 5)
    assert.strictEqual(meter(1000, 500), 5)
    assert.strictEqual(meter(900, 900), 5)
  })

  it("keeps meters by name until they are forgotten", () => {
    const meters = Meter.family(1000)
    meters.read("a", 0, 0)
    meters.read("b", 0, 0)
    assert.strictEqual(meters.read("a", 1000, 7), 7)
    assert.strictEqual(meters.read("b", 1000, 9), 9)
    meters.keep(new Set(["a"]))
    assert.isAbove(meters.read("a", 2000, 14), 0)
    assert.strictEqual(meters.read("b", 2000, 18), 0)
  })
})
