/** Where rows go, in memory: the rules of the tables, and the weather of a database. */
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Option } from "effect"
import type { FlushTransaction, RowStore } from "../../src/storage/FlushTransaction.ts"
import { type Row, type Table, tables } from "../../src/storage/Rows.ts"

export type Weather = "fair" | "away" | "unconfirmed" | "deadlock" | "full" | "slow"

export interface StoredRow {
  readonly row: Row
  /** The run on the tape. */
  readonly run: number
  readonly position: number
}

interface StoredRun {
  readonly id: number
  readonly tape: number
  position: number
  sequence: number
  ended: boolean
  readonly whole: Map<string, number>
}

/** The natural key of the tables. */
export const keyOf = (row: Row): string =>
  row.table === "feed_events"
    ? [row.table, row.venue, row.from, row.kind, row.connection, row.instrumentId, row.to, row.reason].join("|")
    : [row.table, row.instrumentId, row.venueTime, row.high, row.low].join("|")

const fault = (code: string) => new SqlError({ cause: Object.assign(new Error(code), { code, severity: "ERROR" }) })
const lost = new SqlError({ cause: new Error("the connection was lost") })

export class MemoryStore {
  readonly rows = new Map<string, StoredRow>()
  readonly runs: Array<StoredRun> = []
  weather: Weather = "fair"
  /** Sees every transaction before it is committed. */
  onCommit: (run: number, rows: ReadonlyArray<Row>, position: number | null) => void = () => {}

  /** As one process sees it, which may be killed: then nothing it asks for happens or is answered. */
  connect(): { readonly store: RowStore; readonly kill: () => void } {
    let killed = false
    const alive = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => (killed ? Effect.never : effect))
    const commit = (tape: number, { coverage, position, rows }: Parameters<FlushTransaction["store"]>[0]) => {
      this.onCommit(tape, rows, position)
      const top = this.runs.reduce((most, run) => Math.max(most, run.id + run.sequence), 0)
      let run = this.runs.find((one) => one.tape === tape)
      if (run === undefined) {
        run = { id: Math.max(tape, top + 1), tape, position: 0, sequence: 0, ended: false, whole: new Map() }
        this.runs.push(run)
      }
      const stored = new Map<Table, number>(tables.map((table) => [table, 0]))
      for (const row of rows) {
        const key = keyOf(row)
        run.sequence = Math.max(run.sequence, row.sequence)
        if (this.rows.has(key)) continue
        this.rows.set(key, { row, run: tape, position: run.id + row.sequence })
        stored.set(row.table, (stored.get(row.table) ?? 0) + 1)
      }
      run.position = Math.max(run.position, position ?? 0)
      for (const { begin, venue, wholeUntil } of coverage) {
        if (!run.whole.has(venue)) this.join(run, venue, begin)
        run.whole.set(venue, wholeUntil)
      }
      return stored
    }
    const store: RowStore = {
      ready: Effect.void,
      progress: (tape) =>
        alive(
          Effect.suspend(() => {
            if (this.weather !== "fair" && this.weather !== "unconfirmed") return Effect.fail(lost)
            const run = this.runs.find((one) => one.tape === tape)
            return Effect.succeed(
              Option.map(Option.fromNullable(run), ({ position, sequence, whole }) => ({
                position,
                sequence,
                whole: new Map(whole)
              }))
            )
          })
        ),
      run: ({ tape }) => ({
        store: (batch) =>
          alive(
            Effect.suspend(() => {
              switch (this.weather) {
                case "away":
                  return Effect.fail(lost)
                case "deadlock":
                  return Effect.fail(fault("40P01"))
                case "full":
                  return Effect.fail(fault("53100"))
                case "slow":
                  return batch.rows.length > 2
                    ? Effect.fail(fault("57014"))
                    : Effect.delay(alive(Effect.sync(() => commit(tape ?? 0, batch))), "2 seconds")
                case "unconfirmed":
                  this.weather = "fair"
                  commit(tape ?? 0, batch)
                  return Effect.fail(lost)
                case "fair":
                  return Effect.succeed(commit(tape ?? 0, batch))
              }
            })
          ),
        end: alive(
          Effect.sync(() => {
            for (const run of this.runs) if (run.tape === tape) run.ended = true
          })
        )
      })
    }
    return {
      store,
      kill: () => {
        killed = true
      }
    }
  }

  private join(run: StoredRun, venue: string, begin: number): void {
    const before = this.runs
      .filter((one) => one.id < run.id && one.whole.has(venue))
      .reduce<StoredRun | undefined>((last, one) => (last === undefined || one.id > last.id ? one : last), undefined)
    if (before === undefined) return
    const from = before.whole.get(venue) ?? 0
    const row: Row = {
      table: "feed_events",
      sequence: 0,
      venue,
      connection: "",
      kind: "gap",
      instrumentId: null,
      from,
      to: Math.max(from, begin),
      receivedTime: begin,
      lost: null,
      reason: before.ended ? "the collector was stopped" : "the process was killed"
    }
    const key = keyOf(row)
    if (!this.rows.has(key)) this.rows.set(key, { row, run: run.tape, position: run.id })
  }
}
