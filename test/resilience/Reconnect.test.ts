import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Clock,
  Duration,
  Effect,
  FastCheck as fc,
  Fiber,
  Logger,
  Ref,
  Schedule,
  Stream,
  TestClock
} from "effect"
import { backoff, reconnecting, type SessionEnd } from "../../src/resilience/Reconnect.ts"

const OPTIONS = { base: "250 millis", cap: "30 seconds", healthyAfter: "5 seconds" } as const
const failed: SessionEnd = { healthyMillis: 0, atLeast: Duration.zero }

/** The delays of a schedule for these ends, one after the other. */
const delays = (ends: ReadonlyArray<SessionEnd>) =>
  Effect.gen(function* () {
    const driver = yield* Schedule.driver(backoff(OPTIONS))
    const out: Array<number> = []
    for (const end of ends) {
      const fiber = yield* Effect.fork(driver.next(end))
      yield* TestClock.adjust("1 hours")
      out.push(Duration.toMillis(yield* Fiber.join(fiber)))
    }
    return out
  }).pipe(Effect.orDie)

describe("the delay", () => {
  it.effect("doubles from the base to the cap, with a jitter of half to whole", () =>
    Effect.gen(function* () {
      const found = yield* delays(Array.from({ length: 12 }, () => failed))
      const ceilings = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]
      found.forEach((delay, i) => {
        assert.isAtLeast(delay, ceilings[i]! / 2)
        assert.isAtMost(delay, ceilings[i]!)
      })
      assert.isAbove(new Set(found.slice(-5)).size, 1, "no two sockets come back in step")
    })
  )

  it.effect("starts anew after a session that carried data for long enough, and only then", () =>
    Effect.gen(function* () {
      const short = { healthyMillis: 4_999, atLeast: Duration.zero }
      const long = { healthyMillis: 5_000, atLeast: Duration.zero }
      const found = yield* delays([failed, failed, failed, short, failed, long, failed])
      assert.isAtLeast(found[3]!, 1000)
      assert.isAtLeast(found[4]!, 2000)
      assert.isAtMost(found[5]!, 250)
      assert.isAtLeast(found[6]!, 250)
    })
  )

  it.effect("is never shorter than what was asked for, and the count goes on below it", () =>
    Effect.gen(function* () {
      const asked = { healthyMillis: 0, atLeast: Duration.minutes(15) }
      const found = yield* delays([asked, failed, failed])
      assert.strictEqual(found[0], 900_000)
      assert.isAtMost(found[1]!, 500)
      assert.isAtMost(found[2]!, 1000)
    })
  )

  it.effect.prop(
    "lies between the half and the whole of the ceiling, whatever came before",
    [
      fc.array(fc.record({ healthyMillis: fc.constantFrom(0, 1, 4_999, 5_000, 1e9), wait: fc.nat(2_000) }), {
        maxLength: 12
      })
    ],
    ([ends]) =>
      Effect.gen(function* () {
        const found = yield* delays(
          ends.map(({ healthyMillis, wait }) => ({ healthyMillis, atLeast: Duration.millis(wait) }))
        )
        let failures = 0
        found.forEach((delay, i) => {
          const { healthyMillis, wait } = ends[i]!
          if (healthyMillis >= 5_000) failures = 0
          const ceiling = Math.min(30_000, 250 * 2 ** failures++)
          assert.isAtLeast(delay, Math.max(ceiling / 2, wait))
          assert.isAtMost(delay, Math.max(ceiling, wait))
        })
      }),
    { fastCheck: { numRuns: 40 } }
  )
})

/** A session that says what it is told to and then fails, and how often it began and ended. */
const makeSessions = (say: (n: number) => Stream.Stream<string, string>) =>
  Effect.gen(function* () {
    const began: Array<number> = []
    let open = 0
    const session = Stream.unwrapScoped(
      Effect.gen(function* () {
        began.push(yield* Clock.currentTimeMillis)
        yield* Effect.acquireRelease(
          Effect.sync(() => open++),
          () => Effect.sync(() => open--)
        )
        return say(began.length)
      })
    )
    return { began, session, open: () => open }
  })

const options = (ended: (error: string) => SessionEnd = () => failed) => ({
  schedule: backoff(OPTIONS),
  ended,
  onEnd: (error: string, attempt: number) => Effect.succeed([`${error} ${attempt}`])
})

const collect = <A>(stream: Stream.Stream<A>) =>
  Effect.gen(function* () {
    const out: Array<A> = []
    const fiber = yield* Effect.fork(Stream.runForEach(stream, (item) => Effect.sync(() => out.push(item))))
    return { out, fiber }
  })

