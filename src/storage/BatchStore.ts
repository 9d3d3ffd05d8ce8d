/**
 * Stores batches whatever happens: waits while the database is away, repeats what may or may not have been committed,
 * and finds the rows that the database will not have.
 */
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Schedule } from "effect"
import * as Coverage from "./Coverage.ts"
import type { FlushTransaction, RowUnwritable, Stored } from "./FlushTransaction.ts"
import type { Row } from "./Rows.ts"
import { describe, isDataFault, isSchemaFault, isTooMuch } from "./SqlFault.ts"

type Fault = SqlError | RowUnwritable

const isRefusal = (fault: Fault): boolean => fault._tag === "RowUnwritable" || isDataFault(fault)
const explain = (fault: Fault): string => (fault._tag === "SqlError" ? describe(fault) : fault.message)

const lasts = (fault: Fault): boolean => fault._tag === "SqlError" && isSchemaFault(fault)

/** Between attempts to store a batch: 0.1 s, doubling to 2 s, give or take a fifth. */
export const retryDelay = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("2 seconds")),
  Schedule.jittered
)

export interface Batch {
  readonly rows: ReadonlyArray<Row>
  /** The record up to which everything is stored with these; `null` when they say nothing of it. */
  readonly position: number | null
  readonly coverage: Coverage.Coverage
  /** Whether all that came up to a time is stored with these, of quiet venues too; otherwise the rows tell. */
  readonly wholeUntil?: number
}

export interface BatchStoreOptions {
  readonly onStored: (rows: ReadonlyArray<Row>, stored: Stored, position: number | null) => Effect.Effect<void>
  /** The database refuses what a row holds. Gives the row to store in its place, if there is one. */
  readonly onRefused: (row: Row, why: string) => Effect.Effect<Row | undefined>
  /** An attempt failed, and will be made again. `lasts`: in vain, until somebody sees to the database. */
  readonly onDelayed: (why: string, lasts: boolean) => Effect.Effect<void>
}

/** Ends when every row is stored or given up; an empty batch records that the run is there, and how far it has come. */
export const make =
  (options: BatchStoreOptions) =>
  (transaction: FlushTransaction): ((batch: Batch) => Effect.Effect<void>) => {
    const attempt = ({ coverage, position, rows, wholeUntil }: Batch): Effect.Effect<void, Fault> =>
      Effect.suspend(() =>
        transaction.store({
          rows,
          position,
          coverage: wholeUntil === undefined ? Coverage.after(coverage, rows) : Coverage.at(coverage, wholeUntil)
        })
      ).pipe(
        // A fault of ours, or the driver's: no reason to give rows up.
        Effect.catchAllDefect((cause) => new SqlError({ cause, message: "Failed to store" })),
        Effect.tapError((fault) => (isRefusal(fault) ? Effect.void : options.onDelayed(explain(fault), lasts(fault)))),
        Effect.flatMap((stored) => options.onStored(rows, stored, position))
      )
    const isPassing =
      ({ rows }: Batch) =>
      (fault: Fault): boolean =>
        fault._tag === "SqlError" && !isDataFault(fault) && !(isTooMuch(fault) && rows.length > 1)
    const store = (batch: Batch): Effect.Effect<void> =>
      attempt(batch).pipe(
        Effect.retry({ while: isPassing(batch), schedule: retryDelay }),
        Effect.catchAll((fault) => {
          const { rows } = batch
          const [first] = rows
          if (first === undefined) return options.onDelayed(explain(fault), lasts(fault))
          if (rows.length === 1) {
            return Effect.flatMap(options.onRefused(first, explain(fault)), (instead) =>
              store({ ...batch, rows: instead === undefined ? [] : [instead] })
            )
          }
          const half = rows.length >>> 1
          // The position holds with the last of the parts.
          const before: Batch = { rows: rows.slice(0, half), position: null, coverage: batch.coverage }
          return Effect.zipRight(store(before), store({ ...batch, rows: rows.slice(half) }))
        })
      )
    return store
  }
