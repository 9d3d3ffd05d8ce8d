/** Reads one segment, plain or compressed, as blocks of whole records: the memory it takes is that of a few of them. */
import { createReadStream } from "node:fs"
import { access } from "node:fs/promises"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import { BAD, endOf, neededAt, nextRecord, SHORT } from "./Format.ts"
import { decodeHeader, type SegmentHeader } from "./Header.ts"

/** Whole records, one behind the other. */
export interface Block {
  readonly _tag: "Block"
  readonly bytes: Buffer
  /** Where each begins in `bytes`, and where the last one ends. */
  readonly bounds: ReadonlyArray<number>
  /** Where `bytes` begin in the segment, uncompressed. */
  readonly offset: number
}

export interface Begin {
  readonly _tag: "Begin"
  readonly header: SegmentHeader
}

/**
 * Where reading ended before the end. `torn`: no record follows; the process that wrote it was killed, the machine
 * stopped, or it is just being written.
 */
export interface Fault {
  readonly _tag: "Fault"
  readonly offset: number
  readonly detail: string
  readonly torn: boolean
}

export type Part = Begin | Block | Fault

const READ_BYTES = 256 * 1024
const isPacked = (file: string): boolean => file.endsWith(".gz")

/** The file that holds a segment now: it may have been compressed since it was listed. */
export const present = async (file: string): Promise<string> => {
  if (isPacked(file)) return file
  try {
    await access(file)
    return file
  } catch {
    return `${file}.gz`
  }
}

/** The bytes of a file, uncompressed. */
export const content = (file: string): AsyncIterable<Buffer> => {
  const source = createReadStream(file, { highWaterMark: READ_BYTES })
  // What fails on the way ends the stream that is read, with the reason.
  return isPacked(file) ? pipeline(source, createGunzip({ chunkSize: READ_BYTES }), () => undefined) : source
}

const zlibCode = (error: unknown): string | undefined => {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return code !== undefined && code.startsWith("Z_") ? code : undefined
}

const boundsOf = (bytes: Buffer): { readonly bounds: Array<number>; readonly stop: number } => {
  const bounds = [0]
  let at = 0
  for (;;) {
    const end = endOf(bytes, at)
    if (end <= 0) return { bounds, stop: end }
    bounds.push(end)
    at = end
  }
}

/** What is wrong with the rest of a segment that begins with no whole record. */
const judge = (rest: Buffer, offset: number, stop: number): Fault => {
  const next = nextRecord(rest, 1)
  if (next >= 0) {
    const detail = `${next} bytes are no record, or not the one that was written; records follow at ${offset + next}`
    return { _tag: "Fault", offset, detail, torn: false }
  }
  const what = stop === SHORT ? "of a record that is not whole" : "that are no record"
  return { _tag: "Fault", offset, detail: `the segment ends with ${rest.length} bytes ${what}`, torn: true }
}

const headerFault = (fault: "short" | "damaged" | "version", bytes: number): Fault => {
  const detail = {
    short: `the segment ends within its first two lines, after ${bytes} bytes`,
    damaged: "the first two lines are not those of a tape, or not what was written",
    version: "the segment is of a later version of the format"
  }[fault]
  return { _tag: "Fault", offset: 0, detail, torn: fault === "short" }
}

const drain = async (iterator: AsyncIterator<Buffer>, first: Buffer): Promise<Buffer> => {
  const rest = [first]
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) rest.push(next.value)
  return Buffer.concat(rest)
}

/** What is left of the bytes before, with at least so many more, as far as there are any; `undefined` at the end. */
const more = async (chunks: AsyncIterator<Buffer>, pending: Buffer, needed: number): Promise<Buffer | undefined> => {
  const gathered = pending.length === 0 ? [] : [pending]
  let length = pending.length
  do {
    const next = await chunks.next()
    if (next.done === true) break
    gathered.push(next.value)
    length += next.value.length
  } while (length < needed)
  if (length === pending.length) return undefined
  return gathered.length === 1 ? gathered[0] : Buffer.concat(gathered)
}

async function* partsOf(chunks: AsyncIterator<Buffer>): AsyncGenerator<Part, void, void> {
  let pending: Buffer = Buffer.alloc(0)
  let offset = 0
  let begun = false
  for (;;) {
    const bytes = await more(chunks, pending, begun ? neededAt(pending, 0) : 0)
    if (bytes === undefined) {
      if (!begun) yield headerFault("short", pending.length)
      else if (pending.length > 0) yield judge(pending, offset, endOf(pending, 0))
      return
    }
    pending = bytes
    if (!begun) {
      const result = decodeHeader(pending)
      if ("fault" in result) {
        if (result.fault === "short") continue
        yield headerFault(result.fault, pending.length)
        return
      }
      begun = true
      yield { _tag: "Begin", header: result.header }
      offset = result.length
      pending = pending.subarray(offset)
    }
    const { bounds, stop } = boundsOf(pending)
    const end = bounds.at(-1) ?? 0
    if (end > 0) yield { _tag: "Block", bytes: pending, bounds, offset }
    pending = pending.subarray(end)
    offset += end
    if (stop === BAD) {
      yield judge(await drain(chunks, pending), offset, stop)
      return
    }
  }
}

/**
 * The parts of a segment: its beginning, blocks of whole records, and a fault where it is not whole. Rejects when the
 * file cannot be read; compressed data that are damaged are a fault.
 */
export async function* read(file: string): AsyncGenerator<Part, void, void> {
  const chunks = content(file)[Symbol.asyncIterator]()
  let offset = 0
  try {
    for await (const part of partsOf(chunks)) {
      if (part._tag === "Block") offset = part.offset + (part.bounds.at(-1) ?? 0)
      yield part
    }
  } catch (error) {
    const code = zlibCode(error)
    if (code === undefined) throw error
    yield { _tag: "Fault", offset, detail: `the compressed data are damaged (${code})`, torn: false }
  } finally {
    await chunks.return?.()
  }
}
