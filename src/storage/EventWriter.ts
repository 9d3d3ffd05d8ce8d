/**
 * Stores what flows on the bus. The bus is never kept waiting: events become rows in a bounded buffer at once, and the
 * buffer is written in batches, by size or age, whichever is first. While the database is away the buffer fills, and
 * when it is full the oldest rows go and the loss is recorded as an `overflow` once there is a database to record it in.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { type Chunk, Clock, Context, Effect, Fiber, Layer, Metric, type Scope, Stream } from "effect"
import { type Batch as EventBatch, Bus } from "../bus/Bus.ts"
import * as BatchStore from "./BatchStore.ts"
import type { CopySink } from "./CopySink.ts"
import { Coverage } from "./Coverage.ts"
import { Database, type DatabaseConfig } from "./Database.ts"
import * as FlushTransaction from "./FlushTransaction.ts"
import { RowBuffer } from "./RowBuffer.ts"
import * as RowMapper from "./RowMapper.ts"
import { RowLedger } from "./RowLedger.ts"
import { type Row, type Table, venueOfRow } from "./Rows.ts"

export type EventWriterConfig = Pick<DatabaseConfig, "batch_rows" | "batch_age_ms" | "buffer_rows">

export interface EventWriterStatus {
  /** Rows that this process added, by table. A row that was there already does not count. */
  readonly stored: Readonly<Record<Table, number>>
  /** Rows in memory that are not known to be stored. */
  readonly buffered: number
  /** How many batches they make. */
  readonly batches: number
  /** Rows dropped for want of memory, or refused by the database. */
  readonly lost: number
  /** The last batch that was stored: when, how long that took, and its rows. */
  readonly lastFlush: { readonly time: number; readonly milliseconds: number; readonly rows: number } | null
  /** Why rows wait; `null` when the last batch was stored. */
  readonly error: string | null
}

/** How long the writer tries to store what it holds when the program ends. */
const CLOSE_LIMIT = "10 seconds"

const rowsBuffered = Metric.gauge("parallax_rows_buffered", { description: "Rows in memory that are not stored yet" })

export class EventWriter extends Context.Tag("parallax/storage/EventWriter")<
  EventWriter,
  {
    readonly status: Effect.Effect<EventWriterStatus>
    /** Waits until everything published so far is stored, or lost. */
    readonly flush: Effect.Effect<void>
  }
>() {
  /** Subscribes when it is built, before any producer that is built on it, and stores the rest when it is closed. */
  static readonly layer = (
    config: EventWriterConfig
  ): Layer.Layer<EventWriter, never, Bus | Database | SqlClient | CopySink> => Layer.scoped(EventWriter, make(config))
}