describe("a stream that reconnects", () => {
  it.scoped("runs the session again after each end, and tells of the end in between", () =>
    Effect.gen(function* () {
      const { began, open, session } = yield* makeSessions((n) =>
        Stream.concat(Stream.make(`${n}a`, `${n}b`), Stream.fail(`cut ${n}`))
      )
      const { fiber, out } = yield* collect(reconnecting(session, () => "over", options()))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(out.slice(0, 7), ["1a", "1b", "cut 1 1", "2a", "2b", "cut 2 2", "3a"])
      const waits = began.slice(1).map((time, i) => time - began[i]!)
      waits.forEach((wait, i) => assert.isAtLeast(wait, (250 * 2 ** i) / 2))
      assert.strictEqual(open(), 0, "nothing is open while it waits")
      yield* Fiber.interrupt(fiber)
    })
  )

  it.scoped("takes a clean end for a failure", () =>
    Effect.gen(function* () {
      const { began, session } = yield* makeSessions(() => Stream.make("word"))
      const { fiber, out } = yield* collect(reconnecting(session, () => "over", options()))
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(out[1], "over 1")
      assert.isAtMost(began.length, 12)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.scoped("is not fooled by a session that accepts, says one word and drops", () =>
    Effect.gen(function* () {
      const { began, session } = yield* makeSessions(() => Stream.concat(Stream.make("word"), Stream.fail("cut")))
      const ended = () => ({ healthyMillis: 1, atLeast: Duration.zero })
      const { fiber, out } = yield* collect(reconnecting(session, () => "over", options(ended)))
      yield* TestClock.adjust("10 minutes")
      assert.isAtMost(began.length, 50)
      assert.strictEqual(out[3], "cut 1", "shown as the first attempt since there was data")
      yield* Fiber.interrupt(fiber)
    })
  )

  it.scoped("begins anew after a healthy session", () =>
    Effect.gen(function* () {
      const { began, session } = yield* makeSessions((n) =>
        n === 6
          ? Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("1 minutes"))), Stream.fail("late"))
          : Stream.fail("cut")
      )
      const ended = (error: string) => ({ healthyMillis: error === "late" ? 60_000 : 0, atLeast: Duration.zero })
      const { fiber } = yield* collect(reconnecting(session, () => "over", options(ended)))
      yield* TestClock.adjust("2 minutes")
      const waits = began.slice(1).map((time, i) => time - began[i]!)
      assert.isAtLeast(waits[4]!, 2000)
      assert.isAtMost(waits[5]! - 60_000, 250)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.scoped("survives a defect, which costs one session", () =>
    Effect.gen(function* () {
      const { began, session } = yield* makeSessions((n) =>
        n === 1
          ? Stream.concat(Stream.make("word"), Stream.dieMessage("a bug"))
          : Stream.concat(Stream.make("well"), Stream.never)
      )
      const { fiber, out } = yield* collect(reconnecting(session, () => "over", options()))
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(out, ["word", "over 1", "well"])
      assert.strictEqual(began.length, 2)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.scoped("closes the session with its own scope", () =>
    Effect.gen(function* () {
      const { open, session } = yield* makeSessions(() => Stream.never)
      const { fiber } = yield* collect(reconnecting(session, () => "over", options()))
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(open(), 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(open(), 0)
    })
  )

  it.scoped("hands on an element as soon as it is there", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make(0)
      const session = Stream.concat(Stream.make("word"), Stream.never)
      const stream = reconnecting<string, string, never>(session, () => "over", options())
      const fiber = yield* Effect.fork(Stream.runForEach(stream, () => Ref.update(seen, (n) => n + 1)))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Ref.get(seen), 1)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.live("is flat in time and memory over ten thousands of reconnects", () =>
    Effect.gen(function* () {
      const { setFlagsFromString } = yield* Effect.promise(() => import("node:v8"))
      const { runInNewContext } = yield* Effect.promise(() => import("node:vm"))
      setFlagsFromString("--expose-gc")
      const collectGarbage = runInNewContext("gc") as () => void
      const heaps: Array<number> = []
      let sessions = 0
      const session = Stream.suspend(() => {
        if (++sessions % 5_000 === 0) {
          collectGarbage()
          heaps.push(process.memoryUsage().heapUsed)
        }
        return Stream.concat(Stream.make("word"), Stream.fail("cut"))
      })
      const schedule = Schedule.map(Schedule.forever, () => Duration.zero)
      const stream = reconnecting<string, string, never>(session, () => "over", { ...options(), schedule })
      const count = yield* Stream.runCount(Stream.take(stream, 40_000))
      assert.strictEqual(count, 40_000)
      assert.isAtMost(heaps.at(-1)! - heaps[0]!, 2 * 1024 * 1024)
    })
  )
})

describe("one element after the other", () => {
  it.effect("is what comes out, the word about the end last", () =>
    Effect.gen(function* () {
      const session = Stream.concat(Stream.fromIterable(["a", "b", "c"]), Stream.fail("cut"))
      const stream = reconnecting<string, string, never>(session, () => "over", {
        ...options(),
        onEnd: (error) => Effect.succeed([`${error} x`, `${error} y`])
      })
      const out = yield* Stream.runCollect(Stream.take(stream, 5))
      assert.deepStrictEqual(Chunk.toReadonlyArray(out), ["a", "b", "c", "cut x", "cut y"])
    })
  )
})
