/** Watches a database: makes its tables, knows whether it answers, times what it is asked. */
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import {
  Clock,
  type Context,
  Data,
  Duration,
  Effect,
  Metric,
  MetricBoundaries,
  Option,
  Schedule,
  type Scope,
  Stream,
  SubscriptionRef
} from "effect"
import * as CircuitBreaker from "../resilience/CircuitBreaker.ts"
import type { Database, DatabaseState, DatabaseStatus } from "./Database.ts"
import * as Migrations from "./Migrations.ts"
import * as TableCheck from "./TableCheck.ts"
import { describe, isConnectionFault, recoverDefects } from "./SqlFault.ts"

/** Nothing was asked of the database, because it is known not to be ready. */
export class DatabaseNotReady extends Data.TaggedError("DatabaseNotReady")<{ readonly reason: string }> {
  override get message(): string {
    return `the database is not ready: ${this.reason}`
  }
}

const querySeconds = Metric.histogram(
  "parallax_database_query_seconds",
  MetricBoundaries.fromIterable([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]),
  "How long the database took, by what it was asked for"
)

/** How often an idle database is asked whether it is there, and how long it may take to say so. */
const PROBE_INTERVAL = Duration.seconds(5)
const PROBE_LIMIT = Duration.seconds(10)

/** Between attempts to reach a database that does not answer. */
const RETRY = { base: "250 millis", cap: "5 seconds" } as const
/** The same, give or take a fifth. */
const retryDelay = Schedule.exponential(RETRY.base).pipe(Schedule.union(Schedule.spaced(RETRY.cap)), Schedule.jittered)

/** Several who ask at the same time may meet one link that broke. */
const THRESHOLD = 3

/** The database itself failed, rather than what was asked of it. */
const isOutage = (error: unknown): error is SqlError =>
  error instanceof SqlError && isConnectionFault(error) && !isUnasked(error)

/** Nobody asked the database: that says nothing of it. */
const isUnasked = ({ cause }: SqlError): boolean =>
  cause instanceof DatabaseNotReady || cause instanceof CircuitBreaker.CircuitOpen

const notAsked = (cause: DatabaseNotReady | CircuitBreaker.CircuitOpen): SqlError =>
  new SqlError({ cause, message: "Failed to execute statement" })

export interface MonitorOptions {
  readonly driver: DatabaseStatus["driver"]
  readonly where: string
  /** Keeps a connection whose transaction met a lost link from being used again. */
  readonly abandon: (connection: Connection) => Effect.Effect<void>
}

/**
 * Makes the tables, and sees that none lacks anything, before it returns if the database answers at once, and otherwise in the background, trying until it
 * does: a collector lives without its database.
 */
export const make = (
  options: MonitorOptions
): Effect.Effect<Context.Tag.Service<Database>, never, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const migrated = yield* Effect.makeLatch(false)
    let tablesExist = false
    const status = yield* SubscriptionRef.make<DatabaseStatus>({
      driver: options.driver,
      where: options.where,
      state: "starting",
      since: yield* Clock.currentTimeMillis,
      error: null
    })

    const log = Effect.annotateLogs({ database: options.where })
    const become = (state: DatabaseState, error: string | null) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const before = yield* SubscriptionRef.get(status)
        if (before.state === state) {
          if (before.error !== error && error !== null) yield* SubscriptionRef.set(status, { ...before, error })
          return
        }
        yield* SubscriptionRef.set(status, { ...before, state, since: now, error: error ?? before.error })
        if (state === "up") yield* log(Effect.logInfo("the database is up"))
        else yield* log(Effect.logWarning(`the database is down: ${error}`))
      }).pipe(Effect.uninterruptible)
    const noteFailure = (error: unknown) => (isOutage(error) ? become("down", describe(error)) : Effect.void)

    const breaker = yield* CircuitBreaker.make<unknown>({
      ...RETRY,
      name: "database",
      threshold: THRESHOLD,
      window: "10 seconds",
      isFailure: isOutage,
      describe: (error) => (error instanceof SqlError ? describe(error) : String(error))
    })
    const guard = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
      breaker
        .protect(effect)
        .pipe(
          Effect.mapError((error) => (error instanceof CircuitBreaker.CircuitOpen ? notAsked(error) : (error as E)))
        )

    const timed =
      (operation: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
        const seconds = Metric.tagged(querySeconds, "operation", operation)
        return Effect.flatMap(Clock.currentTimeNanos, (start) =>
          Effect.ensuring(
            effect,
            Effect.flatMap(Clock.currentTimeNanos, (end) => Metric.update(seconds, Number(end - start) / 1e9))
          )
        )
      }

    const notReady = Effect.flatMap(SubscriptionRef.get(status), ({ error }) =>
      Effect.fail(notAsked(new DatabaseNotReady({ reason: error ?? "its tables are being made" })))
    )
    const query =
      (operation: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
        Effect.suspend((): Effect.Effect<A, E | SqlError, R> => (tablesExist ? guard(effect) : notReady)).pipe(
          Effect.tapBoth({ onFailure: noteFailure, onSuccess: () => become("up", null) }),
          timed(operation)
        )
    const transaction =
      (operation: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
        Effect.suspend(() => {
          // What broke the link is worth telling, not that the link is then too broken for a `ROLLBACK`.
          let broke: SqlError | undefined
          const guarded = Effect.tapError(effect, (error) => {
            if (!(error instanceof SqlError && isConnectionFault(error))) return Effect.void
            broke = error
            return Effect.flatMap(Effect.serviceOption(TransactionConnection), (held) =>
              Option.isSome(held) ? options.abandon(held.value[0]) : Effect.void
            )
          })
          return recoverDefects(sql.withTransaction(guarded)).pipe(
            Effect.mapError((error) => broke ?? error),
            query(operation)
          )
        })

    const migrate = Migrations.run.pipe(
      Effect.provideService(SqlClient, sql),
      timed("migrate"),
      Effect.flatMap((names) =>
        names.length === 0 ? Effect.void : log(Effect.logInfo(`the tables are new: ${names.join(", ")}`))
      ),
      Effect.zipRight(Effect.provideService(TableCheck.run, SqlClient, sql)),
      Effect.zipRight(
        Effect.sync(() => {
          tablesExist = true
        })
      ),
      Effect.zipRight(become("up", null)),
      Effect.zipRight(migrated.open),
      Effect.tapError((error) => become("down", describe(error)))
    )
    const probe = sql`SELECT 1`.pipe(
      // A link that is stuck may take its time to let go.
      Effect.disconnect,
      Effect.timeoutFail({
        duration: PROBE_LIMIT,
        onTimeout: () => new SqlError({ cause: new Error("no answer"), message: "Failed to execute statement" })
      }),
      query("probe")
    )
    const watch = Effect.retry(probe, retryDelay).pipe(Effect.delay(PROBE_INTERVAL), Effect.forever)
    const reached = yield* Effect.isSuccess(migrate)
    const makeTables = reached ? Effect.void : Effect.ignore(Effect.retry(migrate, retryDelay))
    yield* Effect.forkScoped(Effect.zipRight(makeTables, watch))

    return {
      status: SubscriptionRef.get(status),
      changes: Stream.changesWith(status.changes, (before, after) => before.state === after.state),
      breaker: breaker.snapshot,
      ready: migrated.await,
      query,
      transaction
    }
  })
