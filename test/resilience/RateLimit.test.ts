import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import { type Quota, RateLimit } from "../../src/resilience/RateLimit.ts"

/** When each of so many calls ran that were all made at once. */
const run = (quota: Quota, count: number) =>
  Effect.gen(function* () {
    const { within } = yield* RateLimit
    const times: Array<number> = []
    const call = within(quota)(Effect.map(Clock.currentTimeMillis, (now) => times.push(now)))
    yield* Effect.forkScoped(
      Effect.all(
        Array.from({ length: count }, () => call),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust("1 minutes")
    return times
  })

describe("a quota", () => {
  it.scoped("lets its number through at once, and the rest at its rate", () =>
    Effect.gen(function* () {
      const times = yield* run({ scope: "books", limit: 20, window: "1 seconds" }, 60)
      assert.strictEqual(times.length, 60)
      assert.strictEqual(times[19], 0)
      assert.isAtLeast(times[59]!, 1_900)
      assert.isAtMost(times[59]!, 2_100)
      for (let i = 40; i < 60; i++) assert.isAtLeast(times[i]! - times[i - 20]!, 900)
    }).pipe(Effect.provide(RateLimit.layer))
  )

  it.scoped("is shared by all that name its scope, and by nobody else", () =>
    Effect.gen(function* () {
      const first = yield* run({ scope: "books", limit: 10, window: "1 seconds" }, 10)
      const again = yield* run({ scope: "lists", limit: 10, window: "1 seconds" }, 10)
      assert.strictEqual(new Set(first).size, 1)
      assert.strictEqual(new Set(again).size, 1)
    }).pipe(Effect.provide(RateLimit.layer))
  )

  it.scoped("is not used up by a call that is interrupted while it waits for ever", () =>
    Effect.gen(function* () {
      const { within } = yield* RateLimit
      const quota = { scope: "books", limit: 1, window: "1 seconds" } as const
      yield* within(quota)(Effect.void)
      const waited = yield* Effect.timeoutOption(within(quota)(Effect.void), "10 millis").pipe(
        Effect.fork,
        Effect.tap(() => TestClock.adjust("10 seconds"))
      )
      assert.isNotNull(waited.unsafePoll())
      const done = yield* Effect.fork(within(quota)(Effect.succeed("done")))
      yield* TestClock.adjust("1 millis")
      assert.isNotNull(done.unsafePoll())
    }).pipe(Effect.provide(RateLimit.layer))
  )
})
