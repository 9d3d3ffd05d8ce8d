/**
 * Writes the tape. Records are appended in memory; one fiber writes all that has gathered, segment by segment, and tries
 * again for as long as the disk refuses. Another one compresses what is complete and lets the oldest go.
 */
import { mkdir } from "node:fs/promises"
import { Cause, Clock, Data, Duration, Effect, Schedule } from "effect"
import { Bell } from "../resilience/Bell.ts"
import type { Input } from "../domain/Input.ts"
import * as Archive from "./Archive.ts"
import * as Burst from "./Burst.ts"
import { attempt, describe } from "./Disk.ts"
import type { MakeFile } from "./OpenSegment.ts"
import * as Pump from "./Pump.ts"
import * as Recovery from "./Recovery.ts"
import { States } from "./States.ts"
import type { TapeConfig } from "./TapeConfig.ts"
import * as TapeDirectory from "./TapeDirectory.ts"
import * as TapeMetrics from "./TapeMetrics.ts"
import { TapeQueue } from "./TapeQueue.ts"
import { Waiters } from "./Waiters.ts"

const MEGABYTE = 1_000_000
/** How long records gather, unless somebody waits for them: a call to the disk costs as much for one as for many. */
const GATHER = "10 millis"
/** Between attempts to write to a disk that refuses: 0.1 s, doubling to 5 s, give or take a fifth. */
const retryDelay = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jittered
)
/** Complete segments that wait for the end of a burst, at most. */
const MOST_PLAIN = 8
/** How often age is looked at, when no segment is completed. */
const HOUSEKEEPING = Duration.minutes(5)

/** The tape's folder cannot be made or read. */
export class TapeUnusable extends Data.TaggedError("TapeUnusable")<{
  readonly directory: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `the tape in ${this.directory} cannot be used: ${describe(this.cause)}`
  }
}

export interface WriterOptions {
  readonly config: TapeConfig
  readonly directory: string
  /** The version of the program. */
  readonly program: string
  readonly makeFile?: MakeFile
}

