import { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, TestClock } from "effect"
import type { CircuitOpen } from "../../src/resilience/CircuitBreaker.ts"
import * as HttpJson from "../../src/resilience/HttpJson.ts"
import { RateLimit } from "../../src/resilience/RateLimit.ts"
import * as Resilient from "../../src/resilience/Resilient.ts"
import * as SocketServer from "../support/SocketServer.ts"
import * as StubHttp from "../support/StubHttp.ts"

const URL_ = "http://venue.test/thing"

/** A way to a venue of these answers, with `limit` calls a second. */
const way = (answer: Parameters<typeof StubHttp.make>[0], limit = 1_000) =>
  Effect.gen(function* () {
    const { asked, client } = StubHttp.make(answer)
    const limits = yield* RateLimit
    const breaker = yield* Resilient.makeBreaker("venue")
    const quotas = [{ scope: "venue", windows: [{ limit, window: "1 seconds" }] }] as const
    const ask = (url = URL_) => Resilient.resilient({ breaker, limits, quotas })(HttpJson.request(client)("GET", url))
    return { ask, breaker: breaker.snapshot, at: () => asked.map(({ at }) => at) }
  })

/** Runs it to its end, at most for an hour. */
const finish = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 hours")
    return yield* Fiber.await(fiber)
  })

const failureOf = (exit: Exit.Exit<unknown, HttpJson.HttpFailure | CircuitOpen>) => {
  assert(Exit.isFailure(exit) && exit.cause._tag === "Fail", "it should have failed")
  return exit.cause.error
}

const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((time, i) => time - times[i]!)

const provided = Effect.provide(RateLimit.layer)

describe("trying again", () => {
  it.effect("ends with the first good answer", () =>
    Effect.gen(function* () {
      const { ask, at } = yield* way((_, n) => (n < 3 ? { status: 503, body: {} } : { body: "7" }))
      assert.deepStrictEqual(yield* finish(ask()), Exit.succeed(7))
      assert.lengthOf(at(), 3)
    }).pipe(provided)
  )

  it.effect("is done three times, ever later, and then the failure is told", () =>
    Effect.gen(function* () {
      const { ask, at } = yield* way(() => ({ status: 502, body: "bad gateway" }))
      assert.deepInclude(failureOf(yield* finish(ask())), { _tag: "HttpFailure", status: 502 })
      assert.lengthOf(at(), 4)
      gaps(at()).forEach((gap, i) => {
        assert.isAtLeast(gap, 250 * 2 ** i * 0.8 - 1)
        assert.isAtMost(gap, 250 * 2 ** i * 1.2 + 1)
      })
    }).pipe(provided)
  )

  it.effect("is done for what passes by itself, and for nothing else", () =>
    Effect.gen(function* () {
      for (const [answer, times] of [
        ...[400, 401, 403, 404, 422].map((status) => [{ status, body: {} }, 1] as const),
        [{ body: "<html>" }, 1],
        ...[425, 429, 500, 502, 503, 504].map((status) => [{ status, body: {} }, 4] as const),
        [undefined, 4],
        [{ body: {}, after: 60_000 }, 4]
      ] as const) {
        const { ask, at } = yield* way(() => answer)
        failureOf(yield* finish(ask()))
        assert.lengthOf(at(), times, JSON.stringify(answer))
      }
    }).pipe(provided)
  )
})

