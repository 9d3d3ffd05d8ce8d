import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { excerpt } from "../../src/resilience/Excerpt.ts"

describe("an excerpt", () => {
  it.prop("is at most 300 characters, and all of what is short", [fc.jsonValue({ maxDepth: 5 })], ([value]) => {
    const text = excerpt(value)
    const whole = JSON.stringify(JSON.parse(JSON.stringify(value)))
    assert.isAtMost(text.length, 300)
    if (whole.length <= 300) assert.deepStrictEqual(text, whole)
    else assert.isTrue(text.endsWith("…"))
  })

  it("leaves out what nobody may see, wherever it stands", () => {
    const secret = "0123456789abcdef"
    for (const value of [
      { api_key: secret },
      { apiKey: secret },
      { order: [{ owner: secret }] },
      { auth: { passphrase: secret } },
      { private_key: { pem: secret } }
    ]) {
      assert.notInclude(excerpt(value), secret)
      assert.include(excerpt({ ...value, price: "0.5" }), '"price":"0.5"')
    }
    assert.notInclude(excerpt(secret, "orders[].owner"), secret)
    assert.notInclude(excerpt(secret, "secrets[]"), secret)
    assert.include(excerpt(secret, "msg.token_id"), secret)
  })

  it("of the deepest nesting does not throw", () => {
    assert.include(excerpt(JSON.parse("[".repeat(20_000) + "]".repeat(20_000))), "…")
  })
})
