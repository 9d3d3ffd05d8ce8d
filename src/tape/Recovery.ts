/** Puts a tape in order that a process left which did not end by itself. */
import { open, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { attempt, type Refused } from "./Disk.ts"
import { endOf, nextRecord } from "./Format.ts"
import { decodeHeader } from "./Header.ts"
import * as TapeDirectory from "./TapeDirectory.ts"

type Finding =
  | { readonly _tag: "Whole" }
  /** Nothing but a part of its first lines was written. */
  | { readonly _tag: "Empty" }
  | { readonly _tag: "Torn"; readonly offset: number; readonly bytes: number }
  | { readonly _tag: "Damaged"; readonly offset: number }

/** What a segment ends with. */
export const inspect = (bytes: Buffer): Finding => {
  const result = decodeHeader(bytes)
  if ("fault" in result) return result.fault === "short" ? { _tag: "Empty" } : { _tag: "Damaged", offset: 0 }
  let at = result.length
  for (let end = endOf(bytes, at); end > 0; end = endOf(bytes, at)) at = end
  if (at === bytes.length) return { _tag: "Whole" }
  return nextRecord(bytes, at + 1) >= 0
    ? { _tag: "Damaged", offset: at }
    : { _tag: "Torn", offset: at, bytes: bytes.length - at }
}

const cut = async (file: string, length: number): Promise<void> => {
  const handle = await open(file, "r+")
  try {
    await handle.truncate(length)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const repair = (directory: string, files: TapeDirectory.Files): Effect.Effect<void> =>
  Effect.gen(function* () {
    const file = join(directory, TapeDirectory.plainName(files.name))
    // Only a whole one gets the name of a compressed segment.
    if (files.packed) return yield* attempt(() => rm(file))
    const finding = yield* attempt(async () => inspect(await readFile(file)))
    switch (finding._tag) {
      case "Whole":
        return
      case "Empty":
        yield* attempt(() => TapeDirectory.remove(directory, files))
        return yield* Effect.logInfo("a segment without records was removed from the tape")
      case "Torn": {
        const { bytes, offset } = finding
        yield* attempt(() => cut(file, offset))
        return yield* Effect.logWarning("the torn end of a segment was cut: the process before was killed").pipe(
          Effect.annotateLogs({ offset, bytes })
        )
      }
      case "Damaged":
        return yield* Effect.logError("a segment is damaged, and left as it is; `parallax tape verify` says more").pipe(
          Effect.annotateLogs({ offset: finding.offset })
        )
    }
  }).pipe(
    Effect.catchAll(({ cause }) => Effect.logWarning("a segment of the tape could not be looked at", cause)),
    Effect.annotateLogs({ segment: files.name })
  )

/** Cuts torn ends and removes drafts; gives the greatest run on the tape, 0 when there is none. */
export const recover = (directory: string): Effect.Effect<number, Refused> =>
  Effect.gen(function* () {
    const { drafts, segments, stored } = yield* attempt(() => TapeDirectory.list(directory))
    for (const draft of drafts) yield* Effect.ignore(attempt(() => rm(join(directory, draft))))
    for (const files of segments) if (files.plain) yield* repair(directory, files)
    return Math.max(0, ...stored, segments.at(-1)?.run ?? 0)
  })
