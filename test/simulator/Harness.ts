/** A simulator on a free port with clients that speak to it over real sockets; time is the test's. */
import { Clock, Deferred, Duration, Effect, Queue, type Scope } from "effect"
import { type ClientOptions, WebSocket } from "ws"
import type { Stats } from "../../src/simulator/PolymarketServer.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"

export type Json = Record<string, unknown>

/** What a request came to. `json` is `undefined` when the body is none. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}

/** One WebSocket client. Frames wait in order until they are taken. */
export interface Client {
  readonly send: (message: string | Json) => Effect.Effect<void>
  readonly take: Effect.Effect<string>
  /** The next frame of this `event_type`; those before it are dropped. */
  readonly next: (type: string) => Effect.Effect<any>
  /** Everything that the server has sent so far and that was not taken. */
  readonly waiting: Effect.Effect<ReadonlyArray<string>>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

const answer = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, text, json }
}

/** The status of a refused upgrade, or the open client. */
export const connect = (
  url: string,
  options: ClientOptions = {}
): Effect.Effect<
  Client,
  { readonly status: number; readonly headers: NodeJS.Dict<string | Array<string>> },
  Scope.Scope
> =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<string>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(url, { perMessageDeflate: false, ...options })),
      (socket) => Effect.sync(() => socket.terminate())
    )
    socket.on("message", (data) => frames.unsafeOffer(String(data)))
    socket.on("close", (code, reason) =>
      Deferred.unsafeDone(closed, Effect.succeed({ code, reason: reason.toString() }))
    )
    socket.on("error", () => {})
    yield* Effect.async<void, { status: number; headers: NodeJS.Dict<string | Array<string>> }>((resume) => {
      socket.once("open", () => resume(Effect.void))
      socket.once("unexpected-response", (_, response) => {
        resume(Effect.fail({ status: response.statusCode ?? 0, headers: response.headers }))
      })
    })
    const take = Queue.take(frames)
    return {
      send: (message) =>
        Effect.sync(() => socket.send(typeof message === "string" ? message : JSON.stringify(message))),
      take,
      next: (type) =>
        take.pipe(
          Effect.map((text) => (text.startsWith("{") ? (JSON.parse(text) as Json) : { event_type: text })),
          Effect.repeat({ until: (frame) => frame["event_type"] === type })
        ),
      waiting: Effect.gen(function* () {
        if (socket.readyState !== WebSocket.OPEN) return [...(yield* Queue.takeAll(frames))]
        // Whatever was sent before arrives before the answer to this.
        socket.send("PING")
        const found: Array<string> = []
        for (let frame = yield* take; frame !== "PONG"; frame = yield* take) found.push(frame)
        return found
      }),
      closed: Deferred.await(closed)
    }
  })

/** A clock that stands still. Unlike the test clock it wakes a sleeper without waiting for real time. */
const makeClock = () => {
  let now = 0
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
  /** Lets time pass, step by step, until the simulator has done all that is due. */
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
  return { clock, pass }
}

/** A running simulator whose time stands still until the test lets it pass. */
export const start = (options: Partial<Simulator.SimulatorOptions> = {}) =>
  Effect.gen(function* () {
    const { clock, pass } = makeClock()
    const simulator = yield* Simulator.make({ markets: 4, rate: 400, turnover: 0, ...options }).pipe(
      Effect.withClock(clock)
    )
    const request = (path: string, init?: RequestInit): Effect.Effect<Answer> =>
      Effect.promise(() => fetch(`${simulator.urls.clob_url}${path}`, init).then(answer))
    const get = (path: string) => request(path)
    const post = (path: string, body: unknown) =>
      request(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) })
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
      stats: simulator.stats as Effect.Effect<Stats>,
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
