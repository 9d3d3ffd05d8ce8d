import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import { connect, signature, start } from "./KalshiHarness.ts"

describe("KalshiSimulator", () => {
  it.scoped("makes the key that it wants, of the kind that is asked for", () =>
    Effect.gen(function* () {
      for (const keyType of ["ed25519", "rsa"] as const) {
        const { credentials, port, urls } = yield* KalshiSimulator.make({ keyType, markets: 1, keyId: "me" })
        assert.strictEqual(credentials?.key_id, "me")
        assert.strictEqual(createPrivateKey(credentials?.private_key_pem ?? "").asymmetricKeyType, keyType)
        assert.deepStrictEqual(urls, {
          api_url: `http://127.0.0.1:${port}/trade-api/v2`,
          ws_url: `ws://127.0.0.1:${port}/trade-api/ws/v2`
        })
      }
    })
  )

  it.scoped("takes a public key in its place, and then signs nothing itself", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519")
      const key = createPublicKey(publicKey.export({ type: "spki", format: "pem" }))
      const { credentials, urls } = yield* KalshiSimulator.make({ publicKey: key, keyId: "mine", markets: 1 })
      assert.isUndefined(credentials)
      const headers = {
        "KALSHI-ACCESS-KEY": "mine",
        "KALSHI-ACCESS-TIMESTAMP": "0",
        "KALSHI-ACCESS-SIGNATURE": signature(privateKey, "0GET/trade-api/ws/v2")
      }
      yield* connect(urls.ws_url, headers)
    })
  )

  it.scoped("says that its port is taken", () =>
    Effect.gen(function* () {
      const { port } = yield* KalshiSimulator.make({ markets: 1 })
      const error = yield* Effect.flip(KalshiSimulator.make({ markets: 1, port }))
      assert.strictEqual(error.reason, "port-in-use")
    })
  )

  it.scoped("does the same for the same seed", () =>
    Effect.gen(function* () {
      const session = Effect.gen(function* () {
        const { pass, subscribe } = yield* start({ seed: 5, rate: 1000, turnover: 700 })
        const client = yield* subscribe(["orderbook_delta", "trade", "ticker", "market_lifecycle_v2"])
        const opening = yield* client.waiting
        yield* pass(2000)
        return [...opening, ...(yield* client.waiting)]
      })
      const first = yield* session
      assert.isAbove(first.length, 1000)
      assert.deepStrictEqual(yield* session, first)
    })
  )

  it.scoped("makes faults happen at the times of a file, and counts what it does", () =>
    Effect.gen(function* () {
      const file = join(mkdtempSync(join(tmpdir(), "kalshi-faults-")), "faults.jsonl")
      writeFileSync(file, `{"at": 1, "fault": "refuse", "status": 403}\n{"at": 2, "fault": "heal"}\n`)
      const { get, open, pass, stats, subscribe, tickers } = yield* start({ faults: file, markets: 2 })
      yield* open
      yield* pass(1010)
      const refusal = yield* Effect.flip(open)
      assert.deepStrictEqual([refusal.status, refusal.json.error.code], [403, "service_unavailable"])
      yield* pass(1000)
      const client = yield* subscribe(["orderbook_delta"])
      yield* client.waiting
      yield* get(`/markets/${tickers[0]}/orderbook`)
      const { connections, frames, opened, requests, subscribed } = yield* stats
      assert.deepStrictEqual([connections, opened], [2, 2])
      assert.strictEqual(frames["orderbook_snapshot"], 2)
      assert.strictEqual(requests["GET /trade-api/v2/markets/:id/orderbook"], 1)
      assert.sameMembers([...subscribed], [...tickers])
    })
  )

  it.scoped("refuses a file of faults that it does not understand", () =>
    Effect.gen(function* () {
      const file = join(mkdtempSync(join(tmpdir(), "kalshi-faults-")), "faults.jsonl")
      writeFileSync(file, `{"at": 1, "fault": "earthquake"}\n`)
      const error = yield* Effect.flip(KalshiSimulator.make({ faults: file }))
      assert.include(error.message, "earthquake")
    })
  )
})
