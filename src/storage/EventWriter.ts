/**
 * Stores what flows on the bus, each event once. The bus is never kept waiting: events become rows in bounded memory at
 * once, and these are written in batches. Where inputs are recorded, the position on the tape lies in the same
 * transaction as the rows, and what there is no room for, or what a killed process left undone, is derived from the tape
 * again. Where they are not, the oldest rows go when memory is full, and the loss is recorded as an `overflow`.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Clock, Context, Effect, Fiber, Layer, type Scope } from "effect"
import { Bus } from "../bus/Bus.ts"
import { Deriver } from "../tape/Deriver.ts"
import { Tape } from "../tape/Tape.ts"
import { TapeReader } from "../tape/TapeReader.ts"
import * as Attempts from "./Attempts.ts"
import { BatchSize } from "./BatchSize.ts"
import { catchUp } from "./CatchUp.ts"
import type { CopySink } from "./CopySink.ts"
import * as Coverage from "./Coverage.ts"
import type { Database, DatabaseConfig } from "./Database.ts"
import * as FlushLoop from "./FlushLoop.ts"
import * as FlushTransaction from "./FlushTransaction.ts"
import { LiveRows } from "./LiveRows.ts"
import { Outbox } from "./Outbox.ts"
import { recover } from "./Recovery.ts"
import { RowLedger } from "./RowLedger.ts"
import type { Table } from "./Rows.ts"
import type { Recording } from "./TapeRows.ts"

export type EventWriterConfig = Pick<DatabaseConfig, "batch_rows" | "batch_age_ms" | "buffer_rows">

/**
 * `live`: rows go to the database as they come. `behind`: there was no room for some, which are still to be derived from
 * the tape. `recovering`: what earlier runs left on the tape goes first.
 */
export type EventWriterMode = "live" | "behind" | "recovering"

export interface EventWriterStatus {
  readonly mode: EventWriterMode
  /** The record of this run up to which everything is stored, or lost; `null` when nothing is recorded. */
  readonly position: number | null
  /** Records that came after it. */
  readonly lag: number
  /** Rows that this process added, by table. A row that was there already does not count. */
  readonly stored: Readonly<Record<Table, number>>
  /** Rows in memory that are not known to be stored. */
  readonly buffered: number
  /** How many batches they make. */
  readonly batches: number
  /** Rows dropped for want of memory, gone from the tape, or refused by the database. */
  readonly lost: number
  /** The last batch that was stored: when, how long that took, and its rows. */
  readonly lastFlush: Attempts.Flush | null
  /** Why rows wait; `null` when the last batch was stored. */
  readonly error: string | null
  /** Whether no waiting mends that: a table or a column is not there, or not open to us. */
  readonly errorLasts: boolean
}

/** How long the writer tries to store what it holds when the program ends. */
const CLOSE_LIMIT = "10 seconds"

/** How many usual batches a transaction may grow to while the database is slow. */
const GROWTH = 10

export class EventWriter extends Context.Tag("parallax/storage/EventWriter")<
  EventWriter,
  {
    readonly status: Effect.Effect<EventWriterStatus>
    /** Waits until everything published so far is stored, or lost. */
    readonly flush: Effect.Effect<void>
  }
>() {
  /**
   * Where nothing is recorded. Subscribes when it is built, before any producer that is built on it, and stores the rest
   * when it is closed.
   */
  static readonly layer = (
    config: EventWriterConfig
  ): Layer.Layer<EventWriter, never, Bus | Database | SqlClient | CopySink> =>
    Layer.scoped(
      EventWriter,
      Effect.flatMap(FlushTransaction.make, (store) => make(config, store))
    )

  /** The same over a tape, if it is one: whoever appends an input publishes what follows before the writer is closed. */
  static readonly layerTaped = (
    config: EventWriterConfig
  ): Layer.Layer<EventWriter, never, Bus | Database | SqlClient | CopySink | Tape | TapeReader | Deriver> =>
    Layer.scoped(
      EventWriter,
      Effect.gen(function* () {
        const store = yield* FlushTransaction.make
        const tape = yield* Tape
        const recording = { tape, reader: yield* TapeReader, deriver: yield* Deriver }
        return yield* make(config, store, tape.directory === null ? undefined : recording)
      })
    )
}

