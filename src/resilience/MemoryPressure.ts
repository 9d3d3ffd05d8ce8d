/**
 * Shedding load before memory runs out. Over the high mark of the heap nothing more is read from the sockets, so that
 * what is in memory can be worked off and senders wait; below the low mark reading goes on.
 */
import { Clock, Context, Effect, Layer, Metric } from "effect"
import { getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Share of the heap's limit above which reading pauses, and below which it goes on. */
const HIGH = 0.85
const LOW = 0.75
const SAMPLE = "250 millis"
/** Of the limit that Node tells, what only the youngest objects may use: three semi-spaces of 16 MiB. */
const YOUNG_BYTES = 48 * 1024 * 1024
/** While over the high mark, garbage is cleared this often: paused sockets make none that would set off a collection. */
const CLEAR_MILLIS = 5_000

const used = Metric.gauge("parallax_heap_used_ratio", { description: "Heap in use, as a share of its limit" })
const sheds = Metric.counter("parallax_memory_pauses_total", {
  description: "Times that all sockets were paused for want of memory",
  incremental: true
})

export interface Heap {
  /** Bytes in use, as a share of what may be. */
  readonly share: () => number
  /** Clears what nobody uses any more; slow. */
  readonly clear: () => void
}

/** Whether sockets are to be read, for whoever reads them; without a watch they always are. */
export class MemoryPressure extends Context.Reference<MemoryPressure>()("parallax/resilience/MemoryPressure", {
  defaultValue: (): {
    /** Why nothing is to be read now, or `undefined`. */
    readonly reason: () => string | undefined
    /** Calls at every change until the returned function is called. */
    readonly listen: (onChange: () => void) => () => void
  } => ({ reason: () => undefined, listen: () => () => undefined })
}) {
  /** Watches a heap. */
  static readonly layerOf = (heap: Heap): Layer.Layer<MemoryPressure> =>
    Layer.scoped(
      MemoryPressure,
      Effect.gen(function* () {
        const listeners = new Set<() => void>()
        let reason: string | undefined
        let cleared = Number.NEGATIVE_INFINITY

        const turn = (next: string | undefined): void => {
          reason = next
          for (const listener of listeners) listener()
        }
        const percent = (share: number) => Math.round(share * 100)
        const look = Effect.gen(function* () {
          let share = heap.share()
          const now = Number((yield* Clock.currentTimeNanos) / 1_000_000n)
          const isHigh = share > HIGH || (reason !== undefined && share >= LOW)
          if (isHigh && now - cleared >= CLEAR_MILLIS) {
            cleared = now
            heap.clear()
            share = heap.share()
          }
          yield* Metric.set(used, share)
          if (reason === undefined && share > HIGH) {
            turn("reading is paused: memory is short")
            yield* Metric.increment(sheds)
            yield* Effect.logWarning("memory is short; the sockets are paused until it is not").pipe(
              Effect.annotateLogs({ heapPercent: percent(share) })
            )
          } else if (reason !== undefined && share < LOW) {
            turn(undefined)
            yield* Effect.logInfo("there is memory again; the sockets are read").pipe(
              Effect.annotateLogs({ heapPercent: percent(share) })
            )
          }
        })
        yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.delay(look, SAMPLE))))
        yield* Effect.addFinalizer(() => Effect.sync(() => turn(undefined)))
        return {
          reason: () => reason,
          listen: (onChange) => {
            listeners.add(onChange)
            return () => listeners.delete(onChange)
          }
        }
      })
    )

  /** Watches the heap of this process. */
  static readonly layer: Layer.Layer<MemoryPressure> = Layer.unwrapEffect(
    Effect.sync(() => {
      // Without the flag at start this is how a collection can be asked for.
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      return MemoryPressure.layerOf({
        share: () => {
          const { heap_size_limit: limit, used_heap_size: held } = getHeapStatistics()
          return held / Math.max(limit - YOUNG_BYTES, limit / 2)
        },
        clear: collect
      })
    })
  )
}
