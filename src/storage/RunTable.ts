/**
 * What the tables hold of runs: their ids, past which positions count, how far each has come on the tape, and up to when
 * each venue's history is whole. All of it is written in the transaction of the rows that it speaks of.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Option } from "effect"
import type { VenueCoverage } from "./Coverage.ts"
import type { Row } from "./Rows.ts"

/** A run of the program, this one or one before it. */
export interface RunKey {
  /** Its number on the tape; `null` when nothing is recorded. */
  readonly tape: number | null
  /** In milliseconds since the epoch. */
  readonly startedAt: number
}

/** How far the database has come with a run. */
export interface Progress {
  /** The rows of every record up to this one are stored, or their loss is recorded. */
  readonly position: number
  /** The number of the last row. */
  readonly sequence: number
  /** Up to when the history of each venue is whole. */
  readonly whole: ReadonlyMap<string, number>
}

/** How far a run has come on the tape, for those that the database knows. */
export const progress = (sql: SqlClient, tapeRun: number): Effect.Effect<Option.Option<Progress>, SqlError> =>
  Effect.gen(function* () {
    const [run] = yield* sql<{ readonly id: string; readonly position: string | null; readonly sequence: string }>`
      SELECT id, tape_position AS position, last_position - id AS sequence FROM runs
      WHERE tape_run = ${tapeRun} ORDER BY id DESC LIMIT 1`
    if (run === undefined) return Option.none()
    const venues = yield* sql<{ readonly venue: string; readonly until: Date }>`
      SELECT venue, whole_until AS until FROM run_venues WHERE run_id = ${run.id}`
    return Option.some({
      position: Number(run.position ?? 0),
      sequence: Number(run.sequence),
      whole: new Map(venues.map(({ until, venue }) => [venue, until.getTime()]))
    })
  })

/** The id that a run has, or is to have: its microsecond, unless a clock that was ahead has used that up. */
export const identify = (sql: SqlClient, { startedAt, tape }: RunKey): Effect.Effect<number, SqlError> =>
  Effect.gen(function* () {
    const [known] = yield* sql<{ readonly id: string }>`
      SELECT id FROM runs WHERE tape_run = ${tape}::bigint ORDER BY id DESC LIMIT 1`
    if (known !== undefined) return Number(known.id)
    const [found] = yield* sql<{ readonly last: string | null }>`SELECT max(last_position) AS last FROM runs`
    return Math.max(tape ?? startedAt * 1000, Number(found?.last ?? 0) + 1)
  })

export interface Note {
  readonly rows: ReadonlyArray<Row>
  readonly coverage: ReadonlyArray<VenueCoverage>
  readonly position: number | null
}

/** Notes how far a run has come, and what lies between it and the one before, once for each venue. */
export const note = (sql: SqlClient, id: number, key: RunKey, { coverage, position, rows }: Note) => {
  const last = rows.at(-1)
  const lastEvent = last === undefined ? null : new Date(last.receivedTime)
  const lastPosition = id + rows.reduce((most, row) => Math.max(most, row.sequence), 0)
  const come = sql`
    INSERT INTO runs (id, started_at, last_event_at, last_position, tape_run, tape_position)
    VALUES (${id}, ${new Date(key.startedAt)}, ${lastEvent}, ${lastPosition}, ${key.tape}, ${position})
    ON CONFLICT (id) DO UPDATE SET last_event_at = greatest(runs.last_event_at, excluded.last_event_at),
      last_position = greatest(runs.last_position, excluded.last_position),
      tape_position = greatest(runs.tape_position, excluded.tape_position)`
  const join = ({ begin, venue }: VenueCoverage) => sql`
    INSERT INTO feed_events (position, venue, connection, kind, from_time, to_time, reason)
    SELECT ${id}, venue, '', 'gap', whole_until, greatest(whole_until, ${new Date(begin)}::timestamptz),
      CASE WHEN ended_at IS NULL THEN 'the process was killed' ELSE 'the collector was stopped' END
    FROM run_venues JOIN runs ON runs.id = run_id
    WHERE venue = ${venue} AND run_id < ${id}
      AND NOT EXISTS (SELECT FROM run_venues WHERE run_id = ${id} AND venue = ${venue})
    ORDER BY run_id DESC LIMIT 1
    ON CONFLICT DO NOTHING`
  const cover = ({ venue, wholeUntil }: VenueCoverage) => sql`
    INSERT INTO run_venues (run_id, venue, whole_until) VALUES (${id}, ${venue}, ${new Date(wholeUntil)})
    ON CONFLICT (run_id, venue) DO UPDATE SET whole_until = excluded.whole_until`
  return Effect.zipRight(
    come,
    Effect.forEach(coverage, (one) => Effect.zipRight(join(one), cover(one)), { discard: true })
  )
}
