import { connect, type Socket } from "node:net"
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, type Scope } from "effect"
import { MAX_URL_LENGTH } from "../../src/http/Limits.ts"
import * as Listener from "../../src/http/Listener.ts"
import { ask, sendRaw, served } from "./World.ts"

const unchanged = () => {}
const head = "Host: localhost\r\n"
const statusOf = (answer: string): number => Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])

describe("a request", () => {
  it.live("is of a bounded length, and refused by name beyond it", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const path = "/api/v1/markets?q="
        const fill = (length: number) => path + "+".repeat(length - path.length)
        assert.strictEqual((yield* ask(fill(MAX_URL_LENGTH))).status, 200)
        const { json, status } = yield* ask(fill(MAX_URL_LENGTH + 1))
        assert.strictEqual(status, 414)
        assert.strictEqual(json._tag, "UriTooLong")

        const wide = yield* sendRaw(`GET / HTTP/1.1\r\n${head}X: ${"x".repeat(17_000)}\r\n\r\n`)
        assert.strictEqual(statusOf(wide), 431)
        assert.include(wide, "HeadersTooLarge")
        const many = yield* sendRaw(`GET / HTTP/1.1\r\n${head}${"a: b\r\n".repeat(9000)}\r\n`)
        assert.strictEqual(statusOf(many), 431)
      })
    )
  )

  it.live("has no body, and one that comes is not read", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const [method, path, status] of [
          ["GET", "/api/v1/markets", 413],
          ["HEAD", "/api/v1/markets", 413],
          ["POST", "/api/v1/markets", 405],
          ["PUT", "/nowhere", 404]
        ] as const) {
          for (const framing of ["Content-Length: 1000000000", "Transfer-Encoding: chunked"]) {
            // No byte of the body is sent: whoever waited for it would not answer.
            const answer = yield* sendRaw(`${method} ${path} HTTP/1.1\r\n${head}${framing}\r\n\r\n`)
            assert.strictEqual(statusOf(answer), status, `${method} ${framing}`)
            assert.match(answer, /^connection: close/im)
          }
        }
        const empty = yield* sendRaw(
          `GET /health/live HTTP/1.1\r\n${head}Content-Length: 0\r\nConnection: close\r\n\r\n`
        )
        assert.strictEqual(statusOf(empty), 200)
      })
    )
  )

  it.live("cannot hide another one in its body", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const inner = `GET /openapi.json HTTP/1.1\r\n${head}\r\n`
        for (const framing of [
          `Content-Length: ${inner.length}`,
          `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked`,
          "Transfer-Encoding: xchunked",
          "Content-Length: 0\r\nContent-Length: 5"
        ]) {
          const answer = yield* sendRaw(`GET /health/live HTTP/1.1\r\n${head}${framing}\r\n\r\n${inner}`)
          assert.isAtLeast(statusOf(answer), 400, framing)
          assert.strictEqual(answer.match(/HTTP\/1\.1 \d+/g)?.length, 1, framing)
        }
      })
    )
  )

  it.live("that expects what nobody knows is answered like any other", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const answer = yield* sendRaw(`GET /health/live HTTP/1.1\r\n${head}Expect: tea\r\nConnection: close\r\n\r\n`)
        assert.strictEqual(statusOf(answer), 200)
        assert.match(answer, /^x-content-type-options: nosniff/im)
      })
    )
  )
})

interface Listening {
  readonly port: number
  /** Waits until somebody was connected and nobody is any more. */
  readonly deserted: Effect.Effect<unknown>
}

