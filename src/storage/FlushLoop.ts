/** Writes what waits in the outbox, by size or age, whichever is first. */
import { Effect } from "effect"
import type { Flush } from "./Attempts.ts"
import type { Batch } from "./BatchStore.ts"
import type { Outbox } from "./Outbox.ts"

export interface FlushLoopOptions {
  readonly outbox: Outbox
  /** How many rows go at once, by weight. */
  readonly limit: () => number
  /** How long a row waits for company, in milliseconds. */
  readonly age: number
  /** Stores a batch, however long that takes. */
  readonly store: (batch: Batch, waiting: number) => Effect.Effect<Flush>
  /** Waits until the record of a row lies on the tape: the database is never to be ahead of it. */
  readonly recorded: (ordinal: number) => Effect.Effect<void>
  readonly onFlush: (flush: Flush) => void
  /** The program ends. */
  readonly isClosing: () => boolean
  /** No more rows will come. */
  readonly isComplete: () => boolean
}

/** Ends when the program does and everything is stored. */
export const run = (options: FlushLoopOptions): Effect.Effect<void> => {
  const { age, isClosing, isComplete, outbox } = options
  const flush = Effect.gen(function* () {
    const { coverage, position, rows, upTo } = outbox.take(options.limit())
    yield* options.recorded(upTo)
    options.onFlush(yield* options.store({ rows, position, coverage }, outbox.load))
    outbox.settle()
  })
  return Effect.gen(function* () {
    while (true) {
      yield* outbox.due(age)
      while (!outbox.isIdle) {
        yield* flush
        if (!outbox.isDue && !isClosing()) break
      }
      if (isClosing() && isComplete()) return
      if (!isClosing()) outbox.rest()
    }
  })
}
