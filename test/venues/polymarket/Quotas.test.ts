import { assert, it } from "@effect/vitest"
import { Duration } from "effect"
import { QUOTAS } from "../../../src/venues/polymarket/Quotas.ts"

/** Requests in ten seconds, as the venue publishes them. */
const published: Readonly<Record<string, number>> = {
  "polymarket everything": 15_000,
  "polymarket clob": 9_000,
  "polymarket clob /book": 1_500,
  "polymarket gamma": 4_000,
  "polymarket gamma listings": 900,
  "polymarket gamma /markets": 300,
  "polymarket gamma /comments, /tags": 200
}

it("nothing is asked more often than the venue allows, at no time and from the first second on", () => {
  for (const { scope, windows } of Object.values(QUOTAS).flat()) {
    for (const { limit, window } of windows) {
      // What a bucket gives in ten seconds: all that it holds, and what flows in.
      const most = limit + (limit * 10_000) / Duration.toMillis(window)
      assert.isAtMost(most, published[scope]! * 0.9, scope)
      assert.isAtLeast(limit, 1, scope)
    }
  }
})

it("the narrower scope comes first, and what contains everything last", () => {
  for (const quotas of Object.values(QUOTAS)) {
    const limits = quotas.map(({ scope }) => published[scope]!)
    assert.deepStrictEqual(
      limits,
      limits.toSorted((a, b) => a - b)
    )
    assert.strictEqual(quotas.at(-1)?.scope, "polymarket everything")
  }
})
