/** Whether the tables are what the program reads and writes: a dump of another time may lie about its migrations. */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { tickTables } from "./Partitions.ts"
import { columnsOf } from "./RowEncoder.ts"
import { tables } from "./Rows.ts"

const words = (text: string): ReadonlyArray<string> => text.split(" ")

/** Every column that the stores and the writer name. */
const needed: ReadonlyArray<readonly [table: string, column: string]> = [
  ...tables.map((table) => [table, columnsOf(table)] as const),
  ...tickTables.map((table) => [`${table}_other`, ["digest"]] as const),
  [
    "markets",
    words(
      "id venue venue_market_id slug question category tags status tick_size price_bands min_order_size neg_risk " +
        "liquidity volume_24h protocol end_time rank saved_time"
    )
  ] as const,
  ["outcomes", words("no instrument_id venue venue_instrument_id market_id index name winner")] as const,
  ["runs", words("id started_at last_event_at last_position ended_at tape_run tape_position")] as const,
  ["run_venues", words("run_id venue whole_until")] as const
].flatMap(([table, columns]) => columns.map((column) => [table, column] as const))

/** Fails with the names of what is missing. */
export const run: Effect.Effect<void, SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const missing = yield* sql<{ readonly table: string; readonly column: string; readonly exists: boolean }>`
    SELECT t AS "table", c AS "column", to_regclass(t) IS NOT NULL AS "exists"
    FROM unnest(${needed.map(([table]) => table)}::text[], ${needed.map(([, column]) => column)}::text[])
      WITH ORDINALITY AS needed (t, c, place)
    WHERE NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass(t) AND attname = c AND attnum > 0 AND NOT attisdropped)
    ORDER BY place`
  if (missing.length === 0) return
  const names = new Set(
    missing.map(({ column, exists, table }) => (exists ? `column ${table}.${column}` : `table ${table}`))
  )
  return yield* new SqlError({
    cause: new Error(`the tables are not those of this version; missing: ${[...names].join(", ")}`),
    message: "Failed to check the tables"
  })
})
