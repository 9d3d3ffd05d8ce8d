import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, TestClock } from "effect"
import { MemoryPressure } from "../../src/resilience/MemoryPressure.ts"

/** A heap that a test fills, of which a part is garbage. */
const start = () => {
  const heap = { live: 0.5, garbage: 0, clears: 0 }
  const lines: Array<unknown> = []
  const layer = MemoryPressure.layerOf({
    share: () => heap.live + heap.garbage,
    clear: () => {
      heap.clears++
      heap.garbage = 0
    }
  })
  const log = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => lines.push(...(message as ReadonlyArray<unknown>)))
  )
  const changes: Array<string | undefined> = []
  const watch = Effect.map(MemoryPressure, (pressure) => {
    pressure.listen(() => changes.push(pressure.reason()))
    return pressure
  })
  return { heap, lines, changes, watch, layer, log }
}

const SHORT = "reading is paused: memory is short"

describe("memory pressure", () => {
  it.scoped("begins above 85 % of the heap and ends below 75 %, each told once", () => {
    const { changes, heap, layer, lines, log, watch } = start()
    return Effect.gen(function* () {
      const pressure = yield* watch
      for (const [live, reason] of [
        [0.84, undefined],
        [0.86, SHORT],
        [0.95, SHORT],
        [0.8, SHORT],
        [0.76, SHORT],
        [0.74, undefined],
        [0.84, undefined],
        [0.9, SHORT]
      ] as const) {
        heap.live = live
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(pressure.reason(), reason, `at ${live}`)
      }
      assert.deepStrictEqual(changes, [SHORT, undefined, SHORT])
      assert.strictEqual(lines.length, 3)
    }).pipe(Effect.provide(Layer.provideMerge(layer, log)))
  })

  it.scoped("does not begin for garbage, which is cleared first, every 5 s at most", () => {
    const { changes, heap, layer, watch } = start()
    return Effect.gen(function* () {
      yield* watch
      heap.garbage = 0.4
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([changes, heap.clears], [[], 1])
      heap.live = 0.9
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(changes, [SHORT])
      assert.isAtMost(heap.clears, 5)
      heap.live = 0.7
      heap.garbage = 0.2
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(changes, [SHORT, undefined], "garbage does not keep it up either")
    }).pipe(Effect.provide(Layer.provideMerge(layer, Logger.remove(Logger.defaultLogger))))
  })

  it.scoped("is none where nobody watches", () =>
    Effect.gen(function* () {
      const pressure = yield* MemoryPressure
      assert.isUndefined(pressure.reason())
    })
  )

  it.scopedLive("is told of the heap of this process, which has room", () =>
    Effect.gen(function* () {
      const pressure = yield* MemoryPressure
      yield* Effect.sleep("600 millis")
      assert.isUndefined(pressure.reason())
    }).pipe(Effect.provide(MemoryPressure.layer))
  )
})
