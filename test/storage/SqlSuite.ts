/** What every database must do, whatever it runs on. */
import { assert, type Vitest } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, FastCheck as fc, Layer, Metric, TestServices } from "effect"
import { VenueId } from "../../src/domain/Market.ts"
import { formatDecimal, Price } from "../../src/domain/Money.ts"
import { CopySink } from "../../src/storage/CopySink.ts"
import { Database } from "../../src/storage/Database.ts"
import { MarketStore } from "../../src/storage/MarketStore.ts"
import * as DatabaseMonitor from "../../src/storage/DatabaseMonitor.ts"
import * as Migrations from "../../src/storage/Migrations.ts"
import { PgCopy } from "../../src/storage/PgCopy.ts"
import * as SqlMarketStore from "../../src/storage/SqlMarketStore.ts"
import type { Sql } from "../../src/storage/Sql.ts"
import { isConnectionFault, isDataFault, sqlState } from "../../src/storage/SqlFault.ts"
import { clear } from "./Databases.ts"
import { change } from "./Events.ts"
import * as Harness from "./WriterHarness.ts"

const at = (milliseconds: number) => new Date(milliseconds)

/** Amounts at every edge of the encoding: digits of zero at either end and in between. */
const amount = fc.oneof(
  fc.constantFrom(0, 1, 99, 100, 10_000, 999_999, 1_000_000, 1_000_001, 1_000_100, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
  fc.nat(1_000_000),
  fc.tuple(fc.nat(9_007), fc.nat(12)).map(([n, power]) => n * 10 ** power)
)

const numbers = (amounts: ReadonlyArray<number>): Uint8Array => {
  const copy = new PgCopy()
  for (const [index, one] of amounts.entries()) {
    copy.row(2)
    copy.int32(index)
    copy.numeric(one)
  }
  return copy.finish()
}

export const sqlSuite = (it: Vitest.MethodsNonLive<Sql>): void => {
  it.effect("is up, with its tables, and has nothing more to migrate", () =>
    Effect.gen(function* () {
      const database = yield* Database
      yield* database.ready
      const { state, error } = yield* database.status
      assert.deepStrictEqual([state, error], ["up", null])
      assert.deepStrictEqual(yield* Migrations.run, [])
    })
  )

  it.effect("brings a database of the first version up to date, in which no market has bands", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* emptied
      yield* Migrations.runTo("0001_tables")
      yield* sql`INSERT INTO markets (id, venue, venue_market_id, slug, question, tags, status, tick_size, neg_risk, rank)
        VALUES ('old:a', 'old', 'a', 'a', 'A?', '{}', 'open', 0.01, false, 0)`
      assert.deepStrictEqual(yield* Migrations.run, ["price_bands", "tape_position", "days"])
      const store = Context.get(yield* Layer.build(SqlMarketStore.layer), MarketStore)
      const [market] = yield* store.load(VenueId.make("old"))
      assert.deepInclude(market, { slug: "a", tickSize: Price(10_000), priceBands: null })
      yield* sql`DELETE FROM markets WHERE venue = 'old'`
    }).pipe(Effect.scoped)
  )

  it.scoped("is not ready without a column or a table that is needed, names them, and is once they are there", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`ALTER TABLE book_changes RENAME COLUMN side TO sides`
      yield* sql`ALTER TABLE run_venues RENAME TO run_places`
      const mend = Effect.zipRight(
        sql`ALTER TABLE run_places RENAME TO run_venues`,
        sql`ALTER TABLE book_changes RENAME COLUMN sides TO side`
      )
      yield* Effect.gen(function* () {
        const database = yield* DatabaseMonitor.make({ driver: "postgres", where: "here", abandon: () => Effect.void })
        const { error, state } = yield* database.status
        assert.deepStrictEqual(
          [state, error],
          ["down", "the tables are not those of this version; missing: column book_changes.side, table run_venues"]
        )
        assert.instanceOf(yield* Effect.flip(database.query("test")(sql`SELECT 1`)), SqlError)
        yield* mend
        yield* database.ready
        assert.strictEqual((yield* database.status).state, "up")
      }).pipe(TestServices.provideLive)
    })
  )

  it.scoped("of which a column goes while rows are written makes them wait, and says that waiting is in vain", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start({ batch_age_ms: 1 })
      yield* sql`ALTER TABLE book_changes RENAME COLUMN side TO sides`
      yield* writer.publish(change())
      yield* Harness.until(Effect.map(writer.status, ({ error }) => error !== null))
      const { buffered, error, errorLasts } = yield* writer.status
      assert.deepStrictEqual([buffered, errorLasts], [1, true])
      assert.match(error ?? "", /"side" .*does not exist \(42703\)/)
      yield* sql`ALTER TABLE book_changes RENAME COLUMN sides TO side`
      yield* writer.flush
      assert.deepInclude(yield* writer.status, { buffered: 0, lost: 0, error: null, errorLasts: false })
      yield* writer.close
      yield* clear
    }).pipe(TestServices.provideLive)
  )

  it.effect("gives numbers that a double cannot hold as text", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const [row] = yield* sql`SELECT ${"9007199254740993"}::bigint AS big, 0.10::numeric AS exact,
          ARRAY[0.10, 2]::numeric[] AS list, 7::integer AS small, ${at(0)}::timestamptz AS time,
          ${["a", "b"]}::text[] AS texts, NULL::text AS nothing`
      assert.deepStrictEqual(row, {
        big: "9007199254740993",
        exact: "0.10",
        list: ["0.10", "2"],
        small: 7,
        time: at(0),
        texts: ["a", "b"],
        nothing: null
      })
    })
  )

  it.effect(
    "reads copied numbers as the text they stand for",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const sink = yield* CopySink
        yield* sql`CREATE TEMP TABLE copied (index integer, value numeric)`
        const lists = fc.sample(fc.array(amount, { minLength: 50, maxLength: 500 }), 20)
        for (const amounts of lists) {
          yield* sql`TRUNCATE copied`
          assert.strictEqual(yield* sink.copy("copied (index, value)", numbers(amounts)), amounts.length)
          const rows = yield* sql<{ readonly value: string; readonly same: boolean }>`
              SELECT copied.value::text AS value, copied.value = given.value::numeric
                AND numeric_send(copied.value) = numeric_send(given.value::numeric) AS same
              FROM unnest(${amounts.map(formatDecimal)}::text[]) WITH ORDINALITY AS given (value, place)
              JOIN copied ON index = place - 1 ORDER BY place`
          assert.deepStrictEqual(
            rows.map(({ value, same }) => [value, same]),
            amounts.map((one) => [formatDecimal(one), true])
          )
        }
      }).pipe(single),
    60_000
  )

  it.effect("reads every other kind of copied value", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const sink = yield* CopySink
      yield* sql`CREATE TEMP TABLE kinds (a bigint, b timestamptz, c text, d text, e numeric[], f numeric[], g bigint)`
      const copy = new PgCopy()
      copy.row(7)
      copy.bigint(-(2 ** 40) - 1)
      copy.time(946_684_799_999)
      copy.text("£ 𝔘 \u{d800}")
      copy.optionalText(null)
      copy.numericArray([1, 410_000, 0], (n) => n)
      copy.numericArray([], (n: number) => n)
      copy.int64(-1, -2)
      yield* sink.copy("kinds", copy.finish())
      assert.deepStrictEqual(yield* sql`SELECT * FROM kinds`, [
        {
          a: "-1099511627777",
          b: at(946_684_799_999),
          c: "£ 𝔘 \u{fffd}",
          d: null,
          e: ["0.000001", "0.41", "0"],
          f: [],
          g: "-2"
        }
      ])
    }).pipe(single)
  )

  it.effect("takes back a transaction that fails, what was copied in it included", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const sink = yield* CopySink
      const database = yield* Database
      yield* sql`CREATE TABLE IF NOT EXISTS kept (index integer, value numeric)`
      const both = Effect.zipRight(
        sql`INSERT INTO kept VALUES (1, 1)`,
        sink.copy("kept (index, value)", numbers([1, 2]))
      )
      const failure = yield* Effect.flip(database.transaction("test")(Effect.zipRight(both, Effect.fail("enough"))))
      assert.strictEqual(failure, "enough")
      assert.lengthOf(yield* sql`SELECT * FROM kept`, 0)
      yield* database.transaction("test")(both)
      assert.lengthOf(yield* sql`SELECT * FROM kept`, 3)
      yield* sql`DROP TABLE kept`
    })
  )

  it.effect("keeps transactions apart", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const database = yield* Database
      yield* sql`CREATE TABLE IF NOT EXISTS account (id integer PRIMARY KEY, value integer)`
      yield* sql`INSERT INTO account VALUES (1, 0)`
      const add = Effect.gen(function* () {
        const [row] = yield* sql<{ readonly value: number }>`SELECT value FROM account WHERE id = 1 FOR UPDATE`
        yield* Effect.yieldNow()
        yield* sql`UPDATE account SET value = ${row!.value + 1} WHERE id = 1`
      })
      yield* Effect.all(
        Array.from({ length: 20 }, () => database.transaction("test")(add)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(yield* sql`SELECT value FROM account`, [{ value: 20 }])
      yield* sql`DROP TABLE account`
    })
  )

  it.effect("does not let a statement outside into a transaction", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const database = yield* Database
      yield* sql`CREATE TABLE IF NOT EXISTS seen (n integer)`
      const inside = yield* Effect.makeLatch()
      const transaction = Effect.zipRight(
        sql`INSERT INTO seen VALUES (1)`,
        Effect.zipRight(inside.open, Effect.fail("no"))
      )
      const fiber = yield* Effect.fork(Effect.either(database.transaction("test")(transaction)))
      yield* inside.await
      yield* sql`INSERT INTO seen VALUES (2)`
      yield* fiber
      assert.deepStrictEqual(yield* sql`SELECT n FROM seen`, [{ n: 2 }])
      yield* sql`DROP TABLE seen`
    })
  )

  it.effect("nests, and takes back only the inner part", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const database = yield* Database
      yield* sql`CREATE TABLE IF NOT EXISTS nested (n integer)`
      const inner = Effect.zipRight(sql`INSERT INTO nested VALUES (2)`, Effect.fail("inner"))
      yield* database.transaction("test")(
        Effect.zipRight(sql`INSERT INTO nested VALUES (1)`, Effect.either(sql.withTransaction(inner)))
      )
      assert.deepStrictEqual(yield* sql`SELECT n FROM nested`, [{ n: 1 }])
      yield* sql`DROP TABLE nested`
    })
  )

  it.effect("says whose fault it is", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const faultOf = (statement: string) => Effect.flip(sql.unsafe(statement))
      const division = yield* faultOf("SELECT 1 / 0")
      assert.deepStrictEqual([sqlState(division), isDataFault(division)], ["22012", true])
      const syntax = yield* faultOf("SELECT FROM WHERE")
      assert.deepStrictEqual([sqlState(syntax), isDataFault(syntax)], ["42601", false])
      assert.isFalse(isConnectionFault(division))
      assert.isFalse(isConnectionFault(syntax))
      assert.isTrue(isConnectionFault(new SqlError({ cause: new Error("ECONNRESET") })))
      const database = yield* Database
      yield* Effect.flip(database.query("test")(sql`SELECT 1 / 0`))
      assert.strictEqual((yield* database.status).state, "up")
    })
  )

  it.effect("copies what does not fit as a data fault", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const sink = yield* CopySink
      const copy = new PgCopy()
      copy.row(1)
      copy.text("a\0b")
      const fault = yield* Effect.flip(database.transaction("test")(sink.copy("markets (id)", copy.finish())))
      assert.isTrue(isDataFault(fault))
    })
  )

  it.effect("times what it is asked", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const database = yield* Database
      yield* database.query("timed")(sql`SELECT 1`)
      const states = yield* Metric.snapshot
      const entry = states.find(
        ({ metricKey }) =>
          metricKey.name === "parallax_database_query_seconds" &&
          metricKey.tags.some(({ key, value }) => key === "operation" && value === "timed")
      )
      assert.isDefined(entry)
    })
  )
}

/** A database without tables. */
export const emptied = Effect.flatMap(
  SqlClient,
  (sql) => sql.unsafe("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unprepared
)

/** On one connection, so that temporary tables are there; nothing of it stays. */
const single = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Database, (database) =>
    database.transaction("test")(Effect.flatMap(Effect.exit(effect), (exit) => Effect.fail(exit)))
  ).pipe(
    Effect.flip,
    Effect.flatMap((exit) => (exit instanceof SqlError ? Effect.die(exit) : exit))
  )
