import { join } from "node:path"
import type * as WorkerThreads from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestServices } from "effect"
import { vi } from "vitest"
import { layerEmbedded } from "../../src/storage/Sql.ts"
import * as PgliteClient from "../../src/storage/PgliteClient.ts"
import { temporaryDirectory } from "./Databases.ts"

const threads = vi.hoisted(() => [] as Array<{ terminate: () => Promise<number> }>)

vi.mock("node:worker_threads", async (original) => {
  const module = await original<typeof WorkerThreads>()
  class Worker extends module.Worker {
    constructor(...options: ConstructorParameters<typeof module.Worker>) {
      super(...options)
      threads.push(this)
    }
  }
  return { ...module, Worker }
})

/** Ends the database's thread as a crash would. */
const crash = Effect.promise(async () => threads.at(-1)?.terminate())

const open = (directory: string) => PgliteClient.layer(join(directory, "db"))

describe("the embedded database's directory", () => {
  it.scoped(
    "keeps what was stored over a close, and takes one process at a time",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const scope = yield* Scope.make()
        const first = yield* Layer.buildWithScope(layerEmbedded(directory), scope)
        yield* Context.get(first, SqlClient)`INSERT INTO runs (id, started_at, last_position) VALUES (1, now(), 2)`
        const refused = yield* Effect.flip(Effect.scoped(Layer.build(layerEmbedded(directory))))
        assert.strictEqual(refused._tag, "DirectoryLocked")
        yield* Scope.close(scope, Exit.void)
        const second = yield* Layer.build(layerEmbedded(directory))
        assert.deepStrictEqual(yield* Context.get(second, SqlClient)`SELECT id FROM runs`, [{ id: "1" }])
      }),
    60_000
  )

  it.effect("is named when it does not open", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(open("/proc/nowhere"))))
      assert.strictEqual(failure.message, "Failed to open the database in /proc/nowhere/db")
    })
  )
})

const layer = Layer.unwrapScoped(Effect.map(temporaryDirectory, open))

it.layer(layer, { timeout: "60 seconds" })("the embedded database's thread", (it) => {
  it.effect("waits for an interrupted statement, so that the next finds it idle", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const fiber = yield* Effect.fork(sql`SELECT count(*) FROM generate_series(1, 1000000)`)
      yield* TestServices.provideLive(Effect.sleep("20 millis"))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* sql`SELECT 1 AS n`, [{ n: 1 }])
    })
  )

  it.effect("fails what it was asked when it dies, and starts again for what comes next", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE t (n integer)`
      yield* sql`INSERT INTO t VALUES (1)`
      const running = yield* Effect.fork(Effect.flip(sql`SELECT pg_sleep(10)`))
      const waiting = yield* Effect.fork(sql`SELECT n FROM t`)
      yield* TestServices.provideLive(Effect.sleep("200 millis"))
      yield* crash
      const failure = yield* Fiber.join(running)
      assert.match(String(failure.cause), /the embedded database's thread ended/)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [{ n: 1 }])
    })
  )

  it.effect("takes its transaction with it, to the last statement", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE u (n integer)`
      const exit = yield* Effect.exit(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO u VALUES (1)`
            yield* crash
            yield* Effect.ignore(sql`INSERT INTO u VALUES (2)`)
            yield* sql`INSERT INTO u VALUES (3)`
          })
        )
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* sql`SELECT n FROM u`, [])
    })
  )
})
