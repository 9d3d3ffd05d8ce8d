/** What there is on a tape, and whether it is what was written. */
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Option, Stream } from "effect"
import { endOf, nextRecord, timeAt } from "./Format.ts"
import { decodeHeader } from "./Header.ts"
import * as SegmentFile from "./SegmentFile.ts"
import * as StateFile from "./StateFile.ts"
import { nameOf, stateName } from "./TapeDirectory.ts"
import { type Run, type Segment, TapeError } from "./TapeReader.ts"

/** A segment, with what is known of its records. */
export interface Surveyed extends Segment {
  readonly records: number
  /** Bytes without compression. */
  readonly plainBytes: number
  /** Received time of the last record, or when the next segment was begun; `null` where there is neither. */
  readonly ended: number | null
}

const attempt = <A>(where: string, work: () => Promise<A>): Effect.Effect<A, TapeError> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => new TapeError({ reason: "io", where, detail: String(cause), cause })
  })

/** A compressed file ends with the length of what it holds. */
const lengthOf = async ({ bytes, compressed }: Segment, file: string): Promise<number> => {
  if (!compressed) return bytes
  const handle = await open(file)
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, bytes - 4)
    return buffer.readUInt32LE(0)
  } finally {
    await handle.close()
  }
}

/** Reads the records only where no segment follows that says how many there are. */
export const survey = (segment: Segment, next: Segment | undefined): Effect.Effect<Surveyed, TapeError> =>
  attempt(segment.file, async () => {
    const file = await SegmentFile.present(segment.file)
    if (next !== undefined) {
      const plainBytes = await lengthOf(segment, file)
      return { ...segment, records: next.after - segment.after, plainBytes, ended: next.begun }
    }
    let records = 0
    let plainBytes = 0
    let ended: number | null = null
    for await (const part of SegmentFile.read(file)) {
      if (part._tag !== "Block") continue
      const { bounds, bytes, offset } = part
      records += bounds.length - 1
      plainBytes = offset + bounds.at(-1)!
      ended = timeAt(bytes, bounds.at(-2)!)
    }
    return { ...segment, records, plainBytes: Math.max(plainBytes, segment.compressed ? 0 : segment.bytes), ended }
  })

/** Something on the tape that is not as it was written; harmless where that is how a run may end. */
export interface Fault {
  readonly file: string
  /** In the segment without compression; `null` where it is about the file as a whole. */
  readonly offset: number | null
  readonly detail: string
  readonly harmless: boolean
}

const contentOf = async (file: string): Promise<{ readonly bytes: Buffer; readonly broken: string | undefined }> => {
  const chunks: Array<Buffer> = []
  try {
    for await (const chunk of SegmentFile.content(await SegmentFile.present(file))) chunks.push(chunk)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith("Z_") !== true) throw error
    return { bytes: Buffer.concat(chunks), broken: `the compressed data are damaged (${code})` }
  }
  return { bytes: Buffer.concat(chunks), broken: undefined }
}

/** Every fault of one segment, and the number of the last whole record, counted over what is damaged. */
const faultsIn = async (segment: Segment, next: Segment | undefined): Promise<ReadonlyArray<Fault>> => {
  const { file } = segment
  const { broken, bytes } = await contentOf(file)
  const faults: Array<Fault> = []
  const tell = (offset: number | null, detail: string, harmless = false) =>
    faults.push({ file, offset, detail, harmless })
  const result = decodeHeader(bytes)
  if ("fault" in result) {
    const harmless = result.fault === "short" && next === undefined && broken === undefined
    tell(0, `the first two lines are no header that can be read (${result.fault})`, harmless)
    return faults
  }
  const { header, length } = result
  if (header.run !== segment.run || header.after !== segment.after) {
    tell(0, `these are the records after ${header.after} of run ${header.run}, and the name says otherwise`)
  }
  let at = length
  let records = 0
  while (at < bytes.length) {
    const end = endOf(bytes, at)
    if (end > 0) {
      records++
      at = end
      continue
    }
    const found = nextRecord(bytes, at + 1)
    if (found < 0) {
      const isEnd = next === undefined && broken === undefined
      tell(at, `${bytes.length - at} bytes at the end are no whole record`, isEnd)
      break
    }
    tell(at, `${found - at} bytes are no record, or not the one that was written`)
    at = found
  }
  if (broken !== undefined) tell(bytes.length, broken)
  const last = segment.after + records
  if (next !== undefined && next.after !== last) {
    tell(null, `it ends with record ${last} by count, and the next segment begins after ${next.after}`)
  }
  return faults
}

const stateFaults = async (directory: string, { after, hasState, run }: Segment): Promise<ReadonlyArray<Fault>> => {
  if (!hasState) return []
  const file = join(directory, stateName(nameOf(run, after)))
  const parts = await StateFile.read(file, run, after)
  return typeof parts === "string" ? [{ file, offset: null, detail: parts, harmless: false }] : []
}

/** Everything that is wrong with a run. It takes the memory of its largest segment. */
export const verify = (directory: string, { segments }: Run): Stream.Stream<Fault, TapeError> =>
  Stream.fromIterable(segments.map((segment, i) => ({ segment, next: segments[i + 1] }))).pipe(
    Stream.mapEffect(({ next, segment }) =>
      attempt(segment.file, async () => [
        ...(await faultsIn(segment, next)),
        ...(await stateFaults(directory, segment))
      ]).pipe(
        // Compressed or removed since it was listed: it is for the next look.
        Effect.map(Option.some),
        Effect.catchIf(
          ({ cause }) => (cause as NodeJS.ErrnoException).code === "ENOENT",
          () => Effect.succeed(Option.none<ReadonlyArray<Fault>>())
        )
      )
    ),
    Stream.mapConcat(Option.getOrElse((): ReadonlyArray<Fault> => []))
  )
