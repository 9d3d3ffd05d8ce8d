/**
 * Records: how an input lies on the tape. `docs/tape.md` has the format byte by byte.
 *
 * A record is `u32` length of the body, `u32` CRC-32 of the body, body; the body is `u8` kind, `f64` received time in
 * milliseconds, payload. All numbers are little-endian. A record's number is not written: it is the number that the
 * segment begins after, and its place.
 */
import { crc32 } from "node:zlib"
import type { Input } from "../domain/Input.ts"
import { timeOf } from "../domain/Input.ts"
import type { VenueId } from "../domain/Market.ts"
import * as InputJson from "./InputJson.ts"

/** Before the body: its length and its checksum. */
const HEAD = 8
/** Kind and time. */
const PREFIX = 9
/** No body is longer. */
export const LONGEST_BODY = 256 * 1024 * 1024
/** `F`: frames. `J`: any other input, as JSON. */
const FRAMES = 0x46
const JSON_INPUT = 0x4a
/** Where larger memory is not kept for the next time. */
const KEEP_BYTES = 4 * 1024 * 1024
const INITIAL_BYTES = 64 * 1024
/** Names that are kept as bytes; connections come and go. */
const KEPT_NAMES = 1000

/** Records one behind the other in one buffer that grows: what waits for the disk. */
export class RecordBuffer {
  private buffer: Buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  private spare: Buffer | undefined
  private at = 0
  private readonly names = new Map<string, Buffer>()

  /** How many bytes wait. */
  get length(): number {
    return this.at
  }

  /** Appends an input and gives the length of its record. Throws, and appends nothing, when it cannot be written. */
  append(input: Input): number {
    const start = this.at
    try {
      this.at += HEAD
      if (input._tag === "Frames") this.putFrames(input.venue, input.connection, input.frames, input.receivedTime)
      else this.putJson(InputJson.stringify(input), timeOf(input))
      const length = this.at - start - HEAD
      if (length > LONGEST_BODY) throw new RangeError(`a record of ${length} bytes`)
      this.buffer.writeUInt32LE(length, start)
      this.buffer.writeUInt32LE(crc32(this.buffer.subarray(start + HEAD, this.at)), start + 4)
      return HEAD + length
    } catch (error) {
      this.at = start
      throw error
    }
  }

  /** Gives what was appended since the last call; it may be used until {@link giveBack}. */
  take(): Buffer {
    const taken = this.buffer.subarray(0, this.at)
    this.buffer = this.spare ?? Buffer.allocUnsafe(INITIAL_BYTES)
    this.spare = undefined
    this.at = 0
    return taken
  }

  /** What was taken is not needed any more; its memory serves again. */
  giveBack(taken: Buffer): void {
    if (taken.buffer.byteLength <= KEEP_BYTES) this.spare = Buffer.from(taken.buffer, 0, taken.buffer.byteLength)
  }

  private putFrames(venue: string, connection: string, frames: ReadonlyArray<Buffer>, time: number): void {
    const [ofVenue, ofConnection] = [this.nameOf(venue), this.nameOf(connection)]
    let bytes = PREFIX + 4 + ofVenue.length + ofConnection.length
    for (const frame of frames) bytes += 4 + frame.length
    this.reserve(bytes)
    this.prefix(FRAMES, time)
    const { buffer } = this
    buffer.set(ofVenue, this.at)
    buffer.set(ofConnection, this.at + ofVenue.length)
    let at = buffer.writeUInt32LE(frames.length, this.at + ofVenue.length + ofConnection.length)
    for (const frame of frames) {
      const { length } = frame
      buffer[at] = length
      buffer[at + 1] = length >>> 8
      buffer[at + 2] = length >>> 16
      buffer[at + 3] = length >>> 24
      buffer.set(frame, at + 4)
      at += 4 + length
    }
    this.at = at
  }

  private putJson(text: string, time: number): void {
    this.reserve(PREFIX + text.length * 3)
    this.prefix(JSON_INPUT, time)
    this.at += this.buffer.write(text, this.at, "utf8")
  }

