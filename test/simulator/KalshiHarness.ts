/** A Kalshi simulator on a free port with clients that sign and speak over real sockets; time is the test's. */
import { type KeyObject, constants, createPrivateKey, sign } from "node:crypto"
import { Clock, Deferred, Duration, Effect, Queue, type Scope } from "effect"
import { WebSocket } from "ws"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"

export type Json = Record<string, any>

export const START = 1_791_000_000_000

/** What a request came to. `json` is `undefined` when the body is none. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}

const parse = (text: string): any => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const answer = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

/** The refusal of a handshake. */
export interface Refusal {
  readonly status: number
  readonly headers: NodeJS.Dict<string | Array<string>>
  readonly json: any
  readonly text: string
}

/** One client. Frames wait in order until they are taken. */
export interface Client {
  readonly send: (message: string | Json) => Effect.Effect<void>
  readonly take: Effect.Effect<string>
  /** The next frame of this type; those before it are dropped. */
  readonly next: (type: string) => Effect.Effect<Json>
  /** Everything that the server has sent so far and that was not taken. */
  readonly waiting: Effect.Effect<ReadonlyArray<string>>
  /** The same, parsed; what is no JSON is `undefined`. */
  readonly frames: Effect.Effect<ReadonlyArray<any>>
  readonly pings: Queue.Dequeue<string>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

const BARRIER = 987_654

export const connect = (url: string, headers: Record<string, string>): Effect.Effect<Client, Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<string>()
    const pings = yield* Queue.unbounded<string>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(url, { headers })),
      (socket) => Effect.sync(() => socket.terminate())
    )
    socket.on("message", (data) => frames.unsafeOffer(String(data)))
    socket.on("ping", (data) => pings.unsafeOffer(String(data)))
    socket.on("close", (code, reason) =>
      Deferred.unsafeDone(closed, Effect.succeed({ code, reason: reason.toString() }))
    )
    socket.on("error", () => {})
    yield* Effect.async<void, Refusal>((resume) => {
      socket.once("open", () => resume(Effect.void))
      socket.once("unexpected-response", (_, response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          const { headers, statusCode: status = 0 } = response
          resume(Effect.fail({ status, headers, text, json: parse(text) }))
        })
      })
    })
    const take = Queue.take(frames)
    const send: Client["send"] = (message) =>
      Effect.sync(() => socket.send(typeof message === "string" ? message : JSON.stringify(message)))
    const waiting = Effect.gen(function* () {
      if (socket.readyState !== WebSocket.OPEN) return [...(yield* Queue.takeAll(frames))]
      // Whatever was sent before arrives before the answer to this.
      yield* send({ id: BARRIER, cmd: "list_subscriptions" })
      const found: Array<string> = []
      for (let frame = yield* take; parse(frame)?.id !== BARRIER; frame = yield* take) found.push(frame)
      return found
    })
    return {
      send,
      take,
      waiting,
      frames: Effect.map(waiting, (texts) => texts.map(parse)),
      pings,
      next: (type) => take.pipe(Effect.map(parse), Effect.repeat({ until: (frame) => frame?.type === type })),
      closed: Deferred.await(closed)
    }
  })

/** A clock that stands still. Unlike the test clock it wakes a sleeper without waiting for real time. */
const makeClock = () => {
  let now = START
  let sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeMillis: () => now,
    currentTimeMillis: Effect.sync(() => now),
    sleep: (duration) =>
      Effect.async((resume) => {
        const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.push(sleeper)
        return Effect.sync(() => {
          sleepers = sleepers.filter((other) => other !== sleeper)
        })
      })
  }
  const pass = (milliseconds: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      for (const end = now + milliseconds; now < end;) {
        now = Math.min(end, now + 10)
        const due = sleepers.filter((sleeper) => sleeper.at <= now)
        sleepers = sleepers.filter((sleeper) => sleeper.at > now)
        for (const sleeper of due) sleeper.wake()
        while (sleepers.length === 0) yield* Effect.yieldNow()
      }
    })
  return { clock, pass, now: () => now }
}

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
    const { clock, now, pass } = makeClock()
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
    const request = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
      Effect.promise(() => fetch(url, { redirect: "manual", ...init }).then(answer))
    const get = (path: string, headers: Record<string, string> = {}) => request(`${urls.api_url}${path}`, { headers })
    const control = (path: string) => request(`${origin}/_control/${path}`)
    const inject = (fault: unknown) =>
      request(`${origin}/_control/faults`, { method: "POST", body: JSON.stringify(fault) })
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
