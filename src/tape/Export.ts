/** Frames of each connection as a file that other tools read: lines of JSON, compressed with gzip. */
import { appendFile, mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { Effect } from "effect"
import type { Frames } from "../domain/Input.ts"
import { frameJson, timeText } from "./Selection.ts"
import { TapeError } from "./TapeReader.ts"

const pack = promisify(gzip)

/** Text of one connection that is written as one member of its file. */
const MEMBER = 1_000_000
/** Text of all connections that waits at most. */
const MOST = 32_000_000

/** The name of a connection, as a name of a file. */
const fileName = (connection: string): string => `${encodeURIComponent(connection)}.ndjson.gz`

export interface Exporter {
  readonly add: (frames: Frames) => Effect.Effect<void, TapeError>
  /** Writes what is left; gives the number of files and of frames. */
  readonly end: Effect.Effect<{ readonly files: number; readonly frames: number }, TapeError>
}

/** Writes into a folder that is made, or is empty. */
export const make = (directory: string): Effect.Effect<Exporter, TapeError> =>
  Effect.gen(function* () {
    const attempt = <A>(work: () => Promise<A>) =>
      Effect.tryPromise({
        try: work,
        catch: (cause) => new TapeError({ reason: "io", where: directory, detail: String(cause), cause })
      })
    yield* attempt(() => mkdir(directory, { recursive: true }))
    if ((yield* attempt(() => readdir(directory))).length > 0) {
      return yield* new TapeError({ reason: "io", where: directory, detail: "the folder is not empty" })
    }
    const waiting = new Map<string, { lines: Array<string>; length: number }>()
    const files = new Set<string>()
    let total = 0
    let frames = 0

    const write = (connection: string) =>
      Effect.suspend(() => {
        const one = waiting.get(connection)
        if (one === undefined) return Effect.void
        waiting.delete(connection)
        total -= one.length
        const file = fileName(connection)
        files.add(file)
        // Members of gzip one behind the other are one file to every reader.
        return attempt(async () => appendFile(join(directory, file), await pack(one.lines.join(""))))
      })
    const writeAll = Effect.suspend(() => Effect.forEach([...waiting.keys()], write, { discard: true }))

    const add = (input: Frames) =>
      Effect.suspend(() => {
        const one = waiting.get(input.connection) ?? { lines: [], length: 0 }
        waiting.set(input.connection, one)
        const time = timeText(input.receivedTime)
        for (const frame of input.frames) {
          const line = `${JSON.stringify({ time, venue: input.venue, frame: frameJson(frame) })}\n`
          one.lines.push(line)
          one.length += line.length
          total += line.length
          frames++
        }
        return one.length >= MEMBER ? write(input.connection) : total >= MOST ? writeAll : Effect.void
      })
    return { add, end: Effect.map(writeAll, () => ({ files: files.size, frames })) }
  })
