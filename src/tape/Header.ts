/**
 * How every file of a tape begins: a line that says what it is and carries the checksum of the next one, and that line,
 * JSON. `docs/tape.md` has the format byte by byte.
 */
import { crc32 } from "node:zlib"

/** The version of the format; a reader refuses one that it does not know. */
export const VERSION = 1
const MAGIC = "parallax-tape"
/** More than any header takes. */
const LONGEST = 4096
const NEWLINE = 10

export interface SegmentHeader {
  /** Microseconds since the epoch at the start of the run. */
  readonly run: number
  /** The number of the last record before this segment. */
  readonly after: number
  /** When the segment was begun, in milliseconds since the epoch. */
  readonly begun: number
  /** The version of the program that wrote it. */
  readonly program: string
}

/** What a file begins with, and where the rest begins. `short`: too little is there yet to tell. */
export type HeaderResult =
  { readonly header: SegmentHeader; readonly length: number } | { readonly fault: "short" | "damaged" | "version" }

export const hex32 = (value: number): string => value.toString(16).padStart(8, "0")

export const encodeHeader = ({ after, begun, program, run }: SegmentHeader): Buffer => {
  const json = JSON.stringify({ format: VERSION, run, after, begun, program })
  return Buffer.from(`${MAGIC} ${VERSION} ${hex32(crc32(json))}\n${json}\n`)
}

const isHeader = (value: unknown): value is SegmentHeader & { readonly format: number } => {
  if (typeof value !== "object" || value === null) return false
  const { after, begun, program, run } = value as Record<string, unknown>
  return (
    Number.isSafeInteger(run) && Number.isSafeInteger(after) && Number.isFinite(begun) && typeof program === "string"
  )
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const decodeHeader = (bytes: Buffer): HeaderResult => {
  const first = bytes.indexOf(NEWLINE)
  const second = first < 0 ? -1 : bytes.indexOf(NEWLINE, first + 1)
  if (second < 0) return { fault: bytes.length < LONGEST ? "short" : "damaged" }
  const [magic, version, checksum, ...rest] = bytes.toString("latin1", 0, first).split(" ")
  if (magic !== MAGIC || rest.length > 0) return { fault: "damaged" }
  const json = bytes.subarray(first + 1, second)
  if (hex32(crc32(json)) !== checksum) return { fault: "damaged" }
  if (version !== String(VERSION)) return { fault: "version" }
  const header = parse(json.toString("utf8"))
  if (!isHeader(header) || header.format !== VERSION) return { fault: "damaged" }
  const { after, begun, program, run } = header
  return { header: { run, after, begun, program }, length: second + 1 }
}
