/** What tests of any simulated venue need: a clock that stands still, requests, and clients over real sockets. */
import { Clock, Deferred, Duration, Effect, Queue, type Scope } from "effect"
import { type ClientOptions, WebSocket } from "ws"

/** What a request, or a handshake, came to. `json` is `undefined` when the body is none. */
export interface Answer<Headers> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}

/** The refusal of a handshake. */
export type Refusal = Answer<NodeJS.Dict<string | Array<string>>>

/** One WebSocket client. Frames wait in order until they are taken. */
export interface Client {
  readonly send: (message: unknown) => Effect.Effect<void>
  readonly take: Effect.Effect<string>
  /** Everything that the server has sent so far and that was not taken. */
  readonly waiting: Effect.Effect<ReadonlyArray<string>>
  readonly pings: Queue.Dequeue<string>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

/** A question that the server answers at once, after whatever it sent before. */
export interface Barrier {
  readonly ask: unknown
  readonly answers: (frame: string) => boolean
}

/** A text's value; `undefined` for what is no JSON. */
export const parse = (text: string): any => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const written = (message: unknown): string => (typeof message === "string" ? message : JSON.stringify(message))

export const request = (url: string, init?: RequestInit): Effect.Effect<Answer<Headers>> =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: parse(text) }
  })

/** Posts a text as it is, and anything else as JSON. */
export const post = (url: string, body: unknown): Effect.Effect<Answer<Headers>> =>
  request(url, { method: "POST", body: written(body) })

/** The open client, or how the handshake was refused. */
export const connect = (
  url: string,
  barrier: Barrier,
  options: ClientOptions
): Effect.Effect<Client, Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<string>()
    const pings = yield* Queue.unbounded<string>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(url, options)),
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
    const send: Client["send"] = (message) => Effect.sync(() => socket.send(written(message)))
    return {
      send,
      take,
      waiting: Effect.gen(function* () {
        if (socket.readyState !== WebSocket.OPEN) return [...(yield* Queue.takeAll(frames))]
        yield* send(barrier.ask)
        const found: Array<string> = []
        for (let frame = yield* take; !barrier.answers(frame); frame = yield* take) found.push(frame)
        return found
      }),
      pings,
      closed: Deferred.await(closed)
    }
  })

/** A clock that stands still. Unlike the test clock it wakes a sleeper without waiting for real time. */
export const standingClock = (start: number) => {
  let now = start
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
  return { clock, pass, now: () => now }
}
