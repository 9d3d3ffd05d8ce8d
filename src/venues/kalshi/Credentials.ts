/** The API key as the configuration gives it: none, a working one, or one that cannot be used and why. */
import { readFile } from "node:fs/promises"
import { Effect, Redacted } from "effect"
import type { KalshiConfig } from "./Config.ts"
import * as Signing from "./Signing.ts"

/** What is wrong with a key, never with a piece of it, and the setting at fault. */
export interface KeyFault {
  readonly key: "key_id" | "private_key_path" | "private_key"
  readonly problem: string
}

export type Credentials =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Ready"; readonly signer: Signing.Signer }
  | ({ readonly _tag: "Unusable" } & KeyFault)

const absent: Credentials = { _tag: "Absent" }
const unusable = (fault: KeyFault): Credentials => ({ _tag: "Unusable", ...fault })

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "no reason given"

const readPem = (path: string): Effect.Effect<Redacted.Redacted, string> =>
  Effect.tryPromise({
    try: async () => Redacted.make(await readFile(path, "utf8")),
    catch: (cause) => `private_key_path ${JSON.stringify(path)} cannot be read: ${codeOf(cause)}`
  })

/** Why the settings of a key do not go together; what they hold is not looked at. */
export const pairFault = ({ key_id, private_key, private_key_path }: KalshiConfig): KeyFault | undefined => {
  const written = Redacted.value(private_key) !== ""
  const named = private_key_path !== ""
  if (written && named) {
    return { key: "private_key", problem: "both private_key and private_key_path are given; one of them is needed" }
  }
  if (key_id === "" && (written || named)) return { key: "key_id", problem: "there is a private key but no key_id" }
  if (key_id !== "" && !written && !named) {
    return { key: "private_key", problem: "there is a key_id but neither private_key_path nor private_key" }
  }
  return undefined
}

/** Reads the key that the configuration names. */
export const load = (config: KalshiConfig): Effect.Effect<Credentials> => {
  const fault = pairFault(config)
  if (fault !== undefined) return Effect.succeed(unusable(fault))
  if (config.key_id === "") return Effect.succeed(absent)
  const key = config.private_key_path === "" ? "private_key" : "private_key_path"
  return (key === "private_key" ? Effect.succeed(config.private_key) : readPem(config.private_key_path)).pipe(
    Effect.flatMap((pem) => Signing.make(config.key_id, pem)),
    Effect.match({
      onFailure: (problem) => unusable({ key, problem }),
      onSuccess: (signer): Credentials => ({ _tag: "Ready", signer })
    })
  )
}
