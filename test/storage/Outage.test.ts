/** What becomes of the rows, and of the program, when a real server goes away. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Redacted, Scope, Stream, TestServices } from "effect"
import { SqlClient } from "@effect/sql/SqlClient"
import { Client } from "pg"
import { CircuitOpen } from "../../src/resilience/CircuitBreaker.ts"
import { Database, type DatabaseConfig, type DatabaseStatus } from "../../src/storage/Database.ts"
import * as FlushTransaction from "../../src/storage/FlushTransaction.ts"
import { layerPostgres, type Sql } from "../../src/storage/Sql.ts"
import { available, type Postgres } from "../support/Postgres.ts"
import * as TcpProxy from "../support/TcpProxy.ts"
import { configOf, server } from "./Databases.ts"
import { change, epoch } from "./Events.ts"
import { FakeTape } from "./FakeTape.ts"
import * as Harness from "./WriterHarness.ts"
import * as Model from "./WriterModel.ts"

const changes = (amount: number, from = 0) =>
  Array.from({ length: amount }, (_, i) => change({ venueTime: epoch + from + i, receivedTime: epoch + from + i }))

const connect = (config: DatabaseConfig) => Layer.build(layerPostgres(config))

const proxy = (target: Postgres) =>
  Effect.acquireRelease(
    Effect.promise(() => TcpProxy.start(target)),
    (relay) => Effect.promise(() => relay.close())
  )

/** A writer over a tape in memory. */
const startTaped = (options: Partial<Model.World["config"]> = {}) =>
  Effect.flatMap(FlushTransaction.make, (store) =>
    Model.start(
      {
        tape: new FakeTape(1000),
        config: { batch_rows: 5000, batch_age_ms: 250, buffer_rows: 200_000, ...options },
        connect: Effect.succeed({ store, kill: () => undefined }),
        setWeather: () => undefined
      },
      epoch * 1000
    )
  ).pipe(Effect.tap(({ scope }) => Effect.addFinalizer(() => Scope.close(scope, Exit.void))))

const count = (postgres: Postgres, table: string) =>
  Effect.promise(() => postgres.query(`SELECT count(*)::int AS n FROM ${table}`)).pipe(
    Effect.map(([row]) => row?.["n"])
  )

const isStatus = (context: Context.Context<Sql>, state: DatabaseStatus["state"]) =>
  Harness.until(Effect.map(Context.get(context, Database).status, (status) => status.state === state))

