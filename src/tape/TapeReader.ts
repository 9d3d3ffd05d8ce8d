/** What lies on a tape, for whoever repeats it. */
import { join } from "node:path"
import { Chunk, Context, Data, Effect, Layer, Option, Stream } from "effect"
import type { Input } from "../domain/Input.ts"
import { decode } from "./Format.ts"
import * as SegmentFile from "./SegmentFile.ts"
import * as StateFile from "./StateFile.ts"
import * as TapeDirectory from "./TapeDirectory.ts"

/** A stretch of one run in one file. */
export interface Segment {
  readonly run: number
  /** The number of the last record before it: 0 for the first of a run. */
  readonly after: number
  readonly file: string
  readonly bytes: number
  readonly compressed: boolean
  /** Whether the state lies beside it that follows from all records before it. */
  readonly hasState: boolean
  /** When it was begun, in milliseconds since the epoch. */
  readonly begun: number
}

/** One run of the program, from start to stop or end. */
export interface Run {
  readonly run: number
  /** In order; the oldest may be gone. */
  readonly segments: ReadonlyArray<Segment>
  /** The last record whose rows were known to be in a database when the run ended in order; `null` when it did not. */
  readonly stored: number | null
}

export interface Record {
  readonly run: number
  /** From 1 within the run. */
  readonly ordinal: number
  readonly input: Input
}

/** What followed from all records up to `after`. */
export interface State {
  readonly after: number
  /** For a {@link Deriver}. */
  readonly derivation: Uint8Array
  /** For the writer of rows. */
  readonly rows: Uint8Array
}

