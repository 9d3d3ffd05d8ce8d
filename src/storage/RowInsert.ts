/**
 * How the rows of a batch get into their table, inside the transaction of the batch. The natural key of the table sees
 * to it that none is there twice, whichever way they come.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { type Context, Effect } from "effect"
import type { CopySink } from "./CopySink.ts"
import { columnList } from "./RowEncoder.ts"
import type { Table } from "./Rows.ts"

export interface RowInsert {
  /** The quickest there is: binary COPY. A row that is there already fails it, with all others. */
  readonly direct: (table: Table, bytes: Uint8Array) => Effect.Effect<number, SqlError>
  /** By way of a table of the session's own, leaving out what is there already. Gives how many were new. */
  readonly staged: (table: Table, bytes: Uint8Array) => Effect.Effect<number, SqlError>
}

const rowCount = (raw: unknown): number => (raw as { readonly rowCount?: number | null }).rowCount ?? 0

export const make = (sql: SqlClient, sink: Context.Tag.Service<CopySink>): RowInsert => ({
  direct: (table, bytes) => sink.copy(`${table} (${columnList(table)})`, bytes),
  staged: (table, bytes) =>
    Effect.gen(function* () {
      const columns = columnList(table)
      yield* sql.unsafe(`CREATE TEMP TABLE IF NOT EXISTS staged_${table} (LIKE ${table}) ON COMMIT DELETE ROWS`)
        .unprepared
      yield* sink.copy(`staged_${table} (${columns})`, bytes)
      const insert = `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM staged_${table} ON CONFLICT DO NOTHING`
      return rowCount(yield* sql.unsafe(insert).raw)
    })
})
