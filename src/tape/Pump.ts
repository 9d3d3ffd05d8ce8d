/** Moves what waits to the disk, one thing after the other, and knows whether the disk takes it. */
import { Effect } from "effect"
import { attempt, describe, type Refused } from "./Disk.ts"
import { makeFile, type MakeFile, OpenSegment } from "./OpenSegment.ts"
import type { States } from "./States.ts"
import type { TapeConfig } from "./TapeConfig.ts"
import { syncDirectory } from "./TapeDirectory.ts"
import * as TapeMetrics from "./TapeMetrics.ts"
import type { TapeQueue } from "./TapeQueue.ts"

export interface PumpOptions {
  readonly config: TapeConfig
  readonly directory: string
  readonly run: number
  /** The version of the program. */
  readonly program: string
  /** How a segment's file is made; another way serves to try out disks that refuse. */
  readonly makeFile?: MakeFile | undefined
  readonly queue: TapeQueue
  readonly states: States
  /** A segment is complete, and has this many bytes. */
  readonly onComplete: (bytes: number) => void
  /** Something about the queue is not as it was. */
  readonly onChange: () => void
}

export interface Pump {
  /** Does the next thing that is to be done; `false` when there was none. What failed is what is tried next. */
  readonly step: Effect.Effect<boolean, Refused>
  /** Forces the open segment to the disk. */
  readonly force: Effect.Effect<void>
  /** Writes what waits, unless the disk refuses, and closes the file. */
  readonly close: Effect.Effect<void>
  /** The segment that is open. */
  readonly current: () => { readonly after: number; readonly bytes: number } | undefined
}

export const make = (options: PumpOptions): Pump => {
  const { config, directory, onChange, onComplete, program, queue, run, states } = options
  const isForced = config.fsync !== "never"
  let current: OpenSegment | undefined

  const refuse = ({ cause }: Refused) =>
    Effect.suspend(() => {
      const isNew = queue.refusal === null
      queue.refusal = describe(cause)
      onChange()
      if (!isNew) return Effect.void
      const text = `the tape cannot be written; records wait in memory, ${config.buffer_mb} MB of them at most`
      return Effect.annotateLogs(Effect.logError(text), { error: queue.refusal })
    })
  const accept = Effect.suspend(() => {
    const wasRefused = queue.refusal !== null
    queue.refusal = null
    onChange()
    return wasRefused
      ? Effect.annotateLogs(Effect.logInfo("the tape is written again"), { lost: queue.lost })
      : Effect.void
  })
  const tellUnwritable = Effect.suspend(() => {
    const reason = queue.takeUnwritable()
    return reason === undefined
      ? Effect.void
      : Effect.annotateLogs(Effect.logError("an input could not be recorded"), { reason })
  })

  const begin = ({ after, begun }: { readonly after: number; readonly begun: number }) =>
    attempt(async () => {
      const header = { run, after, begun, program }
      current = await OpenSegment.begin(directory, header, options.makeFile ?? makeFile)
      if (isForced) await syncDirectory(directory)
    })
  const write = (open: OpenSegment, bytes: Buffer) =>
    Effect.map(
      attempt(() => open.append(bytes)),
      () => {
        TapeMetrics.writtenRecords.unsafeUpdate(queue.settle(), [])
        TapeMetrics.writtenBytes.unsafeUpdate(bytes.length, [])
      }
    )
  // The records are in the file for every reader, whether or not they would outlast a power failure.
  const tellUnforced = ({ cause }: Refused) => Effect.logError("the tape could not be forced to the disk", cause)
  const finish = (open: OpenSegment) =>
    attempt(() => open.close(directory, isForced)).pipe(
      Effect.catchAll(tellUnforced),
      Effect.zipRight(
        Effect.sync(() => {
          current = undefined
          queue.next()
          onComplete(open.bytes)
        })
      )
    )

  const next = Effect.suspend((): Effect.Effect<boolean, Refused> => {
    const segment = queue.oldest
    const { state } = segment
    if (current === undefined) {
      const isNothing = queue.isOldestSealed && segment.records.length === 0 && state === undefined
      return Effect.as(isNothing ? Effect.sync(() => queue.next()) : begin(segment), true)
    }
    if (state !== undefined) {
      const isThere = states.has(segment.after)
      return Effect.map(isThere ? Effect.void : attempt(() => states.begin(segment.after, state)), () => {
        if (segment.state === state) segment.state = undefined
        return true
      })
    }
    const bytes = queue.take()
    if (bytes !== undefined) return Effect.as(write(current, bytes), true)
    if (queue.isOldestSealed) return Effect.as(finish(current), true)
    return Effect.as(states.complete, false)
  })
  const step = Effect.zipRight(tellUnwritable, next).pipe(
    Effect.tapBoth({ onFailure: refuse, onSuccess: () => accept }),
    // What was begun with the disk has to be known to its end.
    Effect.uninterruptible
  )

  const force = Effect.suspend(() => {
    const open = current
    if (open === undefined) return Effect.void
    return Effect.catchAll(
      attempt(() => open.force()),
      (error) => (open === current ? tellUnforced(error) : Effect.void)
    )
  })

  const close = Effect.gen(function* () {
    yield* Effect.ignore(Effect.repeat(step, { while: (more) => more }))
    const open = current
    current = undefined
    if (open !== undefined)
      yield* Effect.catchAll(
        attempt(() => open.close(directory, true)),
        tellUnforced
      )
    if (queue.settled < queue.last) {
      yield* Effect.logError("the tape is closed, and its last records are in no file").pipe(
        Effect.annotateLogs({ written: queue.written, last: queue.last })
      )
    }
  })

  return { step, force, close, current: () => current }
}
