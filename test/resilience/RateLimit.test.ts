import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, FastCheck as fc, Fiber, Option, TestClock } from "effect"
import { type Metered, type Quota, RateLimit } from "../../src/resilience/RateLimit.ts"

const quota = (scope: string, limit: number, window: Duration.DurationInput = "1 seconds"): Quota => ({
  scope,
  windows: [{ limit, window }]
})

/** Runs so many calls at once; when each was made, as far as it was. */
const run = <E>(call: Metered<E>, count: number, body: Effect.Effect<unknown, E> = Effect.void) =>
  Effect.gen(function* () {
    const { within } = yield* RateLimit
    const times: Array<number> = []
    const one = Effect.zipRight(
      Effect.map(Clock.currentTimeMillis, (now) => times.push(now)),
      body
    )
    yield* Effect.forkScoped(
      Effect.forEach(
        Array.from({ length: count }, () => Effect.exit(within(call)(one))),
        (call) => call,
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(0)
    return times
  })

const provided = Effect.provide(RateLimit.layer)

describe("a quota", () => {
  it.scoped("lets its number through at once, and the rest at its rate", () =>
    Effect.gen(function* () {
      const times = yield* run({ quotas: [quota("books", 20)] }, 60)
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(times.length, 60)
      assert.strictEqual(times[19], 0)
      for (let i = 20; i < 60; i++) assert.strictEqual(times[i], (i - 19) * 50)
    }).pipe(provided)
  )

  it.scoped("is shared by all that name its scope, and by nobody else", () =>
    Effect.gen(function* () {
      const books = [yield* run({ quotas: [quota("books", 10)] }, 6), yield* run({ quotas: [quota("books", 10)] }, 6)]
      const lists = yield* run({ quotas: [quota("lists", 10)] }, 10)
      assert.deepStrictEqual(
        [...books, lists].map(({ length }) => length),
        [6, 4, 10]
      )
    }).pipe(provided)
  )

  it.scoped("may have several windows, which all hold", () =>
    Effect.gen(function* () {
      const both: Quota = {
        scope: "orders",
        windows: [
          { limit: 5, window: "1 seconds" },
          { limit: 20, window: "10 minutes" }
        ]
      }
      const times = yield* run({ quotas: [both] }, 30)
      yield* TestClock.adjust("1 hours")
      assert.strictEqual(times[4], 0)
      assert.strictEqual(times[5], 200)
      assert.strictEqual(times[19], 3_000)
      assert.closeTo(times[20]!, 30_000, 2, "the twenty of ten minutes are used up")
      assert.closeTo(times[29]!, 300_000, 2)
    }).pipe(provided)
  )

  it.scoped("may change while it is used", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* run({ quotas: [quota("kalshi", 2)] }, 2), 2)
      const more = yield* run({ quotas: [quota("kalshi", 100)] }, 10)
      yield* TestClock.adjust("100 millis")
      assert.lengthOf(more, 10)
      const fewer = yield* run({ quotas: [quota("kalshi", 1)] }, 3)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fewer, [1_100, 2_100, 3_100])
    }).pipe(provided)
  )

  it.scoped("is used up by what a call costs, even if it costs more than there ever is", () =>
    Effect.gen(function* () {
      const times = yield* run({ quotas: [quota("tokens", 100)], cost: 150 }, 2)
      const cheap = yield* run({ quotas: [quota("tokens", 100)], cost: 10 }, 1)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(times, [0, 1_500])
      assert.deepStrictEqual(cheap, [1_500 + 600])
    }).pipe(provided)
  )

  it.scoped("is not used up by a call that gives up waiting", () =>
    Effect.gen(function* () {
      const { within } = yield* RateLimit
      const call: Metered<never> = { quotas: [quota("books", 1), quota("all", 1)] }
      yield* within(call)(Effect.void)
      const waiting = yield* Effect.fork(within(call)(Effect.void))
      const behind = yield* Effect.fork(within(call)(Effect.succeed("done")))
      yield* TestClock.adjust("900 millis")
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(behind), "done")
    }).pipe(provided)
  )
})

describe("a call that several scopes meter", () => {
  it.scoped("waits for all of them, and those who wait for a narrow scope stand in nobody's way", () =>
    Effect.gen(function* () {
      const all = quota("all", 10)
      const books = yield* run({ quotas: [quota("books", 2), all] }, 6)
      const lists = yield* run({ quotas: [quota("lists", 100), all] }, 8)
      assert.lengthOf(books, 2)
      assert.lengthOf(lists, 8)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(books, [0, 0, 500, 1_000])
    }).pipe(provided)
  )
})

