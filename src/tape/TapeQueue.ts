/** What waits for the disk: records in memory, by the segment that they belong to, and the count of what was given up. */
import type { Input } from "../domain/Input.ts"
import { RecordBuffer } from "./Format.ts"

/** A segment from its beginning to the last record that it takes. */
export interface Waiting {
  readonly after: number
  readonly begun: number
  readonly records: RecordBuffer
  /** What the derivation saved at its beginning, until that is written. */
  state: Uint8Array | undefined
  /** The number of the last record that it took. */
  last: number
  /** Bytes of all records that it took. */
  bytes: number
}

/** Records that are being written. */
interface Taken {
  readonly bytes: Buffer
  readonly records: number
  /** The number of the last of them. */
  readonly last: number
}

export interface QueueOptions {
  /** Bytes after which a segment is full. */
  readonly segmentBytes: number
  /** Bytes that wait at most. */
  readonly bufferBytes: number
}

export class TapeQueue {
  private readonly options: QueueOptions
  private readonly segments: Array<Waiting>
  private taken: Taken | undefined
  private waitingBytes = 0
  private appended = 0
  private waitingRecords = 0
  private ordinal = 0
  private writtenTo = 0
  private writtenCount = 0
  private lostCount = 0
  private torn = false
  private requested = false
  private unwritable: string | undefined
  /** Why the disk takes nothing. */
  refusal: string | null = null

  constructor(options: QueueOptions, now: number) {
    this.options = options
    this.segments = [waitingFrom(0, now, undefined)]
  }

  /** The number of the last record that was appended. */
  get last(): number {
    return this.ordinal
  }
  /** The number of the last record that is written. */
  get written(): number {
    return this.writtenTo
  }
  get writtenRecords(): number {
    return this.writtenCount
  }
  get lost(): number {
    return this.lostCount
  }
  /** Bytes that wait, those that are being written included. */
  get waiting(): number {
    return this.waitingBytes
  }
  /** Bytes of all records that were appended. */
  get appendedBytes(): number {
    return this.appended
  }
  /** Whether so much waits that whoever appends had better wait too. A disk that refuses is not worth waiting for. */
  get isFull(): boolean {
    return this.refusal === null && this.waitingBytes > this.options.bufferBytes
  }
  /** All records up to this one are written or lost. */
  get settled(): number {
    return this.waitingRecords === 0 ? this.ordinal : this.writtenTo
  }
  /** Whether a new segment should begin. While the disk refuses there is nowhere to begin it. */
  get isRotationDue(): boolean {
    return this.refusal === null && (this.torn || this.requested || this.newest.bytes >= this.options.segmentBytes)
  }
  /** The segment whose records are to be written next. */
  get oldest(): Waiting {
    return this.segments[0]!
  }
  /** The segment that takes records. */
  get newest(): Waiting {
    return this.segments.at(-1)!
  }
  /** Whether the oldest segment takes no more records. */
  get isOldestSealed(): boolean {
    return this.segments.length > 1
  }

  /**
   * Appends a record. It is lost when too much waits for a disk that refuses, and so are all that follow until a new
   * segment begins: within a segment records are counted, and none may be missing.
   */
  append(input: Input): number {
    const number = ++this.ordinal
    if (this.torn || (this.refusal !== null && this.waitingBytes >= this.options.bufferBytes)) {
      this.lose()
      return number
    }
    const segment = this.newest
    try {
      const bytes = segment.records.append(input)
      segment.bytes += bytes
      segment.last = number
      this.waitingBytes += bytes
      this.appended += bytes
      this.waitingRecords++
    } catch (error) {
      // What cannot be written at all, such as more than a record may hold.
      this.unwritable = `${input._tag}: ${error instanceof Error ? error.message : String(error)}`
      this.lose()
    }
    return number
  }

  /** Why a record could not even be made, since the last call. */
  takeUnwritable(): string | undefined {
    const { unwritable } = this
    this.unwritable = undefined
    return unwritable
  }

  /** Whether a segment that begins after this record still waits. */
  has(after: number): boolean {
    return this.segments.some((segment) => segment.after === after)
  }

  requestRotation(): void {
    this.requested = true
  }

  rotate(state: Uint8Array, now: number): void {
    this.requested = false
    this.torn = false
    const { after, last } = this.newest
    if (after === this.ordinal && last === after) this.newest.state = state
    else this.segments.push(waitingFrom(this.ordinal, now, state))
  }

  /** Takes what waits of the oldest segment; the same again until it is {@link settle}d. */
  take(): Buffer | undefined {
    if (this.taken === undefined) {
      const { after, last, records } = this.oldest
      if (records.length === 0) return undefined
      // Within a segment no number is left out.
      this.taken = { bytes: records.take(), records: last - Math.max(this.writtenTo, after), last }
    }
    return this.taken.bytes
  }

  /** What was taken is written. Gives the number of records. */
  settle(): number {
    if (this.taken === undefined) return 0
    const { bytes, last, records } = this.taken
    this.taken = undefined
    this.writtenTo = last
    this.writtenCount += records
    this.waitingRecords -= records
    this.waitingBytes -= bytes.length
    this.oldest.records.giveBack(bytes)
    return records
  }

  /** Passes on to the next segment. */
  next(): void {
    this.segments.shift()
  }

  private lose(): void {
    this.torn = true
    this.lostCount++
  }
}

const waitingFrom = (after: number, begun: number, state: Uint8Array | undefined): Waiting => ({
  after,
  begun,
  records: new RecordBuffer(),
  state,
  last: after,
  bytes: 0
})
