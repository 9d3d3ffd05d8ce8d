import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  Duration,
  Effect,
  Exit,
  FastCheck as fc,
  Fiber,
  Logger,
  LogLevel,
  Metric,
  Random,
  TestClock
} from "effect"
import * as CircuitBreaker from "../../src/resilience/CircuitBreaker.ts"

/** What a call fails with: a refusal is an answer, an outage is none. */
type Fault = { readonly _tag: "Outage"; readonly wait: number } | { readonly _tag: "Refusal" }
const outage: Fault = { _tag: "Outage", wait: 0 }

const options = {
  name: "thing",
  threshold: 3,
  window: "10 seconds",
  base: "1 seconds",
  cap: "8 seconds",
  isFailure: (fault: Fault) => fault._tag === "Outage",
  atLeast: (fault: Fault) => Duration.millis(fault._tag === "Outage" ? fault.wait : 0),
  describe: (fault: Fault) => fault._tag
} as const

const makeBreaker = CircuitBreaker.make<Fault>(options)

const fail = (breaker: CircuitBreaker.CircuitBreaker<Fault>, times = 1, fault: Fault = outage) =>
  Effect.all(
    Array.from({ length: times }, () => Effect.flip(breaker.protect(Effect.fail(fault)))),
    { discard: true }
  )
const succeed = (breaker: CircuitBreaker.CircuitBreaker<Fault>) => breaker.protect(Effect.void)

/** With the longest delays that the jitter allows, which are 1, 2, 4 and 8 seconds. */
const withoutJitter = Effect.withRandom(Random.fixed([1]))

const refusalOf = <A>(exit: Exit.Exit<A, Fault | CircuitBreaker.CircuitOpen>) => {
  assert(Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error._tag === "CircuitOpen", "not refused")
  return exit.cause.error
}

describe("a closed breaker", () => {
  it.effect("opens at its number of failures, not before", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* fail(breaker, 2)
      assert.deepInclude(yield* breaker.snapshot, { state: "closed", failures: 2, openings: 0, nextAttempt: null })
      yield* fail(breaker)
      assert.deepInclude(yield* breaker.snapshot, { state: "open", failures: 0, openings: 1, lastFailure: "Outage" })
    })
  )

  it.effect("forgets failures when they are as old as its window", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* fail(breaker, 2)
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* breaker.snapshot).failures, 2)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* breaker.snapshot).failures, 0)
      yield* fail(breaker, 2)
      assert.strictEqual((yield* breaker.snapshot).state, "closed")
      yield* TestClock.adjust("9999 millis")
      yield* fail(breaker)
      assert.strictEqual((yield* breaker.snapshot).state, "open")
    })
  )

  it.effect("begins to count anew at an answer, be it a refusal", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      for (const answer of [succeed(breaker), fail(breaker, 1, { _tag: "Refusal" })]) {
        yield* fail(breaker, 2)
        yield* answer
        assert.deepInclude(yield* breaker.snapshot, { state: "closed", failures: 0 })
      }
      yield* fail(breaker, 20, { _tag: "Refusal" })
      assert.deepInclude(yield* breaker.snapshot, { state: "closed", failures: 0, lastFailure: "Outage" })
    })
  )

  it.effect("learns nothing from calls that are interrupted or break", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* fail(breaker, 2)
      yield* Effect.exit(breaker.protect(Effect.interrupt))
      yield* Effect.exit(breaker.protect(Effect.dieMessage("a bug")))
      assert.deepInclude(yield* breaker.snapshot, { state: "closed", failures: 2 })
    })
  )
})