/** The tape in a folder that nobody else writes to. Closing it writes what waits, and forces it to the disk. */
export const make = ({ config, directory, makeFile, program }: WriterOptions) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const before = yield* Effect.zipRight(
      attempt(() => mkdir(directory, { recursive: true })),
      Recovery.recover(directory)
    ).pipe(Effect.mapError(({ cause }) => new TapeUnusable({ directory, cause })))
    const run = Math.max(Math.floor(now() * 1000), before + 1)

    const queue = new TapeQueue(
      { segmentBytes: config.segment_mb * MEGABYTE, bufferBytes: config.buffer_mb * MEGABYTE },
      now()
    )
    const states = new States(directory, run)
    const waiters = new Waiters()
    const burst = Burst.make(() => queue.appendedBytes, clock)
    let isStirred = false
    const stirred = new Bell(() => isStirred)
    const stir = () => {
      isStirred = true
      stirred.ring()
    }
    let isDue = false
    const due = new Bell(() => isDue)
    const hurry = () => {
      isDue = true
      due.ring()
    }
    const gathered = Effect.sync(() => {
      isStirred = false
      hurry()
    })
    const begun = Effect.sync(() => (isDue = false))
    const housework = Effect.unsafeMakeLatch(true)
    let complete: Archive.Held = { segments: 0, bytes: 0 }
    /** Segments completed since it was last compressed. */
    let plain = 0

    const measured = (): Archive.Held => {
      const open = pump.current()
      return {
        segments: complete.segments + (open === undefined ? 0 : 1),
        bytes: complete.bytes + (open?.bytes ?? 0)
      }
    }
    const onChange = () => {
      const { bytes, segments } = measured()
      TapeMetrics.waitingBytes.unsafeUpdate(queue.waiting, [])
      TapeMetrics.segments.unsafeUpdate(segments, [])
      TapeMetrics.diskBytes.unsafeUpdate(bytes, [])
      waiters.look()
    }
    const onComplete = (bytes: number) => {
      complete = { segments: complete.segments + 1, bytes: complete.bytes + bytes }
      plain++
      burst.look()
      housework.unsafeOpen()
    }
    const pump = Pump.make({ config, directory, run, program, makeFile, queue, states, onComplete, onChange })

    const write = Effect.retry(pump.step, retryDelay).pipe(
      Effect.repeat({ while: (more) => more }),
      Effect.catchAllCause((cause) =>
        Cause.isInterrupted(cause) ? Effect.failCause(cause) : Effect.logError("the tape's writer failed", cause)
      )
    )

    const isComplete = (files: TapeDirectory.Files) =>
      files.run < run || (files.run === run && files.after < (pump.current()?.after ?? queue.oldest.after))
    const retention = { maxBytes: config.max_mb * MEGABYTE, keep: Duration.days(config.keep_days) }
    const retain = Effect.gen(function* () {
      complete = yield* Archive.retain(directory, isComplete, retention, yield* Clock.currentTimeMillis)
      onChange()
    }).pipe(
      Effect.catchAll(({ cause }) => Effect.logWarning("the tape could not be looked through", cause)),
      Effect.uninterruptible
    )
    const keepHouse = Effect.gen(function* () {
      yield* housework.close
      yield* retain
      yield* burst.over(() => plain < MOST_PLAIN)
      plain = 0
      yield* Archive.compress(directory, isComplete)
      yield* retain
      yield* Effect.race(housework.await, Effect.sleep(HOUSEKEEPING))
    })

    // The first segment is there before the first record, if the disk lets it.
    yield* Effect.ignore(pump.step)
    yield* Effect.addFinalizer(() => pump.close)
    yield* Effect.forkScoped(Effect.forever(keepHouse))
    if (config.fsync === "second") yield* Effect.forkScoped(Effect.repeat(pump.force, Schedule.spaced("1 second")))
    yield* Effect.forkScoped(
      Effect.forever(stirred.rung.pipe(Effect.zipRight(Effect.sleep(GATHER)), Effect.zipRight(gathered)))
    )
    yield* Effect.forkScoped(Effect.forever(due.rung.pipe(Effect.zipRight(begun), Effect.zipRight(write))))

    let storedTo = 0
    const noting = Effect.unsafeMakeSemaphore(1)
    const noteStored = (ordinal: number) =>
      Effect.suspend(() => {
        if (ordinal <= storedTo) return Effect.void
        storedTo = ordinal
        return attempt(() => TapeDirectory.writeStored(directory, run, ordinal)).pipe(
          Effect.catchAll(({ cause }) => Effect.logWarning("the tape could not note what is stored", cause))
        )
      }).pipe(noting.withPermits(1), Effect.uninterruptible)

    return {
      directory,
      run,
      append: (input: Input) => {
        const { lost } = queue
        const ordinal = queue.append(input)
        if (queue.lost > lost) TapeMetrics.lostRecords.unsafeUpdate(1, [])
        stir()
        return ordinal
      },
      last: () => queue.last,
      written: () => queue.written,
      room: waiters.until(() => !queue.isFull),
      flush: Effect.suspend(() => {
        const { last } = queue
        hurry()
        return waiters.until(() => queue.refusal !== null || queue.settled >= last)
      }),
      isRotationDue: () => queue.isRotationDue,
      requestRotation: () => queue.requestRotation(),
      rotate: (state: Uint8Array) => {
        queue.rotate(state, now())
        stir()
      },
      saveRowState: (ordinal: number, state: Uint8Array) => {
        if (!states.has(ordinal) && !queue.has(ordinal)) return
        states.add(ordinal, state)
        stir()
      },
      noteStored,
      status: Effect.sync(() => ({
        run,
        appended: queue.last,
        written: queue.writtenRecords,
        ...measured(),
        waiting: queue.waiting,
        lost: queue.lost,
        error: queue.refusal
      }))
    }
  })
