/**
 * A venue on loopback, as one scoped resource: no keys, no internet. The same seed gives the same markets and the same
 * trading; a recording gives the same frames.
 */
import { readFile } from "node:fs/promises"
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import * as Exchange from "./Exchange.ts"
import * as ExchangeBackend from "./ExchangeBackend.ts"
import type { Fault } from "./Faults.ts"
import * as FaultsFile from "./FaultsFile.ts"
import type { ScheduledFault } from "./FaultsFile.ts"
import * as PolymarketServer from "./PolymarketServer.ts"
import type { Backend, Stats } from "./PolymarketServer.ts"
import * as PolymarketVenue from "./PolymarketVenue.ts"
import * as Recording from "./Recording.ts"
import * as RecordingBackend from "./RecordingBackend.ts"
import { SimulatorError } from "./SimulatorError.ts"

export interface SimulatorOptions {
  readonly seed: number
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Open markets; each has two tokens. */
  readonly markets: number
  /** Operations of the engine a second, over all markets; most are one `price_change` each. */
  readonly rate: number
  /** Milliseconds from one market's resolution, and the listing of another, to the next; 0 for none. */
  readonly turnover: number
  /** A file of frames to serve instead of the exchange. */
  readonly recording?: string | undefined
  /** How a recording is played: 1 keeps its intervals, 2 halves them, 0 sends as fast as sockets take it. */
  readonly speed: number
  /** A file of faults and when each happens. */
  readonly faults?: string | undefined
}

/** What the demo runs on. */
export const defaults: SimulatorOptions = {
  seed: 1,
  host: "127.0.0.1",
  port: 0,
  markets: 60,
  rate: 300,
  turnover: 20_000,
  speed: 0
}

/** How often the exchange moves on. */
const STEP = "10 millis"

export class Simulator extends Context.Tag("parallax/simulator/Simulator")<
  Simulator,
  {
    /** By the names of the configuration keys that they are for. */
    readonly urls: { readonly clob_url: string; readonly gamma_url: string; readonly ws_url: string }
    readonly port: number
    readonly inject: (fault: Fault) => Effect.Effect<void>
    readonly stats: Effect.Effect<Stats>
  }
>() {
  /** Closing the layer's scope closes the server and every connection at once. */
  static readonly layer = (options: Partial<SimulatorOptions> = {}): Layer.Layer<Simulator, SimulatorError> =>
    Layer.scoped(Simulator, make(options))
}

/** How a client names the host that the server listens on. */
const reachable = (host: string): string => {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1"
  return host.includes(":") ? `[${host}]` : host
}

const exchangeBackend = (options: SimulatorOptions, now: number): Backend => {
  const exchange = Exchange.make({ ...options, now })
  return ExchangeBackend.make(exchange, PolymarketVenue.make(options.seed, exchange, now))
}

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

const readRecording = (path: string): Effect.Effect<ReadonlyArray<Recording.RecordedFrame>, SimulatorError> =>
  Effect.gen(function* () {
    const frames = Recording.parse(yield* read(path, "recording"))
    if (frames.length > 0) return frames
    return yield* new SimulatorError({ reason: "recording", where: path, detail: "no frames in it" })
  })

export const make = (
  partial: Partial<SimulatorOptions> = {}
): Effect.Effect<Context.Tag.Service<Simulator>, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { ...defaults, ...partial }
    const clock = yield* Effect.clock
    const faults = yield* readFaults(options.faults)
    const now = clock.unsafeCurrentTimeMillis()
    const backend =
      options.recording === undefined
        ? exchangeBackend(options, now)
        : RecordingBackend.make(yield* readRecording(options.recording), options.speed, now)
    const server = yield* PolymarketServer.make({ host: options.host, port: options.port, backend })
    for (const { at, fault } of faults) server.schedule(now + at, fault)
    yield* Effect.sync(server.tick).pipe(
      Effect.repeat(Schedule.spaced(STEP)),
      Effect.tapErrorCause((cause) => Effect.logError("simulator stopped", cause)),
      Effect.forkScoped
    )
    const authority = `${reachable(options.host)}:${server.port}`
    return Simulator.of({
      urls: {
        clob_url: `http://${authority}`,
        gamma_url: `http://${authority}/gamma`,
        ws_url: `ws://${authority}/ws/market`
      },
      port: server.port,
      inject: (fault) => Effect.sync(() => server.inject(fault)),
      stats: Effect.sync(server.stats)
    })
  })
