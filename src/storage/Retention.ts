/**
 * How long ticks are kept: the partitions of days that are older go, the latest never. Of the rows that lie with all
 * others those go that are old by the venue's clock and by ours. Word of what happened to the feed is kept.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Database, type DatabaseConfig } from "./Database.ts"
import { DAY, dateOf, partitionsOf, tickTables } from "./Partitions.ts"
import type { TickRow } from "./Rows.ts"
import { describe } from "./SqlFault.ts"

const INTERVAL = Duration.hours(1)
/** How long a reader of the table is waited for. */
const LOCK_LIMIT = "2s"
/** Rows that are deleted at a time. */
const PORTION = 20_000

/** Lets everything go that is older than so many days. */
export const sweep = (keepDays: number): Effect.Effect<void, never, SqlClient | Database> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const database = yield* Database
    const now = yield* Clock.currentTimeMillis

    const drop = (table: TickRow["table"], name: string, to: number) =>
      Effect.zipRight(sql.unsafe(`SET LOCAL lock_timeout = '${LOCK_LIMIT}'`), sql.unsafe(`DROP TABLE ${name}`)).pipe(
        database.transaction("retention"),
        Effect.zipRight(Effect.logInfo(`${table} before ${dateOf(to / DAY)} is dropped, older than ${keepDays} days`))
      )
    const deleteOthers = (table: TickRow["table"], before: number) =>
      sql<{ readonly n: number }>`
        WITH gone AS (
          DELETE FROM ${sql(`${table}_other`)} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ${sql(`${table}_other`)} WHERE greatest(venue_time, received_time) < ${new Date(before)}
            LIMIT ${PORTION})) RETURNING 1)
        SELECT count(*)::int AS n FROM gone`.pipe(
        database.query("retention"),
        Effect.map(([row]) => row?.n ?? 0),
        Effect.repeat({ until: (n) => n < PORTION })
      )
    const sweepTable = (table: TickRow["table"]) =>
      Effect.gen(function* () {
        const partitions = yield* partitionsOf(sql, table).pipe(database.query("retention"))
        // A clock that is ahead makes no day old: today is the day before the last, which was made when rows came.
        const end = partitions.reduce((most, { to }) => Math.max(most, to), 0) - DAY
        const before = Math.floor((Math.min(now, end) - keepDays * DAY) / DAY) * DAY
        for (const { name, to } of partitions) if (to <= before) yield* drop(table, name, to)
        yield* deleteOthers(table, before)
      }).pipe(
        Effect.catchAll((error) =>
          Effect.logWarning(`old rows of ${table} stay until the next time: ${describe(error)}`)
        )
      )
    yield* Effect.forEach(tickTables, sweepTable, { discard: true })
  })

/** Sweeps once the database is there, and then every hour. Without a number of days everything is kept. */
export const layer = ({
  keep_days
}: Pick<DatabaseConfig, "keep_days">): Layer.Layer<never, never, SqlClient | Database> =>
  keep_days === 0
    ? Layer.empty
    : Layer.scopedDiscard(
        Effect.flatMap(Database, (database) =>
          Effect.zipRight(database.ready, Effect.repeat(sweep(keep_days), { schedule: Schedule.spaced(INTERVAL) }))
        ).pipe(Effect.forkScoped)
      )
