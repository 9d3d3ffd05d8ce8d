/**
 * Rows that wait to be written: a queue that knows what its rows weigh, which record of the tape each belongs to, and
 * what it had to drop.
 */
import { type Coverage, none } from "./Coverage.ts"
import type { Overflow } from "./Losses.ts"
import { type Row, venueOfRow, weight } from "./Rows.ts"

/** What holds after the last row of a record. */
export interface Mark {
  /** The record within its run; 0 where nothing is recorded. */
  readonly ordinal: number
  readonly coverage: Coverage
}

/** Rows that were taken out together. */
export interface Taken {
  readonly rows: ReadonlyArray<Row>
  /** The last record whose rows are all in these or before them; `null` when it was passed before. */
  readonly position: number | null
  /** The record of the last row. */
  readonly upTo: number
  /** As of that record. */
  readonly coverage: Coverage
}

interface Stretch {
  /** How many rows were pushed before it, and up to its end. */
  readonly start: number
  readonly end: number
  readonly mark: Mark
}

/** Records with so few rows are told apart no further: nobody needs a position to the row. */
const STRETCH_ROWS = 16

export class RowBuffer {
  private rows: Array<Row | undefined> = []
  /** Beside the rows, which are of many shapes: looked through without touching them. */
  private weights: Array<number> = []
  private head = 0
  private waiting = 0
  private held = 0
  private pushed = 0
  private readonly stretches: Array<Stretch> = []
  private passed: Mark = { ordinal: 0, coverage: none }
  private losses = new Map<string, Overflow>()
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

  /** What waits and what was taken, as a share of what there is room for. */
  get fullness(): number {
    return (this.waiting + this.held) / this.capacity
  }

  /** Whether rows of this weight may come, up to a share of the room. Whatever they weigh, they may when it is empty. */
  fits(weight: number, share = 1): boolean {
    const load = this.waiting + this.held
    return load === 0 || load + weight <= this.capacity * share
  }

  /** Appends the rows of one record, or of several up to that of the mark. */
  push(rows: ReadonlyArray<Row>, mark: Mark): void {
    const before = this.pushed
    for (const row of rows) {
      const load = weight(row)
      this.rows.push(row)
      this.weights.push(load)
      this.waiting += load
    }
    this.pushed += rows.length
    const last = this.stretches.at(-1)
    if (last !== undefined && (last.end === this.pushed || this.pushed - last.start <= STRETCH_ROWS)) {
      this.stretches[this.stretches.length - 1] = { start: last.start, end: this.pushed, mark }
    } else this.stretches.push({ start: before, end: this.pushed, mark })
  }

  /** Drops the oldest rows that there is no room for. Gives their number. */
  trim(): number {
    let dropped = 0
    while (this.waiting + this.held > this.capacity && this.size > 0) {
      const row = this.rows[this.head]!
      this.remove(1, this.weights[this.head]!)
      this.lose(row)
      dropped++
    }
    return dropped
  }

  /** Takes the oldest rows, up to a weight, at least one. They count as held until {@link settle}. */
  take(limit: number): Taken {
    let [count, load] = [0, 0]
    for (; count < this.size; count++) {
      const more = this.weights[this.head + count]!
      if (count > 0 && this.held + load + more > limit) break
      load += more
    }
    const rows = this.rows.slice(this.head, this.head + count) as Array<Row>
    this.remove(count, load)
    this.held += load
    const position = this.pass()
    const broken = this.stretches[0]
    const isBroken = broken !== undefined && broken.start < this.pushed - this.size
    const { coverage, ordinal } = isBroken ? broken.mark : this.passed
    return { rows, position, upTo: ordinal, coverage }
  }

  /** What was taken is no longer held. */
  settle(): void {
    this.held = 0
  }

  /** What was dropped since the last call, by venue. */
  takeLosses(): ReadonlyArray<Overflow> {
    const losses = [...this.losses.values()]
    this.losses = new Map()
    return losses
  }

  /** Leaves the records behind whose rows are out. Gives the last of them. */
  private pass(): number | null {
    const gone = this.pushed - this.size
    const kept = this.stretches.findIndex(({ end }) => end > gone)
    const last = this.stretches.splice(0, kept < 0 ? this.stretches.length : kept).at(-1)
    if (last === undefined) return null
    this.passed = last.mark
    return last.mark.ordinal
  }

  /** Removes the oldest rows. */
  private remove(count: number, load: number): void {
    this.waiting -= load
    if (count === this.size) {
      this.rows = []
      this.weights = []
      this.head = 0
      return
    }
    this.rows.fill(undefined, this.head, this.head + count)
    this.head += count
    if (this.head > 1024 && this.head * 2 > this.rows.length) {
      this.rows = this.rows.slice(this.head)
      this.weights = this.weights.slice(this.head)
      this.head = 0
    }
  }

  private lose(row: Row): void {
    const venue = venueOfRow(row)
    const time = row.receivedTime
    const loss = this.losses.get(venue) ?? { from: time, to: time, rows: 0 }
    this.losses.set(venue, {
      venue,
      from: Math.min(loss.from, time),
      to: Math.max(loss.to, time),
      rows: loss.rows + 1,
      sequence: row.sequence
    })
  }
}
