/**
 * One batch of rows into the database, in one transaction. With the rows goes how far their run has come on the tape, so
 * that what a killed process left undone is known to the record.
 *
 * Rows that are there already are left out, which costs twice what rows do that are only added. So the frequent ones are
 * only added as long as nothing speaks against it: the batch before was committed, and none of it was there. If one is
 * there after all, the natural key refuses the whole, and it is stored the other way.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Data, Effect, type Option } from "effect"
import type { InstrumentId } from "../domain/Market.ts"
import { CopySink } from "./CopySink.ts"
import type { VenueCoverage } from "./Coverage.ts"
import { Database } from "./Database.ts"
import * as Partitions from "./Partitions.ts"
import { encode } from "./RowEncoder.ts"
import * as RowInsert from "./RowInsert.ts"
import type { Row, Table } from "./Rows.ts"
import * as RunTable from "./RunTable.ts"
import { isDuplicate } from "./SqlFault.ts"

/** A row holds what its table cannot, such as a time that is none. */
export class RowUnwritable extends Data.TaggedError("RowUnwritable")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

export interface Batch {
  readonly rows: ReadonlyArray<Row>
  readonly coverage: ReadonlyArray<VenueCoverage>
  /** The record of the tape up to which everything is stored with this; `null` when this says nothing of it. */
  readonly position: number | null
}

/** Rows that were new, by table. */
export type Stored = ReadonlyMap<Table, number>

/** The transactions of one run. */
export interface FlushTransaction {
  /** Stores a batch. Storing it again changes nothing. */
  readonly store: (batch: Batch) => Effect.Effect<Stored, SqlError | RowUnwritable>
  /** Marks the run as ended in order. */
  readonly end: Effect.Effect<void, SqlError>
}

/** Where rows go. */
export interface RowStore {
  /** Waits until there is a database with its tables. */
  readonly ready: Effect.Effect<void>
  /** How far a run has come on the tape, if the database knows it. */
  readonly progress: (tapeRun: number) => Effect.Effect<Option.Option<RunTable.Progress>, SqlError>
  readonly run: (key: RunTable.RunKey) => FlushTransaction
}

/** Tables to which most rows go, and of which a venue hardly ever says one twice. */
const isFrequent = (table: Table): boolean => table === "book_changes" || table === "best_quotes"

export const make: Effect.Effect<RowStore, never, SqlClient | CopySink | Database> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const sink = yield* CopySink
  const database = yield* Database
  const insert = RowInsert.make(sql, sink)
  const partitions = yield* Partitions.make
  const numbers = new Map<InstrumentId, number>()

  /** Gives new instruments their numbers. They count once the transaction is committed. */
  const number = (ids: ReadonlySet<InstrumentId>) =>
    Effect.gen(function* () {
      const unknown = [...ids].sort()
      yield* sql`
        INSERT INTO outcomes (instrument_id, venue, venue_instrument_id)
        SELECT id, split_part(id, ':', 1), substr(id, strpos(id, ':') + 1)
        FROM unnest(${unknown}::text[]) AS id
        WHERE NOT EXISTS (SELECT FROM outcomes WHERE instrument_id = id)
        ON CONFLICT (instrument_id) DO NOTHING`
      const found = yield* sql<{ readonly id: InstrumentId; readonly no: number }>`
        SELECT instrument_id AS id, no FROM outcomes WHERE instrument_id = ANY(${unknown}::text[])`
      return found.map(({ id, no }) => [id, no] as const)
    })

  /** The bytes of a batch, with the numbers of those instruments that had none. */
  const prepare = (rows: ReadonlyArray<Row>, run: number) =>
    Effect.gen(function* () {
      const fresh = new Map<InstrumentId, number>()
      const numberOf = (id: InstrumentId) => numbers.get(id) ?? fresh.get(id)
      const attempt = Effect.try({
        try: () => encode(rows, { run, numberOf }),
        catch: (cause) => new RowUnwritable({ cause })
      })
      const first = yield* attempt
      if (first.unnumbered.size === 0) return { parts: first.parts, fresh }
      for (const [id, no] of yield* number(first.unnumbered)) fresh.set(id, no)
      const { parts, unnumbered } = yield* attempt
      const [id] = unnumbered
      return id === undefined ? { parts, fresh } : yield* new RowUnwritable({ cause: `no number for ${id}` })
    })

  const run = (key: RunTable.RunKey): FlushTransaction => {
    /** Chosen once: a transaction that is repeated stores under the id that it may have been committed with. */
    let id: number | undefined
    /** The last batch was committed, and none of its frequent rows was there before. */
    let allNew = false

    const attempt = ({ coverage, position, rows }: Batch, isDirect: boolean) =>
      Effect.gen(function* () {
        const run = (id ??= yield* RunTable.identify(sql, key))
        const { fresh, parts } = yield* prepare(rows, run)
        const stored = new Map<Table, number>()
        let known = 0
        for (const [table, { bytes, rows }] of parts) {
          const way = isDirect && isFrequent(table) ? insert.direct : insert.staged
          const added = yield* way(table, bytes)
          if (isFrequent(table)) known += rows - added
          stored.set(table, added)
        }
        yield* RunTable.note(sql, run, key, { rows, coverage, position })
        return { stored, fresh, known }
      }).pipe(
        database.transaction("flush"),
        Effect.tapErrorCause(() =>
          Effect.sync(() => {
            allNew = false
          })
        ),
        Effect.map(({ fresh, known, stored }) => {
          for (const [instrument, no] of fresh) numbers.set(instrument, no)
          if (rows.length > 0) allNew = known === 0
          return stored
        })
      )

    const store = (batch: Batch): Effect.Effect<Stored, SqlError | RowUnwritable> =>
      Effect.zipRight(
        partitions.prepare(batch.rows),
        Effect.suspend(() =>
          allNew
            ? Effect.catchIf(attempt(batch, true), isDuplicate, () => attempt(batch, false))
            : attempt(batch, false)
        )
      )

    const end = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      id === undefined ? Effect.void : sql`UPDATE runs SET ended_at = ${new Date(now)} WHERE id = ${id}`
    ).pipe(database.query("flush"), Effect.asVoid)

    return { store, end }
  }

  return {
    ready: database.ready,
    progress: (tapeRun) => RunTable.progress(sql, tapeRun).pipe(database.query("flush")),
    run
  }
})