describe("a venue that does not answer", () => {
  it.effect("is left alone after five failures: calls fail at once, and cost no token", () =>
    Effect.gen(function* () {
      const { ask, at, breaker } = yield* way(() => ({ status: 500, body: "down" }), 10)
      const first = yield* Effect.fork(Effect.all([ask(), ask()].map(Effect.exit), { concurrency: 2 }))
      yield* Effect.repeat(Effect.zipRight(TestClock.adjust(10), breaker), { until: ({ state }) => state === "open" })
      assert.strictEqual((yield* breaker).lastFailure, `GET ${URL_}: 500 down`)
      const made = at().length
      assert.isAtLeast(made, 5)
      const before = yield* Clock.currentTimeMillis
      for (let i = 0; i < 100; i++) {
        const error = yield* Effect.flip(ask())
        assert.strictEqual(error._tag, "CircuitOpen")
        assert.strictEqual(HttpJson.meaning(error), "unavailable")
      }
      assert.strictEqual(yield* Clock.currentTimeMillis, before, "a hundred times its quota took no time")
      assert.lengthOf(at(), made)
      yield* TestClock.adjust("1 minutes")
      for (const exit of yield* Fiber.join(first)) failureOf(exit)
    }).pipe(provided)
  )

  it.effect("is asked by one call when the delay is over, whose answer lets the others in", () =>
    Effect.gen(function* () {
      let well = false
      const { ask, at, breaker } = yield* way(() => (well ? { body: 1, after: 1_000 } : undefined))
      yield* finish(Effect.all([Effect.exit(ask()), Effect.exit(ask())], { concurrency: 2 }))
      assert.strictEqual((yield* breaker).state, "open")
      const before = at().length
      well = true
      const attempt = yield* Effect.fork(ask())
      yield* TestClock.adjust(0)
      const others = yield* Effect.forEach([1, 2, 3], () => Effect.exit(ask()))
      assert.deepStrictEqual(
        others.map((exit) => failureOf(exit)._tag),
        ["CircuitOpen", "CircuitOpen", "CircuitOpen"]
      )
      assert.lengthOf(at(), before + 1)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(attempt), 1)
      assert.deepStrictEqual(yield* finish(ask()), Exit.succeed(1))
    }).pipe(provided)
  )

  it.effect("gets nothing that waited for a token while it went down", () =>
    Effect.gen(function* () {
      const { ask, at } = yield* way(() => ({ status: 404, body: {} }), 1)
      yield* Effect.flip(ask())
      const down = yield* way(() => undefined, 1)
      const waiting = yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.fork(Effect.exit(down.ask())))
      yield* TestClock.adjust("1 hours")
      const exits = yield* Effect.forEach(waiting, (fiber) => Fiber.join(fiber))
      assert.isAtLeast(exits.filter((exit) => failureOf(exit)._tag === "CircuitOpen").length, 25)
      assert.isAtMost(down.at().length, 12)
      assert.lengthOf(at(), 1)
    }).pipe(provided)
  )

  it.effect("is not what refusals and rate limits make it", () =>
    Effect.gen(function* () {
      for (const status of [400, 403, 404, 429]) {
        const { ask, breaker } = yield* way(() => ({ status, body: {} }))
        for (let i = 0; i < 6; i++) failureOf(yield* finish(ask()))
        assert.deepInclude(yield* breaker, { state: "closed", openings: 0 })
      }
    }).pipe(provided)
  )

  it.effect("is not what the wait for a token makes it: that wait is no part of a call's time", () =>
    Effect.gen(function* () {
      const { ask, at } = yield* way(() => ({ body: 1, after: 9_000 }), 1)
      const exits = yield* finish(Effect.all(Array.from({ length: 20 }, ask.bind(null, URL_)), { concurrency: 20 }))
      assert.isTrue(Exit.isSuccess(exits))
      assert.deepStrictEqual(
        gaps(at()),
        Array.from({ length: 19 }, () => 1_000)
      )
    }).pipe(provided)
  )
})

