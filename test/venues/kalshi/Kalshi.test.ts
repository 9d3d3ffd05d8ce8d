import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema, Stream, SubscriptionRef, TestClock } from "effect"
import { generateKeyPairSync } from "node:crypto"
import type { Instrument } from "../../../src/domain/Market.ts"
import { KalshiConfig } from "../../../src/venues/kalshi/Config.ts"
import * as Kalshi from "../../../src/venues/kalshi/Kalshi.ts"
import { instrumentOf } from "./Fixtures.ts"
import { configOf, layerOf } from "./Http.ts"

const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString()

const venueOf = (fields: object) =>
  Kalshi.make(configOf(fields)).pipe(
    Effect.provide(layerOf(() => ({ body: { orderbook_fp: { yes_dollars: [["0.4700", "1.00"]] } } })))
  )

describe("venue", () => {
  it.scoped("polls without a key, and with one that cannot be used, and says which", () =>
    Effect.gen(function* () {
      const reasons = [
        [{}, /^no API key: /],
        [{ key_id: "k" }, /^there is a key_id but neither private_key_path nor private_key: books are polled/],
        [{ key_id: "k", private_key: "nonsense" }, /^the private key is not an unencrypted PEM/]
      ] as const
      for (const [fields, reason] of reasons) {
        const venue = yield* venueOf(fields)
        const [info] = yield* venue.feed.connections
        assert.strictEqual(info!.slot, "kalshi-poll")
        assert.match(info!.reason, reason)
        assert.strictEqual((yield* venue.snapshot(instrumentOf("A"))).source, "poll")
      }
    })
  )

  it.scoped("uses the socket with a key", () =>
    Effect.gen(function* () {
      const venue = yield* venueOf({ key_id: "k", private_key: pem, ws_url: "ws://127.0.0.1:1/" })
      assert.isDefined(venue.feed.requestSnapshots)
      assert.strictEqual((yield* venue.snapshot(instrumentOf("A"))).source, "rest")
      const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>([])
      yield* Effect.forkScoped(Stream.runDrain(venue.feed.events(desired)))
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* venue.feed.connections, [])
    })
  )
})

describe("configuration", () => {
  it("has a default for every key, and hides the private one", () => {
    const defaults = Schema.decodeUnknownSync(KalshiConfig)({})
    assert.strictEqual(defaults.max_markets, 500)
    const secret = Schema.decodeUnknownSync(KalshiConfig)({ private_key: pem })
    assert.notInclude(JSON.stringify(secret) + String(secret.private_key), pem.split("\n")[1]!)
    assert.strictEqual(Redacted.value(secret.private_key), pem)
  })
})
