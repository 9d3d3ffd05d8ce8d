/**
 * The venues of a demo on loopback: the same questions at each of them, with prices that lead and lag each other, since
 * the same seed moves what the questions are worth.
 */
import { Effect, type Scope } from "effect"
import * as KalshiSimulator from "./KalshiSimulator.ts"
import * as Simulator from "./Simulator.ts"
import type { SimulatorError } from "./SimulatorError.ts"

export const names = ["polymarket", "kalshi"] as const
export type Name = (typeof names)[number]

/** The keys of the configuration that lead to a simulated venue, by the venue's section in `platforms`. */
export interface Endpoints {
  readonly polymarket?: { readonly clob_url: string; readonly gamma_url: string; readonly ws_url: string }
  readonly kalshi?: {
    readonly api_url: string
    readonly ws_url: string
    readonly key_id: string
    /** Made for this run, and good for nothing else. */
    readonly private_key: string
  }
}

export interface SimulatedVenuesOptions extends Partial<Simulator.SimulatorOptions> {
  readonly venues: ReadonlyArray<Name>
  /** Whether a recording of Kalshi was made with `use_yes_price`. */
  readonly recordedYesPrice?: boolean
}

/** Starts the venues; a port other than 0 is the first one's, the next one takes the port after it. */
export const make = ({
  venues,
  ...options
}: SimulatedVenuesOptions): Effect.Effect<Endpoints, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const port = options.port ?? 0
    const portOf = (name: Name) => (port === 0 ? 0 : port + venues.indexOf(name))
    const endpoints: { -readonly [K in Name]?: Endpoints[K] } = {}
    if (venues.includes("polymarket")) {
      const { urls } = yield* Simulator.make({ ...options, port: portOf("polymarket") })
      endpoints.polymarket = urls
    }
    if (venues.includes("kalshi")) {
      const { credentials, urls } = yield* KalshiSimulator.make({ ...options, port: portOf("kalshi") })
      endpoints.kalshi = {
        ...urls,
        key_id: credentials?.key_id ?? "",
        private_key: credentials?.private_key_pem ?? ""
      }
    }
    return endpoints
  })
