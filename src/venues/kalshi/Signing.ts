/** Signing of requests and handshakes (Kalshi reference §1.3). */
import { type KeyObject, constants, createPrivateKey, sign } from "node:crypto"
import { Either, Redacted } from "effect"

/** Signs with one key, which it holds and never shows. */
export interface Signer {
  /** The three headers for a request of `path` (with or without a query) at `timestamp` milliseconds. */
  readonly headers: (method: string, path: string, timestamp: number) => Record<string, string>
}

/** What is signed: no separators, the path without its query, neither host nor body. */
export const signedText = (timestamp: number, method: string, path: string): string =>
  `${timestamp}${method.toUpperCase()}${path.split("?", 1)[0]}`

/** RSA with PSS and a salt as long as the digest, or pure Ed25519: as the key is, whatever its file says. */
const signWith = (key: KeyObject): ((text: string) => string) | undefined => {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return (text) =>
        sign("sha256", Buffer.from(text), {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST
        }).toString("base64")
    case "ed25519":
      return (text) => sign(null, Buffer.from(text), key).toString("base64")
    default:
      return undefined
  }
}

const readKey = (pem: string): KeyObject | undefined => {
  try {
    // The parser's own words are left out: they may quote what it read.
    return createPrivateKey({ key: pem, format: "pem" })
  } catch {
    return undefined
  }
}

/** A variable of the environment often holds `\n` for the end of a line. */
const unfolded = (pem: string): string => (pem.includes("\n") ? pem : pem.replaceAll("\\n", "\n")).trim()

/** A signer from a PEM of either form, or why there is none; never with a piece of the key. */
export const make = (keyId: string, privateKey: Redacted.Redacted): Either.Either<Signer, string> => {
  const key = readKey(unfolded(Redacted.value(privateKey)))
  if (key === undefined) return Either.left("the private key is not an unencrypted PEM of PKCS#1 or PKCS#8")
  const signText = signWith(key)
  if (signText === undefined) {
    return Either.left(`the private key is of the kind ${key.asymmetricKeyType}; RSA or Ed25519 is needed`)
  }
  return Either.right({
    headers: (method, path, timestamp) => ({
      "KALSHI-ACCESS-KEY": keyId,
      "KALSHI-ACCESS-TIMESTAMP": String(timestamp),
      "KALSHI-ACCESS-SIGNATURE": signText(signedText(timestamp, method, path))
    })
  })
}
