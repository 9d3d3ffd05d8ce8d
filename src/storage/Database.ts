/** The database as the rest of the program sees it: how it is configured, whether it is there, how to talk to it. */
import type { SqlError } from "@effect/sql/SqlError"
import { Context, type Effect, Redacted, Schema, type Stream } from "effect"
import type { Snapshot } from "../resilience/CircuitBreaker.ts"

const positive = Schema.Int.pipe(Schema.positive())

const key = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>, description: string) =>
  Schema.optionalWith(schema.annotations({ description }), { default: () => value })

/** The section `database`. Everything below `driver: postgres` that names a server is unused by the embedded one. */
export const DatabaseConfig = Schema.Struct({
  driver: key(
    Schema.Literal("embedded", "postgres"),
    "embedded",
    "embedded: inside this process, under data_dir; postgres: a server"
  ),
  host: key(Schema.NonEmptyString, "127.0.0.1", "the server's name or address"),
  port: key(Schema.Int.pipe(Schema.between(1, 65_535)), 5432, "the server's port"),
  name: key(Schema.NonEmptyString, "parallax", "the database on the server"),
  user: key(Schema.NonEmptyString, "parallax", "whom to log in as"),
  password: key(Schema.Redacted(Schema.String), Redacted.make(""), "the user's password; never logged"),
  max_connections: key(positive, 8, "connections to the server at most; one of them writes"),
  ssl: key(Schema.Boolean, false, "encrypt the connection, and insist on a valid certificate"),
  batch_rows: key(positive, 5000, "rows written in one transaction at most"),
  batch_age_ms: key(positive, 250, "how long a row waits for company before it is written"),
  buffer_rows: key(
    positive,
    200_000,
    "rows held in memory while the database is away; beyond them rows wait on the tape, or without one the oldest go"
  ),
  keep_days: key(Schema.NonNegativeInt, 0, "days that ticks are kept; 0 keeps them all")
}).annotations({ identifier: "DatabaseConfig" })
export type DatabaseConfig = typeof DatabaseConfig.Type

/** `starting`: not reached yet, or its tables are being made. */
export type DatabaseState = "starting" | "up" | "down"

export interface DatabaseStatus {
  readonly driver: DatabaseConfig["driver"]
  /** A directory, or host, port and name; never a user or a password. */
  readonly where: string
  readonly state: DatabaseState
  /** When this state began, in milliseconds since the epoch. */
  readonly since: number
  /** Why it is down, or was last. */
  readonly error: string | null
}

export class Database extends Context.Tag("parallax/storage/Database")<
  Database,
  {
    readonly status: Effect.Effect<DatabaseStatus>
    /** The status now and at each change of state. */
    readonly changes: Stream.Stream<DatabaseStatus>
    /** What lets calls through to it, as it is now. */
    readonly breaker: Effect.Effect<Snapshot>
    /** Waits until the tables are there, however long that takes. */
    readonly ready: Effect.Effect<void>
    /**
     * Runs statements under a name: their time goes into `parallax_database_query_seconds{operation}`, their outcome
     * into the status. Fails at once while the tables are not there, and while the circuit breaker is open.
     */
    readonly query: (
      operation: string
    ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
    /**
     * As `query`, in one transaction. A commit that was not confirmed is an `SqlError` like any other: the transaction
     * may or may not have taken place.
     */
    readonly transaction: (
      operation: string
    ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  }
>() {}
