/**
 * One WebSocket connection, whose raw frames are pulled. The only module that knows the `ws` package: the
 * platform's own socket can neither pause a sender that is too fast nor show why a handshake was refused.
 */
import { Clock, Data, Deferred, Duration, Effect, Option, type Scope, Stream } from "effect"
import type { IncomingMessage } from "node:http"
import WebSocket from "ws"
import { Bell } from "./Bell.ts"
import { MemoryPressure } from "./MemoryPressure.ts"
import { retryAfter } from "./RetryAfter.ts"

export class SocketError extends Data.TaggedError("SocketError")<{
  /** `refused`: answered the upgrade with a status. `closed`: a close frame or a cut. `frozen`: open, but mute. */
  readonly reason: "refused" | "unreachable" | "timeout" | "closed" | "frozen"
  /** The HTTP status of a refused upgrade, or the close code. */
  readonly code: number
  readonly detail: string
  readonly retryAfter: Duration.Duration
  /** The `date` header of a refused upgrade: the peer's clock. */
  readonly date?: string | undefined
}> {
  override get message(): string {
    return this.code > 0 ? `${this.reason} (${this.code}): ${this.detail}` : `${this.reason}: ${this.detail}`
  }
}

const failure = (reason: SocketError["reason"], detail: string, code = 0, wait = Duration.zero) =>
  new SocketError({ reason, code, detail, retryAfter: wait })

/** An application-level ping every `every`; without a reply within `timeout`, which is shorter, the peer is frozen. */
export interface ClientPing {
  readonly ping: string
  readonly isReply: (frame: Buffer) => boolean
  readonly every: Duration.DurationInput
  readonly timeout: Duration.DurationInput
}

/** The same with ping frames, which every peer answers by itself (RFC 6455 §5.5.2). */
export type FramePing = Omit<ClientPing, "ping" | "isReply">

export interface SocketOptions {
  readonly url: string
  /** Evaluated at each connect: a signature is fresh every time. */
  readonly headers?: Effect.Effect<Record<string, string>, SocketError>
  readonly openTimeout: Duration.DurationInput
  /** The largest frame that is read at all, in bytes. */
  readonly maxPayload: number
  /** The reader is paused while this many frames or bytes wait. */
  readonly highWater: { readonly frames: number; readonly bytes: number }
  readonly heartbeat: ClientPing | FramePing
  /** Watches for data, which replies to pings are not. */
  readonly silence: {
    readonly after: Duration.DurationInput
    /** Asked when silence is not by itself proof: whether the venue has news that this connection did not bring. */
    readonly probe: Effect.Effect<Option.Option<string>>
  }
}

/** Frames that arrived in one turn of the event loop, in order. Empty when the reader was only woken. */
export interface FrameBatch {
  readonly frames: ReadonlyArray<Buffer>
  /** When the first of them arrived. */
  readonly receivedTime: number
  /** Why what the peer sent was left unread for a while, up to these frames; said once. */
  readonly stalled: string | undefined
  /** With these frames all is read that the peer had sent by the end of such a while. */
  readonly caughtUp: boolean
}

export interface Session {
  /** What came, as soon as anything did. Fails when the connection ends, whatever the reason; a close with 1000 is a failure too. */
  readonly next: Effect.Effect<FrameBatch, SocketError>
  /** The same over and over, as a stream. */
  readonly frames: Stream.Stream<FrameBatch, SocketError>
  readonly send: (text: string) => Effect.Effect<void, SocketError>
  /** Makes the reader yield an empty batch, so that it looks at what changed besides. */
  readonly wake: Effect.Effect<void>
  /** Ends the connection as frozen, for a reason that its frames do not show. */
  readonly abort: (detail: string) => Effect.Effect<void>
}

/** A process that did nothing for so long has books that are as old; less is no more than a slow network. */
const STANDSTILL = 4_000

/** How long the peer gets to answer a close before the socket is cut. */
const CLOSE_GRACE = 1_000

/** A body that explains a refusal is worth a few words, not a page. */
const MAX_REFUSAL = 200

const readRefusal = (response: IncomingMessage, now: number, done: (error: SocketError) => void): void => {
  let body = ""
  response.on("data", (chunk: Buffer) => {
    if (body.length < MAX_REFUSAL) body += chunk.toString("utf8")
  })
  const finish = () => {
    const wait = retryAfter(response.headers["retry-after"], now)
    const text = body.trim().slice(0, MAX_REFUSAL) || (response.statusMessage ?? "no reason given")
    const code = response.statusCode ?? 0
    done(new SocketError({ reason: "refused", code, detail: text, retryAfter: wait, date: response.headers.date }))
  }
  response.on("end", finish)
  response.on("error", finish)
}

/**
 * How data flows while it flows, to tell a quiet market from a frozen one. A flow has no pause to speak of and has
 * lasted: a burst of frames says nothing about the silence after it.
 */
