/** A Kalshi simulator on a free port with clients that sign and speak over real sockets; time is the test's. */
import { type KeyObject, constants, createPrivateKey, sign } from "node:crypto"
import { Effect, type Scope } from "effect"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import * as Loopback from "./Loopback.ts"

type Json = Record<string, any>

export const START = 1_791_000_000_000

export interface Client extends Loopback.Client {
  /** The next frame of this type; those before it are dropped. */
  readonly next: (type: string) => Effect.Effect<Json>
  /** What waits, parsed; what is no JSON is `undefined`. */
  readonly frames: Effect.Effect<ReadonlyArray<any>>
}

const BARRIER = 987_654

const barrier: Loopback.Barrier = {
  ask: { id: BARRIER, cmd: "list_subscriptions" },
  answers: (frame) => Loopback.parse(frame)?.id === BARRIER
}

export const connect = (
  url: string,
  headers: Record<string, string>
): Effect.Effect<Client, Loopback.Refusal, Scope.Scope> =>
  Effect.map(Loopback.connect(url, barrier, { headers }), (client) => ({
    ...client,
    frames: Effect.map(client.waiting, (texts) => texts.map(Loopback.parse)),
    next: (type) =>
      client.take.pipe(Effect.map(Loopback.parse), Effect.repeat({ until: (frame) => frame?.type === type }))
  }))

/** Signs a text as a client would: RSA-PSS with this salt, or Ed25519. */
export const signature = (key: KeyObject, text: string, saltLength = 32): string =>
  (key.asymmetricKeyType === "rsa"
    ? sign("sha256", Buffer.from(text), { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
    : sign(null, Buffer.from(text), key)
  ).toString("base64")

export interface Signing {
  readonly keyId?: string
  readonly path?: string
  readonly timestamp?: string
  readonly key?: KeyObject
  readonly saltLength?: number
}

/** A running simulator whose time stands still until the test lets it pass. */
export const start = (options: Partial<KalshiSimulator.KalshiSimulatorOptions> = {}) =>
  Effect.gen(function* () {
    const { clock, now, pass } = Loopback.standingClock(START)
    const simulator = yield* KalshiSimulator.make({ markets: 4, rate: 400, turnover: 0, ...options }).pipe(
      Effect.withClock(clock)
    )
    const { credentials, urls } = simulator
    const privateKey = createPrivateKey(credentials!.private_key_pem)

    /** The headers of a signed request. */
    const signed = (path: string, signing: Signing = {}): Record<string, string> => {
      const { key = privateKey, keyId = credentials!.key_id, saltLength = 32, timestamp = String(now()) } = signing
      return {
        "KALSHI-ACCESS-KEY": keyId,
        "KALSHI-ACCESS-TIMESTAMP": timestamp,
        "KALSHI-ACCESS-SIGNATURE": signature(key, `${timestamp}GET${signing.path ?? path}`, saltLength)
      }
    }
    const socketHeaders = (signing?: Signing) => signed("/trade-api/ws/v2", signing)
    const origin = `http://127.0.0.1:${simulator.port}`
    const get = (path: string, headers: Record<string, string> = {}) =>
      Loopback.request(`${urls.api_url}${path}`, { redirect: "manual", headers })
    const control = (path: string) => Loopback.request(`${origin}/_control/${path}`, { redirect: "manual" })
    const inject = (fault: unknown) => Loopback.post(`${origin}/_control/faults`, fault)
    const open = Effect.suspend(() => connect(urls.ws_url, socketHeaders()))
    const markets = yield* Effect.map(get("/markets"), ({ json }) => json.markets as ReadonlyArray<any>)
    const tickers: ReadonlyArray<string> = markets.map((market) => market.ticker)
    return {
      simulator,
      pass,
      now,
      get,
      control,
      inject,
      signed,
      socketHeaders,
      markets,
      tickers,
      stats: simulator.stats,
      open,
      connect: (headers: Record<string, string>, url = urls.ws_url) => connect(url, headers),
      /** A client with these channels of these markets, of all by default; its acknowledgements are taken. */
      subscribe: (channels: ReadonlyArray<string>, params: Json = { market_tickers: tickers }) =>
        Effect.gen(function* () {
          const client = yield* open
          yield* client.send({ id: 1, cmd: "subscribe", params: { channels, ...params } })
          for (const _ of channels) yield* client.next("subscribed")
          return client
        })
    }
  })
