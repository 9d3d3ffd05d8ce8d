/** The API key as the configuration gives it: none, a working one, or one that cannot be used and why. */
import { readFile } from "node:fs/promises"
import { Effect, Redacted } from "effect"
import type { KalshiConfig } from "./Config.ts"
import * as Signing from "./Signing.ts"

export type Credentials =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Ready"; readonly signer: Signing.Signer }
  | { readonly _tag: "Unusable"; readonly problem: string }

const absent: Credentials = { _tag: "Absent" }
const unusable = (problem: string): Credentials => ({ _tag: "Unusable", problem })

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "no reason given"

const readPem = (path: string): Effect.Effect<Redacted.Redacted, string> =>
  Effect.tryPromise({
    try: async () => Redacted.make(await readFile(path, "utf8")),
    catch: (cause) => `private_key_path ${JSON.stringify(path)} cannot be read: ${codeOf(cause)}`
  })

/** Reads the key that the configuration names; a key given as text goes before one in a file. */
export const load = (config: KalshiConfig): Effect.Effect<Credentials> => {
  const written = Redacted.value(config.private_key) !== ""
  if (config.key_id === "" && !written && config.private_key_path === "") return Effect.succeed(absent)
  if (config.key_id === "") return Effect.succeed(unusable("there is a private key but no key_id"))
  if (!written && config.private_key_path === "") {
    return Effect.succeed(unusable("there is a key_id but neither private_key_path nor private_key"))
  }
  return (written ? Effect.succeed(config.private_key) : readPem(config.private_key_path)).pipe(
    Effect.flatMap((pem) => Signing.make(config.key_id, pem)),
    Effect.match({ onFailure: unusable, onSuccess: (signer): Credentials => ({ _tag: "Ready", signer }) })
  )
}
