/** What the event writer over a tape must do with every database. */
import { assert, type Vitest } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Exit, FastCheck as fc, Logger, Scope, TestServices } from "effect"
import { serialize } from "node:v8"
import { InstrumentId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { CopySink } from "../../src/storage/CopySink.ts"
import { Database } from "../../src/storage/Database.ts"
import * as FlushTransaction from "../../src/storage/FlushTransaction.ts"
import type { Row } from "../../src/storage/Rows.ts"
import type { Sql } from "../../src/storage/Sql.ts"
import { clear } from "./Databases.ts"
import * as Events from "./Events.ts"
import { FakeTape } from "./FakeTape.ts"
import { keyOf, type Weather } from "./MemoryStore.ts"
import * as Harness from "./WriterHarness.ts"
import * as Model from "./WriterModel.ts"

const { change, epoch, snapshot } = Events

const config = { batch_rows: 8, batch_age_ms: 10, buffer_rows: 60 }

const fault = (code: string | undefined) =>
  new SqlError({
    cause: Object.assign(new Error(code ?? "the connection was lost"), code && { code, severity: "ERROR" })
  })

/** A database whose transactions fare as the weather is, for one process after another. */
const worldOf = (
  tape: FakeTape,
  batching = config
): Effect.Effect<Model.World, never, Database | SqlClient | CopySink> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<Database | SqlClient | CopySink>()
    const database = yield* Database
    let weather: Weather = "fair"
    const transaction: Database["Type"]["transaction"] = (operation) => (inner) =>
      Effect.suspend(() => {
        const done = database.transaction(operation)(inner)
        if (operation !== "flush") return done
        switch (weather) {
          case "fair":
            return done
          case "slow":
            return Effect.delay(done, "50 millis")
          case "unconfirmed":
            weather = "fair"
            return Effect.zipRight(done, Effect.fail(fault(undefined)))
          case "away":
            return Effect.fail(fault(undefined))
          case "deadlock":
            return Effect.fail(fault("40P01"))
          case "full":
            return Effect.fail(fault("53100"))
        }
      })
    const connect = Effect.map(FlushTransaction.make, (store): Model.Connection => {
      let killed = false
      const alive = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => (killed ? Effect.never : effect))
      return {
        store: {
          ready: store.ready,
          progress: (run) => alive(store.progress(run)),
          run: (key) => {
            const own = store.run(key)
            return { store: (batch) => alive(own.store(batch)), end: alive(own.end) }
          }
        },
        kill: () => {
          killed = true
        }
      }
    })
    return {
      tape,
      config: batching,
      connect: connect.pipe(Effect.provideService(Database, { ...database, transaction }), Effect.provide(context)),
      setWeather: (now) => {
        weather = now
      }
    }
  })

interface Found {
  readonly run: string
  readonly sequence: string
}
interface FoundTick extends Found {
  readonly table: "book_snapshots" | "book_changes" | "trades" | "best_quotes"
  readonly instrument: string
  readonly venue_time: Date
  readonly received_time: Date
  readonly digest: string
}
interface FoundEvent extends Found {
  readonly venue: string
  readonly connection: string
  readonly kind: string
  readonly instrument: string | null
  readonly from_time: Date
  readonly to_time: Date | null
  readonly reason: string
}

