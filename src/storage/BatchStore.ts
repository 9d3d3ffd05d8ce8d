/**
 * Stores batches whatever happens: waits while the database is away, repeats what may or may not have been committed,
 * and finds the rows that the database will not have.
 */
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Schedule } from "effect"
import type { VenueCoverage } from "./Coverage.ts"
import { type FlushTransaction, RowUnwritable, type Stored } from "./FlushTransaction.ts"
import type { Row } from "./Rows.ts"
import { describe, isDataFault } from "./SqlFault.ts"

type Fault = SqlError | RowUnwritable

const isRefusal = (fault: Fault): boolean => fault._tag === "RowUnwritable" || isDataFault(fault)
const explain = (fault: Fault): string => (fault._tag === "SqlError" ? describe(fault) : fault.message)

/** Between attempts to store a batch: 0.1 s, doubling to 2 s, give or take a fifth. */
const retryDelay = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("2 seconds")),
  Schedule.jittered
)

export interface BatchStoreOptions {
  readonly transaction: FlushTransaction
  /** What is known of the venues once these rows are stored. */
  readonly coverage: (rows: ReadonlyArray<Row>) => ReadonlyArray<VenueCoverage>
  readonly onStored: (rows: ReadonlyArray<Row>, stored: Stored) => Effect.Effect<void>
  /** A row was given up: it holds what the database refuses. */
  readonly onRefused: (row: Row, why: string) => Effect.Effect<void>
  /** An attempt failed, and will be made again. */
  readonly onDelayed: (why: string) => Effect.Effect<void>
}

/** Ends when every row is stored or given up; an empty batch records that the run is there. */
export const make = (options: BatchStoreOptions): ((rows: ReadonlyArray<Row>) => Effect.Effect<void>) => {
  const attempt = (rows: ReadonlyArray<Row>): Effect.Effect<void, Fault> =>
    Effect.suspend(() => options.transaction.store({ rows, coverage: options.coverage(rows) })).pipe(
      Effect.catchAllDefect((cause) => new RowUnwritable({ cause })),
      Effect.tapError((fault) => (isRefusal(fault) ? Effect.void : options.onDelayed(explain(fault)))),
      Effect.flatMap((stored) => options.onStored(rows, stored))
    )
  const store = (rows: ReadonlyArray<Row>): Effect.Effect<void> =>
    attempt(rows).pipe(
      Effect.retry({ while: (fault) => !isRefusal(fault), schedule: retryDelay }),
      Effect.catchAll((fault) => {
        const [first] = rows
        if (first === undefined) return options.onDelayed(explain(fault))
        if (rows.length === 1) return options.onRefused(first, explain(fault))
        const half = rows.length >>> 1
        return Effect.zipRight(store(rows.slice(0, half)), store(rows.slice(half)))
      })
    )
  return store
}
