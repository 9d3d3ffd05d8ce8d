/** The two databases, each with its tables: a PostgreSQL server, or one inside this process. */
import { join } from "node:path"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Layer } from "effect"
import type { CopySink } from "./CopySink.ts"
import { Database, type DatabaseConfig } from "./Database.ts"
import * as DatabaseMonitor from "./DatabaseMonitor.ts"
import * as DirectoryLock from "../resilience/DirectoryLock.ts"
import { Patience } from "./Patience.ts"
import * as PgliteClient from "./PgliteClient.ts"

/** What the stores are built on. */
export type Sql = SqlClient | CopySink | Database

/**
 * A server. The layer is there even if the server is not: `Database` says so, and whoever needs the server waits or
 * fails as suits it.
 */
export const layerPostgres = (config: DatabaseConfig): Layer.Layer<Sql, SqlError> =>
  Layer.unwrapEffect(
    // Loaded when it is wanted: most processes have no server.
    Effect.map(
      Effect.promise(() => import("./Postgres.ts")),
      (Postgres) =>
        Layer.scoped(
          Database,
          DatabaseMonitor.make({
            driver: "postgres",
            where: `${config.host}:${config.port}/${config.name}`,
            abandon: Postgres.abandon
          }).pipe(Effect.provideService(Patience, Postgres.patience))
        ).pipe(Layer.provideMerge(Postgres.layer(config)))
    )
  )

/** A database in `<dataDir>/db`, made there if need be, which no other process may have open. */
export const layerEmbedded = (
  dataDir: string
): Layer.Layer<Sql, SqlError | DirectoryLock.DirectoryLocked | DirectoryLock.DirectoryUnusable> => {
  const directory = join(dataDir, "db")
  return Layer.scoped(
    Database,
    DatabaseMonitor.make({ driver: "embedded", where: directory, abandon: () => Effect.void })
  ).pipe(
    Layer.provideMerge(PgliteClient.layer(directory)),
    Layer.provide(Layer.scopedDiscard(DirectoryLock.acquire(directory)))
  )
}

/** The one that the configuration names. */
export const layer = (
  config: DatabaseConfig,
  dataDir: string
): Layer.Layer<Sql, SqlError | DirectoryLock.DirectoryLocked | DirectoryLock.DirectoryUnusable> =>
  config.driver === "postgres" ? layerPostgres(config) : layerEmbedded(dataDir)
