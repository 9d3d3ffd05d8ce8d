import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric, MetricState, TestClock } from "effect"
import * as EventLoopWatch from "../../src/resilience/EventLoopWatch.ts"

const recorded = () => {
  const lines: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
  )
  return { lines, logger }
}

const gauge = (quantile: string): number => {
  const found = Metric.unsafeSnapshot().find(
    ({ metricKey }) =>
      metricKey.name === "parallax_event_loop_delay_seconds" &&
      metricKey.tags.some(({ key, value }) => key === "quantile" && value === quantile)
  )
  return found !== undefined && MetricState.isGaugeState(found.metricState) ? Number(found.metricState.value) : -1
}

describe("the event loop", () => {
  it.scoped("has its delays told each second, and one line in the log when it was blocked", () => {
    const { lines, logger } = recorded()
    const seconds = [
      { p50: 0, p99: 40, max: 999 },
      { p50: 1, p99: 50, max: 2_345 },
      { p50: 2, p99: 60, max: 70 }
    ]
    const layer = EventLoopWatch.layerOf(Effect.sync(() => seconds.shift()!))
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(["0.5", "0.99", "1"].map(gauge), [0, 0.04, 0.999])
      assert.deepStrictEqual(lines, [])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(["0.5", "0.99", "1"].map(gauge), [0.002, 0.06, 0.07])
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /level=WARN .*the event loop was blocked.* millis=2345/)
    }).pipe(Effect.provide(Layer.provideMerge(layer, logger)))
  })

  it("is late by what its watch was late itself, where the histogram has not seen it", () => {
    let time = 0
    const histogram = { max: 30e6, count: 3, percentile: (at: number) => at * 1e6, reset: () => {} }
    const read = EventLoopWatch.reader(histogram, () => time)
    time += 1_002
    assert.deepStrictEqual(read(), { p50: 40, p99: 89, max: 20 })
    time += 6_000
    assert.deepStrictEqual(read(), { p50: 40, p99: 89, max: 5_000 })
    time += 1_000
    assert.strictEqual(read().max, 20)
  })

  it.scopedLive("of this process is measured", () => {
    const { lines, logger } = recorded()
    return Effect.gen(function* () {
      yield* Effect.sleep("1300 millis")
      assert.isBelow(gauge("1"), 1)
      yield* Effect.sync(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500))
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(lines.length, 1)
      const millis = Number(/millis=(\d+)/.exec(lines[0]!)?.[1])
      assert.isAtLeast(millis, 1_400)
      assert.isAtMost(millis, 2_500)
    }).pipe(Effect.provide(Layer.provideMerge(EventLoopWatch.layer, logger)))
  })
})
