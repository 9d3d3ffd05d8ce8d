/**
 * The files of a tape. A segment is `<run>-<after>.tape`, or `.tape.gz` once it is complete and compressed, with the state
 * that it begins with beside it as `.state`; `<run>.stored` says how far a run is known to be in a database. Both
 * numbers have sixteen digits, so that names sort as the records do. Names with another ending after that are drafts.
 */
import { open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { decodeHeader, type HeaderResult } from "./Header.ts"
import * as SegmentFile from "./SegmentFile.ts"

/** What lies on the disk of one segment; at least one of `plain` and `packed` is there. */
export interface Files {
  readonly run: number
  readonly after: number
  /** File names without the folder. */
  readonly name: string
  readonly plain: boolean
  readonly packed: boolean
  readonly hasState: boolean
}

export interface Listing {
  /** In order. */
  readonly segments: ReadonlyArray<Files>
  /** Segments of which only the state is there yet, or still. */
  readonly states: ReadonlyArray<Files>
  /** Runs that have a mark of how far they are stored. */
  readonly stored: ReadonlyArray<number>
  /** Names of what a process left half done. */
  readonly drafts: ReadonlyArray<string>
}

const digits = (n: number): string => String(n).padStart(16, "0")

export const nameOf = (run: number, after: number): string => `${digits(run)}-${digits(after)}`
export const plainName = (name: string): string => `${name}.tape`
export const packedName = (name: string): string => `${name}.tape.gz`
export const stateName = (name: string): string => `${name}.state`
export const storedName = (run: number): string => `${digits(run)}.stored`
/** A file that is not what it is to be yet. */
export const draftOf = (name: string): string => `${name}.draft`

const NAME = /^(\d{16})-(\d{16})\.(tape|tape\.gz|state)$/
const STORED = /^(\d{16})\.stored$/
const DRAFT = /^\d{16}(-\d{16})?\.[a-z.]+\.draft$/

export const list = async (directory: string): Promise<Listing> => {
  const found = new Map<string, { -readonly [K in keyof Files]: Files[K] }>()
  const stored: Array<number> = []
  const drafts: Array<string> = []
  for (const file of await readdir(directory)) {
    const marked = STORED.exec(file)
    if (marked !== null) stored.push(Number(marked[1]))
    if (DRAFT.test(file)) drafts.push(file)
    const match = NAME.exec(file)
    if (match === null) continue
    const [, run = "", after = "", kind] = match
    const name = `${run}-${after}`
    const files = found.get(name) ?? {
      run: Number(run),
      after: Number(after),
      name,
      plain: false,
      packed: false,
      hasState: false
    }
    found.set(name, files)
    if (kind === "tape") files.plain = true
    else if (kind === "tape.gz") files.packed = true
    else files.hasState = true
  }
  const all = [...found.values()].sort((a, b) => a.run - b.run || a.after - b.after)
  return {
    segments: all.filter(({ packed, plain }) => plain || packed),
    states: all.filter(({ hasState }) => hasState),
    stored,
    drafts
  }
}

/** The file to read: while both are there, both hold the same. */
export const fileOf = (directory: string, { name, plain }: Files): string =>
  join(directory, plain ? plainName(name) : packedName(name))

const sizeOf = async (path: string): Promise<{ readonly bytes: number; readonly modified: number } | undefined> => {
  try {
    const { mtimeMs, size } = await stat(path)
    return { bytes: size, modified: mtimeMs }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException | null)?.code === "ENOENT"

/** Bytes of all files of a segment, and when its records were last added to; nothing of one that is gone. */
export const weigh = async (
  directory: string,
  { hasState, name, packed, plain }: Files
): Promise<{ readonly bytes: number; readonly modified: number }> => {
  const sizes = await Promise.all([
    plain ? sizeOf(join(directory, plainName(name))) : undefined,
    packed ? sizeOf(join(directory, packedName(name))) : undefined,
    sizeOf(join(directory, hasState ? stateName(name) : draftOf(stateName(name))))
  ])
  return {
    bytes: sizes.reduce((sum, size) => sum + (size?.bytes ?? 0), 0),
    modified: (sizes[0] ?? sizes[1])?.modified ?? 0
  }
}

/** Bytes of the one file that {@link fileOf} names. */
export const bytesOf = async (directory: string, files: Files): Promise<number> =>
  (await sizeOf(fileOf(directory, files)))?.bytes ?? 0

/** Removes a segment; its records last, so that there is never a state of nothing. */
export const remove = async (directory: string, { name }: Files): Promise<void> => {
  for (const file of [stateName(name), draftOf(stateName(name)), packedName(name), plainName(name)]) {
    await rm(join(directory, file), { force: true })
  }
}

export const headerOf = async (directory: string, files: Files): Promise<HeaderResult> => {
  for await (const chunk of SegmentFile.content(fileOf(directory, files))) return decodeHeader(chunk)
  return { fault: "short" }
}

/** How far a run is known to be stored; `null` when nothing says so. */
export const readStored = async (directory: string, run: number): Promise<number | null> => {
  try {
    const { stored } = JSON.parse(await readFile(join(directory, storedName(run)), "utf8")) as Record<string, unknown>
    return Number.isSafeInteger(stored) ? (stored as number) : null
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return null
    throw error
  }
}

export const writeStored = async (directory: string, run: number, stored: number): Promise<void> => {
  const file = join(directory, storedName(run))
  await writeFile(draftOf(file), `${JSON.stringify({ stored })}\n`)
  await rename(draftOf(file), file)
}

/** Makes the names in a folder outlast a power failure. */
export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