const test = (name: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.scoped(name, () => TestServices.provideLive(body), 90_000)

describe.skipIf(!available)("PostgreSQL that goes away, where it is installed", () => {
  test(
    "loses nothing while the server is stopped for a while",
    Effect.gen(function* () {
      const postgres = yield* server()
      const context = yield* connect(configOf(postgres))
      const writer = yield* Effect.provide(Harness.start(), context)
      const states: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(Context.get(context, Database).changes, ({ state }) => Effect.sync(() => states.push(state)))
      )
      yield* writer.publish(...changes(1000))
      yield* writer.flush
      yield* Effect.promise(() => postgres.stop())
      for (let i = 1; i <= 10; i++) {
        yield* writer.publish(...changes(1000, i * 1000))
        yield* Effect.sleep("100 millis")
      }
      yield* isStatus(context, "down")
      const { error, buffered } = yield* writer.status
      assert.match(error ?? "", /ECONNREFUSED|terminat/)
      assert.strictEqual(buffered, 10_000)
      yield* Effect.promise(() => postgres.start())
      yield* writer.flush
      yield* isStatus(context, "up")
      assert.strictEqual(yield* count(postgres, "book_changes"), 11_000)
      assert.deepInclude(yield* writer.status, { buffered: 0, lost: 0, error: null })
      assert.deepStrictEqual(states, ["up", "down", "up"])
    })
  )

  test(
    "is left alone by its circuit breaker while it is away, and found again by one statement",
    Effect.gen(function* () {
      const postgres = yield* server()
      const database = Context.get(yield* connect(configOf(postgres)), Database)
      const sql = Context.get(yield* connect(configOf(postgres)), SqlClient)
      let asked = 0
      const ask = database.query("test")(Effect.suspend(() => sql`SELECT ${++asked}::int AS n`))
      yield* Effect.promise(() => postgres.stop())
      for (let i = 0; i < 3; i++) assert.match(String((yield* Effect.flip(ask)).cause), /ECONNREFUSED|terminat/)
      for (let i = 0; i < 5; i++) assert.instanceOf((yield* Effect.flip(ask)).cause, CircuitOpen)
      assert.strictEqual(asked, 3)
      const open = yield* database.breaker
      assert.deepInclude(open, { name: "database", state: "open", openings: 1 })
      assert.match(open.lastFailure, /ECONNREFUSED|terminat/)
      yield* Effect.promise(() => postgres.start())
      yield* Harness.until(Effect.map(database.breaker, ({ state }) => state === "closed"))
      assert.strictEqual((yield* database.status).state, "up")
      assert.deepStrictEqual(yield* ask, [{ n: 4 }])
    })
  )

  test(
    "loses nothing when the server crashes in the middle of writing",
    Effect.gen(function* () {
      const postgres = yield* server({ fsync: "on" })
      const context = yield* connect(configOf(postgres))
      const writer = yield* Effect.provide(Harness.start({ batch_rows: 500 }), context)
      yield* writer.publish(...changes(50_000))
      yield* Harness.until(Effect.map(writer.status, ({ stored }) => stored.book_changes > 2000))
      yield* Effect.promise(() => postgres.stop("immediate"))
      yield* Effect.promise(() => postgres.start())
      yield* writer.flush
      assert.strictEqual(yield* count(postgres, "book_changes"), 50_000)
    })
  )

  test(
    "neither loses nor doubles when the link breaks at the commit, before it or after",
    Effect.gen(function* () {
      const postgres = yield* server()
      const relay = yield* proxy(postgres)
      const context = yield* connect({ ...configOf(postgres), port: relay.port })
      const writer = yield* Effect.provide(Harness.start(), context)
      yield* writer.flush
      const verdicts: Array<"cut" | "cut after"> = ["cut after", "cut", "cut after"]
      relay.onSend((data) => (data.includes("COMMIT\0") ? (verdicts.shift() ?? "pass") : "pass"))
      yield* writer.publish(...changes(3000))
      yield* writer.flush
      assert.deepStrictEqual(verdicts, [])
      assert.strictEqual(yield* count(postgres, "book_changes"), 3000)
      assert.strictEqual(yield* count(postgres, "outcomes"), 1)
      assert.strictEqual(yield* count(postgres, "runs"), 1)
    })
  )

  test(
    "gets over a link that is cut anywhere",
    Effect.gen(function* () {
      const postgres = yield* server()
      const relay = yield* proxy(postgres)
      const context = yield* connect({ ...configOf(postgres), port: relay.port })
      const writer = yield* Effect.provide(Harness.start({ batch_rows: 1000 }), context)
      let packets = 0
      relay.onSend(() => (++packets % 37 === 0 ? "cut" : "pass"))
      for (let i = 0; i < 20; i++) yield* writer.publish(...changes(1000, i * 1000))
      yield* writer.flush
      assert.strictEqual(yield* count(postgres, "book_changes"), 20_000)
    })
  )

  test(
    "gives up a server that is silent, and goes on when it speaks again",
    Effect.gen(function* () {
      const postgres = yield* server()
      const relay = yield* proxy(postgres)
      const context = yield* connect({ ...configOf(postgres), port: relay.port })
      const writer = yield* Effect.provide(Harness.start(), context)
      yield* writer.publish(...changes(10))
      yield* writer.flush
      relay.freeze(true)
      yield* writer.publish(...changes(10, 10))
      yield* isStatus(context, "down")
      yield* Harness.until(Effect.map(writer.status, ({ error }) => error !== null))
      assert.match((yield* writer.status).error ?? "", /the server does not answer|the connection was lost/)
      relay.freeze(false)
      yield* writer.flush
      assert.strictEqual(yield* count(postgres, "book_changes"), 20)
    })
  )

  test(
    "starts without a server, says why, and writes what it kept once there is one",
    Effect.gen(function* () {
      const postgres = yield* server()
      yield* Effect.promise(() => postgres.stop())
      const password = Redacted.make("sesame")
      const context = yield* connect({ ...configOf(postgres), password })
      const database = Context.get(context, Database)
      const status = yield* database.status
      assert.deepInclude(status, { state: "down", driver: "postgres" })
      assert.match(status.error ?? "", /ECONNREFUSED/)
      assert.notInclude(JSON.stringify(status), "sesame")
      const refused = yield* Effect.flip(database.query("test")(Effect.void))
      assert.match(String(refused.cause), /not ready: .*ECONNREFUSED/)
      const writer = yield* Effect.provide(Harness.start(), context)
      yield* writer.publish(...changes(100))
      yield* Effect.promise(() => postgres.start())
      yield* database.ready
      yield* writer.flush
      assert.strictEqual(yield* count(postgres, "book_changes"), 100)
    })
  )

  test(
    "keeps the position on the tape in step with the rows when the link breaks at the commit",
    Effect.gen(function* () {
      const postgres = yield* server()
      const relay = yield* proxy(postgres)
      const context = yield* connect({ ...configOf(postgres), port: relay.port })
      const { collector, writer } = yield* startTaped({ batch_rows: 100 }).pipe(Effect.provide(context))
      yield* collector.publish(...changes(10))
      yield* writer.flush
      const seen: Array<unknown> = []
      const verdicts: Array<"cut" | "cut after"> = ["cut after", "cut", "cut after", "cut"]
      const cutting = (data: Buffer) => (data.includes("COMMIT\0") ? (verdicts.shift() ?? "pass") : "pass")
      relay.onSend(cutting)
      yield* collector.publish(...changes(1990, 10))
      const watch = Effect.promise(() =>
        postgres.query(
          `SELECT (SELECT count(*) FROM book_changes)::int AS rows, tape_position::int AS position FROM runs`
        )
      ).pipe(Effect.tap(([row]) => seen.push(row)))
      yield* Effect.raceFirst(writer.flush, Effect.forever(Effect.delay(watch, "5 millis")))
      assert.deepStrictEqual(verdicts, [])
      yield* watch
      assert.deepStrictEqual(seen.at(-1), { rows: 2000, position: 2000 })
      // A record may be in a transaction in part; a position says that it is there whole.
      for (const one of seen as ReadonlyArray<{ readonly rows: number; readonly position: number }>) {
        assert.isAtMost(one.position, one.rows)
        assert.isAtMost(one.rows - one.position, 16)
      }
    })
  )

  test(
    "gets over a deadlock",
    Effect.gen(function* () {
      const postgres = yield* server({ deadlock_timeout: "2s" })
      const context = yield* connect(configOf(postgres))
      const { collector, writer } = yield* startTaped().pipe(Effect.provide(context))
      yield* collector.publish(...changes(10))
      yield* writer.flush
      // Whoever writes rows notes the run afterwards; this asks for the same in the other order.
      const other = new Client({ host: postgres.host, port: postgres.port, user: postgres.user, database: "postgres" })
      other.on("error", () => {})
      yield* Effect.promise(() => other.connect())
      yield* Effect.promise(() => other.query("BEGIN; SET LOCAL deadlock_timeout = '60s'; LOCK TABLE runs"))
      yield* collector.publish(...changes(10, 10))
      const locks = Effect.promise(() => postgres.query("SELECT FROM pg_locks WHERE NOT granted"))
      yield* Harness.until(Effect.map(locks, (waiting) => waiting.length > 0))
      const locked = yield* Effect.fork(Effect.promise(() => other.query("LOCK TABLE book_changes")))
      yield* Harness.until(Effect.map(writer.status, ({ error }) => error !== null))
      assert.match((yield* writer.status).error ?? "", /deadlock detected \(40P01\)/)
      yield* locked
      yield* Effect.promise(() => other.query("COMMIT"))
      yield* Effect.promise(() => other.end())
      yield* writer.flush
      assert.strictEqual(yield* count(postgres, "book_changes"), 20)
      assert.deepInclude(yield* writer.status, { lost: 0, error: null, position: 20 })
    })
  )

  test(
    "goes on storing while every commit takes long, with more rows in each",
    Effect.gen(function* () {
      const postgres = yield* server()
      const context = yield* connect(configOf(postgres))
      const { collector, writer } = yield* startTaped({ batch_rows: 100 }).pipe(Effect.provide(context))
      yield* collector.publish(...changes(1))
      yield* writer.flush
      const slow =
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END'"
      yield* Effect.promise(() => postgres.query(slow))
      const trigger = "CREATE TRIGGER slow AFTER UPDATE ON runs FOR EACH STATEMENT EXECUTE FUNCTION slow()"
      yield* Effect.promise(() => postgres.query(trigger))
      yield* collector.publish(...changes(4000, 1))
      const [took] = yield* Effect.timed(writer.flush)
      assert.strictEqual(yield* count(postgres, "book_changes"), 4001)
      // Forty batches of the usual size would take more than twenty seconds.
      assert.isBelow(Duration.toSeconds(took), 12)
    })
  )

  test(
    "two that start at once make the tables once",
    Effect.gen(function* () {
      const postgres = yield* server()
      const contexts = yield* Effect.all([connect(configOf(postgres)), connect(configOf(postgres))], {
        concurrency: "unbounded"
      })
      for (const context of contexts) yield* Context.get(context, Database).ready
      const all = yield* count(postgres, "migrations")
      assert.isAbove(Number(all), 0)
      assert.strictEqual(yield* count(postgres, "(SELECT DISTINCT name FROM migrations) AS names"), all)
    })
  )
})
