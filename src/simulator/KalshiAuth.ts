/**
 * Checks signed requests as Kalshi does: headers, clock, key and signature, in this order (Kalshi reference §1.3, §5.2).
 * It knows public keys only.
 */
import { type KeyObject, constants, verify } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import * as KalshiErrors from "./KalshiErrors.ts"
import type { Reply } from "./Rest.ts"

/** The largest difference between a request's clock and the exchange's that is accepted, in milliseconds. */
const MOST_SKEW = 10_000
const SALT = 32
const RSA_BITS = 2048

/** Public keys by key id: RSA or Ed25519. */
export type Keys = ReadonlyMap<string, KeyObject>

const names = ["kalshi-access-key", "kalshi-access-timestamp", "kalshi-access-signature"] as const

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** Whether a request claims to be somebody's. */
export const isSigned = (headers: IncomingHttpHeaders): boolean =>
  names.some((name) => headerOf(headers, name) !== undefined)

/** Whether the signature is of this text. RSA: PSS with SHA-256 for both hashes and a salt of 32 bytes. */
const matches = (key: KeyObject, text: string, signature: Buffer): boolean => {
  const bytes = Buffer.from(text)
  if (key.asymmetricKeyType === "ed25519") return verify(null, bytes, key, signature)
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS) return false
  return verify("sha256", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: SALT }, signature)
}

/** Standard base64 with its padding; anything else is no signature. */
const bytesOf = (text: string): Buffer => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? bytes : Buffer.alloc(0)
}

/** The refusal of a request, `undefined` when it is in order. `path` is without the query, `now` the exchange's clock. */
export const check = (
  keys: Keys,
  headers: IncomingHttpHeaders,
  method: string,
  path: string,
  now: number
): Reply | undefined => {
  const [id, timestamp, signature] = names.map((name) => headerOf(headers, name))
  if (id === undefined || timestamp === undefined || signature === undefined) {
    return KalshiErrors.nested(401, "signature_is_missing_from_headers")
  }
  const skew = /^\d{1,15}$/.test(timestamp) ? Math.abs(Number(timestamp) - now) : Number.POSITIVE_INFINITY
  if (skew > MOST_SKEW) return KalshiErrors.nested(401, "header_timestamp_expired")
  const refuse = (details: string) => KalshiErrors.nested(401, "authentication_error", details, "authentication_error")
  const key = keys.get(id)
  if (key === undefined) return refuse("NOT_FOUND")
  const text = `${timestamp}${method}${path}`
  return matches(key, text, bytesOf(signature)) ? undefined : refuse("INCORRECT_API_KEY_SIGNATURE")
}
