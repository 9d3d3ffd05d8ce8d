import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Exit, FastCheck as fc, Fiber, Stream, TestClock } from "effect"
import { Bell } from "../../src/resilience/Bell.ts"
import { type Emit, emitting } from "../../src/resilience/Emitting.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Emits numbers in parts, waiting a while after each. */
const inParts =
  (parts: ReadonlyArray<{ readonly size: number; readonly wait: number }>) =>
  (emit: Emit<number>): Effect.Effect<void> => {
    let next = 0
    return Effect.forEach(
      parts,
      ({ size, wait }) =>
        Effect.zipRight(
          Effect.suspend(() => emit(Array.from({ length: size }, () => next++))),
          wait === 0 ? Effect.void : Effect.sleep(wait)
        ),
      { discard: true }
    )
  }

describe("what is emitted", () => {
  it.effect.prop(
    "comes in order and whole, however it is emitted and read, and ends the stream with its effect",
    [
      fc.array(fc.record({ size: fc.nat(4), wait: fc.nat(2) }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(2)
    ],
    ([parts, capacity, pause]) =>
      Effect.gen(function* () {
        const reading = yield* emitting(inParts(parts), capacity).pipe(
          Stream.tap(() => (pause === 0 ? Effect.void : Effect.sleep(pause))),
          Stream.runCollect,
          Effect.fork
        )
        yield* TestClock.adjust("1 minutes")
        const read = yield* Fiber.join(reading)
        assert.deepStrictEqual(Chunk.toReadonlyArray(read), numbers(parts.reduce((sum, { size }) => sum + size, 0)))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.scoped("waits when as much waits for the reader as may", () =>
    Effect.gen(function* () {
      let emitted = 0
      const run = (emit: Emit<number>) =>
        Effect.forever(Effect.flatMap(emit([emitted, -emitted]), () => Effect.sync(() => emitted++)))
      const stream = emitting(run, 4)
      yield* Effect.forkScoped(Stream.runForEach(stream, () => Effect.never))
      yield* TestClock.adjust("1 seconds")
      assert.isAtMost(emitted, 6, "four elements wait, and a first part was taken")
    })
  )

  it.effect("fails the stream when its effect breaks, after what came before", () =>
    Effect.gen(function* () {
      const read: Array<number> = []
      const run = (emit: Emit<number>) => Effect.zipRight(emit([1, 2]), Effect.dieMessage("a bug"))
      const exit = yield* Effect.exit(Stream.runForEach(emitting(run, 1), (n) => Effect.sync(() => void read.push(n))))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(read, [1, 2])
    })
  )

  it.effect("is no longer made when nobody reads", () =>
    Effect.gen(function* () {
      let isOver = false
      const run = (emit: Emit<number>) =>
        Effect.ensuring(
          Effect.zipRight(emit([1]), Effect.never),
          Effect.sync(() => (isOver = true))
        )
      yield* Stream.runDrain(Stream.take(emitting(run, 1), 1))
      assert.isTrue(isOver)
    })
  )
})

describe("a bell", () => {
  it.effect("wakes whoever waits, and lets nobody wait for what holds already", () =>
    Effect.gen(function* () {
      let holds = true
      const bell = new Bell(() => holds)
      yield* bell.rung
      holds = false
      const waiting = yield* Effect.fork(bell.rung)
      yield* TestClock.adjust("1 seconds")
      assert.isNull(waiting.unsafePoll())
      assert.isTrue(bell.isAwaited)
      bell.ring()
      yield* Fiber.join(waiting)
      assert.isFalse(bell.isAwaited)
    })
  )

  it.effect("is not heard by who was interrupted", () =>
    Effect.gen(function* () {
      const bell = new Bell(() => false)
      const first = yield* Effect.fork(bell.rung)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.interrupt(first)
      bell.ring()
      const second = yield* Effect.fork(bell.rung)
      yield* TestClock.adjust("1 millis")
      assert.isNull(second.unsafePoll())
      bell.ring()
      yield* Fiber.join(second)
    })
  )
})
