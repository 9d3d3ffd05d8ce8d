/** What the division of ticks by day must do on every database. */
import { assert, type Vitest } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Either, type Scope, TestClock, TestServices } from "effect"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import * as Migrations from "../../src/storage/Migrations.ts"
import { DAY, partitionsOf, tickTables } from "../../src/storage/Partitions.ts"
import * as Retention from "../../src/storage/Retention.ts"
import type { Sql } from "../../src/storage/Sql.ts"
import { clear } from "./Databases.ts"
import * as Events from "./Events.ts"
import { emptied } from "./SqlSuite.ts"
import * as VirtualClock from "./VirtualClock.ts"
import * as Harness from "./WriterHarness.ts"

/** The beginning of 2026-09-21. */
const day = Math.floor(Events.epoch / DAY) * DAY
const at = (time: number) => ({ venueTime: time, receivedTime: time })

const rowsIn = (table: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(
      sql<{ readonly part: string; readonly n: number }>`
        SELECT tableoid::regclass::text AS part, count(*)::int AS n FROM ${sql(table)} GROUP BY 1 ORDER BY 1`,
      (rows) => Object.fromEntries(rows.map(({ n, part }) => [part, n]))
    )
  )
const namesOf = (table: (typeof tickTables)[number]) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(partitionsOf(sql, table), (partitions) => partitions.map(({ name }) => name))
  )

/** Ticks of every table, at a time. */
const ticks = (time: number): ReadonlyArray<MarketEvent> => [
  Events.snapshot(at(time)),
  Events.change(at(time)),
  Events.trade(at(time)),
  Events.quotes(at(time))
]

/** Rows as the program wrote them before there were days. */
const before = (time: number, received = time) => {
  const tick = (n: number) => `(${n}, 1, to_timestamp(${time / 1000}), to_timestamp(${received / 1000}), ${n}`
  const head = "(position, no, venue_time, received_time, digest"
  const n = time % 1_000_000_007
  return `
    INSERT INTO book_snapshots ${head}, source, hash, bid_prices, bid_sizes, ask_prices, ask_sizes)
      VALUES ${tick(n)}, 'socket', NULL, '{0.4}', '{1}', '{}', '{}');
    INSERT INTO book_changes ${head}, side, price, size, best_bid, best_ask, hash)
      VALUES ${tick(n)}, 'bid', 0.41, 100, 0.41, NULL, 'abc');
    INSERT INTO trades ${head}, price, size, taker_side, trade_id) VALUES ${tick(n)}, 0.42, 5, 'buy', 'x');
    INSERT INTO best_quotes ${head}, bid, bid_size, ask, ask_size) VALUES ${tick(n)}, 0.41, 270, NULL, 0);`
}

/** Sweeps when it is so late by our clock: for nobody else, or what watches the database would live through all that time. */
const sweepAt = (time: number, keepDays: number) => Effect.withClock(Retention.sweep(keepDays), VirtualClock.make(time))

