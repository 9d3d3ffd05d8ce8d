import { Agent, request } from "node:http"
import { connect, type Socket } from "node:net"
import { HttpServer } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted, Scope, TestClock } from "effect"
import * as Http from "../../src/http/Http.ts"
import { healthy, options, services, serving, type World } from "./World.ts"

interface Running {
  readonly port: number
  readonly close: Effect.Effect<void>
}

/** A server that the test closes itself. */
const running = (world: World): Effect.Effect<Running, unknown> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(serving(world), scope)
    const { address } = Context.get(context, HttpServer.HttpServer)
    assert(address._tag === "TcpAddress")
    return { port: address.port, close: Scope.close(scope, Exit.void) }
  })

interface Reply {
  readonly status: number
  readonly connection: string | undefined
  readonly body: string
}

const get = (port: number, path: string, agent: Agent): Effect.Effect<Reply, Error> =>
  Effect.async((resume) => {
    request({ host: "127.0.0.1", port, path, agent }, (response) => {
      let body = ""
      response.on("data", (data) => {
        body += String(data)
      })
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, connection: response.headers.connection, body }))
      )
      response.on("error", (error) => resume(Effect.fail(error)))
    })
      .on("error", (error) => resume(Effect.fail(error)))
      .end()
  })

const keepAlive = Effect.acquireRelease(
  Effect.sync(() => new Agent({ keepAlive: true, keepAliveMsecs: 60_000 })),
  (agent) => Effect.sync(() => agent.destroy())
)

const open = (port: number, text: string): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        if (text !== "") socket.write(text)
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const secondsOf = <E>(effect: Effect.Effect<unknown, E>): Effect.Effect<number, E> =>
  Effect.map(Effect.timed(effect), ([duration]) => Duration.toSeconds(duration))

describe("the end of the server", () => {
  it.scopedLive("does not wait for callers that only keep their connection", () =>
    Effect.gen(function* () {
      const { close, port } = yield* running(healthy())
      const agent = yield* keepAlive
      assert.strictEqual((yield* get(port, "/health/live", agent)).status, 200)
      yield* open(port, "")
      yield* open(port, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
      yield* Effect.sleep("50 millis")
      assert.isBelow(yield* secondsOf(close), 1)
    })
  )

  it.scopedLive("lets answers under way be finished, and accepts nobody new", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const world = healthy()
      world.before = Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(goOn))
      const { close, port } = yield* running(world)
      const agent = yield* keepAlive
      const answer = yield* Effect.fork(get(port, "/api/v1/feeds", agent))
      yield* Deferred.await(entered)
      const closing = yield* Effect.fork(close)
      yield* Effect.sleep("100 millis")

      const refused = yield* Effect.flip(get(port, "/health/live", new Agent()))
      assert.include(refused.message, "ECONNREFUSED")
      assert.isNull(closing.unsafePoll())

      yield* Deferred.succeed(goOn, undefined)
      const { body, connection, status } = yield* Fiber.join(answer)
      assert.strictEqual(status, 200)
      assert.strictEqual(JSON.parse(body).feeds.length, 1)
      assert.strictEqual(connection, "close")
      assert.isBelow(yield* secondsOf(Fiber.join(closing)), 1)
    })
  )

  it.scopedLive("answers what still comes over an open connection meanwhile", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const world = healthy()
      world.before = Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(goOn))
      const { close, port } = yield* running(world)
      const agent = yield* keepAlive
      const half = yield* open(port, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
      const slow = yield* Effect.fork(get(port, "/api/v1/feeds", agent))
      yield* Deferred.await(entered)
      const closing = yield* Effect.fork(close)
      yield* Effect.sleep("50 millis")
      const heard = Effect.async<string>((resume) => {
        half.once("data", (data) => resume(Effect.succeed(data.toString())))
        half.write("\r\n")
      })
      assert.match(yield* heard, /^HTTP\/1.1 200[^]*connection: close/i)
      yield* Deferred.succeed(goOn, undefined)
      assert.strictEqual((yield* Fiber.join(slow)).status, 200)
      yield* Fiber.join(closing)
    })
  )

  it.scoped("cuts off what takes too long", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const world = healthy()
      world.before = Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never)
      const { close, port } = yield* running(world)
      const answer = yield* Effect.fork(Effect.flip(get(port, "/api/v1/feeds", new Agent())))
      yield* Deferred.await(entered)
      const closing = yield* Effect.fork(close)
      yield* TestClock.adjust("9 seconds")
      assert.isNull(closing.unsafePoll())
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.include((yield* Fiber.join(answer)).message, "hang up")
    })
  )

  it.scopedLive("frees the port", () =>
    Effect.gen(function* () {
      const { close, port } = yield* running(healthy())
      const again = Layer.build(Http.layer({ ...options, port })).pipe(Effect.provide(services(healthy())))
      yield* Effect.flip(again)
      yield* close
      yield* again
    })
  )
})

describe("an address that cannot be had", () => {
  it.scopedLive("says that the port is in use", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.acquireRelease(running(healthy()), ({ close }) => close)
      const error = yield* Layer.build(Http.layer({ ...options, port })).pipe(
        Effect.provide(services(healthy())),
        Effect.flip
      )
      assert.strictEqual(error._tag, "ListenError")
      assert.strictEqual(
        error.message,
        `cannot listen on 127.0.0.1:${port}: another program does already; ` +
          "set http.port to another port, or to 0 for any that is free"
      )
    })
  )

  it.scopedLive("says that the address is not of this machine", () =>
    Effect.gen(function* () {
      const error = yield* Layer.build(
        Http.layer({ ...options, host: "192.0.2.1", token: Redacted.make("0123456789abcdef") })
      ).pipe(Effect.provide(services(healthy())), Effect.flip)
      assert.strictEqual(error.code, "EADDRNOTAVAIL")
      assert.include(error.message, "no such address")
    })
  )

  it.scopedLive("is not taken where others would reach it and need no token", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::"]) {
        const error = yield* Layer.build(Http.layer({ ...options, host })).pipe(
          Effect.provide(services(healthy())),
          Effect.flip
        )
        assert.strictEqual(
          error.message,
          `cannot listen on ${host}:0: other machines reach it; set http.token, or http.host to 127.0.0.1`
        )
      }
    })
  )
})
