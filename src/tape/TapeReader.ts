/** What lies on a tape, for whoever repeats it. */
import { Context, Data, type Effect, type Option, type Stream } from "effect"
import type { Input } from "../domain/Input.ts"

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
>() {}
