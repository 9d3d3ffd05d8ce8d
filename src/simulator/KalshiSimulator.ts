/**
 * Kalshi on loopback, as one scoped resource. It asks the same questions as a Polymarket simulator of the same seed and
 * values them alike; its own traders hear of changes a little later and are a little wrong, so that the two venues'
 * prices lead and lag each other.
 */
import { type KeyObject, generateKeyPair } from "node:crypto"
import { promisify } from "node:util"
import { Context, Effect, Layer, type Scope } from "effect"
import * as Exchange from "./Exchange.ts"
import * as Hosting from "./Hosting.ts"
import * as KalshiBackend from "./KalshiBackend.ts"
import type { Backend } from "./KalshiBackend.ts"
import * as KalshiGrid from "./KalshiGrid.ts"
import * as KalshiLimits from "./KalshiLimits.ts"
import * as KalshiRecording from "./KalshiRecording.ts"
import * as KalshiRecordingBackend from "./KalshiRecordingBackend.ts"
import * as KalshiServer from "./KalshiServer.ts"
import * as KalshiVenue from "./KalshiVenue.ts"
import type { SimulatorError } from "./SimulatorError.ts"

export interface KalshiSimulatorOptions extends Hosting.HostingOptions {
  /** Milliseconds by which its traders are late in seeing what a question is worth. */
  readonly lagMs: number
  /** How wrong they are, as a deviation in log-odds: 0.04 is about one cent near a price of one half. */
  readonly noise: number
  /** Whether the recording was made with `use_yes_price`. */
  readonly recordedYesPrice: boolean
  readonly keyId: string
  /** The kind of key pair that is made at the start. */
  readonly keyType: "ed25519" | "rsa"
  /** The only key that may sign, in place of one that is made. */
  readonly publicKey?: KeyObject | undefined
  readonly budget: KalshiLimits.Budget
  /** Sockets that may be open at once; one more is refused with 429. */
  readonly sockets: number
  /** Milliseconds by which the venue's clock is ahead, as its Date header and its check of signatures show. */
  readonly clockAhead: number
}

/** What the demo runs on. */
export const defaults: KalshiSimulatorOptions = {
  ...Hosting.defaults,
  lagMs: 1500,
  noise: 0.06,
  recordedYesPrice: false,
  keyId: "5a1b7c3e-0d2f-4e86-9b47-c8d1e6f20394",
  keyType: "ed25519",
  budget: KalshiLimits.basic,
  sockets: 200,
  clockAhead: 0
}

export class KalshiSimulator extends Context.Tag("parallax/simulator/KalshiSimulator")<
  KalshiSimulator,
  Hosting.Hosted & {
    /** By the names of the configuration keys that they are for. */
    readonly urls: { readonly api_url: string; readonly ws_url: string }
    /** What signs; `undefined` when only the public key is known. */
    readonly credentials: { readonly key_id: string; readonly private_key_pem: string } | undefined
  }
>() {
  /** Closing the layer's scope closes the server and every connection at once. */
  static readonly layer = (
    options: Partial<KalshiSimulatorOptions> = {}
  ): Layer.Layer<KalshiSimulator, SimulatorError> => Layer.scoped(KalshiSimulator, make(options))
}

const keyPairOf = promisify(generateKeyPair)

const makeKeys = (type: KalshiSimulatorOptions["keyType"]) =>
  Effect.promise(() => (type === "rsa" ? keyPairOf("rsa", { modulusLength: 2048 }) : keyPairOf("ed25519")))

const exchangeBackend = (options: KalshiSimulatorOptions, now: number): Backend => {
  const { lagMs, markets, noise, rate, seed, turnover } = options
  const grids = KalshiGrid.make(seed)
  const { rules } = grids
  const exchange = Exchange.make({ seed, markets, rate, turnover, lagMs, noise, rules, now, venue: "kalshi " })
  return KalshiBackend.make(exchange, KalshiVenue.make(seed, exchange, grids, now))
}

const recordingBackend = (path: string, options: KalshiSimulatorOptions, now: number) => {
  const { recordedYesPrice: yesScale, speed } = options
  return Effect.map(Hosting.readRecording(path, KalshiRecording.parse), (frames) =>
    KalshiRecordingBackend.make(frames, { speed, yesScale }, now)
  )
}

export const make = (
  partial: Partial<KalshiSimulatorOptions> = {}
): Effect.Effect<Context.Tag.Service<KalshiSimulator>, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { ...defaults, ...partial }
    const { budget, clockAhead, host, keyId, port, recording, sockets } = options
    const clock = yield* Effect.clock
    const faults = yield* Hosting.readFaults(options.faults)
    const pair = options.publicKey === undefined ? yield* makeKeys(options.keyType) : undefined
    const publicKey = options.publicKey ?? pair?.publicKey
    const now = clock.unsafeCurrentTimeMillis()
    const backend =
      recording === undefined ? exchangeBackend(options, now) : yield* recordingBackend(recording, options, now)
    const keys = new Map(publicKey === undefined ? [] : [[keyId, publicKey]])
    const server = yield* KalshiServer.make({ host, port, keys, budget, sockets, clockAhead, backend })
    const hosted = yield* Hosting.run(server, faults, now, "Kalshi simulator")
    const authority = Hosting.authorityOf({ host, port: server.port })
    const pem = pair?.privateKey.export({ type: "pkcs8", format: "pem" })
    return KalshiSimulator.of({
      ...hosted,
      urls: { api_url: `http://${authority}/trade-api/v2`, ws_url: `ws://${authority}${KalshiServer.SOCKET}` },
      credentials: pem === undefined ? undefined : { key_id: keyId, private_key_pem: String(pem) }
    })
  })
