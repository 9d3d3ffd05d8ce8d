/** What the event writer must do over every database. */
import { assert, type Vitest } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Clock, Effect, Exit, Fiber, type Scope, TestClock, TestServices } from "effect"
import { InstrumentId, VenueId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import { MarketStore } from "../../src/storage/MarketStore.ts"
import { CopySink } from "../../src/storage/CopySink.ts"
import type { Sql } from "../../src/storage/Sql.ts"
import * as SqlMarketStore from "../../src/storage/SqlMarketStore.ts"
import { clear } from "./Databases.ts"
import * as Events from "./Events.ts"
import * as Harness from "./WriterHarness.ts"

const { change, connected, disconnected, epoch, gap, instrument, level, other, quotes, size, snapshot, status, trade } =
  Events

const count = (table: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`, ([row]) => row?.n)
  )
const at = (time: number) => new Date(time)
const gaps = Effect.flatMap(
  SqlClient,
  (sql) => sql`SELECT venue, from_time, to_time, reason FROM feed_events WHERE kind = 'gap' ORDER BY venue, from_time`
)
/** Changes that differ, a millisecond apart. */
const changes = (amount: number, from = 0, id: InstrumentId = instrument) =>
  Array.from({ length: amount }, (_, i) =>
    change({ instrumentId: id, venueTime: epoch + from + i, receivedTime: epoch + from + i + 5 })
  )

export const eventWriterSuite = (it: Vitest.MethodsNonLive<Sql>): void => {
  const test = (name: string, body: Effect.Effect<void, unknown, Sql | Scope.Scope>) =>
    it.scoped(`writer: ${name}`, () => Effect.zipRight(clear, body))

  test(
    "stores ticks exactly, under the names of their instruments",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start()
      yield* writer.publish(snapshot(), change({ bestBid: Events.price("0.41"), bestAsk: -1, hash: "abc" }))
      yield* writer.publish(trade(), quotes())
      yield* writer.flush
      assert.deepStrictEqual(
        yield* sql`SELECT instrument_id, venue_time, received_time, source, hash, bid_prices, bid_sizes, ask_prices,
          ask_sizes FROM book_snapshots_view`,
        [
          {
            instrument_id: instrument,
            venue_time: at(epoch),
            received_time: at(epoch + 40),
            source: "socket",
            hash: "5e0ee4e6",
            bid_prices: ["0.41", "0.4"],
            bid_sizes: ["270", "12.5"],
            ask_prices: ["0.42", "0.43"],
            ask_sizes: ["0.000001", "1363.56"]
          }
        ]
      )
      assert.deepStrictEqual(
        yield* sql`SELECT instrument_id, side, price, size, best_bid, best_ask, hash FROM book_changes_view`,
        [
          {
            instrument_id: instrument,
            side: "bid",
            price: "0.41",
            size: "100",
            best_bid: "0.41",
            best_ask: null,
            hash: "abc"
          }
        ]
      )
      assert.deepStrictEqual(yield* sql`SELECT price, size, taker_side, trade_id FROM trades_view`, [
        { price: "0.42", size: "5", taker_side: "buy", trade_id: "0xfeed" }
      ])
      assert.deepStrictEqual(yield* sql`SELECT bid, bid_size, ask, ask_size FROM best_quotes_view`, [
        { bid: "0.41", bid_size: "270", ask: null, ask_size: "0" }
      ])
    })
  )

  test(
    "stores what happened to the feed",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start()
      yield* writer.publish(
        connected(),
        snapshot(),
        status({ status: "live" }),
        disconnected({ receivedTime: epoch + 1000 }),
        status({ status: "stale", reason: "closed: 1006", receivedTime: epoch + 1000 }),
        gap({ from: epoch + 1000, to: epoch + 3000 }),
        status({ status: "live", receivedTime: epoch + 3000 })
      )
      yield* writer.flush
      assert.deepStrictEqual(
        yield* sql`SELECT kind, instrument_id, from_time, to_time, reason FROM feed_events_view ORDER BY position`,
        [
          { kind: "connected", instrument_id: null, from_time: at(epoch), to_time: null, reason: "polymarket-1" },
          {
            kind: "disconnected",
            instrument_id: null,
            from_time: at(epoch + 1000),
            to_time: null,
            reason: "closed: 1006"
          },
          {
            kind: "stale",
            instrument_id: instrument,
            from_time: at(epoch + 1000),
            to_time: null,
            reason: "closed: 1006"
          },
          {
            kind: "gap",
            instrument_id: instrument,
            from_time: at(epoch + 1000),
            to_time: at(epoch + 3000),
            reason: "closed: 1006"
          },
          {
            kind: "live",
            instrument_id: instrument,
            from_time: at(epoch + 1000),
            to_time: at(epoch + 3000),
            reason: "closed: 1006"
          }
        ]
      )
    })
  )

  test(
    "changes nothing when messages come again, from the venue or to another process",
    Effect.gen(function* () {
      const events = [snapshot(), ...changes(50), trade(), quotes(), gap(), connected(), disconnected()]
      const tables = ["book_snapshots", "book_changes", "trades", "best_quotes", "feed_events"]
      const first = yield* Harness.start()
      yield* first.publish(...events)
      yield* first.publish(...events)
      yield* first.flush
      const before = yield* Effect.forEach(tables, count)
      assert.deepStrictEqual(before, [1, 50, 1, 1, 3])
      const second = yield* Harness.start()
      yield* second.publish(...events)
      yield* second.flush
      const { stored } = yield* second.status
      assert.deepStrictEqual(stored, {
        book_snapshots: 0,
        book_changes: 0,
        trades: 0,
        best_quotes: 0,
        // What the second found between the first and itself.
        feed_events: 0
      })
      yield* first.close
    })
  )

  test(
    "changes nothing when a message comes again after batches that were all new, and stores what came with it",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      const publish = (...events: ReadonlyArray<MarketEvent>) =>
        Effect.zipRight(writer.publish(...events), writer.flush)
      yield* publish(...changes(20))
      yield* publish(...changes(20, 20), quotes())
      yield* publish(snapshot(), ...changes(30, 30), quotes(), quotes({ venueTime: epoch + 1 }))
      yield* publish(...changes(5, 60), ...changes(5, 60))
      yield* publish(...changes(10, 65))
      const { lost, stored } = yield* writer.status
      assert.deepInclude(stored, { book_changes: 75, best_quotes: 2, book_snapshots: 1 })
      assert.strictEqual(lost, 0)
      assert.strictEqual(yield* count("book_changes"), 75)
    })
  )

  test(
    "only adds rows while the batch before was committed and new, and looks first when it was not",
    Effect.gen(function* () {
      const sink = yield* CopySink
      const ways: Array<string> = []
      const watched: typeof sink = {
        copy: (target, bytes) => {
          ways.push(target.slice(0, target.indexOf(" ")))
          return sink.copy(target, bytes)
        }
      }
      const fates: Array<Harness.Weather> = []
      const writer = yield* Harness.under(() => fates.shift() ?? "fair")(Harness.start()).pipe(
        Effect.provideService(CopySink, watched)
      )
      const waysOf = (...events: ReadonlyArray<MarketEvent>) =>
        Effect.gen(function* () {
          ways.length = 0
          yield* writer.publish(...events)
          yield* writer.flush
          return ways.join(" ")
        })
      const [added, looked] = ["book_changes", "staged_book_changes"]
      assert.strictEqual(yield* waysOf(...changes(3)), looked)
      assert.strictEqual(yield* waysOf(...changes(3, 3)), added)
      assert.strictEqual(yield* waysOf(snapshot(), ...changes(3, 6)), `staged_book_snapshots ${added}`)
      assert.strictEqual(yield* waysOf(...changes(3, 8)), `${added} ${looked}`)
      assert.strictEqual(yield* waysOf(...changes(3, 11)), looked)
      assert.strictEqual(yield* waysOf(...changes(3, 14)), added)
      fates.push("unconfirmed")
      assert.strictEqual(yield* waysOf(...changes(3, 17)), `${added} ${looked}`)
      assert.strictEqual(yield* waysOf(...changes(3, 20)), looked)
      fates.push("away")
      assert.strictEqual(yield* waysOf(...changes(3, 23)), looked)
      assert.strictEqual(yield* waysOf(...changes(3, 26)), added)
      assert.strictEqual(yield* count("book_changes"), 29)
    }).pipe(TestServices.provideLive)
  )

  test(
    "writes a full batch at once",
    Effect.gen(function* () {
      const writer = yield* Harness.start({ batch_rows: 10 })
      yield* writer.publish(...changes(25))
      yield* Harness.until(Effect.map(writer.status, ({ buffered }) => buffered === 5))
      assert.strictEqual(yield* count("book_changes"), 20)
    })
  )

  test(
    "writes a row that is old enough",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      yield* Harness.until(Effect.map(count("runs"), (runs) => runs === 1))
      yield* writer.publish(change())
      yield* Harness.until(Effect.map(writer.status, ({ buffered }) => buffered === 1))
      yield* TestClock.adjust("249 millis")
      yield* TestServices.provideLive(Effect.sleep("50 millis"))
      assert.strictEqual(yield* count("book_changes"), 0)
      yield* TestClock.adjust("1 millis")
      yield* Harness.until(Effect.map(count("book_changes"), (rows) => rows === 1))
    })
  )

  test(
    "writes all that was published when it is closed, and says that it ended",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start({ batch_rows: 100 })
      for (let i = 0; i < 100; i++) yield* writer.publish(...changes(37, i * 37))
      yield* writer.close
      assert.strictEqual(yield* count("book_changes"), 3700)
      const now = at(yield* Clock.currentTimeMillis)
      assert.deepStrictEqual(yield* sql`SELECT ended_at, last_event_at FROM runs`, [
        { ended_at: now, last_event_at: at(epoch + 3699 + 5) }
      ])
    })
  )

  test(
    "does so when its program is interrupted, as by a signal",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const published = yield* Effect.makeLatch()
      const program = yield* Harness.start().pipe(
        Effect.flatMap((writer) => writer.publish(...changes(12_000))),
        Effect.zipRight(published.open),
        Effect.zipRight(Effect.never),
        Effect.scoped,
        Effect.fork
      )
      yield* published.await
      yield* Fiber.interrupt(program)
      assert.strictEqual(yield* count("book_changes"), 12_000)
      assert.lengthOf(yield* sql`SELECT FROM runs WHERE ended_at IS NOT NULL`, 1)
    })
  )

  test(
    "writes at once, over several batches, when it is asked to",
    Effect.gen(function* () {
      const writer = yield* Harness.start({ batch_rows: 100 })
      yield* writer.publish(...changes(250))
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes"), 250)
    })
  )

  test(
    "numbers rows in the order they came, over tables and runs, even when the clock went back",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const now = (yield* Clock.currentTimeMillis) + 2000
      yield* TestClock.setTime(now)
      const first = yield* Harness.start()
      yield* first.publish(change(), trade(), quotes())
      yield* first.close
      yield* TestClock.setTime(now - 1000)
      const second = yield* Harness.start()
      yield* second.publish(snapshot({ venueTime: epoch + 1 }), change({ venueTime: epoch + 2 }))
      yield* second.flush
      const rows = yield* sql<{ readonly t: string; readonly position: string }>`
        SELECT 'change' AS t, position FROM book_changes UNION ALL SELECT 'trade', position FROM trades
        UNION ALL SELECT 'quote', position FROM best_quotes UNION ALL SELECT 'snapshot', position FROM book_snapshots
        ORDER BY position`
      assert.deepStrictEqual(
        rows.map(({ t }) => t),
        ["change", "trade", "quote", "snapshot", "change"]
      )
      assert.strictEqual(Number(rows[0]?.position), now * 1000 + 1)
      assert.strictEqual(new Set(rows.map(({ position }) => position)).size, 5)
    })
  )

  test(
    "stores ticks of an instrument before its market is known, and keeps its number afterwards",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start()
      const id = InstrumentId.make("kalshi:KXA:B-24")
      yield* writer.publish(change({ instrumentId: id }))
      yield* writer.flush
      const numberOf = sql`SELECT no, venue, venue_instrument_id, name, market_id FROM outcomes`
      const [before] = yield* numberOf
      assert.deepInclude(before, { venue: "kalshi", venue_instrument_id: "KXA:B-24", name: "", market_id: null })
      const market = Events.listed(VenueId.make("kalshi"), "KXA:B", id)
      yield* Effect.provide(
        Effect.flatMap(MarketStore, (store) => store.save([market])),
        SqlMarketStore.layer
      )
      const [after] = yield* numberOf
      assert.deepInclude(after, { no: before?.["no"], name: "Yes", market_id: market.id })
      yield* writer.publish(change({ instrumentId: id, venueTime: epoch + 1 }))
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes_view"), 2)
    })
  )

  test(
    "leaves out a row that the database refuses, and says where",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const writer = yield* Harness.start()
      yield* writer.publish(...changes(300))
      yield* writer.publish(trade({ tradeId: "a\0b", receivedTime: epoch + 77 }), trade())
      yield* writer.publish(change({ venueTime: Number.NaN }), ...changes(300, 1000))
      yield* writer.flush
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes"), 600)
      assert.strictEqual(yield* count("trades"), 1)
      assert.strictEqual((yield* writer.status).lost, 2)
      const rows = yield* sql<{ readonly instrument_id: string; readonly lost: string; readonly reason: string }>`
        SELECT instrument_id, lost, reason FROM feed_events_view WHERE kind = 'gap' ORDER BY position`
      assert.deepStrictEqual(
        rows.map((row) => [row.instrument_id, row.lost, row.reason.slice(0, row.reason.indexOf(":"))]),
        [
          [instrument, "1", "a row of trades was refused"],
          [instrument, "1", "a row of book_changes was refused"]
        ]
      )
    })
  )

  test(
    "loses nothing while the database is away for as long as memory lasts",
    Effect.gen(function* () {
      let weather: Harness.Weather = "away"
      const writer = yield* Harness.under(() => weather)(Harness.start({ batch_rows: 100 }))
      for (let i = 0; i < 20; i++) yield* writer.publish(...changes(100, i * 100))
      yield* Harness.until(Effect.map(writer.status, ({ buffered, error }) => buffered === 2000 && error !== null))
      weather = "fair"
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes"), 2000)
      assert.deepInclude(yield* writer.status, { buffered: 0, lost: 0, error: null })
    }).pipe(TestServices.provideLive)
  )

  test(
    "drops the oldest when memory is full, and records what",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      let weather: Harness.Weather = "away"
      const writer = yield* Harness.under(() => weather)(Harness.start({ batch_rows: 10, buffer_rows: 100 }))
      yield* Harness.until(Effect.map(writer.status, ({ error }) => error !== null))
      yield* writer.publish(...changes(80))
      yield* writer.publish(...changes(80, 80, InstrumentId.make("kalshi:A")))
      yield* Harness.until(Effect.map(writer.status, ({ lost }) => lost === 60))
      assert.strictEqual((yield* writer.status).buffered, 100)
      weather = "fair"
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes"), 100)
      assert.deepStrictEqual(
        yield* sql`SELECT venue, from_time, to_time, lost FROM feed_events WHERE kind = 'overflow'`,
        [{ venue: "polymarket", from_time: at(epoch + 5), to_time: at(epoch + 64), lost: "60" }]
      )
    }).pipe(TestServices.provideLive)
  )

  test(
    "neither loses nor doubles what was committed without confirmation",
    Effect.gen(function* () {
      const fates: Array<Harness.Weather> = ["fair", "unconfirmed", "away", "unconfirmed"]
      const writer = yield* Harness.under(() => fates.shift() ?? "fair")(Harness.start())
      yield* writer.publish(snapshot(), ...changes(100), trade(), quotes(), gap())
      yield* writer.flush
      yield* writer.publish(...changes(10, 100, other))
      yield* writer.flush
      assert.strictEqual(yield* count("book_changes_view"), 110)
      assert.strictEqual(yield* count("book_snapshots"), 1)
      assert.strictEqual(yield* count("feed_events"), 1)
      assert.strictEqual(yield* count("outcomes"), 2)
      assert.strictEqual(yield* count("runs"), 1)
    }).pipe(TestServices.provideLive)
  )

  test(
    "records from when to when no process was there, venue by venue",
    Effect.gen(function* () {
      const kalshi = InstrumentId.make("kalshi:A")
      const killed = yield* Harness.start()
      yield* killed.publish(snapshot(), snapshot({ instrumentId: kalshi }), change({ receivedTime: epoch + 5000 }))
      yield* killed.flush
      const next = yield* Harness.start()
      yield* next.publish(connected({ receivedTime: epoch + 60_000 }))
      yield* next.flush
      assert.deepStrictEqual(yield* gaps, [])
      const [early, late] = [epoch + 60_500, epoch + 60_900]
      yield* next.publish(
        snapshot({ bids: [level("0.1", "1")], receivedTime: early }),
        snapshot({ instrumentId: kalshi, bids: [], receivedTime: late })
      )
      yield* next.flush
      const reason = "the process was killed"
      const afterKill = [
        { venue: "kalshi", from_time: at(epoch + 40), to_time: at(late), reason },
        { venue: "polymarket", from_time: at(epoch + 5000), to_time: at(early), reason }
      ]
      assert.deepStrictEqual(yield* gaps, afterKill)
      yield* next.close
      const last = yield* Harness.start()
      yield* last.publish(snapshot({ asks: [], receivedTime: epoch + 90_000 }))
      yield* last.flush
      assert.deepStrictEqual(yield* gaps, [
        ...afterKill,
        {
          venue: "polymarket",
          from_time: at(early),
          to_time: at(epoch + 90_000),
          reason: "the collector was stopped"
        }
      ])
    })
  )

  test(
    "counts a connection that was down when the process died from when it went down",
    Effect.gen(function* () {
      const killed = yield* Harness.start()
      yield* killed.publish(connected(), connected({ slot: "polymarket-2" }), snapshot())
      yield* killed.publish(disconnected({ receivedTime: epoch + 1000 }))
      yield* killed.publish(change({ instrumentId: other, receivedTime: epoch + 9000 }))
      yield* killed.flush
      const next = yield* Harness.start()
      yield* next.publish(snapshot({ bids: [], receivedTime: epoch + 20_000 }))
      yield* next.flush
      assert.deepStrictEqual(yield* gaps, [
        {
          venue: "polymarket",
          from_time: at(epoch + 1000),
          to_time: at(epoch + 20_000),
          reason: "the process was killed"
        }
      ])
    })
  )

  test(
    "gives up in time when it is closed without a database",
    Effect.gen(function* () {
      const writer = yield* Harness.under(() => "away")(Harness.start())
      yield* writer.publish(change())
      const closing = yield* Effect.fork(writer.close)
      yield* TestServices.provideLive(Effect.sleep("20 millis"))
      yield* TestClock.adjust("11 seconds")
      assert.isTrue(Exit.isSuccess(yield* closing.await))
    })
  )

  test(
    "reports what it did",
    Effect.gen(function* () {
      const writer = yield* Harness.start()
      yield* writer.publish(snapshot(), ...changes(3), trade({ size: size("9") }))
      yield* writer.flush
      const { lastFlush, ...rest } = yield* writer.status
      assert.deepStrictEqual(rest, {
        mode: "live",
        position: null,
        lag: 0,
        stored: { book_snapshots: 1, book_changes: 3, trades: 1, best_quotes: 0, feed_events: 0 },
        buffered: 0,
        batches: 0,
        lost: 0,
        error: null,
        errorLasts: false
      })
      assert.strictEqual(lastFlush?.rows, 5)
    })
  )
}
