/** Stores, and keeps account of it: what was stored and lost, why it takes so long, how much goes at once. */
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Effect } from "effect"
import type { BatchSize } from "./BatchSize.ts"
import * as BatchStore from "./BatchStore.ts"
import type { FlushTransaction } from "./FlushTransaction.ts"
import { refusalRow } from "./Losses.ts"
import type { RowLedger } from "./RowLedger.ts"
import { describe, isSchemaFault } from "./SqlFault.ts"

/** A batch that was stored: when, how long that took, and its rows. */
export interface Flush {
  readonly time: number
  readonly milliseconds: number
  readonly rows: number
}

export interface Attempts {
  /** Stores batches in transactions of a run, however long that takes. `waiting`: how many rows are to follow. */
  readonly storeIn: (
    transaction: FlushTransaction
  ) => (batch: BatchStore.Batch, waiting?: number) => Effect.Effect<Flush>
  /** Asks the database again until it answers. */
  readonly persist: <A>(effect: Effect.Effect<A, SqlError>) => Effect.Effect<A>
  /** Why rows wait; `null` when the last batch was stored. */
  readonly error: () => string | null
  /** Whether no waiting mends that. */
  readonly errorLasts: () => boolean
}

export const make = (ledger: RowLedger, size: BatchSize): Attempts => {
  let error: string | null = null
  let errorLasts = false
  const delayed = (why: string, lasts: boolean) =>
    Effect.suspend(() => {
      const isKnown = error !== null
      error = why
      errorLasts = lasts
      size.reset()
      return isKnown ? Effect.void : Effect.logWarning(`rows wait to be stored: ${why}`)
    })
  const make = BatchStore.make({
    onStored: (rows, added) =>
      Effect.sync(() => {
        error = null
        errorLasts = false
        ledger.store(rows.length, added)
      }),
    onRefused: (row, why) =>
      Effect.suspend(() => {
        const reason = `a row of ${row.table} was refused: ${why}`
        const instead = refusalRow(row, reason)
        ledger.receive(instead === undefined ? 0 : 1)
        ledger.lose(1)
        return Effect.as(Effect.logError(reason), instead)
      }),
    onDelayed: delayed
  })
  return {
    storeIn: (transaction) => {
      const store = make(transaction)
      return (batch, waiting = 0) =>
        Effect.gen(function* () {
          const start = yield* Clock.currentTimeMillis
          yield* store(batch)
          const time = yield* Clock.currentTimeMillis
          size.note(time - start, waiting)
          return { time, milliseconds: time - start, rows: batch.rows.length }
        })
    },
    persist: (effect) =>
      effect.pipe(
        Effect.tapError((fault) => delayed(describe(fault), isSchemaFault(fault))),
        Effect.retry(BatchStore.retryDelay),
        Effect.orDie
      ),
    error: () => error,
    errorLasts: () => errorLasts
  }
}
