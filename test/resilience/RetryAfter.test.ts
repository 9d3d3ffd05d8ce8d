import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck as fc } from "effect"
import { retryAfter } from "../../src/resilience/RetryAfter.ts"

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0)
const millis = (header: string | undefined) => Duration.toMillis(retryAfter(header, NOW))

describe("Retry-After", () => {
  it("is read as seconds", () => {
    assert.deepStrictEqual(["0", "1", "120", " 7 ", "1.5"].map(millis), [0, 1_000, 120_000, 7_000, 1_500])
  })

  it("is read as a date", () => {
    assert.strictEqual(millis("Sun, 22 Nov 2026 12:00:30 GMT"), 30_000)
    assert.strictEqual(millis("2026-11-22T12:00:05Z"), 5_000)
    assert.strictEqual(millis("Sun, 22 Nov 2026 11:59:30 GMT"), 0, "a time that is over")
  })

  it("is nothing when it is absent, negative or junk", () => {
    for (const header of [undefined, "", "  ", "-5", "soon", "NaN", "Infinity", "1e9999", "<html>", "0x10", "12 34"]) {
      assert.strictEqual(millis(header), 0, String(header))
    }
  })

  it("is never longer than a quarter of an hour", () => {
    for (const header of ["901", "86400", "99999999999999999999", "Tue, 01 Jan 2999 00:00:00 GMT"]) {
      assert.strictEqual(millis(header), 900_000, header)
    }
  })

  it("is a wait of nothing to a quarter of an hour, whatever the header holds", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.date().map(String)), (header) => {
        const wait = millis(header)
        return wait >= 0 && wait <= 900_000
      })
    )
  })
})
