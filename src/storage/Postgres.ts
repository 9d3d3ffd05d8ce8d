/** `SqlClient` and `CopySink` over a PostgreSQL server. Nothing connects before it is asked to. */
import type { Socket } from "node:net"
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer, Option, Redacted, type Scope } from "effect"
import Pg from "pg"
import { from as copyFrom } from "pg-copy-streams"
import { CopySink } from "./CopySink.ts"
import type { DatabaseConfig } from "./Database.ts"

/** Milliseconds. The server gives up a statement that takes this long, or waits this long for a lock. */
const STATEMENT_LIMIT = 15_000
const LOCK_LIMIT = 5000
const IDLE_TRANSACTION_LIMIT = 60_000
const CONNECT_LIMIT = 5000
/** Unused connections close before they could be taken for silent ones. */
const IDLE_LIMIT = 10_000
/** A server that does not even report a statement given up is gone, though no packet said so. */
const SILENCE_LIMIT = 20_000

const NUMERIC_ARRAY = 1231
const TEXT_ARRAY = 1009

/** As the driver has it, save that an array of exact numbers stays exact. */
const types: Pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    Pg.types.getTypeParser(
      oid === NUMERIC_ARRAY ? TEXT_ARRAY : oid,
      format ?? "text"
    )) as Pg.CustomTypesConfig["getTypeParser"]
}

const streamOf = (client: Pg.ClientBase): Socket | undefined =>
  (client as { readonly connection?: { readonly stream?: Socket } }).connection?.stream

const makePool = (config: DatabaseConfig): Effect.Effect<Pg.Pool, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const pool = new Pg.Pool({
        host: config.host,
        port: config.port,
        database: config.name,
        user: config.user,
        password: Redacted.value(config.password),
        ssl: config.ssl,
        max: config.max_connections,
        application_name: "parallax",
        connectionTimeoutMillis: CONNECT_LIMIT,
        idleTimeoutMillis: IDLE_LIMIT,
        keepAlive: true,
        statement_timeout: STATEMENT_LIMIT,
        lock_timeout: LOCK_LIMIT,
        idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT,
        types
      })
      // An idle connection that breaks leaves the pool by itself; without a listener it would end the process.
      pool.on("error", () => {})
      pool.on("connect", (client) => {
        const stream = streamOf(client)
        stream?.on("timeout", () => stream.destroy(new Error("the server does not answer")))
      })
      pool.on("acquire", (client) => streamOf(client)?.setTimeout(SILENCE_LIMIT))
      return pool
    }),
    (pool) =>
      Effect.promise(() => pool.end()).pipe(Effect.disconnect, Effect.interruptible, Effect.timeoutOption("5 seconds"))
  )

/** The driver's own connection behind one of a transaction's. */
const rawOf = (connection: Connection): Pg.PoolClient | undefined =>
  "pg" in connection ? (connection.pg as Pg.PoolClient | undefined) : undefined

/** Cuts the link, so that the `ROLLBACK` that follows fails at once and the pool lets the connection go. */
export const abandon = (connection: Connection): Effect.Effect<void> =>
  Effect.sync(() => {
    const raw = rawOf(connection)
    if (raw !== undefined) streamOf(raw)?.destroy()
  })

/** Lets a connection be silent for as long as it is in use. */
export const patience = (connection: Connection): Effect.Effect<void> =>
  Effect.sync(() => {
    const raw = rawOf(connection)
    if (raw !== undefined) streamOf(raw)?.setTimeout(0)
  })

const copyOn = (client: Pg.ClientBase, target: string, bytes: Uint8Array): Effect.Effect<number, SqlError> =>
  Effect.async((resume) => {
    const stream = client.query(copyFrom(`COPY ${target} FROM STDIN WITH (FORMAT binary)`))
    stream.on("error", (cause) => resume(Effect.fail(new SqlError({ cause, message: "Failed to copy" }))))
    stream.on("finish", () => resume(Effect.succeed(stream.rowCount)))
    stream.end(bytes)
    return Effect.async<void>((done) => {
      stream.on("close", () => done(Effect.void))
      stream.destroy(new Error("interrupted"))
    })
  })

const make = (config: DatabaseConfig) =>
  Effect.gen(function* () {
    const pool = yield* makePool(config)
    const client = yield* PgClient.fromPool({ acquire: Effect.succeed(pool) })
    const pooled = Effect.acquireRelease(
      Effect.tryPromise({
        try: () => pool.connect(),
        catch: (cause) => new SqlError({ cause, message: "Failed to acquire connection" })
      }),
      (raw) => Effect.sync(() => raw.release())
    )
    const copy = (target: string, bytes: Uint8Array) =>
      Effect.gen(function* () {
        const transaction = yield* Effect.serviceOption(TransactionConnection)
        const own = Option.isSome(transaction) ? rawOf(transaction.value[0]) : undefined
        return yield* copyOn(own ?? (yield* pooled), target, bytes)
      }).pipe(Effect.scoped)
    return Context.make(SqlClient, client as SqlClient).pipe(Context.add(CopySink, { copy }))
  })

export const layer = (config: DatabaseConfig): Layer.Layer<SqlClient | CopySink, SqlError> =>
  Layer.scopedContext(make(config)).pipe(Layer.provide(Reactivity.layer))
