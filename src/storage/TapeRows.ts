/**
 * The rows of a run once more, from its records: from the latest state before them on, silently up to the record whose
 * rows are there already, and from there into a sink. Where records are gone, and their rows with them, the sink is told
 * of the gap, and it goes on from the next state that there is.
 */
import { type Chunk, Effect, Either, Option, Schedule, Stream } from "effect"
import { timeOf } from "../domain/Input.ts"
import type { Derivation, Deriver } from "../tape/Deriver.ts"
import { type Record, type State, TapeError, type TapeReader } from "../tape/TapeReader.ts"
import * as Coverage from "./Coverage.ts"
import { gapRows, type Known, lostStretch } from "./Losses.ts"
import { Mapping } from "./Mapping.ts"
import type { Mark } from "./RowBuffer.ts"
import { type Row, weightOf } from "./Rows.ts"
import type { Progress } from "./RunTable.ts"

/** How long it derives, in milliseconds, before others have their turn. */
const SLICE_MILLIS = 5

/** Lets everything else in the process have its turn, its sockets included. */
const turn = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** A disk that fails to read may yet succeed: 0.1 s, 0.2 s … 3.2 s. */
const rereading = Schedule.intersect(Schedule.exponential("100 millis"), Schedule.recurs(6))

export interface Recording {
  readonly reader: TapeReader["Type"]
  readonly deriver: Deriver["Type"]
}

export interface Sink {
  /** How many rows, by weight, it is to be given at a time; a record's stay together. */
  readonly portion: number
  /** Takes rows with the record up to which they are complete; waits until there is room. */
  readonly put: (rows: ReadonlyArray<Row>, mark: Mark) => Effect.Effect<void>
  /** So many rows are lost. */
  readonly lose: (rows: number) => void
}

/** How it ended: at the record that was asked for, at the end of the records, or where no later ones can be derived. */
export type Outcome = Either.Either<void, TapeError>

export interface TapeRows {
  /** The last record whose rows are in the sink. */
  readonly ordinal: () => number
  /** Goes on up to this record, or to the end of what is written. */
  readonly advance: (until: number) => Effect.Effect<Outcome>
  /** What is known at this point. */
  readonly known: () => Known
  readonly coverage: () => Coverage.Coverage
  /** When the last record up to here was received. */
  readonly time: () => number
}

/** A point from which records can be applied. */
interface Cursor {
  readonly derivation: Derivation
  readonly mapping: Mapping
  ordinal: number
  time: number
}

const unreadable = (run: number, ordinal: number, cause?: unknown) =>
  new TapeError({
    reason: "damaged",
    where: `run ${run}, record ${ordinal}`,
    detail: "the state there is of a version that this one cannot read",
    cause
  })

export interface TapeRowsOptions extends Recording {
  readonly run: number
  /** The rows of all records up to this one are there. */
  readonly progress: Progress
  readonly sink: Sink
}

