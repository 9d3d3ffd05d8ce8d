/**
 * Watches how long the event loop keeps others waiting. While it is blocked nothing is read and nothing is answered; that
 * the books are old then is said by the sockets themselves, in order with what they bring.
 */
import { Effect, Layer, Metric } from "effect"
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks"

/** How often the delays are summed up, in milliseconds. */
const EVERY = 1_000
const RESOLUTION_MILLIS = 10
/** A delay that is worth a line in the log. */
const BLOCKED_MILLIS = 1_000

const delay = Metric.gauge("parallax_event_loop_delay_seconds", {
  description: "How late the event loop was in the last second"
})
const blocks = Metric.counter("parallax_event_loop_blocks_total", {
  description: "Times that the event loop was blocked for a second or more",
  incremental: true
})

/** Delays since they were last asked for, in milliseconds. */
export interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Reports what `read` measures. */
export const layerOf = (read: Effect.Effect<Delays>): Layer.Layer<never> =>
  read.pipe(
    Effect.flatMap(({ max, p50, p99 }) =>
      Effect.gen(function* () {
        yield* Metric.set(Metric.tagged(delay, "quantile", "0.5"), p50 / 1_000)
        yield* Metric.set(Metric.tagged(delay, "quantile", "0.99"), p99 / 1_000)
        yield* Metric.set(Metric.tagged(delay, "quantile", "1"), max / 1_000)
        if (max < BLOCKED_MILLIS) return
        yield* Metric.increment(blocks)
        yield* Effect.annotateLogs(Effect.logWarning("the event loop was blocked"), { millis: Math.round(max) })
      })
    ),
    Effect.delay(EVERY),
    Effect.forever,
    Effect.interruptible,
    Effect.forkScoped,
    Layer.scopedDiscard
  )

/**
 * Reads a histogram of delays in nanoseconds, and begins it anew. One that is begun anew has forgotten when it last looked:
 * of a block that ends with the reading it knows nothing, and only the reading itself, which is late, shows it. `now` is in
 * milliseconds.
 */
export const reader = (
  histogram: Pick<IntervalHistogram, "percentile" | "max" | "count" | "reset">,
  now: () => number
): (() => Delays) => {
  let last = now()
  // Each sample contains the timer's own period; an empty histogram has no numbers.
  const millis = (nanos: number) => Math.max(0, (Number.isFinite(nanos) ? nanos : 0) / 1e6 - RESOLUTION_MILLIS)
  return () => {
    const time = now()
    const late = time - last - EVERY
    last = time
    const seen = histogram.max < Number.MAX_SAFE_INTEGER && histogram.count > 0 ? millis(histogram.max) : 0
    const delays = {
      p50: millis(histogram.percentile(50)),
      p99: millis(histogram.percentile(99)),
      max: Math.max(seen, late)
    }
    histogram.reset()
    return delays
  }
}

/** Watches the event loop of this process. */
export const layer: Layer.Layer<never> = Layer.unwrapScoped(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLIS })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    ),
    (histogram) => layerOf(Effect.sync(reader(histogram, () => performance.now())))
  )
)
