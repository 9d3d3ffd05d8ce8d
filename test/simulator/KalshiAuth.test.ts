import { createPublicKey } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as KalshiAuth from "../../src/simulator/KalshiAuth.ts"
import * as Recordings from "../support/Recordings.ts"

interface Vector {
  readonly name: string
  /** Time, method and path in one. */
  readonly message: string
  readonly signature_b64: string
}

/** What the exchange says to a request signed so, at the moment of signing; `undefined` when it is in order. */
const verdict = (pem: string, { message, signature_b64: signature }: Vector) => {
  const [, timestamp = "", method = "", path = ""] = /^(\d+)([A-Z]+)(\/.*)$/.exec(message) ?? []
  const headers = {
    "kalshi-access-key": "id",
    "kalshi-access-timestamp": timestamp,
    "kalshi-access-signature": signature
  }
  return KalshiAuth.check(new Map([["id", createPublicKey(pem)]]), headers, method, path, Number(timestamp))
}

describe.skipIf(!Recordings.haveRecordings)("KalshiAuth and the vectors of the reference", () => {
  const read = () => Recordings.json("venues/samples/kalshi/signing-vectors.json") as any

  it("takes what must verify", () => {
    const { ed25519, rsa_pss: rsa } = read()
    assert.strictEqual(rsa.must_verify.length, 5)
    for (const vector of rsa.must_verify) assert.isUndefined(verdict(rsa.public_key_spki_pem, vector), vector.name)
    assert.strictEqual(ed25519.must_equal.length, 5)
    for (const vector of ed25519.must_equal)
      assert.isUndefined(verdict(ed25519.public_key_spki_pem, vector), vector.name)
  })

  it("refuses what must not: other salts, other padding, a signed query", () => {
    const { rsa_pss: rsa } = read()
    assert.strictEqual(rsa.must_fail_with_salt32_rule.length, 4)
    for (const vector of rsa.must_fail_with_salt32_rule) {
      assert.strictEqual(verdict(rsa.public_key_spki_pem, vector)?.status, 401, vector.name)
    }
  })
})