describe("a venue that asks to wait", () => {
  for (const [what, header, wait] of [
    ["seconds", "30", 30_000],
    ["a date", "Thu, 01 Jan 1970 00:00:30 GMT", 30_000],
    ["nothing to say but 0", "0", 0],
    ["no header", undefined, 0]
  ] as const) {
    for (const [form, body] of [
      ["JSON", { error: "too many requests" }],
      ["HTML", "<html><h1>429 Too Many Requests</h1></html>"]
    ] as const) {
      it.effect(`with ${what} in ${form} is left alone by everybody, and then tried by one`, () =>
        Effect.gen(function* () {
          const headers: Record<string, string> = header === undefined ? {} : { "retry-after": header }
          const { ask, at } = yield* way((url, n) =>
            url.search === "?first" && n === 1 ? { status: 429, headers, body } : { body: 1, after: 2_000 }
          )
          const first = yield* Effect.fork(ask(`${URL_}?first`))
          yield* TestClock.adjust(0)
          const others = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(ask()))
          yield* TestClock.adjust(wait)
          yield* TestClock.adjust("1 seconds")
          assert.lengthOf(at(), 2, "one try")
          assert.isAtLeast(at()[1]!, wait)
          yield* TestClock.adjust("1 minutes")
          assert.lengthOf(at(), 6)
          for (const time of at().slice(2)) assert.isAtLeast(time, at()[1]! + 2_000)
          assert.deepStrictEqual(
            yield* Effect.forEach([first, ...others], (fiber) => Fiber.join(fiber)),
            [1, 1, 1, 1, 1]
          )
        }).pipe(provided)
      )
    }
  }

  it.effect("by 425 and 503 is left alone as well, but only if they say for how long", () =>
    Effect.gen(function* () {
      for (const status of [425, 503]) {
        for (const headers of [{ "retry-after": "7" }, {}] as ReadonlyArray<Record<string, string>>) {
          const { ask, at } = yield* way((url, n) =>
            url.search === "?first" && n === 1 ? { status, headers, body: {} } : { body: 1 }
          )
          const from = yield* Clock.currentTimeMillis
          yield* Effect.fork(ask(`${URL_}?first`))
          yield* TestClock.adjust(0)
          yield* Effect.fork(ask())
          yield* TestClock.adjust("6 seconds")
          assert.lengthOf(at(), "retry-after" in headers ? 1 : 3)
          yield* TestClock.adjust("10 seconds")
          assert.lengthOf(at(), 3)
          if ("retry-after" in headers) for (const time of at().slice(1)) assert.isAtLeast(time, from + 7_000)
        }
      }
    }).pipe(provided)
  )

  it.effect("again and again gets one try for each time that it asks for", () =>
    Effect.gen(function* () {
      const { ask, at } = yield* way(() => ({ status: 429, headers: { "retry-after": "60" }, body: {} }))
      yield* finish(
        Effect.all(
          Array.from({ length: 10 }, () => Effect.exit(ask())),
          { concurrency: 10 }
        )
      )
      const later = at().filter((time) => time > 0)
      for (const gap of gaps(later)) assert.isAtLeast(gap, 60_000)
      assert.lengthOf(at(), 40)
    }).pipe(provided)
  )
})

describe("over a real connection", () => {
  it.scopedLive("a server that fails is left alone, and asked again when its time has come", () =>
    Effect.gen(function* () {
      let status = 500
      let requests = 0
      const url = yield* SocketServer.http(() => {
        requests++
        return { status, body: "{}" }
      })
      const client = yield* HttpClient.HttpClient
      const limits = yield* RateLimit
      const breaker = yield* Resilient.makeBreaker("real")
      const quotas = [{ scope: "real", windows: [{ limit: 1_000, window: "1 seconds" }] }] as const
      const ask = Resilient.resilient({ breaker, limits, quotas })(HttpJson.request(client)("GET", url))
      yield* Effect.all(
        Array.from({ length: 5 }, () => Effect.exit(ask)),
        { concurrency: 5 }
      )
      assert.strictEqual((yield* breaker.snapshot).state, "open")
      let before = requests
      let refusal = yield* Effect.flip(ask)
      // On a machine that is busy the time for a probe may have come meanwhile, which fails, too.
      while (requests > before) {
        before = requests
        refusal = yield* Effect.flip(ask)
      }
      assert.strictEqual(refusal._tag, "CircuitOpen")
      status = 200
      yield* Effect.sleep(refusal.retryAfter)
      assert.deepStrictEqual(yield* ask, {})
      assert.strictEqual(requests, before + 1)
      assert.isTrue(Duration.lessThanOrEqualTo(refusal.retryAfter, Duration.seconds(30)))
    }).pipe(Effect.provide([NodeHttpClient.layerUndici, RateLimit.layer]))
  )
})
