/** The rows of this run that wait for the database, with those who wait for them: for some to come, for enough, for room. */
import { Effect, Metric } from "effect"
import { overflowRow } from "./Losses.ts"
import { type Mark, RowBuffer, type Taken } from "./RowBuffer.ts"
import type { RowLedger } from "./RowLedger.ts"
import type { Row } from "./Rows.ts"

const rowsBuffered = Metric.gauge("parallax_rows_buffered", { description: "Rows in memory that are not stored yet" })

export interface OutboxOptions {
  readonly ledger: RowLedger
  /** Rows in memory at most, by weight. */
  readonly capacity: number
  /** Rows that are worth a transaction. */
  readonly batch: number
}

export class Outbox {
  private readonly buffer: RowBuffer
  private readonly ledger: RowLedger
  private readonly batch: number
  private readonly some = Effect.unsafeMakeLatch(false)
  private readonly enough = Effect.unsafeMakeLatch(false)
  private readonly settled = Effect.unsafeMakeLatch(false)
  private inFlight = 0
  private position: number | null = null
  /** The last record that was put in; there is nothing of it any more when the buffer is empty. */
  private last = 0

  constructor({ batch, capacity, ledger }: OutboxOptions) {
    this.buffer = new RowBuffer(capacity)
    this.ledger = ledger
    this.batch = batch
  }

  /** Rows that are not known to be stored. */
  get size(): number {
    return this.buffer.size + this.inFlight
  }

  /** Those of them that are not being written. */
  get waiting(): number {
    return this.buffer.size
  }

  /** What these weigh. */
  get load(): number {
    return this.buffer.load
  }

  get fullness(): number {
    return this.buffer.fullness
  }

  get isIdle(): boolean {
    return this.size === 0
  }

  /** There is a reason to write now. */
  get isDue(): boolean {
    return this.load >= this.batch || (this.ledger.isAwaited && this.buffer.size > 0)
  }

  fits(rows: number, share?: number): boolean {
    return this.buffer.fits(rows, share)
  }

  /** Adds the rows of a record, which may be none. */
  put(rows: ReadonlyArray<Row>, mark: Mark): void {
    this.buffer.push(rows, mark)
    this.last = Math.max(this.last, mark.ordinal)
    this.ledger.receive(rows.length)
    this.note()
    if (rows.length > 0) this.some.unsafeOpen()
    if (this.load >= this.batch) this.enough.unsafeOpen()
  }

  /** Adds rows for which the oldest must go when there is no room. */
  force(rows: ReadonlyArray<Row>, mark: Mark): void {
    this.put(rows, mark)
    this.ledger.lose(this.buffer.trim())
  }

  /** The oldest rows, up to a weight, and with them word of what was dropped. */
  take(limit: number): Taken {
    const taken = this.buffer.take(limit)
    const losses = this.buffer.takeLosses().map(overflowRow)
    this.ledger.receive(losses.length)
    this.inFlight = taken.rows.length + losses.length
    this.position = taken.position
    return losses.length === 0 ? taken : { ...taken, rows: [...losses, ...taken.rows] }
  }

  /** What was taken is stored, or lost. */
  settle(): void {
    this.buffer.settle()
    this.inFlight = 0
    if (this.position !== null) this.ledger.reach(this.position)
    this.settled.unsafeOpen()
    this.note()
  }

  /** Waits until there are rows, and until they are enough or old enough. */
  due(age: number): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      yield* this.some.await
      yield* Effect.raceFirst(this.enough.await, Effect.sleep(age))
      yield* this.enough.close
    })
  }

  /** Whoever writes need not wait for more. */
  hurry(): void {
    this.some.unsafeOpen()
    this.enough.unsafeOpen()
  }

  /** There is nothing to write, until there is. */
  rest(): void {
    if (this.buffer.size === 0) this.some.unsafeClose()
  }

  /** Waits until something holds that may hold once rows are stored. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (condition()) return Effect.void
      this.settled.unsafeClose()
      return Effect.zipRight(this.settled.await, this.until(condition))
    })
  }

  private note(): void {
    rowsBuffered.unsafeUpdate(this.size, [])
    if (this.isIdle) this.ledger.reach(this.last)
  }
}
