import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import * as LogPane from "../../src/cli/LogPane.ts"

/** Runs with a log of its own, and gives what reached it. */
const logged = (program: (pane: LogPane.LogPane) => Effect.Effect<void>) => {
  const lines: Array<unknown> = []
  return Effect.gen(function* () {
    const pane = yield* LogPane.make
    yield* pane.around(program(pane))
    return { lines, pane }
  }).pipe(
    Effect.provide(
      Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(message))
      )
    )
  )
}

describe("LogPane", () => {
  it.effect("lets the log through while nobody holds it", () =>
    Effect.gen(function* () {
      const { lines, pane } = yield* logged(() => Effect.logInfo("one"))
      assert.deepStrictEqual(lines, [["one"]])
      assert.lengthOf(pane.entries(), 0)
    })
  )

  it.effect("keeps entries while it is held, and logs the serious ones afterwards", () =>
    Effect.gen(function* () {
      const { lines, pane } = yield* logged((pane) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* pane.hold
              yield* Effect.annotateLogs(Effect.logInfo("fine", { deep: 1 }), "venue", "polymarket")
              yield* Effect.logError("bad")
              assert.lengthOf(pane.entries(), 2)
            })
          )
          yield* Effect.logInfo("after")
        })
      )
      assert.deepStrictEqual(lines, [["bad"], ["after"]])
      assert.deepStrictEqual(
        pane.entries().map(({ level, text }) => [level, text]),
        [
          [LogLevel.Info, 'fine {"deep":1} venue=polymarket'],
          [LogLevel.Error, "bad"]
        ]
      )
    })
  )

  it.effect("is no larger for a long log", () =>
    Effect.gen(function* () {
      const { lines, pane } = yield* logged((pane) =>
        Effect.scoped(
          Effect.zipRight(
            pane.hold,
            Effect.forEach(Array.from({ length: 500 }), (_, i) => Effect.logWarning(`entry ${i}`), { discard: true })
          )
        )
      )
      assert.strictEqual(pane.entries().at(-1)?.text, "entry 499")
      assert.isAtMost(pane.entries().length, 50)
      assert.isAtMost(lines.length, 100)
      assert.deepStrictEqual(lines.at(-1), ["entry 499"])
    })
  )

  it.effect("respects the level of the program", () =>
    Effect.gen(function* () {
      const { pane } = yield* logged((pane) =>
        Effect.scoped(Effect.zipRight(pane.hold, Effect.logDebug("hidden"))).pipe(
          Logger.withMinimumLogLevel(LogLevel.Info)
        )
      )
      assert.lengthOf(pane.entries(), 0)
    })
  )
})