/** A listener with limits of its own, over an answer of some bytes. */
const listening = (limits: Partial<Listener.Limits>, bytes = 2): Effect.Effect<Listening, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* Listener.make({ ...Listener.limits, ...limits })
    const answer = Effect.sync(() => HttpServerResponse.text("x".repeat(bytes)))
    const layer = Listener.serve(listener, answer, { host: "127.0.0.1", port: 0 })
    const context = yield* Layer.build(Layer.provide(layer, NodeHttpServer.layerContext))
    const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
    assert(address._tag === "TcpAddress")
    const connections = Effect.async<number>((resume) => {
      listener.server.getConnections((_, count) => resume(Effect.succeed(count)))
    })
    let seen = false
    const deserted = Effect.repeat(connections, {
      schedule: Schedule.spaced("20 millis"),
      until: (count) => {
        seen ||= count > 0
        return seen && count === 0
      }
    })
    return { port: address.port, deserted }
  })

interface Caller {
  readonly socket: Socket
  /** All that came, once the other side has ended. */
  readonly ended: Effect.Effect<string>
}

const calling = (port: number, options: { readonly reads?: boolean } = {}): Effect.Effect<Caller, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Caller>((resume) => {
      let text = ""
      const socket = connect(port, "127.0.0.1", () => resume(Effect.succeed({ socket, ended })))
      if (options.reads !== false) socket.on("data", (data) => (text += data.toString()))
      socket.on("error", () => {})
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      const ended = Effect.map(
        Effect.promise(() => closed),
        () => text
      )
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** For a machine that is busy with other things. */
const PATIENCE = "20 seconds"

const SOON = { headers: 200, request: 400, check: 50 }

describe("a caller", () => {
  it.scopedLive("who is slow with a request is answered and let go", () =>
    Effect.gen(function* () {
      const { port } = yield* listening(SOON)
      const silent = yield* calling(port)
      const slow = yield* calling(port)
      slow.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
      yield* Effect.sync(() => slow.socket.write("x")).pipe(
        Effect.schedule(Schedule.spaced("20 millis")),
        Effect.forkScoped
      )
      const body = yield* calling(port)
      body.socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
      assert.strictEqual(statusOf(yield* slow.ended), 408)
      assert.include(yield* silent.ended, "408")
      // Answered before its body came, which the limits then end.
      assert.include(yield* body.ended, "200")
    }).pipe(Effect.timeout(PATIENCE))
  )

  it.scopedLive("who does not read is let go", () =>
    Effect.gen(function* () {
      const { deserted, port } = yield* listening({ still: 300 }, 50_000_000)
      const { ended, socket } = yield* calling(port, { reads: false })
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      yield* deserted
      // What the system had taken already may still be read; the rest never comes.
      let read = 0
      socket.on("data", (data) => (read += data.length))
      yield* ended
      assert.isBelow(read, 50_000_000)
    }).pipe(Effect.timeout(PATIENCE))
  )

  it.scopedLive("too many is let go at once, and the others are served", () =>
    Effect.gen(function* () {
      const { port } = yield* listening({ connections: 4 })
      const callers = yield* Effect.all(Array.from({ length: 4 }, () => calling(port)))
      const extra = yield* Effect.all(Array.from({ length: 20 }, () => calling(port)))
      for (const { ended } of extra) assert.strictEqual(yield* ended, "")
      for (const { socket } of callers) socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      const answers = yield* Effect.forEach(callers, ({ ended }) => ended)
      for (const answer of answers) assert.strictEqual(statusOf(answer), 200)
      const late = yield* calling(port)
      late.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      assert.strictEqual(statusOf(yield* late.ended), 200)
    }).pipe(Effect.timeout(PATIENCE))
  )

  it.scopedLive("who sends nonsense after an answer gets no second one mixed into it", () =>
    Effect.gen(function* () {
      const { port } = yield* listening({}, 5_000_000)
      const { ended, socket } = yield* calling(port)
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\u0000nonsense\r\n\r\n")
      const answer = yield* ended
      assert.isAtMost(answer.match(/HTTP\/1\.1/g)?.length ?? 0, 1)
      assert.notInclude(answer, "MalformedRequest")
    }).pipe(Effect.timeout(PATIENCE))
  )
})
