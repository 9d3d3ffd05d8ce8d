/**
 * Kalshi on loopback, as one scoped resource. It asks the same questions as a Polymarket simulator of the same seed and
 * values them alike; its own traders hear of changes a little later and are a little wrong, so that the two venues'
 * prices lead and lag each other.
 */
import { type KeyObject, generateKeyPair } from "node:crypto"
import { readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import * as Exchange from "./Exchange.ts"
import type { Fault } from "./Faults.ts"
import * as FaultsFile from "./FaultsFile.ts"
import type { ScheduledFault } from "./FaultsFile.ts"
import * as KalshiBackend from "./KalshiBackend.ts"
import type { Backend } from "./KalshiBackend.ts"
import * as KalshiGrid from "./KalshiGrid.ts"
import * as KalshiLimits from "./KalshiLimits.ts"
import * as KalshiRecording from "./KalshiRecording.ts"
import * as KalshiRecordingBackend from "./KalshiRecordingBackend.ts"
import * as KalshiServer from "./KalshiServer.ts"
import type { Stats } from "./KalshiServer.ts"
import * as KalshiVenue from "./KalshiVenue.ts"
import { SimulatorError } from "./SimulatorError.ts"

export interface KalshiSimulatorOptions {
  /** Decides everything that happens; a Polymarket simulator with the same one trades the same questions. */
  readonly seed: number
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Open markets. */
  readonly markets: number
  /** Operations of the engine a second, over all markets; most are one `orderbook_delta` each. */
  readonly rate: number
  /** Milliseconds from one market's resolution, and the listing of another, to the next; 0 for none. */
  readonly turnover: number
  /** Milliseconds by which its traders are late in seeing what a question is worth. */
  readonly lagMs: number
  /** How wrong they are, as a deviation in log-odds: 0.04 is about one cent near a price of one half. */
  readonly noise: number
  /** A file of frames to serve instead of the exchange, one a line. */
  readonly recording?: string | undefined
  /** How a recording is played: 1 keeps its intervals, 2 halves them, 0 sends as fast as sockets take it. */
  readonly speed: number
  /** Whether the recording was made with `use_yes_price`. */
  readonly recordedYesPrice: boolean
  /** A file of faults and when each happens. */
  readonly faults?: string | undefined
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
  seed: 1,
  host: "127.0.0.1",
  port: 0,
  markets: 60,
  rate: 300,
  turnover: 20_000,
  lagMs: 1500,
  noise: 0.06,
  speed: 0,
  recordedYesPrice: false,
  keyId: "5a1b7c3e-0d2f-4e86-9b47-c8d1e6f20394",
  keyType: "ed25519",
  budget: KalshiLimits.basic,
  sockets: 200,
  clockAhead: 0
}

/** How often the exchange moves on. */
const STEP = "10 millis"

export class KalshiSimulator extends Context.Tag("parallax/simulator/KalshiSimulator")<
  KalshiSimulator,
  {
    /** By the names of the configuration keys that they are for. */
    readonly urls: { readonly api_url: string; readonly ws_url: string }
    readonly port: number
    /** What signs; `undefined` when only the public key is known. */
    readonly credentials: { readonly key_id: string; readonly private_key_pem: string } | undefined
    readonly inject: (fault: Fault) => Effect.Effect<void>
    readonly stats: Effect.Effect<Stats>
  }
>() {
  /** Closing the layer's scope closes the server and every connection at once. */
  static readonly layer = (
    options: Partial<KalshiSimulatorOptions> = {}
  ): Layer.Layer<KalshiSimulator, SimulatorError> => Layer.scoped(KalshiSimulator, make(options))
}

/** How a client names the host that the server listens on. */
const reachable = (host: string): string => {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1"
  return host.includes(":") ? `[${host}]` : host
}

const keyPairOf = promisify(generateKeyPair)

const makeKeys = (type: KalshiSimulatorOptions["keyType"]) =>
  Effect.promise(() => (type === "rsa" ? keyPairOf("rsa", { modulusLength: 2048 }) : keyPairOf("ed25519")))

const read = (path: string, reason: "faults" | "recording"): Effect.Effect<string, SimulatorError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => new SimulatorError({ reason, where: path, detail: (cause as Error).message })
  })

const readFaults = (path: string | undefined): Effect.Effect<ReadonlyArray<ScheduledFault>, SimulatorError> =>
  Effect.gen(function* () {
    if (path === undefined) return []
    const faults = FaultsFile.parse(yield* read(path, "faults"))
    if (!("problems" in faults)) return faults
    return yield* new SimulatorError({ reason: "faults", where: path, detail: FaultsFile.format(faults.problems) })
  })

const exchangeBackend = (options: KalshiSimulatorOptions, now: number): Backend => {
  const { lagMs, markets, noise, rate, seed, turnover } = options
  const rules = KalshiGrid.rules(seed)
  const exchange = Exchange.make({ seed, markets, rate, turnover, lagMs, noise, rules, now, venue: "kalshi " })
  return KalshiBackend.make(exchange, KalshiVenue.make(seed, exchange, now))
}

const recordingBackend = (path: string, options: KalshiSimulatorOptions, now: number) =>
  Effect.gen(function* () {
    const frames = KalshiRecording.parse(yield* read(path, "recording"))
    if (frames.length === 0) {
      return yield* new SimulatorError({ reason: "recording", where: path, detail: "no frames in it" })
    }
    const { recordedYesPrice: yesScale, speed } = options
    return KalshiRecordingBackend.make(frames, { speed, yesScale }, now)
  })

export const make = (
  partial: Partial<KalshiSimulatorOptions> = {}
): Effect.Effect<Context.Tag.Service<KalshiSimulator>, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { ...defaults, ...partial }
    const { budget, clockAhead, host, keyId, port, recording, sockets } = options
    const clock = yield* Effect.clock
    const faults = yield* readFaults(options.faults)
    const pair = options.publicKey === undefined ? yield* makeKeys(options.keyType) : undefined
    const publicKey = options.publicKey ?? pair?.publicKey
    const now = clock.unsafeCurrentTimeMillis()
    const backend =
      recording === undefined ? exchangeBackend(options, now) : yield* recordingBackend(recording, options, now)
    const keys = new Map(publicKey === undefined ? [] : [[keyId, publicKey]])
    const server = yield* KalshiServer.make({ host, port, keys, budget, sockets, clockAhead, backend })
    for (const { at, fault } of faults) server.schedule(now + at, fault)
    yield* Effect.sync(server.tick).pipe(
      Effect.repeat(Schedule.spaced(STEP)),
      Effect.tapErrorCause((cause) => Effect.logError("Kalshi simulator stopped", cause)),
      Effect.forkScoped
    )
    const authority = `${reachable(host)}:${server.port}`
    const pem = pair?.privateKey.export({ type: "pkcs8", format: "pem" })
    return KalshiSimulator.of({
      urls: { api_url: `http://${authority}/trade-api/v2`, ws_url: `ws://${authority}${KalshiServer.SOCKET}` },
      port: server.port,
      credentials: pem === undefined ? undefined : { key_id: keyId, private_key_pem: String(pem) },
      inject: (fault) => Effect.sync(() => server.inject(fault)),
      stats: Effect.sync(server.stats)
    })
  })
