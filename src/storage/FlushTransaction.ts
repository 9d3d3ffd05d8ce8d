/**
 * One batch of rows into the database, in one transaction, by the fastest way there is: binary COPY into a table of the
 * session's own, from there into the table proper, leaving out what is there already. With the rows goes how far this
 * run has come, so that a killed process leaves behind when it was last alive.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Data, Effect } from "effect"
import type { InstrumentId } from "../domain/Market.ts"
import { CopySink } from "./CopySink.ts"
import type { VenueCoverage } from "./Coverage.ts"
import { Database } from "./Database.ts"
import { columnList, encode } from "./RowEncoder.ts"
import type { Row, Table } from "./Rows.ts"

/** A row holds what its table cannot, such as a time that is none. */
export class RowUnwritable extends Data.TaggedError("RowUnwritable")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

export interface Batch {
  readonly rows: ReadonlyArray<Row>
  readonly coverage: ReadonlyArray<VenueCoverage>
}

/** Rows that were new, by table. */
export type Stored = ReadonlyMap<Table, number>

export interface FlushTransaction {
  /** Stores a batch. Storing it again changes nothing. */
  readonly store: (batch: Batch) => Effect.Effect<Stored, SqlError | RowUnwritable>
  /** Marks the run as ended in order. */
  readonly end: Effect.Effect<void, SqlError>
}

const rowCount = (raw: unknown): number => (raw as { readonly rowCount?: number | null }).rowCount ?? 0

const staging = (table: Table): string => `staged_${table}`

const distinctInstruments = (rows: ReadonlyArray<Row>): ReadonlySet<InstrumentId> => {
  const ids = new Set<InstrumentId>()
  for (const row of rows) if (row.instrumentId !== null) ids.add(row.instrumentId)
  return ids
}

export const make: Effect.Effect<FlushTransaction, never, SqlClient | CopySink | Database> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const sink = yield* CopySink
  const database = yield* Database
  const startedAt = yield* Clock.currentTimeMillis
  const numbers = new Map<InstrumentId, number>()
  /** Venues for which what lies between the last run and this one is recorded. */
  const joined = new Set<string>()
  let run: number | undefined

  /** Microseconds since the epoch, unless a clock that was ahead has used that up. */
  const chooseRun = Effect.map(
    sql<{ readonly last: string | null }>`SELECT max(last_position) AS last FROM runs`,
    ([found]) => (run ??= Math.max(startedAt * 1000, Number(found?.last ?? 0) + 1))
  )

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

  const noteRun = (id: number, rows: ReadonlyArray<Row>) => {
    const last = rows.at(-1)
    const lastEvent = last === undefined ? null : new Date(last.receivedTime)
    const lastPosition = id + rows.reduce((most, row) => Math.max(most, row.sequence), 0)
    return sql`
      INSERT INTO runs (id, started_at, last_event_at, last_position)
      VALUES (${id}, ${new Date(startedAt)}, ${lastEvent}, ${lastPosition})
      ON CONFLICT (id) DO UPDATE SET last_event_at = greatest(runs.last_event_at, excluded.last_event_at),
        last_position = greatest(runs.last_position, excluded.last_position)`
  }
  const join = (id: number, { venue, begin }: VenueCoverage) => sql`
    INSERT INTO feed_events (position, venue, connection, kind, from_time, to_time, reason)
    SELECT ${id}, venue, '', 'gap', whole_until, greatest(whole_until, ${new Date(begin)}::timestamptz),
      CASE WHEN ended_at IS NULL THEN 'the process was killed' ELSE 'the collector was stopped' END
    FROM run_venues JOIN runs ON runs.id = run_id
    WHERE venue = ${venue} AND run_id <> ${id} ORDER BY run_id DESC LIMIT 1
    ON CONFLICT DO NOTHING`
  const noteCoverage = (id: number, { venue, wholeUntil }: VenueCoverage) => sql`
    INSERT INTO run_venues (run_id, venue, whole_until) VALUES (${id}, ${venue}, ${new Date(wholeUntil)})
    ON CONFLICT (run_id, venue) DO UPDATE SET whole_until = excluded.whole_until`

  const store = ({ rows, coverage }: Batch): Effect.Effect<Stored, SqlError | RowUnwritable> =>
    Effect.gen(function* () {
      const id = run ?? (yield* chooseRun)
      const fresh = yield* number(distinctInstruments(rows))
      const numberOf = (instrument: InstrumentId) => numbers.get(instrument) ?? fresh.get(instrument)
      const encoded = yield* Effect.try({
        try: () => encode(rows, { run: id, numberOf }),
        catch: (cause) => new RowUnwritable({ cause })
      })
      const stored = new Map<Table, number>()
      if (encoded.size > 0) yield* stage(encoded.keys())
      for (const [table, bytes] of encoded) stored.set(table, yield* insert(table, bytes))
      yield* noteRun(id, rows)
      for (const one of coverage) {
        if (!joined.has(one.venue)) yield* join(id, one)
        yield* noteCoverage(id, one)
      }
      return { stored, fresh }
    }).pipe(
      database.transaction("flush"),
      Effect.map(({ stored, fresh }) => {
        for (const [instrument, no] of fresh) numbers.set(instrument, no)
        for (const { venue } of coverage) joined.add(venue)
        return stored
      })
    )

  const end = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    run === undefined ? Effect.void : sql`UPDATE runs SET ended_at = ${new Date(now)} WHERE id = ${run}`
  ).pipe(database.query("flush"), Effect.asVoid)

  return { store, end }
})
