import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, FastCheck as fc, Fiber, TestClock } from "effect"
import * as ConnectGate from "../../src/resilience/ConnectGate.ts"

interface Refusal {
  readonly wait: number
}

const makeGate = ConnectGate.make<Refusal>({
  name: "gate",
  describe: ({ wait }) => `wait ${wait}`,
  base: "250 millis",
  cap: "30 seconds",
  spacing: "100 millis",
  atLeast: ({ wait }) => Duration.millis(wait)
})

/** Handshakes that take some time, and a record of when each ran. */
const makeRecord = () => {
  const runs: Array<{ readonly from: number; to: number }> = []
  let open = 0
  let most = 0
  return {
    runs,
    most: () => most,
    starts: () => runs.map(({ from }) => from),
    connect: (takes: number, refusal?: Refusal): Effect.Effect<void, Refusal> =>
      Effect.gen(function* () {
        const run = { from: yield* Clock.currentTimeMillis, to: -1 }
        runs.push(run)
        most = Math.max(most, ++open)
        yield* Effect.sleep(takes).pipe(
          Effect.ensuring(
            Effect.map(Clock.currentTimeMillis, (now) => {
              run.to = now
              open--
            })
          )
        )
        if (refusal !== undefined) return yield* Effect.fail(refusal)
      })
  }
}

const times = (n: number) => Array.from({ length: n }, (_, i) => i)

describe("handshakes through one gate", () => {
  it.scoped("run one at a time, a spacing apart", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, most, starts } = makeRecord()
      yield* Effect.forkScoped(
        Effect.forEach(times(5), () => gate.handshake(connect(30)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(starts(), [0, 130, 260, 390, 520])
      assert.strictEqual(most(), 1)
    })
  )

  it.scoped("at ten a second at most, even a hundred at once", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, runs } = makeRecord()
      yield* Effect.forkScoped(
        Effect.forEach(times(100), () => gate.handshake(connect(0)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("9900 millis")
      assert.strictEqual(runs.length, 100)
      for (let i = 10; i < 100; i++) assert.isAtLeast(runs[i]!.from - runs[i - 10]!.from, 1_000)
    })
  )

  it.scoped("all wait out the same growing delay after a failure", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, runs } = makeRecord()
      const refused = Effect.ignore(gate.handshake(connect(10, { wait: 0 })))
      yield* Effect.forkScoped(Effect.forEach(times(20), () => Effect.forever(refused), { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 minutes")
      const waits = runs.slice(1, 12).map(({ from }, i) => from - runs[i]!.to)
      waits.forEach((wait, i) => {
        const ceiling = Math.min(30_000, 250 * 2 ** i)
        assert.isAtLeast(wait, ceiling / 2)
        assert.isAtMost(wait, ceiling)
      })
      for (const { from } of runs) {
        const within = runs.filter((run) => run.from >= from && run.from < from + 60_000)
        assert.isAtMost(within.length, 12, "twelve tries in any minute, however many wait")
      }
    })
  )

  it.scoped("are as near as ever after a success", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, starts } = makeRecord()
      const results: ReadonlyArray<Refusal | undefined> = [
        ...times(5).map(() => ({ wait: 0 })),
        undefined,
        undefined,
        { wait: 0 },
        undefined
      ]
      yield* Effect.forkScoped(Effect.forEach(results, (result) => Effect.ignore(gate.handshake(connect(0, result)))))
      yield* TestClock.adjust("1 minutes")
      const waits = starts()
        .slice(1)
        .map((time, i) => time - starts()[i]!)
      assert.isAtLeast(waits[4]!, 2_000)
      assert.strictEqual(waits[5], 100)
      assert.strictEqual(waits[6], 100)
      assert.isAtMost(waits[7]!, 250)
    })
  )

  it.scoped("all wait for as long as the venue asked one of them", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, starts } = makeRecord()
      yield* Effect.forkScoped(Effect.ignore(gate.handshake(connect(0, { wait: 7_000 }))))
      yield* Effect.yieldNow()
      yield* Effect.forkScoped(gate.handshake(connect(0)))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(starts(), [0, 7_000])
    })
  )

  it.scoped("pass the turn on when one of them is interrupted, waiting or running", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect, runs } = makeRecord()
      const running = yield* Effect.fork(gate.handshake(connect(60_000)))
      yield* TestClock.adjust("1 millis")
      const waiting = yield* Effect.fork(gate.handshake(connect(10)))
      const last = yield* Effect.fork(gate.handshake(connect(10)))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(running)
      yield* TestClock.adjust("1 seconds")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(last)))
      assert.strictEqual(runs.length, 2)
    })
  )

  it.scoped("pass the turn on when one of them breaks", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect } = makeRecord()
      yield* Effect.forkScoped(Effect.sandbox(gate.handshake(Effect.dieMessage("a bug"))))
      const next = yield* Effect.fork(gate.handshake(connect(10)))
      yield* TestClock.adjust("1 seconds")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(next)))
    })
  )

  it.scoped("show a breaker: open until the next may try, half-open while it does, closed once one succeeds", () =>
    Effect.gen(function* () {
      const gate = yield* makeGate
      const { connect } = makeRecord()
      assert.deepInclude(yield* gate.breaker, { name: "gate", state: "closed", since: 0, nextAttempt: null })
      yield* TestClock.adjust("1 seconds")
      yield* Effect.ignore(gate.handshake(Effect.fail({ wait: 5_000 })))
      assert.deepInclude(yield* gate.breaker, {
        state: "open",
        since: 1_000,
        nextAttempt: 6_000,
        openings: 1,
        lastFailure: "wait 5000"
      })
      yield* Effect.forkScoped(gate.handshake(connect(10)))
      yield* TestClock.adjust("5005 millis")
      assert.deepInclude(yield* gate.breaker, { state: "half-open", since: 1_000, nextAttempt: null })
      yield* TestClock.adjust("5 millis")
      assert.deepInclude(yield* gate.breaker, { state: "closed", since: 6_010, openings: 1 })
    })
  )

  const client = fc.record({
    comes: fc.nat(3_000),
    takes: fc.constantFrom(0, 5, 50, 400),
    refused: fc.boolean(),
    /** When it is interrupted, counted from when it came. */
    leaves: fc.option(fc.nat(3_000))
  })
  it.effect.prop(
    "are never two at once, and never stuck, whoever comes, fails and leaves",
    [fc.array(client, { minLength: 1, maxLength: 25 })],
    ([clients]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const gate = yield* makeGate
          const { connect, most, runs } = makeRecord()
          const fibers = yield* Effect.forEach(clients, ({ comes, leaves, refused, takes }) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.fork(
                Effect.delay(gate.handshake(connect(takes, refused ? { wait: 0 } : undefined)), comes)
              )
              if (leaves !== null) {
                yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(fiber), comes + leaves))
              }
              return fiber
            })
          )
          yield* TestClock.adjust("30 minutes")
          const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
          exits.forEach((exit, i) => {
            const { leaves, refused } = clients[i]!
            if (leaves === null) assert.strictEqual(Exit.isSuccess(exit), !refused)
          })
          assert.isAtMost(most(), 1)
          assert.isTrue(runs.every(({ to }) => to >= 0))
          yield* Effect.fork(gate.handshake(connect(0)))
          const before = runs.length
          yield* TestClock.adjust("30 minutes")
          assert.strictEqual(runs.length, before + 1, "the gate still works")
        })
      ),
    { fastCheck: { numRuns: 30 }, timeout: 30_000 }
  )
})
