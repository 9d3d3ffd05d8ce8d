/**
 * The record of every input, in the order in which it was used, written before anything that follows from it leaves the
 * process. What everything else can be rebuilt from.
 */
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import packageJson from "../../package.json" with { type: "json" }
import type { Input } from "../domain/Input.ts"
import * as DirectoryLock from "../resilience/DirectoryLock.ts"
import type { TapeConfig } from "./TapeConfig.ts"
import * as TapeWriter from "./TapeWriter.ts"

export type TapeStartError = DirectoryLock.DirectoryLocked | DirectoryLock.DirectoryUnusable | TapeWriter.TapeUnusable

/** Where the tape lies. */
export const directoryIn = (dataDir: string): string => join(dataDir, "tape")

export interface TapeStatus {
  /** The number of this run: microseconds since the epoch at its start, greater than that of every run before. */
  readonly run: number
  /** Records appended in this run, and those of them that lie in the file. */
  readonly appended: number
  readonly written: number
  /** Bytes on disk, of all runs. */
  readonly bytes: number
  readonly segments: number
  /** Bytes that wait for the disk. */
  readonly waiting: number
  /** Records of this run that the disk refused and that are in no file. */
  readonly lost: number
  /** Why the disk takes nothing; `null` when it does. */
  readonly error: string | null
}

export class Tape extends Context.Tag("parallax/tape/Tape")<
  Tape,
  {
    /** The folder that holds the segments, or `null` where nothing is recorded. */
    readonly directory: string | null
    readonly run: number
    /** Appends in memory, to be written at once; gives the record's number in this run, from 1. Never waits. */
    readonly append: (input: Input) => number
    /** The number of the last record that was appended. */
    readonly last: () => number
    /** The number of the last record that lies in the file, for every reader to see. */
    readonly written: () => number
    /** Waits while too much waits for the disk. */
    readonly room: Effect.Effect<void>
    /** Waits until all that was appended so far lies in the file, or the disk refused it. */
    readonly flush: Effect.Effect<void>
    /** Whether the segment is full, or somebody asked for a new one, or records were lost since it began. */
    readonly isRotationDue: () => boolean
    /** Asks for a new segment at the next occasion. */
    readonly requestRotation: () => void
    /**
     * Begins a new segment after the last record, with the state that follows from all records before. The state is
     * complete when {@link saveRowState} adds the other half.
     */
    readonly rotate: (state: Uint8Array) => void
    /** What the writer of rows remembers after record `ordinal`, with which a segment ended. */
    readonly saveRowState: (ordinal: number, state: Uint8Array) => void
    /** Remembers that the rows of all records up to this one are in the database, for when there is none to ask. */
    readonly noteStored: (ordinal: number) => Effect.Effect<void>
    readonly status: Effect.Effect<TapeStatus>
  }
>() {
  /** Records in `<dataDir>/tape`, which no other process may write to; records nothing where that is turned off. */
  static readonly layer = (config: TapeConfig, dataDir: string): Layer.Layer<Tape, TapeStartError> => {
    if (!config.enabled) return Tape.layerNone
    const directory = directoryIn(dataDir)
    return Layer.scoped(
      Tape,
      DirectoryLock.acquire(directory).pipe(
        Effect.zipRight(TapeWriter.make({ config, directory, program: packageJson.version })),
        Effect.map(Tape.of)
      )
    )
  }

  /** Numbers inputs and records nothing. */
  static readonly layerNone: Layer.Layer<Tape> = Layer.sync(Tape, () => {
    let last = 0
    return Tape.of({
      directory: null,
      run: 0,
      append: () => ++last,
      last: () => last,
      written: () => last,
      room: Effect.void,
      flush: Effect.void,
      isRotationDue: () => false,
      requestRotation: () => undefined,
      rotate: () => undefined,
      saveRowState: () => undefined,
      noteStored: () => Effect.void,
      status: Effect.sync(() => ({
        run: 0,
        appended: last,
        written: last,
        bytes: 0,
        segments: 0,
        waiting: 0,
        lost: 0,
        error: null
      }))
    })
  })
}
