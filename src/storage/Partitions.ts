/**
 * The days that the tick tables are divided into. A batch's days are there before its rows are, and so is the day after
 * each, long before midnight. A row goes without: it then lies in the partition for all others, from where it is moved
 * when its day is made.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Clock, Duration, Effect } from "effect"
import { Database } from "./Database.ts"
import type { Row, TickRow } from "./Rows.ts"
import { describe, isConnectionFault } from "./SqlFault.ts"

export const tickTables: ReadonlyArray<TickRow["table"]> = ["book_snapshots", "book_changes", "trades", "best_quotes"]

export const DAY = 86_400_000

/** `2026-11-28` of a number of days since the epoch. */
export const dateOf = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10)

/** The beginning of a day, for SQL. */
const startOf = (day: number): string => `'${dateOf(day)} 00:00:00+00'`

/** A partition of a table; its times in milliseconds since the epoch, `null` where it is open. */
export interface Partition {
  readonly name: string
  readonly from: number | null
  readonly to: number
}

/** Every partition of a table but that for all others, the oldest first. */
export const partitionsOf = (
  sql: SqlClient,
  table: TickRow["table"]
): Effect.Effect<ReadonlyArray<Partition>, SqlError> =>
  Effect.map(
    sql<{ readonly name: string; readonly from: Date | null; readonly to: Date }>`
      SELECT relname AS name, (regexp_match(bound, 'FROM \\(''(.*?)''\\)'))[1]::timestamptz AS "from",
        (regexp_match(bound, 'TO \\(''(.*?)''\\)'))[1]::timestamptz AS "to"
      FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid, pg_get_expr(relpartbound, pg_class.oid) AS bound
      WHERE inhparent = ${table}::regclass AND bound LIKE '% TO (''%'
      ORDER BY 3, 1`,
    (found) => found.map(({ from, name, to }) => ({ name, from: from?.getTime() ?? null, to: to.getTime() }))
  )

/** Makes the days that a table lacks, and moves there what lay with all others. */
const makeDays = (sql: SqlClient, table: TickRow["table"], days: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    // Whoever else makes days waits here, and then finds them.
    yield* sql.unsafe(`LOCK TABLE ONLY ${table} IN SHARE UPDATE EXCLUSIVE MODE`)
    const there = yield* partitionsOf(sql, table)
    const isThere = (day: number) =>
      there.some(({ from, to }) => (from === null || from <= day * DAY) && day * DAY < to)
    for (const day of days.filter((day) => !isThere(day))) {
      const name = `${table}_${dateOf(day).replaceAll("-", "")}`
      const bounds = [startOf(day), startOf(day + 1)] as const
      yield* sql.unsafe(`
        LOCK TABLE ${table}_other IN ACCESS EXCLUSIVE MODE;
        CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS);
        WITH moved AS (
          DELETE FROM ${table}_other WHERE venue_time >= ${bounds[0]} AND venue_time < ${bounds[1]} RETURNING *)
        INSERT INTO ${name} SELECT * FROM moved;
        ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM (${bounds[0]}) TO (${bounds[1]})`).unprepared
    }
  })

/** How long a reader of the table is waited for, and how long after that it is tried again. */
const LOCK_LIMIT = "3s"
const RETRY_AFTER = Duration.minutes(1)

export interface Partitions {
  /** Sees to it that there are the days of these rows. Where that cannot be had now, their rows do without. */
  readonly prepare: (rows: ReadonlyArray<Row>) => Effect.Effect<void>
}

export const make: Effect.Effect<Partitions, never, SqlClient | Database> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const database = yield* Database
  const known = new Set<number>()
  let failed: { readonly at: number } | undefined

  const makeAll = (days: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      yield* sql.unsafe(`SET LOCAL lock_timeout = '${LOCK_LIMIT}'`)
      for (const table of tickTables) yield* makeDays(sql, table, days)
    }).pipe(
      database.transaction("partitions"),
      Effect.matchEffect({
        onSuccess: () =>
          Effect.sync(() => {
            failed = undefined
            for (const day of days) known.add(day)
          }),
        onFailure: (error) =>
          Effect.gen(function* () {
            // The batch that is to follow meets the same.
            if (isConnectionFault(error)) return
            const isNew = failed === undefined
            failed = { at: yield* Clock.currentTimeMillis }
            if (isNew) yield* Effect.logWarning(`days cannot be made, rows do without: ${describe(error)}`)
          })
      })
    )

  return {
    prepare: (rows) =>
      Effect.suspend(() => {
        const missing = new Set<number>()
        for (const day of daysOf(rows)) {
          for (const wanted of [day, day + 1]) if (!known.has(wanted)) missing.add(wanted)
        }
        if (missing.size === 0) return Effect.void
        const days = [...missing].sort((a, b) => a - b)
        return Effect.flatMap(Clock.currentTimeMillis, (now) =>
          failed !== undefined && now - failed.at < Duration.toMillis(RETRY_AFTER) ? Effect.void : makeAll(days)
        )
      })
  }
})

/** The days of the venues' clocks, as far as ours is at most a day away from them. */
const daysOf = (rows: ReadonlyArray<Row>): ReadonlySet<number> => {
  const days = new Set<number>()
  let last = Number.NaN
  for (const row of rows) {
    if (row.table === "feed_events") continue
    const day = Math.floor(row.venueTime / DAY)
    if (day === last || !(Math.abs(day - Math.floor(row.receivedTime / DAY)) <= 1)) continue
    last = day
    days.add(day)
  }
  return days
}
