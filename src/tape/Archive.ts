/** What becomes of segments that are complete: they are compressed, one at a time, and in the end they go. */
import { createReadStream, createWriteStream } from "node:fs"
import { open, rename, rm, stat, utimes } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { Duration, Effect } from "effect"
import { attempt, Refused } from "./Disk.ts"
import * as SegmentFile from "./SegmentFile.ts"
import * as TapeDirectory from "./TapeDirectory.ts"

/** Measured on frames of either venue: a fifth and a seventeenth are left; level 6 saves a tenth of that in twice the time. */
const LEVEL = 3
const BLOCK_BYTES = 256 * 1024

const force = async (file: string): Promise<void> => {
  const handle = await open(file, "r+")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Under its final name only when it is whole and on the disk, and the plain one goes only then. */
const pack = async (plain: string, packed: string, signal: AbortSignal): Promise<void> => {
  const draft = TapeDirectory.draftOf(packed)
  const { mtime } = await stat(plain)
  const sink = createWriteStream(draft)
  // A file that is given up while it is being opened appears all the same.
  const closed = new Promise<void>((resolve) => sink.once("close", () => resolve()))
  try {
    await pipeline(
      createReadStream(plain, { highWaterMark: BLOCK_BYTES }),
      createGzip({ level: LEVEL, chunkSize: BLOCK_BYTES }),
      sink,
      { signal }
    )
    // The age of a segment is that of its records.
    await utimes(draft, mtime, mtime)
    await force(draft)
    await rename(draft, packed)
  } catch (error) {
    await closed
    await rm(draft, { force: true })
    throw error
  }
  await rm(plain)
}

/** Interrupted, it has ended, and has left nothing behind, before anything else is done. */
const packing = (plain: string, packed: string): Effect.Effect<void, Refused> =>
  Effect.async((resume) => {
    const controller = new AbortController()
    const ended = pack(plain, packed, controller.signal).then(
      () => resume(Effect.void),
      (cause: unknown) => resume(new Refused({ cause }))
    )
    return Effect.promise(() => {
      controller.abort()
      return ended
    })
  })

/** Compresses the segments that nobody writes to any more. */
export const compress = (directory: string, isComplete: (files: TapeDirectory.Files) => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { segments } = yield* attempt(() => TapeDirectory.list(directory))
    for (const files of segments) {
      if (!files.plain || !isComplete(files)) continue
      const plain = join(directory, TapeDirectory.plainName(files.name))
      const packed = join(directory, TapeDirectory.packedName(files.name))
      const work = files.packed ? attempt(() => rm(plain)) : packing(plain, packed)
      yield* work.pipe(
        Effect.catchAll(({ cause }) => Effect.logWarning("a segment of the tape could not be compressed", cause)),
        Effect.annotateLogs({ segment: files.name })
      )
    }
  }).pipe(Effect.catchAll(({ cause }) => Effect.logWarning("the tape could not be listed", cause)))

export interface Retention {
  readonly maxBytes: number
  readonly keep: Duration.Duration
}

/** What is left of the segments that are complete. */
export interface Held {
  readonly segments: number
  readonly bytes: number
}

interface Kept extends TapeDirectory.Files {
  readonly bytes: number
  readonly modified: number
  /** The last record in it; `undefined` when no segment of the run follows. */
  readonly last: number | undefined
}

const weighed = async (directory: string, listed: ReadonlyArray<TapeDirectory.Files>): Promise<Array<Kept>> => {
  const all: Array<Kept> = []
  for (const [index, files] of listed.entries()) {
    const next = listed[index + 1]
    const last = next?.run === files.run ? next.after : undefined
    all.push({ ...files, ...(await TapeDirectory.weigh(directory, files)), last })
  }
  return all
}

const countedLast = async (directory: string, kept: Kept): Promise<number> => {
  let last = kept.after
  for await (const part of SegmentFile.read(TapeDirectory.fileOf(directory, kept))) {
    if (part._tag === "Block") last += part.bounds.length - 1
  }
  return last
}

/** Removes a segment, and says so loudly when its rows are not known to be anywhere else. */
const drop = (directory: string, kept: Kept, why: string): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const stored = yield* attempt(() => TapeDirectory.readStored(directory, kept.run))
    const last = kept.last ?? (yield* attempt(() => countedLast(directory, kept)))
    yield* attempt(() => TapeDirectory.remove(directory, kept))
    const records = last === kept.after ? "none" : `${kept.after + 1} to ${last}`
    const log =
      last === kept.after || (stored !== null && stored >= last)
        ? Effect.logInfo("an old segment went from the tape")
        : Effect.logWarning("an old segment went from the tape, and its rows are not known to be in a database")
    yield* Effect.annotateLogs(log, { run: kept.run, records, why })
  })

/** Whose segments went: the mark of a run, and a state that was completed just then. */
const sweep = async (directory: string, gone: ReadonlySet<number>): Promise<void> => {
  const { segments, states, stored } = await TapeDirectory.list(directory)
  for (const files of states) if (!files.plain && !files.packed) await TapeDirectory.remove(directory, files)
  for (const run of stored) {
    if (!gone.has(run) || segments.some((files) => files.run === run)) continue
    await rm(join(directory, TapeDirectory.storedName(run)), { force: true })
  }
}

/** Lets the oldest segments go, by age and by what all take; never those that are still written to. */
export const retain = (
  directory: string,
  isComplete: (files: TapeDirectory.Files) => boolean,
  { keep, maxBytes }: Retention,
  now: number
): Effect.Effect<Held, Refused> =>
  Effect.gen(function* () {
    const all = yield* attempt(async () => weighed(directory, (await TapeDirectory.list(directory)).segments))
    let total = all.reduce((sum, { bytes }) => sum + bytes, 0)
    const left: Array<Kept> = []
    for (const kept of all) {
      const expired = now - kept.modified > Duration.toMillis(keep)
      if (left.length === 0 && isComplete(kept) && (expired || total > maxBytes)) {
        yield* drop(directory, kept, expired ? "its age" : "the space that all take")
        total -= kept.bytes
      } else left.push(kept)
    }
    yield* attempt(() => sweep(directory, new Set(all.map(({ run }) => run))))
    const complete = left.filter(isComplete)
    return { segments: complete.length, bytes: complete.reduce((sum, { bytes }) => sum + bytes, 0) }
  })