describe("an open breaker", () => {
  it.effect("refuses at once, and says since when, until when and why", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* TestClock.adjust("5 seconds")
      yield* withoutJitter(fail(breaker, 3))
      yield* TestClock.adjust("400 millis")
      let ran = false
      const call = breaker.protect(Effect.sync(() => (ran = true)))
      const refusal = refusalOf(yield* Effect.exit(call))
      assert.isFalse(ran)
      assert.deepInclude(refusal, { breaker: "thing", since: 5_000, nextAttempt: 6_000, lastFailure: "Outage" })
      assert.strictEqual(Duration.toMillis(refusal.retryAfter), 600)
      assert.strictEqual(
        refusal.message,
        "thing is not asked since 1970-01-01T00:00:05.000Z, until 1970-01-01T00:00:06.000Z: Outage"
      )
      assert.deepStrictEqual(yield* Effect.flip(breaker.check), refusal)
    })
  )

  it.effect("stays open, and shows its time, until somebody calls after it", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* withoutJitter(fail(breaker, 3))
      yield* TestClock.adjust("1 hours")
      yield* breaker.check
      assert.deepInclude(yield* breaker.snapshot, { state: "open", since: 0, nextAttempt: 1_000 })
      yield* succeed(breaker)
      assert.deepInclude(yield* breaker.snapshot, { state: "closed", since: 3_600_000, nextAttempt: null })
    })
  )

  it.effect("waits longer after each failed attempt up to its cap, and anew from the first after a success", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      const delays: Array<number> = []
      const attempt = Effect.gen(function* () {
        yield* fail(breaker)
        const delay = (yield* breaker.snapshot).nextAttempt! - (yield* Clock.currentTimeMillis)
        delays.push(delay)
        yield* TestClock.adjust(delay - 1)
        refusalOf(yield* Effect.exit(breaker.protect(Effect.void)))
        yield* TestClock.adjust(1)
      })
      yield* fail(breaker, 2)
      for (let i = 0; i < 6; i++) yield* attempt
      assert.deepInclude(yield* breaker.snapshot, { openings: 1, since: 0 })
      yield* succeed(breaker)
      yield* fail(breaker, 2)
      yield* attempt
      assert.deepStrictEqual(delays, [1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 1_000])
      assert.strictEqual((yield* breaker.snapshot).openings, 2)
    }).pipe(withoutJitter)
  )

  it.effect.prop("waits half to all of its delay", [fc.double({ min: 0, max: 1, noNaN: true })], ([random]) =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* Effect.withRandom(fail(breaker, 3), Random.fixed([random]))
      assert.strictEqual((yield* breaker.snapshot).nextAttempt, Math.round(500 + random * 500))
    })
  )

  it.effect("waits as long as the failure asks", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* fail(breaker, 3, { _tag: "Outage", wait: 60_000 })
      assert.strictEqual((yield* breaker.snapshot).nextAttempt, 60_000)
    })
  )

  it.effect("is not moved by calls that were made before it opened", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      const good = yield* Effect.fork(breaker.protect(Effect.sleep("1500 millis")))
      const bad = yield* Effect.fork(Effect.ignore(breaker.protect(Effect.delay(Effect.fail(outage), "5 seconds"))))
      yield* Effect.yieldNow()
      yield* withoutJitter(fail(breaker, 3))
      const before = yield* breaker.snapshot
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(good)
      assert.deepStrictEqual(yield* breaker.snapshot, before)
      yield* succeed(breaker)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(bad)
      assert.deepInclude(yield* breaker.snapshot, { state: "closed", failures: 0 })
    })
  )
})

describe("a half-open breaker", () => {
  const halfOpen = (attempt: Effect.Effect<void, Fault>) =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker
      yield* withoutJitter(fail(breaker, 3))
      yield* TestClock.adjust("1 seconds")
      const fiber = yield* Effect.fork(breaker.protect(attempt))
      yield* Effect.yieldNow()
      return { breaker, fiber }
    })

  it.effect("lets one call through, and nobody else meanwhile", () =>
    Effect.gen(function* () {
      const { breaker, fiber } = yield* halfOpen(Effect.sleep("1 minutes"))
      assert.deepInclude(yield* breaker.snapshot, { state: "half-open", since: 0, nextAttempt: null })
      yield* TestClock.adjust("30 seconds")
      const refusal = refusalOf(yield* Effect.exit(succeed(breaker)))
      assert.deepInclude(refusal, { nextAttempt: null, since: 0 })
      assert.strictEqual(Duration.toMillis(refusal.retryAfter), 0)
      assert.match(refusal.message, /while one call finds out: Outage$/)
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      yield* succeed(breaker)
    })
  )

  it.effect("closes at any answer", () =>
    Effect.gen(function* () {
      const { breaker, fiber } = yield* halfOpen(Effect.fail({ _tag: "Refusal" }))
      yield* Fiber.await(fiber)
      assert.strictEqual((yield* breaker.snapshot).state, "closed")
    })
  )

  for (const [how, attempt] of [
    ["is interrupted", Effect.never],
    ["breaks", Effect.dieMessage("a bug")]
  ] as const) {
    it.effect(`gives the place to the next at once when its attempt ${how}`, () =>
      Effect.gen(function* () {
        const { breaker, fiber } = yield* halfOpen(attempt)
        yield* Fiber.interrupt(fiber)
        assert.deepInclude(yield* breaker.snapshot, { state: "open", since: 0, openings: 1, nextAttempt: 1_000 })
        yield* fail(breaker)
        const { nextAttempt, state } = yield* breaker.snapshot
        assert.strictEqual(state, "open")
        assert.isAtMost(nextAttempt!, 1_000 + 2_000, "the delay did not grow for it")
      })
    )
  }
})

it.effect("each change of state is logged once, and shown in the metrics", () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
  return Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make<Fault>({ ...options, name: "shown" })
    const value = (name: string) =>
      Metric.unsafeSnapshot().find(
        ({ metricKey }) => metricKey.name === name && metricKey.tags.some(({ value }) => value === "shown")
      )?.metricState
    const isShown = (state: number, openings: number) => {
      assert.propertyVal(value("parallax_breaker_state"), "value", state)
      assert.propertyVal(value("parallax_breaker_openings_total"), "count", openings)
    }
    isShown(0, 0)
    yield* fail(breaker, 5)
    isShown(2, 1)
    yield* TestClock.adjust("1 seconds")
    const attempt = yield* Effect.fork(breaker.protect(Effect.never))
    yield* Effect.yieldNow()
    isShown(1, 1)
    yield* Fiber.interrupt(attempt)
    yield* fail(breaker, 2)
    isShown(2, 1)
    yield* TestClock.adjust("10 seconds")
    yield* succeed(breaker)
    isShown(0, 1)
    assert.deepStrictEqual(lines, [
      "WARN the circuit breaker opened",
      "DEBUG the circuit breaker lets one call through",
      "DEBUG the circuit breaker's attempt was given up",
      "DEBUG the circuit breaker lets one call through",
      "DEBUG the circuit breaker's attempt failed",
      "DEBUG the circuit breaker lets one call through",
      "INFO the circuit breaker closed: there are answers again"
    ])
  }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Debug))
})

