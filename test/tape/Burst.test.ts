import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Burst from "../../src/tape/Burst.ts"

const world = Effect.gen(function* () {
  let bytes = 0
  const burst = Burst.make(() => bytes, yield* Effect.clock)
  const come = (more: number, seconds: number) =>
    Effect.suspend(() => {
      bytes += more
      return TestClock.adjust(seconds * 1000)
    })
  const waiting = (mayWait: () => boolean) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(burst.over(mayWait))
      yield* Effect.yieldNow()
      return Effect.map(Fiber.poll(fiber), (exit) => exit._tag === "None")
    })
  return { burst, come, waiting }
})

describe("a burst", () => {
  it.effect("is over after a second in which little came", () =>
    Effect.gen(function* () {
      const { burst, come, waiting } = yield* world
      yield* come(64_000_000, 7)
      burst.look()
      const isWaiting = yield* waiting(() => true)
      for (let second = 0; second < 30; second++) {
        yield* come(8_000_001, 1)
        assert.isTrue(yield* isWaiting)
      }
      yield* come(8_000_000, 1)
      assert.isFalse(yield* isWaiting)
    })
  )

  it.effect("is none where as much came in a longer time", () =>
    Effect.gen(function* () {
      const { burst, come, waiting } = yield* world
      yield* come(64_000_000, 8)
      burst.look()
      assert.isFalse(yield* yield* waiting(() => true))
    })
  )

  it.effect("is not waited for any longer than it may be", () =>
    Effect.gen(function* () {
      const { burst, come, waiting } = yield* world
      yield* come(64_000_000, 1)
      burst.look()
      let segments = 0
      const isWaiting = yield* waiting(() => segments < 8)
      yield* come(64_000_000, 1)
      assert.isTrue(yield* isWaiting)
      segments = 8
      yield* come(64_000_000, 1)
      assert.isFalse(yield* isWaiting)
    })
  )
})