/** What the tables hold, as far as keys and positions go. */
const held: Effect.Effect<Model.Held, SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const found = new Map<string, { readonly row: Partial<Row>; readonly run: number; readonly sequence: number }>()
  const add = (row: object, { run, sequence }: Found) =>
    found.set(keyOf(row as Row), { row, run: Number(run), sequence: Number(sequence) })
  const place = sql`LEFT JOIN LATERAL (SELECT tape_run AS run, t.position - id AS sequence FROM runs
    WHERE id <= t.position ORDER BY id DESC LIMIT 1) AS place ON true LEFT JOIN outcomes USING (no)`
  for (const table of ["book_snapshots", "book_changes", "trades", "best_quotes"]) {
    const ticks = yield* sql<FoundTick>`SELECT ${table} AS table, instrument_id AS instrument, venue_time,
      received_time, digest, run, sequence FROM ${sql(table)} t ${place}`
    for (const tick of ticks) {
      const digest = BigInt(tick.digest)
      const key = {
        table: tick.table,
        instrumentId: InstrumentId.make(tick.instrument),
        venueTime: tick.venue_time.getTime(),
        receivedTime: tick.received_time.getTime(),
        high: Number(BigInt.asIntN(32, digest >> 32n)),
        low: Number(BigInt.asIntN(32, digest))
      }
      add(key, tick)
    }
  }
  const events = yield* sql<FoundEvent>`SELECT t.venue, connection, kind, instrument_id AS instrument, from_time,
    to_time, reason, run, sequence FROM feed_events t ${place}`
  for (const { connection, from_time, instrument, kind, reason, to_time, venue, ...at } of events) {
    const [from, to] = [from_time.getTime(), to_time?.getTime() ?? null]
    add({ table: "feed_events", venue, connection, kind, instrumentId: instrument, from, to, reason }, at)
  }
  return found
})

const gaps = Effect.flatMap(
  SqlClient,
  (sql) => sql`SELECT venue, from_time, to_time, reason FROM feed_events WHERE kind = 'gap' ORDER BY from_time, venue`
)
const at = (time: number) => new Date(time)
const changes = (amount: number, from = 0): Array<MarketEvent> =>
  Array.from({ length: amount }, (_, i) => change({ venueTime: epoch + from + i, receivedTime: epoch + from + i }))
