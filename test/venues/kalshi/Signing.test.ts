import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Redacted, Schema } from "effect"
import { constants, createPrivateKey, createPublicKey, generateKeyPairSync, verify } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { KalshiConfig } from "../../../src/venues/kalshi/Config.ts"
import * as Credentials from "../../../src/venues/kalshi/Credentials.ts"
import * as Signing from "../../../src/venues/kalshi/Signing.ts"
import { haveRecordings, json } from "../../support/Recordings.ts"

/** The key of RFC 8032, test 1: PKCS#8 is a fixed head and the seed. */
const SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
const armoured = (label: string, der: Buffer | string) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`
const ED25519 = armoured("PRIVATE KEY", Buffer.from(`302e020100300506032b657004220420${SEED}`, "hex"))

const signerOf = (pem: string) => Either.getOrThrow(Signing.make("key-id", Redacted.make(pem)))
const signatureOf = (headers: Record<string, string>) => headers["KALSHI-ACCESS-SIGNATURE"]!

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const pss = (saltLength: number) => ({ key: rsa.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

describe("signatures", () => {
  it("of Ed25519 are the known ones, byte for byte", () => {
    const signer = signerOf(ED25519)
    assert.deepStrictEqual(signer.headers("get", "/trade-api/v2/portfolio/balance?limit=5", 1_703_123_456_789), {
      "KALSHI-ACCESS-KEY": "key-id",
      "KALSHI-ACCESS-TIMESTAMP": "1703123456789",
      "KALSHI-ACCESS-SIGNATURE":
        "caolQIFa1fF7caKRpD82JbF1w9tsbGMzaRudHdnCIwVEkhfFIlzIy4HeCQTeFteU9o8UTOmEvwbutRb9MEJbAA=="
    })
    assert.strictEqual(
      signatureOf(signer.headers("GET", "/trade-api/ws/v2", 1_791_380_000_000)),
      "qtKoJPfSM2OovVSVnLdCft9ZZrIdp6DvTPRe9nUgy+eWknNGky7+CXUsOm/zHsf8fvalLKnTCMlDPihjBs2BDA=="
    )
  })

  it("of RSA verify with a salt of 32 and with no other, from either form of PEM", () => {
    for (const type of ["pkcs1", "pkcs8"] as const) {
      const signer = signerOf(rsa.privateKey.export({ type, format: "pem" }).toString())
      const signature = Buffer.from(signatureOf(signer.headers("POST", "/trade-api/v2/x", 1)), "base64")
      const message = Buffer.from("1POST/trade-api/v2/x")
      assert.strictEqual(signature.length, 256)
      assert.isTrue(verify("sha256", message, pss(32), signature))
      assert.isFalse(verify("sha256", message, pss(20), signature))
      assert.isFalse(verify("sha256", message, rsa.publicKey, signature), "not PKCS#1 v1.5")
    }
  })

  it("cover neither query nor host", () => {
    assert.strictEqual(Signing.signedText(7, "get", "/a/b?limit=5&x=?"), "7GET/a/b")
  })

  describe.skipIf(!haveRecordings)("and the vectors", () => {
    const { ed25519, rsa_pss } = (haveRecordings ? json("venues/samples/kalshi/signing-vectors.json") : {}) as Record<
      string,
      any
    >
    it("verify where they must, and fail where they must", () => {
      const check = ({ message, signature_b64 }: { readonly message: string; readonly signature_b64: string }) =>
        verify(
          "sha256",
          Buffer.from(message),
          {
            key: createPublicKey(rsa_pss.public_key_spki_pem),
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: 32
          },
          Buffer.from(signature_b64, "base64")
        )
      assert.strictEqual(rsa_pss.must_verify.length, 5)
      assert.strictEqual(rsa_pss.must_fail_with_salt32_rule.length, 4)
      for (const vector of rsa_pss.must_verify) {
        assert.isTrue(check(vector), vector.name)
        const { message, method, path, requestTarget, timestamp } = vector
        assert.strictEqual(Signing.signedText(timestamp, method, requestTarget ?? path), message)
      }
      for (const vector of rsa_pss.must_fail_with_salt32_rule) assert.isFalse(check(vector), vector.name)
    })

    it("are made by our signer too", () => {
      const keys = Object.entries<string>(rsa_pss).filter(([name]) => name.startsWith("private_key"))
      assert.isTrue(keys.length > 0)
      for (const [name, der] of keys) {
        const pem = armoured(name.includes("pkcs1") ? "RSA PRIVATE KEY" : "PRIVATE KEY", Buffer.from(der, "base64"))
        const signature = signatureOf(signerOf(pem).headers("GET", "/trade-api/ws/v2", 5))
        assert.isTrue(
          verify(
            "sha256",
            Buffer.from("5GET/trade-api/ws/v2"),
            {
              key: createPublicKey(rsa_pss.public_key_spki_pem),
              padding: constants.RSA_PKCS1_PSS_PADDING,
              saltLength: 32
            },
            Buffer.from(signature, "base64")
          ),
          name
        )
      }
      assert.isDefined(ed25519)
    })
  })
})

describe("keys", () => {
  const config = (fields: object) => Schema.decodeUnknownSync(KalshiConfig)(fields)

  it.effect("absent, complete, and half given", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Credentials.load(config({})), { _tag: "Absent" })
      const ready = yield* Credentials.load(config({ key_id: "k", private_key: ED25519.replaceAll("\n", "\\n") }))
      assert.strictEqual(ready._tag, "Ready", "with the line ends of an environment variable")
      const halves = [{ key_id: "k" }, { private_key: ED25519 }, { private_key_path: "/x" }]
      for (const half of halves) assert.strictEqual((yield* Credentials.load(config(half)))._tag, "Unusable")
    })
  )

  it.effect("come from a file, or say why they do not", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "kalshi-key-"))
      const file = join(folder, "key.pem")
      writeFileSync(file, ED25519)
      assert.strictEqual((yield* Credentials.load(config({ key_id: "k", private_key_path: file })))._tag, "Ready")
      rmSync(folder, { recursive: true })
      assert.deepStrictEqual(yield* Credentials.load(config({ key_id: "k", private_key_path: file })), {
        _tag: "Unusable",
        key: "private_key_path",
        problem: `private_key_path ${JSON.stringify(file)} cannot be read: ENOENT`
      })
    })
  )

  it.effect("are never shown, whatever is wrong with them", () =>
    Effect.gen(function* () {
      const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })
      const encrypted = rsa.privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "s" })
      const truncated = ED25519.replace("MC4CAQ", "MC4")
      for (const pem of [ec.toString(), encrypted.toString(), truncated, "c2VjcmV0LXNlY3JldC1zZWNyZXQ="]) {
        const made = config({ key_id: "k", private_key: pem })
        const loaded = yield* Credentials.load(made)
        assert.strictEqual(loaded._tag, "Unusable")
        const secret = pem.split("\n").find((line) => !line.startsWith("---"))!
        assert.notInclude(inspect(loaded, { depth: 20, showHidden: true }), secret)
        assert.notInclude(JSON.stringify(loaded) + JSON.stringify(made) + inspect(made, { depth: 20 }), secret)
        assert.notInclude(Cause.pretty(Cause.fail(loaded)), secret)
      }
      const ready = yield* Effect.exit(Credentials.load(config({ key_id: "k", private_key: ED25519 })))
      const seed = createPrivateKey(ED25519).export({ format: "jwk" }).d!
      assert.isTrue(Exit.isSuccess(ready))
      for (const hidden of [SEED, seed, ED25519.split("\n")[1]!])
        assert.notInclude(inspect(ready, { depth: 20 }), hidden)
    })
  )
})