export class TapeError extends Data.TaggedError("TapeError")<{
  /** `missing`: these records are there no longer. `damaged`: what is there is not what was written. `io`: the disk. */
  readonly reason: "missing" | "damaged" | "io"
  /** File, and offset where there is one. */
  readonly where: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.where}: ${this.reason}: ${this.detail}`
  }
}

export class TapeReader extends Context.Tag("parallax/tape/TapeReader")<
  TapeReader,
  {
    /** Runs in order, this one included. */
    readonly runs: Effect.Effect<ReadonlyArray<Run>, TapeError>
    /**
     * The records of a run after the given one, to what is written by now; a torn end, as a killed process leaves it, is
     * the end. Fails with `missing` when the next one is there no longer.
     */
    readonly records: (run: number, after: number) => Stream.Stream<Record, TapeError>
    /** The latest state of a run that is not past this record. */
    readonly stateUpTo: (run: number, ordinal: number) => Effect.Effect<Option.Option<State>, TapeError>
  }
>() {
  /** Reads the segments in this folder, also while another process writes there. */
  static readonly layer = (directory: string): Layer.Layer<TapeReader> =>
    Layer.succeed(
      TapeReader,
      TapeReader.of({
        runs: attempt(directory, () => runsIn(directory)),
        records: (run, after) =>
          Stream.fromAsyncIterable(recordsIn(directory, run, after), (error) => refail(directory, error)).pipe(
            Stream.mapConcatChunk(Chunk.unsafeFromArray)
          ),
        stateUpTo: (run, ordinal) => stateIn(directory, run, ordinal)
      })
    )
}

const refail = (where: string, cause: unknown): TapeError =>
  cause instanceof TapeError
    ? cause
    : new TapeError({ reason: "io", where, detail: cause instanceof Error ? cause.message : String(cause), cause })

const attempt = <A>(where: string, work: () => Promise<A>): Effect.Effect<A, TapeError> =>
  Effect.tryPromise({ try: work, catch: (cause) => refail(where, cause) })

/** A segment whose first lines cannot be read was begun when its name says that its run was. */
const segmentOf = async (directory: string, files: TapeDirectory.Files): Promise<Segment> => {
  const [result, bytes] = await Promise.all([
    TapeDirectory.headerOf(directory, files),
    TapeDirectory.bytesOf(directory, files)
  ])
  return {
    run: files.run,
    after: files.after,
    file: TapeDirectory.fileOf(directory, files),
    bytes,
    compressed: !files.plain,
    hasState: files.hasState,
    begun: "header" in result ? result.header.begun : files.run / 1000
  }
}

/** Looks again when a file was compressed or removed meanwhile. */
const runsIn = async (directory: string): Promise<ReadonlyArray<Run>> => {
  const { segments } = await TapeDirectory.list(directory)
  const runs = new Map<number, Array<Segment>>()
  try {
    for (const files of segments) {
      const own = runs.get(files.run) ?? []
      own.push(await segmentOf(directory, files))
      runs.set(files.run, own)
    }
  } catch (error) {
    if (TapeDirectory.isMissing(error)) return runsIn(directory)
    throw error
  }
  return Promise.all(
    [...runs].map(async ([run, segments]) => ({
      run,
      segments,
      stored: await TapeDirectory.readStored(directory, run)
    }))
  )
}

/** Where reading a segment has come to. */
interface Place {
  readonly run: number
  readonly files: TapeDirectory.Files
  readonly file: string
  /** The number of the last record that was passed. */
  position: number
  /** Where the segment is torn. */
  torn: string | undefined
}

const damaged = (place: Place, offset: number, detail: string): TapeError =>
  new TapeError({ reason: "damaged", where: `${place.file} at ${offset}`, detail })

const recordsOf = (place: Place, { bounds, bytes, offset }: SegmentFile.Block, after: number): Array<Record> => {
  const records: Array<Record> = []
  for (let i = 1; i < bounds.length; i++) {
    const ordinal = ++place.position
    if (ordinal <= after) continue
    const at = bounds[i - 1]!
    try {
      records.push({ run: place.run, ordinal, input: decode(bytes, at, bounds[i]!) })
    } catch (error) {
      throw damaged(place, offset + at, `the record is of no known kind: ${String(error)}`)
    }
  }
  return records
}

async function* inSegment(place: Place, after: number): AsyncGenerator<Array<Record>, void, void> {
  for await (const part of SegmentFile.read(place.file)) {
    switch (part._tag) {
      case "Begin": {
        const { header } = part
        if (header.run !== place.run || header.after !== place.files.after) {
          throw damaged(place, 0, `these are the records after ${header.after} of run ${header.run}`)
        }
        break
      }
      case "Block": {
        const records = recordsOf(place, part, after)
        if (records.length > 0) yield records
        break
      }
      case "Fault":
        if (!part.torn) throw damaged(place, part.offset, part.detail)
        place.torn = part.detail
    }
  }
}

const missing = (where: string, from: number, to: number | undefined, why: string): TapeError => {
  const what = to === undefined ? `record ${from} and what follows` : `records ${from} to ${to}`
  return new TapeError({ reason: "missing", where, detail: `${what} are not on the tape${why}` })
}

const segmentsOf = async (directory: string, run: number): Promise<ReadonlyArray<TapeDirectory.Files>> =>
  (await TapeDirectory.list(directory)).segments.filter((files) => files.run === run)

/** A folder in which files are renamed just now may be listed without them. */
const isSteady = async (directory: string, run: number, listed: ReadonlyArray<TapeDirectory.Files>): Promise<boolean> =>
  JSON.stringify(await segmentsOf(directory, run)) === JSON.stringify(listed)

/** Follows from one segment into the next; one that is begun meanwhile is followed into as well. */
async function* recordsIn(directory: string, run: number, after: number): AsyncGenerator<Array<Record>, void, void> {
  let last = after
  let read: TapeDirectory.Files | undefined
  for (;;) {
    const own = await segmentsOf(directory, run)
    const index = own.findLastIndex((files) => files.after <= last)
    const files = own[index]
    if (files === undefined) {
      if (!(await isSteady(directory, run, own))) continue
      throw missing(`${directory}, run ${run}`, last + 1, own[0]?.after, "")
    }
    const next = own[index + 1]
    if (read?.after === files.after && next === undefined) return
    const place: Place = {
      run,
      files,
      file: TapeDirectory.fileOf(directory, files),
      position: files.after,
      torn: undefined
    }
    try {
      yield* inSegment(place, last)
    } catch (error) {
      // Compressed or removed since it was listed.
      if (TapeDirectory.isMissing(error)) continue
      throw error
    }
    read = files
    last = Math.max(last, place.position)
    if (next !== undefined && last < next.after && (await isSteady(directory, run, own))) {
      throw missing(place.file, last + 1, next.after, place.torn === undefined ? "" : `: ${place.torn}`)
    }
  }
}

const stateIn = (directory: string, run: number, ordinal: number): Effect.Effect<Option.Option<State>, TapeError> =>
  Effect.gen(function* () {
    const { states } = yield* attempt(directory, () => TapeDirectory.list(directory))
    for (const { after, name } of states.filter((files) => files.run === run && files.after <= ordinal).reverse()) {
      const file = join(directory, TapeDirectory.stateName(name))
      const parts = yield* attempt(file, () => StateFile.read(file, run, after)).pipe(
        Effect.catchIf(
          ({ cause }) => TapeDirectory.isMissing(cause),
          () => Effect.succeed("it was removed just now")
        )
      )
      if (typeof parts !== "string") return Option.some({ after, ...parts })
      yield* Effect.logWarning("a state on the tape is of no use; an earlier one serves").pipe(
        Effect.annotateLogs({ file, reason: parts })
      )
    }
    return Option.none()
  })