export const partitionSuite = (it: Vitest.MethodsNonLive<Sql>): void => {
  const test = (name: string, body: Effect.Effect<void, unknown, Sql | Scope.Scope>) =>
    it.scoped(`days: ${name}`, () => Effect.zipRight(dropped, body), 60_000)
  /** Without a row and without a day. */
  const dropped = Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* clear
    for (const table of tickTables) {
      for (const { name } of yield* partitionsOf(sql, table)) yield* sql.unsafe(`DROP TABLE ${name}`)
    }
  })

  test(
    "are made before their rows are there, and the day after with them, in every table",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      yield* writer.publish(...ticks(day + DAY - 1))
      yield* writer.flush
      for (const table of tickTables) {
        assert.deepStrictEqual(yield* namesOf(table), [`${table}_20260921`, `${table}_20260922`])
        assert.deepStrictEqual(yield* rowsIn(table), { [`${table}_20260921`]: 1 })
      }
      // Midnight, while it runs.
      yield* writer.publish(...ticks(day + DAY), ...ticks(day + DAY + 1))
      yield* writer.flush
      assert.deepStrictEqual(yield* namesOf("trades"), ["trades_20260921", "trades_20260922", "trades_20260923"])
      assert.deepStrictEqual(yield* rowsIn("trades"), { trades_20260921: 1, trades_20260922: 2 })
      assert.strictEqual((yield* writer.status).lost, 0)
    })
  )

  test(
    "are not made for what a venue's clock says that is far from ours; nothing of it is lost or doubled",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      const odd = [0, day - 400 * DAY, day + 2 * DAY, day + 40_000 * DAY].map((venueTime) =>
        Events.change({ venueTime, receivedTime: day })
      )
      yield* writer.publish(Events.change(at(day)), ...odd)
      yield* writer.publish(...odd)
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("book_changes"), { book_changes_20260921: 1, book_changes_other: 4 })
      assert.deepStrictEqual(yield* namesOf("book_changes"), ["book_changes_20260921", "book_changes_20260922"])
      assert.strictEqual((yield* writer.status).lost, 0)
    })
  )

  test(
    "take over what lay with all others, under its own key",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      const early = Events.change({ venueTime: day + 3 * DAY + 5, receivedTime: day })
      yield* writer.publish(Events.change(at(day)), early)
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("book_changes"), { book_changes_20260921: 1, book_changes_other: 1 })
      yield* writer.publish(Events.change(at(day + 3 * DAY)), early)
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("book_changes"), { book_changes_20260921: 1, book_changes_20260924: 2 })
    })
  )

  test(
    "are done without where they cannot be made, and made later",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start()
      yield* sql`CREATE TABLE trades_20260921 (n integer)`
      yield* writer.publish(...ticks(day))
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("trades"), { trades_other: 1 })
      yield* sql`DROP TABLE trades_20260921`
      yield* writer.publish(...ticks(day + 1))
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("trades"), { trades_other: 2 })
      yield* TestClock.adjust("1 minute")
      yield* writer.publish(...ticks(day + 2))
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("trades"), { trades_20260921: 3 })
      assert.deepStrictEqual(yield* rowsIn("best_quotes"), { best_quotes_20260921: 3 })
    })
  )

  test(
    "take in whatever is stored by two writers at once",
    Effect.gen(function* () {
      const writers = yield* Effect.all([Harness.start(), Harness.start()])
      const events = [0, 1, 2].flatMap((n) => ticks(day + n * DAY))
      yield* Effect.forEach(writers, (writer) => Effect.zipRight(writer.publish(...events), writer.flush), {
        concurrency: "unbounded"
      })
      for (const table of tickTables) {
        assert.deepStrictEqual(
          yield* rowsIn(table),
          Object.fromEntries([0, 1, 2].map((n) => [`${table}_2026092${n + 1}`, 1]))
        )
      }
    }).pipe(TestServices.provideLive)
  )

  test(
    "go when they are older than they are kept, and what lies with all others when it is old by both clocks",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      for (let n = 0; n < 5; n++) yield* writer.publish(...ticks(day + n * DAY))
      yield* writer.publish(
        Events.change({ venueTime: 0, receivedTime: day }),
        Events.change({ venueTime: 1, receivedTime: day + 4 * DAY }),
        Events.change({ venueTime: day + 9 * DAY, receivedTime: 0 })
      )
      yield* writer.flush
      yield* sweepAt(day + 4 * DAY + 1000, 2)
      for (const table of tickTables) {
        assert.deepStrictEqual(
          (yield* namesOf(table)).map((name) => name.slice(-2)),
          ["23", "24", "25", "26"]
        )
      }
      assert.deepStrictEqual(yield* rowsIn("book_changes"), {
        book_changes_20260923: 1,
        book_changes_20260924: 1,
        book_changes_20260925: 1,
        book_changes_other: 2
      })
    })
  )

  test(
    "stay when our clock runs ahead of what is stored",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      yield* writer.publish(...ticks(day), ...ticks(day + DAY))
      yield* writer.flush
      yield* sweepAt(day + 400 * DAY, 2)
      assert.deepStrictEqual(yield* rowsIn("trades"), { trades_20260921: 1, trades_20260922: 1 })
    })
  )

  it.scoped("days: a database from before comes over with its rows, its keys and its views", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* emptied
      yield* Migrations.runTo("0003_tape_position")
      yield* sql`INSERT INTO outcomes (instrument_id, venue, venue_instrument_id) VALUES ('polymarket:111', 'polymarket', '111')`
      const times = [0, day - 1, day + 5, day + DAY + 7]
      for (const time of times) yield* sql.unsafe(before(time, Math.max(time, day))).unprepared
      yield* sql.unsafe(before(day + 30 * DAY, day)).unprepared
      const content = Effect.forEach(tickTables, (table) => sql.unsafe(`SELECT * FROM ${table}_view ORDER BY position`))
      const old = yield* content
      assert.deepStrictEqual(yield* Migrations.run, ["days"])
      const now = yield* content
      assert.deepStrictEqual(now, old)
      assert.deepStrictEqual(
        now.map(([row]) => Object.keys(row ?? {})),
        old.map(([row]) => Object.keys(row ?? {}))
      )
      for (const table of tickTables) {
        assert.deepStrictEqual(yield* rowsIn(table), { [`${table}_other`]: 1, [`${table}_undivided`]: 4 })
        assert.deepStrictEqual(yield* namesOf(table), [`${table}_undivided`])
      }
      const again = yield* Effect.either(sql.unsafe(before(day + 5)).unprepared)
      assert.isTrue(Either.isLeft(again))
      // The days that the old rows take up to are not made; later ones are, and nothing is lost at the seam.
      const writer = yield* Harness.start()
      for (const n of [0, 1, 2, 3]) yield* writer.publish(...ticks(day + n * DAY + 50))
      yield* writer.flush
      assert.deepStrictEqual(yield* rowsIn("book_changes"), {
        book_changes_20260924: 1,
        book_changes_other: 1,
        book_changes_undivided: 7
      })
      assert.deepStrictEqual(yield* namesOf("trades"), ["trades_undivided", "trades_20260924", "trades_20260925"])
      yield* sweepAt(day + 3 * DAY, 1)
      assert.include(yield* namesOf("trades"), "trades_undivided")
      yield* writer.publish(...ticks(day + 4 * DAY + 50))
      yield* writer.flush
      yield* sweepAt(day + 4 * DAY + 60, 1)
      assert.deepStrictEqual(yield* namesOf("trades"), ["trades_20260924", "trades_20260925", "trades_20260926"])
      yield* clear
    })
  )
}
