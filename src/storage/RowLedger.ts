/** Accounts for every row that came in: stored, lost, or not yet either; and for the records that they follow from. */
import { Deferred, Effect, FiberId, Metric } from "effect"
import type { Stored } from "./FlushTransaction.ts"
import { type Table, tables } from "./Rows.ts"

const rowsStored = Metric.counter("parallax_rows_stored_total", {
  description: "Rows added to the database, by table",
  incremental: true
})
const rowsLost = Metric.counter("parallax_rows_lost_total", {
  description: "Rows dropped for want of memory, or refused by the database",
  incremental: true
})

const storedIn = new Map(tables.map((table) => [table, Metric.tagged(rowsStored, "table", table)]))

/** Somebody waits until so many rows are settled, and a record is reached. */
interface Wait {
  readonly rows: number
  readonly ordinal: number
  readonly done: Deferred.Deferred<void>
}

export class RowLedger {
  private readonly byTable = new Map<Table, number>()
  private readonly waiting = new Set<Wait>()
  private reached = 0
  private received = 0
  private settled = 0
  private dropped = 0

  /** Rows added, by table. A row that was there already does not count. */
  get stored(): Readonly<Record<Table, number>> {
    return Object.fromEntries(tables.map((table) => [table, this.byTable.get(table) ?? 0])) as Record<Table, number>
  }

  get lost(): number {
    return this.dropped
  }

  /** The record of this run up to which every row is stored or lost. */
  get position(): number {
    return this.reached
  }

  /** Somebody waits for a settlement. */
  get isAwaited(): boolean {
    return this.waiting.size > 0
  }

  receive(rows: number): void {
    this.received += rows
  }

  lose(rows: number): void {
    if (rows === 0) return
    this.dropped += rows
    rowsLost.unsafeUpdate(rows, [])
    this.settle(rows)
  }

  /** These rows are in the database, some of them perhaps from before. */
  store(rows: number, added: Stored): void {
    for (const [table, count] of added) {
      this.byTable.set(table, (this.byTable.get(table) ?? 0) + count)
      storedIn.get(table)?.unsafeUpdate(count, [])
    }
    this.settle(rows)
  }

  /** Nothing up to this record is still to be stored. */
  reach(ordinal: number): void {
    if (ordinal <= this.reached) return
    this.reached = ordinal
    this.settle(0)
  }

  /** Waits until what came in so far, up to this record, is stored or lost. */
  settlement(ordinal: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const wait = { rows: this.received, ordinal, done: Deferred.unsafeMake<void>(FiberId.none) }
      if (this.isSettled(wait)) return Effect.void
      this.waiting.add(wait)
      return Effect.ensuring(
        Deferred.await(wait.done),
        Effect.sync(() => this.waiting.delete(wait))
      )
    })
  }

  private isSettled({ ordinal, rows }: Wait): boolean {
    return this.settled >= rows && this.reached >= ordinal
  }

  private settle(rows: number): void {
    this.settled += rows
    for (const wait of this.waiting) if (this.isSettled(wait)) Deferred.unsafeDone(wait.done, Effect.void)
  }
}