describe("a scope that is refused", () => {
  const pausing = (scope: string, ...wider: ReadonlyArray<Quota>): Metered<number> => ({
    quotas: [quota(scope, 10), ...wider],
    pause: (seconds) => (seconds < 0 ? Option.none() : Option.some(Duration.seconds(seconds)))
  })

  it.scoped("is left alone by everybody, and then tried by one, until that one is not refused", () =>
    Effect.gen(function* () {
      let refusals = 0
      const refused = Effect.suspend(() =>
        refusals++ < 2 ? Effect.delay(Effect.fail(30), "100 millis") : Effect.sleep("100 millis")
      )
      const first = yield* run(pausing("books"), 1, refused)
      yield* TestClock.adjust("1 seconds")
      const others = yield* run(pausing("books"), 8, refused)
      yield* TestClock.adjust("29099 millis")
      assert.deepStrictEqual([first.length, others.length], [1, 0])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(others, [30_100])
      yield* TestClock.adjust("30099 millis")
      assert.lengthOf(others, 1, "one try for each time")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(others.slice(1, 3), [60_200, 60_300], "the rest after the answer, not before")
      assert.lengthOf(others, 8)
    }).pipe(provided)
  )

  it.scoped("is tried by one alone even when no time was asked for, and what was left of its quota is gone", () =>
    Effect.gen(function* () {
      yield* run(pausing("books"), 1, Effect.fail(0))
      const others = yield* run(pausing("books"), 3, Effect.sleep("5 seconds"))
      yield* TestClock.adjust("99 millis")
      assert.lengthOf(others, 0)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(others, [100])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(others, [100, 5_100, 5_100])
    }).pipe(provided)
  )

  it.scoped("keeps nobody from other scopes, not from the wider ones either", () =>
    Effect.gen(function* () {
      const all = quota("all", 10)
      yield* run(pausing("books", all), 1, Effect.fail(30))
      const books = yield* run(pausing("books", all), 1)
      const lists = yield* run(pausing("lists", all), 1)
      assert.deepStrictEqual([books.length, lists.length], [0, 1])
    }).pipe(provided)
  )

  it.scoped("is not paused by errors that ask for nothing", () =>
    Effect.gen(function* () {
      yield* run(pausing("books"), 1, Effect.fail(-1))
      assert.lengthOf(yield* run(pausing("books"), 9), 9)
    }).pipe(provided)
  )

  it.scoped("is tried by the next when the one that tries it is given up", () =>
    Effect.gen(function* () {
      const { within } = yield* RateLimit
      yield* run(pausing("books"), 1, Effect.fail(5))
      const trial = yield* Effect.fork(within(pausing("books"))(Effect.never))
      yield* TestClock.adjust(0)
      const others = yield* run(pausing("books"), 2, Effect.sleep("1 seconds"))
      yield* TestClock.adjust("20 seconds")
      assert.lengthOf(others, 0)
      yield* Fiber.interrupt(trial)
      yield* TestClock.adjust("500 millis")
      assert.lengthOf(others, 1)
      yield* TestClock.adjust("1 seconds")
      assert.lengthOf(others, 2)
    }).pipe(provided)
  )
})

const client = fc.record({
  comes: fc.nat(4_000),
  scope: fc.constantFrom("books", "lists"),
  cost: fc.integer({ min: 1, max: 4 }),
  takes: fc.constantFrom(0, 20, 300),
  /** Seconds for which it is told to keep away. */
  refused: fc.option(fc.constantFrom(0, 1, 3), { freq: 5 }),
  /** When it gives up, counted from when it came. */
  leaves: fc.option(fc.nat(3_000), { freq: 4 })
})

it.effect.prop(
  "no bucket gives more than it has, no call is made in a pause, and nobody waits for ever",
  [fc.array(client, { minLength: 1, maxLength: 40 })],
  ([clients]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { within } = yield* RateLimit
        const limits = { books: 4, lists: 6, all: 8 }
        const made: Array<{ readonly at: number; readonly cost: number; readonly scope: string }> = []
        const pauses: Array<{ readonly from: number; readonly to: number; readonly scope: string }> = []
        const fibers = yield* Effect.forEach(clients, ({ comes, cost, leaves, refused, scope, takes }) =>
          Effect.gen(function* () {
            const call: Metered<number> = {
              quotas: [quota(scope, limits[scope as "books"]), quota("all", limits.all)],
              cost,
              pause: (seconds) => Option.some(Duration.seconds(seconds))
            }
            const body = Effect.gen(function* () {
              made.push({ at: yield* Clock.currentTimeMillis, cost, scope })
              yield* Effect.sleep(takes)
              if (refused === null) return
              const from = yield* Clock.currentTimeMillis
              pauses.push({ from, to: from + refused * 1000, scope })
              return yield* Effect.fail(refused)
            })
            const fiber = yield* Effect.fork(Effect.delay(within(call)(body), comes))
            if (leaves !== null) yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(fiber), comes + leaves))
            return fiber
          })
        )
        yield* TestClock.adjust("10 minutes")
        const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
        exits.forEach((exit, i) => {
          const { leaves, refused } = clients[i]!
          if (leaves === null) assert.strictEqual(Exit.isSuccess(exit), refused === null)
        })
        for (const [scope, limit] of Object.entries(limits)) {
          const own = made.filter((one) => scope === "all" || one.scope === scope)
          own.forEach(({ at }, i) => {
            let spent = 0
            for (const { at: later, cost } of own.slice(i)) {
              spent += cost
              assert.isAtMost(spent, limit + ((later - at) * limit) / 1000 + 1e-6, `${scope} from ${at} to ${later}`)
            }
          })
        }
        for (const { from, scope, to } of pauses) {
          assert.isFalse(made.some((one) => one.scope === scope && one.at > from && one.at < to))
        }
      })
    ).pipe(provided),
  { fastCheck: { numRuns: 60 }, timeout: 60_000 }
)