/** A writer to any store of rows, over a tape if there is one. */
export const make = (
  config: EventWriterConfig,
  store: FlushTransaction.RowStore,
  recording?: Recording & { readonly tape: Tape["Type"] }
): Effect.Effect<Context.Tag.Service<EventWriter>, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const startedAt = yield* Clock.currentTimeMillis
    const tape = recording?.tape
    const ledger = new RowLedger()
    const outbox = new Outbox({ ledger, capacity: config.buffer_rows, batch: config.batch_rows })
    const size = new BatchSize(config.batch_rows, Math.min(config.batch_rows * GROWTH, config.buffer_rows >>> 1))
    const behind = yield* Effect.makeLatch(false)
    const live = new LiveRows({
      outbox,
      ledger,
      capacity: config.buffer_rows,
      tape,
      onBehind: () => behind.unsafeOpen()
    })
    const state = {
      lastFlush: null as Attempts.Flush | null,
      recovering: recording !== undefined,
      closing: false
    }
    const attempts = Attempts.make(ledger, size)
    const transaction = store.run({ tape: tape?.run ?? null, startedAt })
    const storeBatch = attempts.storeIn(transaction)

    const write = Effect.gen(function* () {
      yield* store.ready
      if (recording !== undefined) yield* recover({ ...recording, ...attempts, store, ledger, size })
      state.recovering = false
      yield* storeBatch({ rows: [], position: null, coverage: Coverage.none })
      yield* FlushLoop.run({
        outbox,
        limit: () => size.limit,
        age: config.batch_age_ms,
        store: storeBatch,
        // What the disk refuses need not be waited for: it is better stored than not at all.
        recorded: (ordinal) => (tape === undefined || tape.written() >= ordinal ? Effect.void : tape.flush),
        onFlush: (flush) => {
          state.lastFlush = flush
        },
        isClosing: () => state.closing,
        isComplete: () => live.isWhole
      })
    })

    yield* bus.listen("the writer of rows", (batch) => {
      const [fault] = live.add(batch)
      if (fault !== undefined) throw fault
    })
    if (recording !== undefined) {
      const portion = Math.min(config.batch_rows, config.buffer_rows >>> 3)
      const catchingUp = catchUp({ ...recording, live, outbox, ledger, portion })
      yield* behind.await.pipe(
        Effect.zipRight(behind.close),
        Effect.zipRight(Effect.logWarning("there is no room for more rows; they wait on the tape")),
        Effect.zipRight(catchingUp),
        Effect.forever,
        Effect.forkScoped
      )
    }
    const writer = yield* Effect.forkScoped(write)

    const close = Effect.gen(function* () {
      const end = tape?.last() ?? null
      state.closing = true
      outbox.hurry()
      const rest = Effect.gen(function* () {
        yield* Fiber.join(writer)
        if (end !== null) yield* storeBatch({ rows: [], position: end, coverage: Coverage.none })
        yield* transaction.end
        if (tape !== undefined && end !== null) yield* tape.noteStored(end)
      })
      const done = yield* rest.pipe(
        Effect.disconnect,
        // Inside the time limit, where a fiber of its own runs: outside it, an interrupted program would end here.
        Effect.interruptible,
        Effect.timeout(CLOSE_LIMIT),
        Effect.isSuccess
      )
      if (done) return
      yield* Fiber.interruptFork(writer)
      const why = attempts.error() ?? "out of time"
      if (tape === undefined) yield* Effect.logError(`${outbox.size} rows were not stored: ${why}`)
      else yield* Effect.logWarning(`the tape keeps what was not stored for the next start: ${why}`)
    })
    yield* Effect.addFinalizer(() => close)

    return {
      status: Effect.sync(() => ({
        mode: state.recovering ? "recovering" : live.isWhole ? "live" : "behind",
        position: tape === undefined ? null : ledger.position,
        lag: live.last - ledger.position,
        stored: ledger.stored,
        buffered: outbox.size + live.aside,
        batches: (outbox.size > outbox.waiting ? 1 : 0) + Math.ceil(outbox.load / config.batch_rows),
        lost: ledger.lost,
        lastFlush: state.lastFlush,
        error: attempts.error(),
        errorLasts: attempts.errorLasts()
      })),
      flush: Effect.suspend(() => {
        outbox.hurry()
        return ledger.settlement(live.last)
      })
    }
  })
