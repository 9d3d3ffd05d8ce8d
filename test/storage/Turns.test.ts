import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Turns from "../../src/storage/Turns.ts"

const settle = Effect.repeatN(Effect.yieldNow(), 20)

describe("turns", () => {
  it.effect("go by the order of asking, also to one who asks again at once", () =>
    Effect.gen(function* () {
      const turns = Turns.make()
      const order: Array<string> = []
      const busy = yield* Effect.fork(
        Effect.repeatN(
          turns.during(
            Effect.zipRight(
              settle,
              Effect.sync(() => void order.push("busy"))
            )
          ),
          3
        )
      )
      yield* settle
      const other = yield* Effect.fork(turns.during(Effect.sync(() => void order.push("other"))))
      yield* Fiber.join(Fiber.zip(busy, other))
      assert.deepStrictEqual(order, ["busy", "other", "busy", "busy", "busy"])
    })
  )

  it.effect("are given up by who is interrupted, waiting or not", () =>
    Effect.gen(function* () {
      const turns = Turns.make()
      const first = yield* Effect.fork(turns.during(Effect.never))
      yield* settle
      const second = yield* Effect.fork(turns.during(Effect.never))
      const third = yield* Effect.fork(turns.during(Effect.succeed("had")))
      yield* settle
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* Fiber.join(third), "had")
      assert.strictEqual(yield* turns.during(Effect.succeed("again")), "again")
    })
  )
})
