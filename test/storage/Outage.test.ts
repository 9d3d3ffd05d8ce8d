/** What becomes of the rows, and of the program, when a real server goes away. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, type Scope, Stream, TestServices } from "effect"
import { Database, type DatabaseConfig, type DatabaseStatus } from "../../src/storage/Database.ts"
import { layerPostgres, type Sql } from "../../src/storage/Sql.ts"
import { available, type Postgres } from "../support/Postgres.ts"
import * as TcpProxy from "../support/TcpProxy.ts"
import { configOf, server } from "./Databases.ts"
import { change, epoch } from "./Events.ts"
import * as Harness from "./WriterHarness.ts"

const changes = (amount: number, from = 0) =>
  Array.from({ length: amount }, (_, i) => change({ venueTime: epoch + from + i, receivedTime: epoch + from + i }))

const connect = (config: DatabaseConfig) => Layer.build(layerPostgres(config))

const proxy = (target: Postgres) =>
  Effect.acquireRelease(
    Effect.promise(() => TcpProxy.start(target)),
    (relay) => Effect.promise(() => relay.close())
  )

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
    "two that start at once make the tables once",
    Effect.gen(function* () {
      const postgres = yield* server()
      const contexts = yield* Effect.all([connect(configOf(postgres)), connect(configOf(postgres))], {
        concurrency: "unbounded"
      })
      for (const context of contexts) yield* Context.get(context, Database).ready
      assert.strictEqual(yield* count(postgres, "migrations"), 2)
    })
  )
})
