/**
 * A stretch of the tape once more: the same inputs through the same code, at the pace of their own times or as fast as it
 * goes. There is no other clock and no chance in it, so that what follows is what followed then; where a segment was begun
 * with a saved state, it is compared.
 */
import { Clock, Data, Duration, Effect, Option, Stream } from "effect"
import { timeOf } from "../domain/Input.ts"
import type { MarketEvent } from "../domain/MarketEvent.ts"
import { type Derivation, Deriver } from "./Deriver.ts"
import { type Record, type Run, type Segment, type TapeError, TapeReader } from "./TapeReader.ts"

export interface ReplayOptions {
  /** In milliseconds since the epoch, ends included. */
  readonly from: number
  readonly to: number
  /** 1 keeps the intervals, 2 halves them, `Infinity` waits for nothing. */
  readonly speed: number
}

/** What followed from one record within the stretch. */
export interface Replayed {
  readonly run: number
  readonly ordinal: number
  readonly time: number
  readonly events: ReadonlyArray<MarketEvent>
  /** The digest of all that followed in its run so far. */
  readonly chain: () => string
}

/** What one comparison with a saved state said. */
export interface Seam {
  readonly run: number
  /** The last record before it. */
  readonly after: number
  readonly equal: boolean
}

/** The tape cannot be repeated from there. */
export class ReplayError extends Data.TaggedError("ReplayError")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** The segment to begin with, for everything from a time on to follow from whole books. */
export const firstSegment = ({ segments }: Run, from: number): Segment | undefined => {
  const usable = segments.filter(({ after, hasState }) => after === 0 || hasState)
  return usable.findLast(({ begun }) => begun <= from) ?? usable[0]
}

/** Runs whose inputs can lie in a stretch of time. */
const within = (runs: ReadonlyArray<Run>, from: number, to: number): ReadonlyArray<Run> =>
  runs.filter(
    ({ segments }, i) =>
      segments.length > 0 && segments[0]!.begun <= to && (runs[i + 1]?.segments[0]?.begun ?? Infinity) > from
  )

/** The derivation that follows from all records up to the segment. */
const beginAt = ({ after, run }: Segment) =>
  Effect.gen(function* () {
    const deriver = yield* Deriver
    const reader = yield* TapeReader
    const state = after === 0 ? Option.none() : yield* reader.stateUpTo(run, after)
    const derivation = deriver.begin(Option.getOrUndefined(Option.map(state, (one) => one.derivation)))
    if (derivation !== undefined) return derivation
    return yield* new ReplayError({
      detail: `run ${run}, record ${after}: the state that was saved there is of another version of the program`
    })
  })

/** Compares what was derived with what was saved then. */
const compare = ({ after, run }: Segment, derivation: Derivation) =>
  Effect.gen(function* () {
    const deriver = yield* Deriver
    const reader = yield* TapeReader
    const state = yield* reader.stateUpTo(run, after)
    const saved = Option.filter(state, (one) => one.after === after).pipe(
      Option.flatMapNullable((one) => deriver.begin(one.derivation))
    )
    return Option.map(saved, (one): Seam => ({ run, after, equal: one.chain() === derivation.chain() }))
  })

const replayRun = (
  run: Run,
  { from, to }: ReplayOptions,
  onSeam: (seam: Seam) => Effect.Effect<void>
): Stream.Stream<Replayed, TapeError | ReplayError, TapeReader | Deriver> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const reader = yield* TapeReader
      const first = firstSegment(run, from)
      if (first === undefined) {
        return yield* new ReplayError({ detail: `run ${run.run}: no segment has the state to begin with` })
      }
      const derivation = yield* beginAt(first)
      const seams = new Map(
        run.segments.filter(({ after, hasState }) => hasState && after > first.after).map((one) => [one.after, one])
      )
      const derive = ({ input, ordinal, run: number }: Record) => {
        const events = derivation.apply(input)
        const replayed: Replayed = { run: number, ordinal, time: timeOf(input), events, chain: derivation.chain }
        const seam = seams.get(ordinal)
        if (seam === undefined) return Effect.succeed(replayed)
        return compare(seam, derivation).pipe(
          Effect.flatMap(Option.match({ onNone: () => Effect.void, onSome: onSeam })),
          Effect.as(replayed)
        )
      }
      return reader.records(run.run, first.after).pipe(
        Stream.takeWhile(({ input }) => timeOf(input) <= to),
        Stream.mapEffect(derive),
        Stream.filter(({ time }) => time >= from)
      )
    })
  )

/** Lets each element pass when its time has come. */
const paced =
  (speed: number) =>
  <E, R>(stream: Stream.Stream<Replayed, E, R>): Stream.Stream<Replayed, E, R> =>
    speed === Infinity
      ? stream
      : Stream.suspend(() => {
          let origin: { readonly clock: number; readonly tape: number } | undefined
          return Stream.tap(stream, ({ time }) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              origin ??= { clock: now, tape: time }
              const wait = origin.clock + (time - origin.tape) / speed - now
              return wait > 0 ? Effect.sleep(Duration.millis(wait)) : Effect.void
            })
          )
        })

/** What followed from the records of a stretch of time, over all runs in it. */
export const replay = (
  options: ReplayOptions,
  onSeam: (seam: Seam) => Effect.Effect<void> = () => Effect.void
): Stream.Stream<Replayed, TapeError | ReplayError, TapeReader | Deriver> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { runs } = yield* TapeReader
      const found = within(yield* runs, options.from, options.to)
      return Stream.fromIterable(found).pipe(Stream.flatMap((run) => replayRun(run, options, onSeam)))
    })
  ).pipe(paced(options.speed))
