import { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import * as HttpJson from "../../src/resilience/HttpJson.ts"
import * as SocketServer from "../support/SocketServer.ts"
import * as StubHttp from "../support/StubHttp.ts"

const URL_ = "http://venue.test/thing"

/** Asks a client of these answers. */
const ask = (answer: Parameters<typeof StubHttp.make>[0], options: HttpJson.RequestOptions = {}) => {
  const { asked, client } = StubHttp.make(answer)
  return Effect.gen(function* () {
    const fiber = yield* Effect.fork(HttpJson.request(client)("GET", URL_, options))
    yield* TestClock.adjust("2 hours")
    return { exit: yield* Fiber.await(fiber), asked }
  })
}

const failureOf = (exit: Exit.Exit<unknown, HttpJson.HttpFailure>) => {
  assert(Exit.isFailure(exit) && exit.cause._tag === "Fail", "it should have failed")
  return exit.cause.error
}

describe("a request", () => {
  it.effect("yields the JSON of the answer, whatever it is", () =>
    Effect.gen(function* () {
      for (const body of [{ a: [1, null] }, [], null, "text", 7]) {
        const { exit } = yield* ask(() => ({ body: JSON.stringify(body) }))
        assert.deepStrictEqual(exit, Exit.succeed(body))
      }
    })
  )

  it.effect("sends its query in order, repeated keys included", () =>
    Effect.gen(function* () {
      const query = [
        ["tag_id", "2"],
        ["tag_id", "7"],
        ["q", "a b&c"]
      ] as const
      const { asked } = yield* ask(() => ({ body: {} }), { query })
      assert.strictEqual(asked[0]!.url.search, "?tag_id=2&tag_id=7&q=a+b%26c")
    })
  )

  for (const [status, body, reason, detail] of [
    [404, { error: "market not found" }, "status", `{"error":"market not found"}`],
    [400, "Invalid\n  token   id", "status", "Invalid token id"],
    [403, "<html><head><title>403 Forbidden</title></head><body>nginx</body></html>", "status", "403 Forbidden nginx"],
    [500, "", "status", "empty body"],
    [502, "x".repeat(10_000), "status", "x".repeat(200)],
    [301, "", "status", "empty body"],
    [200, "<!doctype html><h1>Maintenance</h1>", "body", "the answer is not JSON: Maintenance"],
    [200, "", "body", "the answer is not JSON: empty body"],
    [200, `{"cut":`, "body", `the answer is not JSON: {"cut":`]
  ] as const) {
    it.effect(`that is answered with ${status} and ${JSON.stringify(body).slice(0, 30)} fails with a ${reason}`, () =>
      Effect.gen(function* () {
        const error = failureOf((yield* ask(() => ({ status, body }))).exit)
        assert.deepInclude(error, { reason, status, detail, url: URL_ })
        assert.strictEqual(error.message, `GET ${URL_}: ${status} ${detail}`)
      })
    )
  }

  it.effect("that nobody answers says why", () =>
    Effect.gen(function* () {
      const error = failureOf((yield* ask(() => undefined)).exit)
      assert.deepInclude(error, { reason: "unreachable", status: 0, detail: "connect ECONNREFUSED" })
    })
  )

  it.effect("is given up after its time", () =>
    Effect.gen(function* () {
      const { exit } = yield* ask(() => ({ body: {}, after: 10_001 }))
      assert.deepInclude(failureOf(exit), { reason: "timeout", status: 0 })
      assert.isTrue(Exit.isSuccess((yield* ask(() => ({ body: {}, after: 9_999 }))).exit))
      assert.strictEqual(
        failureOf((yield* ask(() => ({ body: {}, after: 60 }), { timeout: 50 })).exit).reason,
        "timeout"
      )
    })
  )

  it.effect("reads no more than it may", () =>
    Effect.gen(function* () {
      const body = JSON.stringify("é".repeat(100))
      const bytes = Buffer.byteLength(body)
      assert.isTrue(Exit.isSuccess((yield* ask(() => ({ body }), { maxBytes: bytes })).exit))
      const error = failureOf((yield* ask(() => ({ body }), { maxBytes: bytes - 1 })).exit)
      assert.deepInclude(error, { reason: "body", detail: `the answer is longer than ${bytes - 1} bytes` })
    })
  )

  it.effect("knows what the venue asks to wait", () =>
    Effect.gen(function* () {
      const wait = (header: string) =>
        Effect.map(
          ask(() => ({ status: 429, headers: { "retry-after": header }, body: {} })),
          ({ exit }) => Duration.toMillis(failureOf(exit).retryAfter)
        )
      assert.strictEqual(yield* wait("3"), 3_000)
      assert.strictEqual(yield* wait("junk"), 0)
      assert.strictEqual(
        yield* wait("Thu, 01 Jan 1970 00:00:05 GMT"),
        0,
        "two hours too late by the clock of this test"
      )
    })
  )
})

describe("a failure", () => {
  const failure = (status: number, wait = 0) =>
    new HttpJson.HttpFailure({
      reason: status === 0 ? "unreachable" : "status",
      method: "GET",
      url: URL_,
      status,
      detail: "",
      retryAfter: Duration.seconds(wait)
    })
  const kinds = (status: number, wait?: number) => {
    const error = failure(status, wait)
    const pause = Option.map(HttpJson.pause(error), Duration.toSeconds)
    return [HttpJson.isOutage(error), HttpJson.isTransient(error), Option.getOrUndefined(pause)]
  }

  it("is an outage, passes by itself and asks for a pause, each by its own rule", () => {
    for (const status of [400, 401, 403, 404, 409, 422])
      assert.deepStrictEqual(kinds(status, 5), [false, false, undefined])
    for (const status of [0, 425, 500, 502, 503, 504]) assert.deepStrictEqual(kinds(status), [true, true, undefined])
    for (const status of [425, 503]) assert.deepStrictEqual(kinds(status, 5), [true, true, 5])
    assert.deepStrictEqual(kinds(429), [false, true, 0])
    assert.deepStrictEqual(kinds(429, 5), [false, true, 5])
  })
})

describe("over a real connection", () => {
  const over = (answer: Parameters<typeof SocketServer.http>[0], options: HttpJson.RequestOptions = {}) =>
    Effect.gen(function* () {
      const url = yield* SocketServer.http(answer)
      const client = yield* HttpClient.HttpClient
      return yield* Effect.exit(HttpJson.request(client)("GET", `${url}/thing`, options))
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))

  it.scopedLive("answers are read whole, and cut when they are too long", () =>
    Effect.gen(function* () {
      const body = JSON.stringify({ text: "ü".repeat(300_000) })
      assert.deepStrictEqual(yield* over(() => ({ body })), Exit.succeed(JSON.parse(body)))
      const cut = failureOf(yield* over(() => ({ body }), { maxBytes: 100_000 }))
      assert.strictEqual(cut.detail, "the answer is longer than 100000 bytes")
    })
  )

  it.scopedLive("refusals have their status and their wait", () =>
    Effect.gen(function* () {
      const error = failureOf(
        yield* over(() => ({ status: 429, headers: { "Retry-After": "2" }, body: "<h1>Slow down</h1>" }))
      )
      assert.deepInclude(error, { reason: "status", status: 429, detail: "Slow down" })
      assert.strictEqual(Duration.toMillis(error.retryAfter), 2_000)
    })
  )

  it.live("nobody there is unreachable", () =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      for (const url of ["http://127.0.0.1:1/", "http://no-such-host.invalid/"]) {
        const error = failureOf(yield* Effect.exit(HttpJson.request(client)("GET", url)))
        assert.strictEqual(error.reason, "unreachable")
        assert.match(error.detail, /ECONNREFUSED|ENOTFOUND|EAI_AGAIN/)
      }
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