export const make = ({ deriver, progress, reader, run, sink }: TapeRowsOptions): TapeRows => {
  let cursor: Cursor | undefined
  /** The last record whose rows are in the sink. */
  let position = progress.position

  const load = (found: Option.Option<State>): Either.Either<Cursor, TapeError> => {
    const state = Option.getOrUndefined(found)
    const ordinal = state?.after ?? 0
    try {
      const derivation = deriver.begin(state?.derivation)
      const mapping = state === undefined ? Mapping.begin() : Mapping.restore(state.rows)
      if (derivation !== undefined && mapping !== undefined) {
        return Either.right({ derivation, mapping, ordinal, time: mapping.time })
      }
      return Either.left(unreadable(run, ordinal))
    } catch (cause) {
      return Either.left(unreadable(run, ordinal, cause))
    }
  }
  const read = <A>(effect: Effect.Effect<A, TapeError>): Effect.Effect<A, TapeError> =>
    Effect.retry(effect, { while: ({ reason }) => reason === "io", schedule: rereading })
  const begin = Effect.suspend(() => read(reader.stateUpTo(run, position))).pipe(Effect.flatMap(load))

  const known = (): Known => {
    if (cursor === undefined || cursor.ordinal < position) return progress
    const { mapping, time } = cursor
    // Some rows of the next record may be there already.
    const whole = new Map(progress.whole)
    for (const { venue, wholeUntil } of Coverage.at(mapping.coverage, time)) {
      whole.set(venue, Math.max(whole.get(venue) ?? 0, wholeUntil))
    }
    return { sequence: Math.max(progress.sequence, mapping.sequence), whole }
  }

  /** Applies records. Those that were dealt with are passed over in silence. */
  const consume = (at: Cursor, records: Chunk.Chunk<Record>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const left = records[Symbol.iterator]()
      let next = left.next()
      while (next.done !== true) {
        const rows: Array<Row> = []
        const faults: Array<unknown> = []
        let load = 0
        for (
          const start = clock.unsafeCurrentTimeNanos();
          next.done !== true &&
          load < sink.portion &&
          Number(clock.unsafeCurrentTimeNanos() - start) < SLICE_MILLIS * 1e6;
          next = left.next()
        ) {
          const { input, ordinal } = next.value
          const made: Array<Row> = []
          faults.push(...apply(at, input, made))
          at.ordinal = ordinal
          at.time = Math.max(at.time, timeOf(input))
          if (ordinal <= position) continue
          load += weightOf(made)
          for (const row of made) rows.push(row)
        }
        if (at.ordinal > position) {
          yield* sink.put(rows, { ordinal: at.ordinal, coverage: at.mapping.coverage })
          position = at.ordinal
        }
        if (faults.length > 0) yield* Effect.logError("a record cannot be derived again", faults[0])
        yield* turn
      }
    })

  /** Says that records are gone, and continues from the next state after them, if there is one. */
  const skip = (error: TapeError, until: number): Effect.Effect<Outcome> =>
    Effect.gen(function* () {
      const before = known()
      const after = Math.max(position, cursor?.ordinal ?? 0)
      const next = yield* Effect.option(nextState(after, until))
      if (Option.isNone(next)) return Either.left(error)
      cursor = next.value
      const { mapping, ordinal } = cursor
      yield* Effect.logError(
        `rows of the records ${position + 1} to ${ordinal} of run ${run} are lost: ${error.message}`
      )
      const gap = lostStretch(before, mapping, error.detail)
      sink.lose(gap.rows)
      yield* sink.put(gapRows(gap), { ordinal, coverage: mapping.coverage })
      position = ordinal
      return Either.right(undefined)
    })
  const nextState = (after: number, until: number): Effect.Effect<Cursor, TapeError> =>
    Effect.gen(function* () {
      const runs = yield* read(reader.runs)
      const segments = runs.find((one) => one.run === run)?.segments ?? []
      for (const segment of segments.filter((one) => one.hasState && one.after > after && one.after <= until)) {
        const state = yield* Effect.option(read(reader.stateUpTo(run, segment.after)))
        if (Option.isNone(state) || Option.isNone(state.value) || state.value.value.after <= after) continue
        const loaded = load(state.value)
        if (Either.isRight(loaded)) return loaded.right
      }
      return yield* new TapeError({ reason: "missing", where: `run ${run}`, detail: "there is no later state" })
    })

  const advance = (until: number): Effect.Effect<Outcome> =>
    Effect.gen(function* () {
      if (until <= position) return Either.right(undefined)
      const at = (cursor ??= yield* begin)
      yield* Stream.suspend(() => reader.records(run, at.ordinal)).pipe(
        Stream.takeWhile(({ ordinal }) => ordinal <= until),
        Stream.runForEachChunk((records) => consume(at, records)),
        read
      )
      return Either.right(undefined)
    }).pipe(
      Effect.catchAll((error) =>
        Effect.flatMap(skip(error, until), (skipped) =>
          Either.isLeft(skipped) ? Effect.succeed(skipped) : advance(until)
        )
      ),
      // A fault of ours. What was derived and not given to the sink is derived again.
      Effect.catchAllDefect((cause) => {
        cursor = undefined
        return Effect.logError(`the rows of run ${run} cannot be derived; trying again`, cause).pipe(
          Effect.zipRight(Effect.sleep("5 seconds")),
          Effect.zipRight(advance(until))
        )
      })
    )

  return {
    ordinal: () => position,
    advance,
    known,
    coverage: () => cursor?.mapping.coverage ?? Coverage.none,
    time: () => cursor?.time ?? 0
  }
}

/** Applies one record. Gives what it stumbled over. */
const apply = ({ derivation, mapping }: Cursor, input: Record["input"], rows: Array<Row>): ReadonlyArray<unknown> => {
  try {
    return mapping.map(derivation.apply(input), rows)
  } catch (cause) {
    return [cause]
  }
}
