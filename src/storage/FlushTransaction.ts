/**
 * One batch of rows into the database, in one transaction, by the fastest way there is: binary COPY into a table of the
 * session's own, from there into the table proper, leaving out what is there already. With the rows goes how far their
 * run has come on the tape, so that what a killed process left undone is known to the record.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Data, Effect, type Option } from "effect"
import type { InstrumentId } from "../domain/Market.ts"
import { CopySink } from "./CopySink.ts"
import type { VenueCoverage } from "./Coverage.ts"
import { Database } from "./Database.ts"
import { columnList, encode } from "./RowEncoder.ts"
import type { Row, Table } from "./Rows.ts"
import * as RunTable from "./RunTable.ts"

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

const rowCount = (raw: unknown): number => (raw as { readonly rowCount?: number | null }).rowCount ?? 0

const staging = (table: Table): string => `staged_${table}`

const distinctInstruments = (rows: ReadonlyArray<Row>): ReadonlySet<InstrumentId> => {
  const ids = new Set<InstrumentId>()
  for (const row of rows) if (row.instrumentId !== null) ids.add(row.instrumentId)
  return ids
}

export const make: Effect.Effect<RowStore, never, SqlClient | CopySink | Database> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const sink = yield* CopySink
  const database = yield* Database
  const numbers = new Map<InstrumentId, number>()

  /** Gives new instruments their numbers. They count once the transaction is committed. */
  const number = (ids: ReadonlySet<InstrumentId>) =>
    Effect.gen(function* () {
      const unknown = [...ids].filter((id) => !numbers.has(id)).sort()
      if (unknown.length === 0) return new Map<InstrumentId, number>()
      yield* sql`
        INSERT INTO outcomes (instrument_id, venue, venue_instrument_id)
        SELECT id, split_part(id, ':', 1), substr(id, strpos(id, ':') + 1)
        FROM unnest(${unknown}::text[]) AS id
        WHERE NOT EXISTS (SELECT FROM outcomes WHERE instrument_id = id)
        ON CONFLICT (instrument_id) DO NOTHING`
      const found = yield* sql<{ readonly id: InstrumentId; readonly no: number }>`
        SELECT instrument_id AS id, no FROM outcomes WHERE instrument_id = ANY(${unknown}::text[])`
      return new Map(found.map(({ id, no }) => [id, no]))
    })

  const insert = (table: Table, bytes: Uint8Array) => {
    const columns = columnList(table)
    return sink
      .copy(`${staging(table)} (${columns})`, bytes)
      .pipe(
        Effect.zipRight(
          sql.unsafe(
            `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM ${staging(table)} ON CONFLICT DO NOTHING`
          ).raw
        ),
        Effect.map(rowCount)
      )
  }
  const stage = (tables: Iterable<Table>) =>
    sql.unsafe(
      Array.from(
        tables,
        (table) => `CREATE TEMP TABLE IF NOT EXISTS ${staging(table)} (LIKE ${table}) ON COMMIT DELETE ROWS`
      ).join("; ")
    ).unprepared

  const run = (key: RunTable.RunKey): FlushTransaction => {
    /** Chosen once: a transaction that is repeated stores under the id that it may have been committed with. */
    let id: number | undefined

    const store = ({ coverage, position, rows }: Batch): Effect.Effect<Stored, SqlError | RowUnwritable> =>
      Effect.gen(function* () {
        const run = (id ??= yield* RunTable.identify(sql, key))
        const fresh = yield* number(distinctInstruments(rows))
        const numberOf = (instrument: InstrumentId) => numbers.get(instrument) ?? fresh.get(instrument)
        const encoded = yield* Effect.try({
          try: () => encode(rows, { run, numberOf }),
          catch: (cause) => new RowUnwritable({ cause })
        })
        const stored = new Map<Table, number>()
        if (encoded.size > 0) yield* stage(encoded.keys())
        for (const [table, bytes] of encoded) stored.set(table, yield* insert(table, bytes))
        yield* RunTable.note(sql, run, key, { rows, coverage, position })
        return { stored, fresh }
      }).pipe(
        database.transaction("flush"),
        Effect.map(({ fresh, stored }) => {
          for (const [instrument, no] of fresh) numbers.set(instrument, no)
          return stored
        })
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
