/** Rows that wait to be written: a queue that never holds more than it may, and knows what it had to drop. */
import { type Row, venueOfRow, weight } from "./Rows.ts"

/** Rows of one venue that were dropped before they were written. */
export interface Loss {
  readonly venue: string
  /** When the first and the last of them were received. */
  readonly from: number
  readonly to: number
  readonly rows: number
}

export class RowBuffer {
  private rows: Array<Row | undefined> = []
  private head = 0
  private waiting = 0
  private taken = 0
  private losses = new Map<string, Loss>()
  private readonly capacity: number

  /** `capacity` counts rows by their weight in memory, those taken and not yet settled included. */
  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Rows that wait. */
  get size(): number {
    return this.rows.length - this.head
  }

  /** What they weigh. */
  get load(): number {
    return this.waiting
  }

  /** Appends rows and drops the oldest that no longer fit. Gives the number dropped. */
  push(rows: ReadonlyArray<Row>): number {
    for (const row of rows) {
      this.rows.push(row)
      this.waiting += weight(row)
    }
    let dropped = 0
    while (this.waiting + this.taken > this.capacity && this.size > 0) {
      this.lose(this.shift())
      dropped++
    }
    return dropped
  }

  /** Takes the oldest rows, up to a weight, at least one. They count as held until {@link settle}. */
  take(limit: number): Array<Row> {
    const batch: Array<Row> = []
    while (this.size > 0 && (batch.length === 0 || this.taken + weight(this.rows[this.head]!) <= limit)) {
      const row = this.shift()
      this.taken += weight(row)
      batch.push(row)
    }
    return batch
  }

  /** What was taken is no longer held. */
  settle(): void {
    this.taken = 0
  }

  /** What was dropped since the last call, by venue. */
  takeLosses(): ReadonlyArray<Loss> {
    const losses = [...this.losses.values()]
    this.losses = new Map()
    return losses
  }

  private shift(): Row {
    const row = this.rows[this.head]!
    this.rows[this.head++] = undefined
    this.waiting -= weight(row)
    if (this.head > 1024 && this.head * 2 > this.rows.length) {
      this.rows = this.rows.slice(this.head)
      this.head = 0
    }
    return row
  }

  private lose(row: Row): void {
    const venue = venueOfRow(row)
    const time = row.receivedTime
    const loss = this.losses.get(venue) ?? { venue, from: time, to: time, rows: 0 }
    this.losses.set(venue, {
      venue,
      from: Math.min(loss.from, time),
      to: Math.max(loss.to, time),
      rows: loss.rows + 1
    })
  }
}
