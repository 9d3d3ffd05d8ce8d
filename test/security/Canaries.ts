/** Secrets to be looked for in everything that comes out, in every form in which they might. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto"

export interface Canaries {
  readonly password: string
  readonly token: string
  readonly keyId: string
  /** PKCS#8, in PEM. */
  readonly privateKey: string
  readonly publicKey: KeyObject
}

export const make = (): Canaries => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })
  return {
    password: `canary-password-"ö\\${"7f3a".repeat(4)}`,
    token: "canary-token.Zm9v~0123456789abcdef",
    keyId: "canary-key-id-1b2c3d4e-5f60",
    privateKey,
    publicKey: createPublicKey(publicKey)
  }
}

/** Forms of a secret by itself or within something longer. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  // In the base64 of something longer the secret begins at one of three places, and its ends are mixed with what is
  // around it.
  const base64 = [0, 1, 2].flatMap((before) => {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes])
    return [shifted.toString("base64"), shifted.toString("base64url")].map((text) => text.slice(4, -4))
  })
  const escaped = JSON.stringify(secret).slice(1, -1)
  return [
    secret,
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString("hex"),
    ...base64
  ]
}

/** By the name of what it is a form of. */
export const forms = ({ keyId, password, privateKey, token }: Canaries): ReadonlyMap<string, ReadonlyArray<string>> => {
  const lines = privateKey.split("\n").filter((line) => line.length >= 16 && !line.startsWith("-----"))
  return new Map([
    ["password", formsOf(password)],
    ["token", formsOf(token)],
    ["key id", formsOf(keyId)],
    [
      "private key",
      [...lines, ...lines.map((line) => Buffer.from(line, "base64").toString("hex")), ...formsOf(privateKey)]
    ],
    ["signature", ["KALSHI-ACCESS-SIGNATURE", "kalshi-access-signature"]]
  ])
}

/** What is found in a text: the name of each secret, with a little of what is around it. */
export const found = (canaries: Canaries, text: string): ReadonlyArray<string> =>
  [...forms(canaries)].flatMap(([name, all]) =>
    all
      .map((form) => text.indexOf(form))
      .filter((at) => at >= 0)
      .slice(0, 1)
      .map((at) => `${name}: …${text.slice(Math.max(0, at - 200), at)}[HERE]`)
  )
