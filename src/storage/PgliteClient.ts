/**
 * `SqlClient` and `CopySink` over PGlite in a thread: PostgreSQL inside this process, one connection, kept in one
 * directory. Statements outside a transaction take the connection one by one; a transaction keeps it to its end.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { Chunk, Context, Effect, Layer, Option, type Scope, Stream } from "effect"
import { CopySink } from "./CopySink.ts"
import type { Result } from "./PgliteProtocol.ts"
import { type PgliteSession, open } from "./PgliteSession.ts"
import * as Turns from "./Turns.ts"

/** What runs a statement: the connection at hand in a transaction, or one that is waited for. */
type Run = (use: (session: PgliteSession) => Effect.Effect<Result, SqlError>) => Effect.Effect<Result, SqlError>

type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

class PgliteConnection implements Connection {
  readonly run: Run

  constructor(run: Run) {
    this.run = run
  }

  private query(sql: string, params: ReadonlyArray<unknown>, arrays: boolean) {
    return this.run((session) => session.ask({ op: "query", sql, params, arrays }))
  }
  execute(sql: string, params: ReadonlyArray<unknown>, transformRows: TransformRows) {
    return Effect.map(this.query(sql, params, false), ({ rows }) => {
      const objects = rows as ReadonlyArray<object>
      return transformRows === undefined ? objects : transformRows(objects)
    })
  }
  executeRaw(sql: string, params: ReadonlyArray<unknown>) {
    return this.query(sql, params, false)
  }
  executeValues(sql: string, params: ReadonlyArray<unknown>) {
    return Effect.map(this.query(sql, params, true), ({ rows }) => rows as ReadonlyArray<ReadonlyArray<unknown>>)
  }
  executeUnprepared(sql: string, params: ReadonlyArray<unknown>, transformRows: TransformRows) {
    if (params.length > 0) return this.execute(sql, params, transformRows)
    return Effect.map(
      this.run((session) => session.ask({ op: "exec", sql })),
      ({ rows }) => rows as ReadonlyArray<object>
    )
  }
  executeStream(sql: string, params: ReadonlyArray<unknown>, transformRows: TransformRows) {
    return Stream.unwrap(
      Effect.map(this.execute(sql, params, transformRows), (rows) => Stream.fromChunk(Chunk.fromIterable(rows)))
    )
  }
  copy(target: string, bytes: Uint8Array) {
    return Effect.map(
      this.run((session) => session.ask({ op: "copy", target, bytes })),
      ({ rowCount }) => rowCount
    )
  }
}

const compiler = Statement.makeCompiler({
  dialect: "pg",
  placeholder: (index) => `$${index}`,
  onIdentifier: Statement.defaultEscape('"'),
  onCustom: () => ["", []],
  onRecordUpdate: (placeholders, alias, columns, values, returning) => [
    `(values ${placeholders}) AS ${alias}${columns}${returning === undefined ? "" : ` RETURNING ${returning[0]}`}`,
    returning === undefined ? values.flat() : values.flat().concat(returning[1])
  ]
})

/**
 * Opens the directory, and closes it with the scope. A thread that dies fails what it was asked, the rest of a
 * transaction included; the next statement outside one opens the directory again.
 */
export const make = (
  directory: string
): Effect.Effect<Context.Context<SqlClient.SqlClient | CopySink>, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const connection = Turns.make()
    let current: PgliteSession | undefined
    const session = Effect.suspend(() =>
      current?.alive() === true
        ? Effect.succeed(current)
        : Effect.tap(open(directory), (opened) => {
            current = opened
          }).pipe(Effect.uninterruptible)
    )
    yield* Effect.acquireRelease(session, () => Effect.suspend(() => current?.close ?? Effect.void))

    const single = new PgliteConnection((use) => connection.during(Effect.flatMap(session, use)))
    const reserved: Effect.Effect<Connection, SqlError, Scope.Scope> = Effect.uninterruptible(
      Effect.gen(function* () {
        yield* Effect.acquireRelease(connection.take, () => connection.end)
        const mine = yield* session
        return new PgliteConnection((use) => use(mine))
      })
    )
    const client = yield* SqlClient.make({
      acquirer: Effect.succeed(single),
      transactionAcquirer: reserved,
      compiler,
      spanAttributes: [["db.system.name", "postgresql"]]
    })
    const copy = (target: string, bytes: Uint8Array) =>
      Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (transaction) => {
        const own = Option.isSome(transaction) ? transaction.value[0] : single
        return own instanceof PgliteConnection ? own.copy(target, bytes) : single.copy(target, bytes)
      })
    return Context.make(SqlClient.SqlClient, client).pipe(Context.add(CopySink, { copy }))
  })

export const layer = (directory: string): Layer.Layer<SqlClient.SqlClient | CopySink, SqlError> =>
  Layer.scopedContext(make(directory)).pipe(Layer.provide(Reactivity.layer))
