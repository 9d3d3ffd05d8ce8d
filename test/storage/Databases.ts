/** The databases that the suites run over. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Schema, type Scope } from "effect"
import { DatabaseConfig } from "../../src/storage/Database.ts"
import { layerEmbedded, layerPostgres, type Sql } from "../../src/storage/Sql.ts"
import * as Postgres from "../support/Postgres.ts"

export const defaults: DatabaseConfig = Schema.decodeSync(DatabaseConfig)({})

/** A directory that is removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "parallax-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

/** A server that ends with the scope. */
export const server = (settings: Record<string, string> = {}): Effect.Effect<Postgres.Postgres, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => Postgres.start({ fsync: "off", ...settings })),
    (postgres) => Effect.promise(() => postgres.dispose())
  )

export const configOf = (postgres: Postgres.Postgres): DatabaseConfig => ({
  ...defaults,
  driver: "postgres",
  host: postgres.host,
  port: postgres.port,
  name: postgres.database,
  user: postgres.user
})

export const embedded: Layer.Layer<Sql> = Layer.unwrapScoped(Effect.map(temporaryDirectory, layerEmbedded)).pipe(
  Layer.orDie
)

export const postgres: Layer.Layer<Sql> = Layer.unwrapScoped(
  Effect.map(server(), (running) => layerPostgres(configOf(running)))
).pipe(Layer.orDie)

/** Empties every table, so that tests of one database do not meet. */
export const clear: Effect.Effect<void, never, SqlClient> = Effect.flatMap(
  SqlClient,
  (sql) =>
    sql`TRUNCATE markets, outcomes, book_snapshots, book_changes, trades, best_quotes, feed_events, runs, run_venues`
).pipe(Effect.orDie, Effect.asVoid)
