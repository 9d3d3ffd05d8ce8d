/** The tables, made and kept current by whichever process comes first. */
import * as Migrator from "@effect/sql/Migrator"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import tables from "./migrations/0001_tables.ts"
import priceBands from "./migrations/0002_price_bands.ts"
import tapePosition from "./migrations/0003_tape_position.ts"
import { recoverDefects } from "./SqlFault.ts"

const loader = Migrator.fromRecord({
  "0001_tables": tables,
  "0002_price_bands": priceBands,
  "0003_tape_position": tapePosition
})

/** Runs what has not run yet, in one transaction. Gives the names of what ran. */
export const run: Effect.Effect<ReadonlyArray<string>, SqlError, SqlClient> = Migrator.make({})({
  loader,
  table: "migrations"
}).pipe(
  Effect.map((done) => done.map(([, name]) => name)),
  recoverDefects,
  Effect.mapError((cause) =>
    cause instanceof SqlError ? cause : new SqlError({ cause, message: "Failed to migrate" })
  )
)
