import { assert, describe, it } from "@effect/vitest"
import { Either, Redacted, Schema } from "effect"
import { DatabaseConfig } from "../../src/storage/Database.ts"

const decode = (input: unknown) => Schema.decodeUnknownEither(DatabaseConfig)(input, { onExcessProperty: "error" })

describe("the section database", () => {
  it("needs no key", () => {
    const config = Either.getOrThrow(decode({}))
    assert.deepInclude(config, {
      driver: "embedded",
      host: "127.0.0.1",
      port: 5432,
      batch_rows: 5000,
      batch_age_ms: 250,
      buffer_rows: 200_000
    })
  })

  it("keeps the password to itself", () => {
    const config = Either.getOrThrow(decode({ driver: "postgres", password: "sesame" }))
    assert.strictEqual(Redacted.value(config.password), "sesame")
    assert.notInclude(JSON.stringify(config), "sesame")
  })

  it("refuses what makes no sense", () => {
    const faulty = [
      { driver: "sqlite" },
      { port: 0 },
      { batch_rows: 0 },
      { buffer_rows: 1.5 },
      { name: "" },
      { hots: "" }
    ]
    for (const input of faulty) assert.isTrue(Either.isLeft(decode(input)), JSON.stringify(input))
  })
})
