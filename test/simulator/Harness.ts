/** A Polymarket simulator on a free port with clients that speak to it over real sockets; time is the test's. */
import { Effect, type Scope } from "effect"
import type { ClientOptions } from "ws"
import * as Simulator from "../../src/simulator/Simulator.ts"
import * as Loopback from "./Loopback.ts"

export interface Client extends Loopback.Client {
  /** The next frame of this `event_type`; those before it are dropped. */
  readonly next: (type: string) => Effect.Effect<any>
}

const barrier: Loopback.Barrier = { ask: "PING", answers: (frame) => frame === "PONG" }

/** The open client, or how the handshake was refused. */
export const connect = (
  url: string,
  options: ClientOptions = {}
): Effect.Effect<Client, Loopback.Refusal, Scope.Scope> =>
  Effect.map(Loopback.connect(url, barrier, { perMessageDeflate: false, ...options }), (client) => ({
    ...client,
    next: (type) =>
      client.take.pipe(
        Effect.map((text) => (text.startsWith("{") ? JSON.parse(text) : { event_type: text })),
        Effect.repeat({ until: (frame) => frame.event_type === type })
      )
  }))

/** A running simulator whose time stands still until the test lets it pass. */
export const start = (options: Partial<Simulator.SimulatorOptions> = {}) =>
  Effect.gen(function* () {
    const { clock, pass } = Loopback.standingClock(0)
    const simulator = yield* Simulator.make({ markets: 4, rate: 400, turnover: 0, ...options }).pipe(
      Effect.withClock(clock)
    )
    const get = (path: string) => Loopback.request(`${simulator.urls.clob_url}${path}`)
    const post = (path: string, body: unknown) => Loopback.post(`${simulator.urls.clob_url}${path}`, body)
    const markets = yield* Effect.map(get("/sampling-markets"), ({ json }) => json.data as ReadonlyArray<any>)
    const tokens: ReadonlyArray<string> = markets.flatMap((market) =>
      market.tokens.map((token: { readonly token_id: string }) => token.token_id)
    )
    return {
      simulator,
      pass,
      get,
      post,
      markets,
      tokens,
      stats: simulator.stats,
      connect: connect(simulator.urls.ws_url),
      /** A client that has its dump of these tokens, of all by default. */
      subscribe: (assets: ReadonlyArray<string> = tokens, custom = false) =>
        Effect.gen(function* () {
          const client = yield* connect(simulator.urls.ws_url)
          yield* client.send({ assets_ids: assets, type: "market", custom_feature_enabled: custom })
          const dump = JSON.parse(yield* client.take) as ReadonlyArray<any>
          return { ...client, dump }
        })
    }
  })
