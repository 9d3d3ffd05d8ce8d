/**
 * A venue on loopback, as one scoped resource: no keys, no internet. The same seed gives the same markets and the same
 * trading; a recording gives the same frames.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as Exchange from "./Exchange.ts"
import * as ExchangeBackend from "./ExchangeBackend.ts"
import * as Hosting from "./Hosting.ts"
import * as PolymarketServer from "./PolymarketServer.ts"
import type { Backend } from "./PolymarketServer.ts"
import * as PolymarketVenue from "./PolymarketVenue.ts"
import * as Recording from "./Recording.ts"
import * as RecordingBackend from "./RecordingBackend.ts"
import type { SimulatorError } from "./SimulatorError.ts"

/** Each market has two tokens. */
export type SimulatorOptions = Hosting.HostingOptions

export const defaults: SimulatorOptions = Hosting.defaults

export class Simulator extends Context.Tag("parallax/simulator/Simulator")<
  Simulator,
  Hosting.Hosted & {
    /** By the names of the configuration keys that they are for. */
    readonly urls: { readonly clob_url: string; readonly gamma_url: string; readonly ws_url: string }
  }
>() {
  /** Closing the layer's scope closes the server and every connection at once. */
  static readonly layer = (options: Partial<SimulatorOptions> = {}): Layer.Layer<Simulator, SimulatorError> =>
    Layer.scoped(Simulator, make(options))
}

const exchangeBackend = (options: SimulatorOptions, now: number): Backend => {
  const exchange = Exchange.make({ ...options, now })
  return ExchangeBackend.make(exchange, PolymarketVenue.make(options.seed, exchange, now))
}

const recordingBackend = (path: string, speed: number, now: number) =>
  Effect.map(Hosting.readRecording(path, Recording.parse), (frames) => RecordingBackend.make(frames, speed, now))

export const make = (
  partial: Partial<SimulatorOptions> = {}
): Effect.Effect<Context.Tag.Service<Simulator>, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { ...defaults, ...partial }
    const clock = yield* Effect.clock
    const faults = yield* Hosting.readFaults(options.faults)
    const now = clock.unsafeCurrentTimeMillis()
    const { host, port, recording, speed } = options
    const backend =
      recording === undefined ? exchangeBackend(options, now) : yield* recordingBackend(recording, speed, now)
    const server = yield* PolymarketServer.make({ host, port, backend })
    const hosted = yield* Hosting.run(server, faults, now, "simulator")
    const authority = Hosting.authorityOf({ host, port: server.port })
    return Simulator.of({
      ...hosted,
      urls: {
        clob_url: `http://${authority}`,
        gamma_url: `http://${authority}/gamma`,
        ws_url: `ws://${authority}/ws/market`
      }
    })
  })