  private prefix(kind: number, time: number): void {
    this.buffer[this.at] = kind
    this.at = this.buffer.writeDoubleLE(time, this.at + 1)
  }

  /** A name with its length before it. */
  private nameOf(name: string): Buffer {
    const known = this.names.get(name)
    if (known !== undefined) return known
    const bytes = Buffer.alloc(2 + Buffer.byteLength(name))
    bytes.writeUInt16LE(bytes.length - 2)
    bytes.write(name, 2)
    if (this.names.size >= KEPT_NAMES) this.names.clear()
    this.names.set(name, bytes)
    return bytes
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }
}

/** Too little is there for a whole record. */
export const SHORT = 0
/** What is there is no record. */
export const BAD = -1

/** Where the record that begins at `at` ends, or {@link SHORT} or {@link BAD}. Its checksum is right. */
export const endOf = (bytes: Buffer, at: number): number => {
  if (at + HEAD > bytes.length) return SHORT
  const length = bytes.readUInt32LE(at)
  if (length < PREFIX || length > LONGEST_BODY) return BAD
  const end = at + HEAD + length
  if (end > bytes.length) return SHORT
  return crc32(bytes.subarray(at + HEAD, end)) === bytes.readUInt32LE(at + 4) ? end : BAD
}

/** How many bytes the record that begins at `at` takes, as far as what is there tells. */
export const neededAt = (bytes: Buffer, at: number): number =>
  at + HEAD > bytes.length ? HEAD : HEAD + Math.min(bytes.readUInt32LE(at), LONGEST_BODY)

/** The received time of the record that begins at `at`. */
export const timeAt = (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + HEAD + 1)

/** The input of the whole record from `at` to `end`. Frames share the memory of `bytes`. Throws when it is none. */
export const decode = (bytes: Buffer, at: number, end: number): Input => {
  const kind = bytes[at + HEAD]
  const body = at + HEAD + PREFIX
  if (kind === JSON_INPUT) return InputJson.parse(bytes.toString("utf8", body, end))
  if (kind !== FRAMES) throw new TypeError(`there is no kind of record ${kind}`)
  const venueEnd = body + 2 + bytes.readUInt16LE(body)
  const connectionEnd = venueEnd + 2 + bytes.readUInt16LE(venueEnd)
  const count = bytes.readUInt32LE(connectionEnd)
  const frames: Array<Buffer> = []
  let next = connectionEnd + 4
  for (let i = 0; i < count; i++) {
    const start = next + 4
    next = start + bytes.readUInt32LE(next)
    if (next > end) break
    frames.push(bytes.subarray(start, next))
  }
  if (next !== end || frames.length !== count) throw new RangeError("the frames do not fill the record")
  return {
    _tag: "Frames",
    venue: bytes.toString("utf8", body + 2, venueEnd) as VenueId,
    connection: bytes.toString("utf8", venueEnd + 2, connectionEnd),
    frames,
    receivedTime: timeAt(bytes, at)
  }
}

/** The year 3000: no record was received later. */
const LATEST = 32_503_680_000_000

const isPlausible = (bytes: Buffer, at: number): boolean => {
  const length = bytes.readUInt32LE(at)
  if (length < PREFIX || at + HEAD + length > bytes.length) return false
  const kind = bytes[at + HEAD]
  if (kind !== FRAMES && kind !== JSON_INPUT) return false
  const time = timeAt(bytes, at)
  return time >= 0 && time < LATEST
}

/**
 * Where the next whole record begins, at `from` or later, or −1. Where reading failed and a whole record follows,
 * something was damaged; where none does, the end was torn off.
 */
export const nextRecord = (bytes: Buffer, from: number): number => {
  for (let at = from; at + HEAD + PREFIX <= bytes.length; at++) {
    if (isPlausible(bytes, at) && endOf(bytes, at) > 0) return at
  }
  return -1
}
