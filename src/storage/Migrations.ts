/** The tables, made and kept current by whichever process comes first. */
import * as Migrator from "@effect/sql/Migrator"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import tables from "./migrations/0001_tables.ts"
import priceBands from "./migrations/0002_price_bands.ts"
import tapePosition from "./migrations/0003_tape_position.ts"
import days from "./migrations/0004_days.ts"
import { recoverDefects } from "./SqlFault.ts"

const all = {
  "0001_tables": tables,
  "0002_price_bands": priceBands,
  "0003_tape_position": tapePosition,
  "0004_days": days
}

/** Runs what has not run yet up to one of them, in one transaction. Gives the names of what ran. */
export const runTo = (last: keyof typeof all): Effect.Effect<ReadonlyArray<string>, SqlError, SqlClient> =>
  Migrator.make({})({
    loader: Migrator.fromRecord(Object.fromEntries(Object.entries(all).filter(([name]) => name <= last))),
    table: "migrations"
  }).pipe(
    Effect.map((done) => done.map(([, name]) => name)),
    recoverDefects,
    Effect.mapError((cause) =>
      cause instanceof SqlError ? cause : new SqlError({ cause, message: "Failed to migrate" })
    )
  )

export const run: Effect.Effect<ReadonlyArray<string>, SqlError, SqlClient> = runTo("0004_days")