/** What a call does when its time is over. */
type Outcome = "answer" | "refusal" | "outage" | "defect" | "interruption"

type Step =
  | { readonly _tag: "Call"; readonly outcome: Outcome; readonly seconds: number }
  | { readonly _tag: "Pass"; readonly seconds: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    _tag: fc.constant("Call" as const),
    outcome: fc.constantFrom<Outcome>("answer", "refusal", "outage", "outage", "outage", "defect", "interruption"),
    seconds: fc.constantFrom(0, 0, 0, 1, 5, 20)
  }),
  fc.record({ _tag: fc.constant("Pass" as const), seconds: fc.constantFrom(0, 1, 2, 5, 12) })
)

/** The rules once more, without effects, clocks and fibers. */
const makeModel = () => {
  let state: "closed" | "half-open" | "open" = "closed"
  let era = 0
  let row: Array<number> = []
  let delay = 1_000
  let due = 0
  const open = (now: number) => {
    state = "open"
    due = now + delay
    delay = Math.min(8_000, delay * 2)
    row = []
  }
  return {
    view: (now: number) => ({
      state,
      openings: era,
      failures: row.filter((time) => now - time < 10_000).length,
      nextAttempt: state === "open" ? due : null
    }),
    /** The era in which the call is admitted, with a half for an attempt; `undefined` when it is refused. */
    call: (now: number): number | undefined => {
      if (state === "closed") return era
      if (state === "half-open" || now < due) return undefined
      state = "half-open"
      return era + 0.5
    },
    end: (place: number, outcome: Outcome, now: number): void => {
      const isAttempt = !Number.isInteger(place)
      if (!isAttempt && (place !== era || state !== "closed")) return
      if (outcome === "defect" || outcome === "interruption") {
        if (isAttempt) state = "open"
      } else if (outcome !== "outage") {
        state = "closed"
        row = []
        delay = 1_000
      } else if (isAttempt) open(now)
      else {
        row = [...row.filter((time) => now - time < 10_000), now]
        if (row.length === 3) {
          era++
          open(now)
        }
      }
    }
  }
}

const effectOf = (outcome: Outcome): Effect.Effect<void, Fault> => {
  switch (outcome) {
    case "answer":
      return Effect.void
    case "refusal":
      return Effect.fail({ _tag: "Refusal" })
    case "outage":
      return Effect.fail(outage)
    case "defect":
      return Effect.dieMessage("a bug")
    case "interruption":
      return Effect.interrupt
  }
}

describe("any sequence of calls", () => {
  it.effect.prop(
    "goes as the rules say: who is let through, the state, the count, the next attempt",
    [fc.array(step, { maxLength: 60 })],
    ([steps]) =>
      Effect.gen(function* () {
        const breaker = yield* makeBreaker
        const model = makeModel()
        /** Calls of the model that are under way, by when they end; no two end at once. */
        let due: Array<{ readonly at: number; readonly place: number; readonly outcome: Outcome }> = []
        let attempts = 0
        let now = 0
        for (const [i, one] of steps.entries()) {
          if (one._tag === "Call") {
            const place = model.call(now)
            const takes = one.seconds * 1_000 + i + 1
            if (place !== undefined) due.push({ at: now + takes, place, outcome: one.outcome })
            let ran = false
            const isAttempt = (yield* breaker.snapshot).state !== "closed"
            const call = Effect.gen(function* () {
              ran = true
              if (isAttempt) assert.strictEqual(++attempts, 1, "two attempts at once")
              yield* Effect.sleep(takes)
              return yield* effectOf(one.outcome)
            }).pipe(Effect.ensuring(Effect.sync(() => isAttempt && attempts--)))
            const fiber = yield* Effect.fork(Effect.exit(breaker.protect(call)))
            yield* Effect.yieldNow()
            assert.strictEqual(ran, place !== undefined, `step ${i}`)
            if (!ran) refusalOf(yield* Fiber.join(fiber))
          } else {
            now += one.seconds * 1_000
            const over = due.filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)
            due = due.filter(({ at }) => at > now)
            for (const { at, outcome, place } of over) model.end(place, outcome, at)
            yield* TestClock.adjust(one.seconds * 1_000)
          }
          assert.deepInclude(yield* breaker.snapshot, model.view(now), `step ${i}`)
        }
      }).pipe(withoutJitter, Effect.provide(Logger.remove(Logger.defaultLogger))),
    { fastCheck: { numRuns: 150 }, timeout: 60_000 }
  )
})