const make = (
  config: EventWriterConfig
): Effect.Effect<Context.Tag.Service<EventWriter>, never, Bus | Database | SqlClient | CopySink | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const database = yield* Database
    const transaction = yield* FlushTransaction.make
    const mapper = RowMapper.make()
    const coverage = new Coverage()
    const buffer = new RowBuffer(config.buffer_rows)

    const ledger = new RowLedger()
    const state = {
      inFlight: 0,
      error: null as string | null,
      lastFlush: null as EventWriterStatus["lastFlush"],
      batchesSeen: 0,
      closing: false
    }
    const waiting = yield* Effect.makeLatch(false)
    const due = yield* Effect.makeLatch(false)

    const enqueue = (rows: ReadonlyArray<Row>): void => {
      if (rows.length === 0) return
      ledger.receive(rows.length)
      ledger.lose(buffer.push(rows))
      rowsBuffered.unsafeUpdate(buffer.size + state.inFlight, [])
      waiting.unsafeOpen()
      if (buffer.load >= config.batch_rows) due.unsafeOpen()
    }
    /** Gives what it stumbled over, if anything: a fault in one event must not stop the bus. */
    const ingest = (batches: Chunk.Chunk<EventBatch>): unknown => {
      const rows: Array<Row> = []
      let fault: unknown
      for (const batch of batches) {
        state.batchesSeen++
        for (const event of batch.events) {
          try {
            coverage.see(event)
            mapper.map(event, rows)
          } catch (cause) {
            fault = cause
            ledger.receive(1)
            ledger.lose(1)
          }
        }
      }
      enqueue(rows)
      return fault
    }

    const store = BatchStore.make({
      transaction,
      coverage: (rows) => coverage.after(rows),
      onStored: (rows, added) =>
        Effect.sync(() => {
          state.error = null
          ledger.store(rows.length, added)
        }),
      // What is missing is recorded in its place.
      onRefused: (row, why) =>
        Effect.suspend(() => {
          ledger.lose(1)
          const reason = `a row of ${row.table} was refused: ${why}`
          if (row.table !== "feed_events") {
            const { receivedTime, instrumentId } = row
            const about = { venue: venueOfRow(row), connection: "", kind: "gap", instrumentId } as const
            enqueue([
              mapper.feedEvent({ ...about, from: receivedTime, to: receivedTime, receivedTime, lost: 1, reason })
            ])
          }
          return Effect.logError(reason)
        }),
      onDelayed: (why) =>
        Effect.suspend(() => {
          const known = state.error !== null
          state.error = why
          return known ? Effect.void : Effect.logWarning(`rows wait to be stored: ${why}`)
        })
    })

    /** The oldest rows, and with them word of what was dropped. */
    const take = (): ReadonlyArray<Row> => {
      const rows = buffer.take(config.batch_rows)
      const losses = buffer.takeLosses().map(({ venue, from, to, rows: lost }) => {
        const about = { venue, connection: "", kind: "overflow", instrumentId: null } as const
        const reason = "the database was away for longer than memory lasts"
        return mapper.feedEvent({ ...about, from, to, receivedTime: to, lost, reason })
      })
      ledger.receive(losses.length)
      return [...losses, ...rows]
    }
    const flushOne = Effect.gen(function* () {
      const rows = take()
      state.inFlight = rows.length
      const start = yield* Clock.currentTimeMillis
      yield* store(rows)
      const time = yield* Clock.currentTimeMillis
      state.lastFlush = { time, milliseconds: time - start, rows: rows.length }
      state.inFlight = 0
      buffer.settle()
      rowsBuffered.unsafeUpdate(buffer.size, [])
    })
    const isDue = () => buffer.load >= config.batch_rows || ((state.closing || ledger.isAwaited) && buffer.size > 0)
    const write = Effect.gen(function* () {
      yield* database.ready
      yield* store([])
      while (true) {
        yield* waiting.await
        yield* Effect.raceFirst(due.await, Effect.sleep(config.batch_age_ms))
        yield* due.close
        do yield* flushOne
        while (isDue())
        if (state.closing) return
        yield* Effect.sync(() => {
          if (buffer.size === 0 && !state.closing) waiting.unsafeClose()
        })
      }
    })

    /** Lets the ingesting fiber take in what the bus holds for it. */
    const quiet = Effect.gen(function* () {
      let before: number
      do {
        before = state.batchesSeen
        for (let i = 0; i < 10; i++) yield* Effect.yieldNow()
      } while (before !== state.batchesSeen)
    })

    const events = yield* bus.subscribe
    yield* Stream.runForEachChunk(events, (batches) =>
      Effect.suspend(() => {
        const fault = ingest(batches)
        return fault === undefined ? Effect.void : Effect.logError("an event cannot be stored", fault)
      })
    ).pipe(Effect.forkScoped)
    const writer = yield* Effect.forkScoped(write)

    const close = Effect.gen(function* () {
      yield* quiet
      state.closing = true
      yield* waiting.open
      yield* due.open
      const done = yield* Fiber.join(writer).pipe(
        Effect.zipRight(transaction.end),
        Effect.disconnect,
        // Inside the time limit, where a fiber of its own runs: outside it, an interrupted program would end here.
        Effect.interruptible,
        Effect.timeout(CLOSE_LIMIT),
        Effect.isSuccess
      )
      if (done) return
      yield* Fiber.interruptFork(writer)
      yield* Effect.logError(`${buffer.size + state.inFlight} rows were not stored: ${state.error ?? "out of time"}`)
    })
    yield* Effect.addFinalizer(() => close)

    return {
      status: Effect.sync(() => ({
        stored: ledger.stored,
        buffered: buffer.size + state.inFlight,
        batches: (state.inFlight > 0 ? 1 : 0) + Math.ceil(buffer.load / config.batch_rows),
        lost: ledger.lost,
        lastFlush: state.lastFlush,
        error: state.error
      })),
      flush: quiet.pipe(Effect.zipRight(due.open), Effect.zipRight(ledger.settlement))
    }
  })
