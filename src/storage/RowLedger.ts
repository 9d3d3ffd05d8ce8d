/** Accounts for every row that came in: stored, lost, or not yet either. */
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

export class RowLedger {
  private readonly byTable = new Map<Table, number>()
  private readonly waiting = new Set<{ readonly target: number; readonly done: Deferred.Deferred<void> }>()
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

  /** Waits until what came in so far is stored or lost. */
  readonly settlement: Effect.Effect<void> = Effect.suspend(() => {
    if (this.settled >= this.received) return Effect.void
    const wait = { target: this.received, done: Deferred.unsafeMake<void>(FiberId.none) }
    this.waiting.add(wait)
    return Effect.ensuring(
      Deferred.await(wait.done),
      Effect.sync(() => this.waiting.delete(wait))
    )
  })

  private settle(rows: number): void {
    this.settled += rows
    for (const { target, done } of this.waiting) {
      if (this.settled >= target) Deferred.unsafeDone(done, Effect.void)
    }
  }
}
