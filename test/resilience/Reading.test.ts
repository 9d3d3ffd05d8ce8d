import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { idAt } from "../../src/resilience/Reading.ts"

describe("an id of a value that nobody vouches for", () => {
  it("is the first that is there, cut to a length that a log bears", () => {
    assert.strictEqual(idAt({ b: "second", a: "first" }, "a", "b"), "first")
    assert.strictEqual(idAt({ a: null, b: "second" }, "a", "b"), "second")
    assert.strictEqual(idAt({ a: 12 }, "a"), "12")
    assert.strictEqual(idAt({ a: "x".repeat(500) }, "a").length, 80)
    for (const nothing of [{}, null, [], "a", 1]) assert.strictEqual(idAt(nothing, "a"), "?")
  })

  it("is text although the value cannot be made a text", () => {
    assert.strictEqual(idAt({ a: { toString: {} } }, "a"), '{"toString":{}}')
  })

  it("is text whatever the value is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (any) => {
        assert.isAtMost(idAt({ a: any }, "a").length, 80)
        assert.isString(idAt(any, "a"))
      })
    )
  })
})