const count = (table: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`, ([row]) => row?.n)
  )
const runOf = (time: number) => time * 1000

export const tapedWriterSuite = (it: Vitest.MethodsNonLive<Sql>): void => {
  const test = (name: string, body: Effect.Effect<void, unknown, Sql | Scope.Scope>) =>
    it.scoped(`writer over a tape: ${name}`, () => TestServices.provideLive(Effect.zipRight(clear, body)), 60_000)

  const histories = fc.sample(Model.steps(true, 14), { numRuns: 5, seed: 20 })
  for (const [index, history] of histories.entries()) {
    test(
      `stores every row once, in its place, whatever happens (${index + 1})`,
      Effect.gen(function* () {
        const tape = new FakeTape()
        const quick = history.map((step) => (step._tag === "wait" ? { ...step, millis: 30 } : step))
        yield* Model.run(yield* worldOf(tape), quick).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
        Model.check(tape, yield* held)
      })
    )
  }

  test(
    "stores its position with its rows, and the end when it is stopped",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const tape = new FakeTape()
      const world = yield* worldOf(tape)
      const { collector, scope, writer } = yield* Model.start(world, runOf(epoch))
      world.setWeather("unconfirmed")
      yield* collector.publish(snapshot(), ...changes(30, 1))
      yield* writer.flush
      const run = sql`SELECT tape_run, tape_position, ended_at IS NOT NULL AS ended FROM runs`
      assert.deepStrictEqual(yield* run, [{ tape_run: String(runOf(epoch)), tape_position: "31", ended: false }])
      assert.strictEqual(yield* count("book_changes"), 30)
      assert.deepInclude(yield* writer.status, { mode: "live", position: 31, lag: 0 })
      yield* collector.collect({ _tag: "Swept", receivedTime: epoch + 100 })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* run, [{ tape_run: String(runOf(epoch)), tape_position: "32", ended: true }])
      assert.strictEqual(tape.runs[0]?.stored, 32)
    })
  )

  test(
    "catches up from the tape after an outage that was longer than memory lasts",
    Effect.gen(function* () {
      const world = yield* worldOf(new FakeTape(100))
      const { collector, writer } = yield* Model.start(world, runOf(epoch))
      world.setWeather("away")
      yield* collector.publish(snapshot(), ...changes(1000, 1))
      yield* Harness.until(Effect.map(writer.status, ({ mode }) => mode === "behind"))
      const { buffered, lag } = yield* writer.status
      assert.isAtMost(buffered, 60)
      assert.isAtLeast(lag, 1000)
      world.setWeather("fair")
      yield* collector.publish(...changes(100, 1001))
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes"), 1100)
      yield* Harness.until(Effect.map(writer.status, ({ mode }) => mode === "live"))
      assert.deepInclude(yield* writer.status, { lost: 0, buffered: 0, error: null })
      assert.deepStrictEqual(yield* gaps, [])
    })
  )

  test(
    "stores what a killed process left before anything of its own, and says what nobody saw",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const world = yield* worldOf(new FakeTape(50))
      const killed = yield* Model.start(world, runOf(epoch))
      yield* killed.collector.publish(snapshot(), ...changes(100, 1))
      yield* killed.writer.flush
      world.setWeather("away")
      yield* killed.collector.publish(...changes(200, 101))
      killed.tape.kill()
      killed.connection.kill()
      const next = yield* Model.start(world, runOf(epoch + 5000))
      yield* next.collector.publish(snapshot({ receivedTime: epoch + 9000, venueTime: epoch + 9000 }))
      assert.deepInclude(yield* next.writer.status, { mode: "recovering" })
      world.setWeather("fair")
      yield* next.writer.flush
      assert.strictEqual(yield* count("book_changes"), 300)
      const positions = yield* sql<{ readonly position: string }>`
        SELECT position FROM book_changes UNION ALL SELECT position FROM book_snapshots ORDER BY 1`
      const numbers = positions.map(({ position }) => Number(position))
      const first = runOf(epoch)
      assert.deepStrictEqual(
        numbers.slice(0, 301),
        Array.from({ length: 301 }, (_, i) => first + 1 + i)
      )
      assert.strictEqual(numbers[301], runOf(epoch + 5000) + 1)
      assert.deepStrictEqual(yield* gaps, [
        {
          venue: "polymarket",
          from_time: at(epoch + 300),
          to_time: at(epoch + 9000),
          reason: "the process was killed"
        }
      ])
      assert.deepInclude(yield* next.writer.status, { mode: "live", lost: 0 })
    })
  )

  test(
    "says what is lost when a state is of a version that it cannot read",
    Effect.gen(function* () {
      const tape = new FakeTape(50)
      const world = yield* worldOf(tape)
      const killed = yield* Model.start(world, runOf(epoch))
      yield* killed.collector.publish(snapshot(), ...changes(60, 1))
      yield* killed.writer.flush
      world.setWeather("away")
      yield* killed.collector.publish(...changes(20, 61))
      killed.tape.kill()
      killed.connection.kill()
      tape.replaceStates(serialize({ version: 0 }))
      world.setWeather("fair")
      const next = yield* Model.start(world, runOf(epoch + 5000))
      yield* next.collector.publish(snapshot({ receivedTime: epoch + 9000, venueTime: epoch + 9000 }))
      yield* next.writer.flush
      assert.strictEqual(yield* count("book_changes"), 60)
      const [unread, killing] = yield* gaps
      assert.deepInclude(unread, { venue: "polymarket", from_time: at(epoch + 60), to_time: at(epoch + 80) })
      assert.match(String(unread?.["reason"]), /a version that this one cannot read/)
      assert.deepInclude(killing, { from_time: at(epoch + 80), to_time: at(epoch + 9000) })
      assert.isAbove((yield* next.writer.status).lost, 0)
      // It is said once.
      next.tape.kill()
      next.connection.kill()
      const last = yield* Model.start(world, runOf(epoch + 10_000))
      yield* last.collector.publish(snapshot({ receivedTime: epoch + 12_000, venueTime: epoch + 12_000 }))
      yield* last.writer.flush
      assert.lengthOf(yield* gaps, 3)
    })
  )

  test(
    "puts word of a refused row in its place, and the position past it",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { collector, writer } = yield* Model.start(yield* worldOf(new FakeTape()), runOf(epoch))
      yield* collector.publish(snapshot(), Events.trade({ tradeId: "a\0b", receivedTime: epoch + 77 }))
      yield* writer.flush
      assert.deepStrictEqual(yield* sql`SELECT position, kind, from_time FROM feed_events`, [
        { position: String(runOf(epoch) + 2), kind: "gap", from_time: at(epoch + 77) }
      ])
      assert.deepStrictEqual(yield* sql`SELECT tape_position FROM runs`, [{ tape_position: "2" }])
    })
  )
}