const makeRhythm = (limit: number) => {
  const longestPause = Math.max(2_000, limit / 6)
  const shortestFlow = limit / 3
  let began = 0
  let countBefore = 0
  let moved = 0
  let count = 0
  return {
    /** Told every second how many frames have come in all. */
    tick: (now: number, received: number) => {
      if (received === count) return
      if (now - moved > longestPause) {
        began = now
        countBefore = received
      }
      moved = now
      count = received
    },
    /** Frames that were due in a silence, had the flow gone on. */
    expected: (silentMillis: number) => {
      const flowed = moved - began
      return flowed < shortestFlow || flowed === 0 ? 0 : ((count - countBefore) / flowed) * silentMillis
    }
  }
}

/**
 * Frames that would have come during a silence, at the rate seen before, from which on the silence is proof: were the
 * venue alive, a gap like it had a chance of e^−20.
 */
const PROOF_OF_SILENCE = 20

/** Opens a connection; the scope closes it. Fails when the handshake does. */
export const open = (options: SocketOptions): Effect.Effect<Session, SocketError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const headers = yield* options.headers ?? Effect.succeed({})
    const wallTime = () => clock.unsafeCurrentTimeMillis()
    // Intervals are measured on a clock that nobody sets.
    const now = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

    let frames: Array<Buffer> = []
    let bytes = 0
    let firstTime = 0
    let paused = false
    /** Nothing is read for want of memory. */
    let held = false
    let stalled: string | undefined
    let caughtUp = false
    /** Replies to pings that must come until all is read that was left unread. */
    let owed = 0
    let scheduled = false
    let woken = false
    let ended: SocketError | undefined
    const hasNews = () => frames.length > 0 || woken || stalled !== undefined || caughtUp
    const arrived = new Bell(() => hasNews() || ended !== undefined)
    let opened: (() => void) | undefined
    let wasOpen = false
    let received = 0
    let pings = 0
    let replies = 0
    const { heartbeat } = options
    const isReply = "ping" in heartbeat ? heartbeat.isReply : () => false
    const limit = Duration.toMillis(options.silence.after)
    const rhythm = makeRhythm(limit)

    const resume = () => {
      scheduled = false
      arrived.ring()
    }
    const over = yield* Deferred.make<never, SocketError>()
    const end = (error: SocketError) => {
      ended ??= error
      Deferred.unsafeDone(over, ended)
      opened?.()
      resume()
    }
    const settle = () => {
      owed = 0
      caughtUp = true
      resume()
    }
    const onReply = () => {
      replies++
      if (owed > 0 && --owed === 0) settle()
    }
    const onMessage = (frame: Buffer) => {
      if (isReply(frame)) return onReply()
      received++
      if (frames.length === 0) firstTime = wallTime()
      frames.push(frame)
      bytes += frame.length
      if (!paused && (frames.length >= options.highWater.frames || bytes >= options.highWater.bytes)) {
        paused = true
        socket.pause()
      }
      // One wake-up for each turn of the event loop, however many frames one read delivered.
      if (arrived.isAwaited && !scheduled) {
        scheduled = true
        setImmediate(resume)
      }
    }

    const connect = () => {
      const ws = new WebSocket(options.url, {
        headers,
        perMessageDeflate: false,
        handshakeTimeout: Duration.toMillis(options.openTimeout),
        maxPayload: options.maxPayload,
        followRedirects: false
      })
      ws.on("open", () => {
        wasOpen = true
        opened?.()
      })
      ws.on("message", (data) => onMessage(data as Buffer))
      ws.on("pong", onReply)
      ws.on("unexpected-response", (request, response) =>
        readRefusal(response, wallTime(), (error) => {
          end(error)
          request.destroy()
        })
      )
      // The listener stays for the socket's whole life: an 'error' that nobody hears ends the process.
      ws.on("error", (error) => end(failure(wasOpen ? "closed" : "unreachable", error.message)))
      ws.on("close", (code, reason) => end(failure("closed", reason.toString() || "no reason given", code)))
      return ws
    }
    const socket = yield* Effect.acquireRelease(
      Effect.try({ try: connect, catch: (cause) => failure("unreachable", String(cause)) }),
      (ws) => Effect.sync(() => close(ws))
    )
    yield* Effect.async<void, SocketError>((resumeOpen) => {
      opened = () => resumeOpen(ended === undefined ? Effect.void : ended)
      if (ended !== undefined || wasOpen) opened()
    }).pipe(
      Effect.timeoutFail({ duration: options.openTimeout, onTimeout: () => failure("timeout", "no handshake") }),
      Effect.ensuring(Effect.sync(() => (opened = undefined)))
    )

    const ping = () => {
      pings++
      // Nobody waits for the ping to leave: where nothing leaves any more, that is what it is to show.
      if ("ping" in heartbeat) socket.send(heartbeat.ping)
      else socket.ping()
    }
    /** Messages come in order: a reply to a ping that leaves now has all before it that waits unread. */
    const catchUp = () => {
      if (socket.readyState !== WebSocket.OPEN) return
      ping()
      owed = Math.max(1, pings - replies)
    }
    const fallBehind = (reason: string) => {
      stalled = reason
      caughtUp = false
      resume()
    }
    const pressure = yield* MemoryPressure
    const onPressure = () => {
      const reason = pressure.reason()
      if (held === (reason !== undefined)) return
      held = reason !== undefined
      if (reason !== undefined) {
        socket.pause()
        fallBehind(reason)
      } else {
        if (!paused) socket.resume()
        catchUp()
      }
    }
    onPressure()
    yield* Effect.acquireRelease(
      Effect.sync(() => pressure.listen(onPressure)),
      (stop) => Effect.sync(stop)
    )

    const send = (text: string): Effect.Effect<void, SocketError> =>
      Effect.async<void, SocketError>((done) => {
        socket.send(text, (error) => done(error ? failure("closed", error.message) : Effect.void))
      }).pipe(
        // Why the socket closed says more than that it did, and comes right after.
        Effect.catchAll((error) =>
          Effect.timeoutFail(Deferred.await(over), { duration: CLOSE_GRACE, onTimeout: () => error })
        )
      )

    const next: Effect.Effect<FrameBatch, SocketError> = Effect.suspend(() => {
      if (hasNews()) {
        const batch = { frames, receivedTime: frames.length > 0 ? firstTime : wallTime(), stalled, caughtUp }
        frames = []
        bytes = 0
        woken = false
        stalled = undefined
        caughtUp = false
        if (paused) {
          paused = false
          if (!held) socket.resume()
        }
        return Effect.succeed(batch)
      }
      return ended ?? Effect.zipRight(arrived.rung, next)
    })

    const timeout = Duration.decode(heartbeat.timeout)
    const beat = Effect.gen(function* () {
      yield* Effect.sleep(Duration.subtract(heartbeat.every, timeout))
      const heard = replies + received
      const answered = replies
      const wasOwed = owed > 0
      const asked = now()
      let wasPaused = paused || held
      ping()
      yield* Effect.sleep(timeout)
      wasPaused ||= paused || held
      // After a standstill the reply may be here, unread.
      const late = now() - asked > Duration.toMillis(timeout) + 1_000
      // A paused socket hears no replies, and data since the ping is as good as one.
      if (!wasPaused && !late && replies + received === heard) {
        end(failure("frozen", `no reply to a ping within ${Duration.format(timeout)}`))
      }
      // A peer that left an earlier ping unanswered is not waited for longer than for the next one.
      if (wasOwed && owed > 0 && !late && replies > answered) {
        settle()
      }
    })

    let seen = received
    let lastData = now()
    const standstill = Effect.gen(function* () {
      const before = now()
      yield* Effect.sleep("1 seconds")
      const stood = now() - before
      // What did not happen in that time was not due.
      if (stood > 2_000) lastData += stood - 1_000
      if (stood < STANDSTILL) return
      fallBehind(`the process stood still for ${Math.floor(stood / 1_000)} s`)
      if (!held) catchUp()
    })
    const watch = Effect.gen(function* () {
      yield* Effect.sleep("1 seconds")
      // What waits for the reader, or in the paused peer, is no silence.
      if (received > seen || paused || held || frames.length > 0) lastData = now()
      seen = received
      rhythm.tick(now(), received)
      const silent = now() - lastData
      if (silent < limit) return
      if (rhythm.expected(silent) >= PROOF_OF_SILENCE) {
        return end(failure("frozen", `no data for ${Math.round(silent / 1000)} s on a connection that had been busy`))
      }
      const news = yield* options.silence.probe
      if (received > seen) return
      if (Option.isSome(news)) end(failure("frozen", `no data for ${Math.round(silent / 1000)} s: ${news.value}`))
      else lastData = now()
    })
    yield* Effect.forkScoped(Effect.ignore(Effect.forever(beat)))
    yield* Effect.forkScoped(Effect.forever(standstill))
    yield* Effect.forkScoped(Effect.forever(watch))

    return {
      next,
      frames: Stream.repeatEffect(next),
      send,
      wake: Effect.sync(() => {
        woken = true
        resume()
      }),
      abort: (detail) => Effect.sync(() => end(failure("frozen", detail)))
    }
  })

const close = (ws: WebSocket): void => {
  ws.removeAllListeners("message")
  if (ws.readyState === WebSocket.OPEN) {
    ws.resume()
    ws.close(1000)
    setTimeout(() => ws.terminate(), CLOSE_GRACE).unref()
  } else ws.terminate()
}
