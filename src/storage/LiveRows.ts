/**
 * The rows of what happens now. Every event is mapped as it comes, whether its rows are kept or not, so that what the
 * mapping remembers is always that of the last record. While there is room the rows wait for the database; when there is
 * none, and a tape to read them from again, no more are kept until the database has come so far that they fit.
 */
import type { Batch } from "../bus/Bus.ts"
import type { Coverage } from "./Coverage.ts"
import { Mapping } from "./Mapping.ts"
import type { Outbox } from "./Outbox.ts"
import type { Mark } from "./RowBuffer.ts"
import type { RowLedger } from "./RowLedger.ts"
import { type Row, weightOf } from "./Rows.ts"

/** What is known at a record, without its rows. */
export interface Point {
  readonly ordinal: number
  /** The number of the last row up to it. */
  readonly sequence: number
  readonly coverage: Coverage
  /** When its last event was received. */
  readonly time: number
}

interface Kept {
  readonly rows: ReadonlyArray<Row>
  readonly mark: Mark
}

/**
 * `all`: rows go to the outbox. `none`: rows after a point are to be read from the tape. `aside`: those up to a point
 * are; later ones wait beside the outbox, unless they were too many.
 */
type Keeping =
  | { readonly _tag: "all" }
  | { readonly _tag: "none"; readonly after: Point }
  | { readonly _tag: "aside"; readonly after: Point; readonly kept: Array<Kept>; load: number; overflowed: boolean }

/** Where the end of a segment is asked for, so that no more than needed is derived again. */
const NEARLY_FULL = 0.8
/** What is set aside may take half of the room; so may what is read from the tape meanwhile. */
export const HALF = 0.5

export interface LiveTape {
  readonly requestRotation: () => void
  readonly saveRowState: (ordinal: number, state: Uint8Array) => void
}

export interface LiveRowsOptions {
  readonly outbox: Outbox
  readonly ledger: RowLedger
  /** Rows in memory at most, by weight. */
  readonly capacity: number
  /** Without it the oldest rows go when there is no room. */
  readonly tape: LiveTape | undefined
  /** No more rows are kept. */
  readonly onBehind: () => void
}

export class LiveRows {
  private readonly mapping = Mapping.begin()
  private readonly options: LiveRowsOptions
  private keeping: Keeping = { _tag: "all" }
  private ordinal = 0
  private rotationRequested = false

  constructor(options: LiveRowsOptions) {
    this.options = options
  }

  /** The last record that was seen. */
  get last(): number {
    return this.ordinal
  }

  get isWhole(): boolean {
    return this.keeping._tag === "all"
  }

  /** Rows that were set aside. */
  get aside(): number {
    return this.keeping._tag === "aside" ? this.keeping.kept.reduce((sum, { rows }) => sum + rows.length, 0) : 0
  }

  /** The last record whose rows are in the outbox, or were. */
  get kept(): Point {
    return this.keeping._tag === "none" ? this.keeping.after : this.here
  }

  private get here(): Point {
    const { coverage, sequence, time } = this.mapping
    return { ordinal: this.ordinal, sequence, coverage, time }
  }

  /** Takes in what followed from one record. Gives what it stumbled over. */
  add({ endsSegment, events, ordinal }: Batch): ReadonlyArray<unknown> {
    const { ledger, tape } = this.options
    const before = this.here
    const rows: Array<Row> = []
    const faults = this.mapping.map(events, rows)
    ledger.receive(faults.length)
    ledger.lose(faults.length)
    this.ordinal = Math.max(this.ordinal, ordinal)
    this.keep(rows, before)
    if (endsSegment && tape !== undefined) {
      tape.saveRowState(this.ordinal, this.mapping.save())
      if (this.isWhole && this.rotationRequested && this.options.outbox.fullness >= NEARLY_FULL)
        this.fallBehind(this.here)
      this.rotationRequested = false
    }
    return faults
  }

  /** From here on rows are set aside. Gives the record after which: those up to it are to come from the tape. */
  setAside(): Point {
    const after = this.here
    this.keeping = { _tag: "aside", after, kept: [], load: 0, overflowed: false }
    return after
  }

  /** The record after which all rows are here: where rows were set aside, if they are all still there, or else now. */
  resumable(): Point {
    return this.keeping._tag === "aside" && !this.keeping.overflowed ? this.keeping.after : this.setAside()
  }

  /** Everything up to the point is in the outbox: what was set aside follows. Gives whether it was all still there. */
  rejoin(): boolean {
    if (this.keeping._tag !== "aside" || this.keeping.overflowed) return false
    const { kept } = this.keeping
    this.keeping = { _tag: "all" }
    for (const { mark, rows } of kept) this.options.outbox.put(rows, mark)
    return true
  }

  private keep(rows: ReadonlyArray<Row>, before: Point): void {
    const { capacity, outbox, tape } = this.options
    const { coverage, ordinal } = this.here
    const mark: Mark = { ordinal, coverage }
    if (tape === undefined) return outbox.force(rows, mark)
    switch (this.keeping._tag) {
      case "all": {
        if (!outbox.fits(weightOf(rows))) return this.fallBehind(before)
        outbox.put(rows, mark)
        if (!this.rotationRequested && outbox.fullness >= NEARLY_FULL) {
          this.rotationRequested = true
          tape.requestRotation()
        }
        return
      }
      case "aside": {
        if (this.keeping.overflowed) return
        const { kept } = this.keeping
        const last = kept.at(-1)
        this.keeping.load += weightOf(rows)
        if (rows.length === 0 && last !== undefined) kept[kept.length - 1] = { rows: last.rows, mark }
        else kept.push({ rows, mark })
        if (this.keeping.load <= capacity * HALF) return
        this.keeping.overflowed = true
        kept.length = 0
        return
      }
      case "none":
    }
  }

  private fallBehind(after: Point): void {
    this.keeping = { _tag: "none", after }
    this.options.onBehind()
  }
}
