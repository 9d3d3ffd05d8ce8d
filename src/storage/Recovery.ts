/**
 * What earlier runs left on the tape and not in the database, as a killed process does: derived and stored under their
 * own ids and numbers, before anything of this run.
 */
import { Effect, Either, Option, Stream } from "effect"
import { type Input, timeOf } from "../domain/Input.ts"
import type { InstrumentId } from "../domain/Market.ts"
import type { Tape } from "../tape/Tape.ts"
import type { Run } from "../tape/TapeReader.ts"
import type { Attempts } from "./Attempts.ts"
import type { BatchSize } from "./BatchSize.ts"
import type { Batch } from "./BatchStore.ts"
import type { Coverage } from "./Coverage.ts"
import type { RowStore } from "./FlushTransaction.ts"
import { gapRows, lostRecords } from "./Losses.ts"
import type { RowLedger } from "./RowLedger.ts"
import { type Row, venueOf, weightOf } from "./Rows.ts"
import type { Progress } from "./RunTable.ts"
import * as TapeRows from "./TapeRows.ts"

export interface RecoveryOptions extends TapeRows.Recording, Pick<Attempts, "storeIn" | "persist"> {
  readonly store: RowStore
  readonly ledger: RowLedger
  readonly size: BatchSize
  /** That of this run. */
  readonly tape: Tape["Type"]
}

/** What can be told of a run that cannot be derived. */
interface Outline {
  /** Its last record, and when that was received. */
  readonly ordinal: number
  readonly time: number
  readonly venues: ReadonlySet<string>
}

/** Stores what is left of every run before this one. */
export const recover = (options: RecoveryOptions): Effect.Effect<void> =>
  Effect.gen(function* () {
    const runs = yield* Effect.catchAll(options.reader.runs, (error) =>
      Effect.as(Effect.logError("the tape of earlier runs cannot be read", error), [])
    )
    for (const run of runs.filter((one) => one.run < options.tape.run)) {
      yield* Effect.catchAllDefect(recoverRun(options, run), (cause) =>
        Effect.logError(`what run ${run.run} left cannot be stored`, cause)
      )
    }
  })

const recoverRun = (options: RecoveryOptions, run: Run): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { persist, reader, store } = options
    const known = yield* persist(store.progress(run.run))
    const progress: Progress = Option.getOrElse(known, () => ({
      position: run.stored ?? 0,
      sequence: 0,
      whole: new Map()
    }))
    if (run.stored !== null && progress.position >= run.stored) return
    const next = yield* Effect.either(Stream.runHead(reader.records(run.run, progress.position)))
    if (Either.isRight(next) && Option.isNone(next.right)) return
    yield* Effect.logInfo("rows of an earlier run are stored from the tape").pipe(
      Effect.annotateLogs({ run: run.run, after: progress.position })
    )
    yield* derive(options, run, progress)
  })

const derive = (options: RecoveryOptions, run: Run, progress: Progress): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { ledger, size, store, storeIn } = options
    const key = { tape: run.run, startedAt: Math.floor(run.run / 1000) }
    const keep = storeIn(store.run(key))
    let rows: Array<Row> = []
    let load = 0
    const flush = (more: Omit<Batch, "rows">) =>
      Effect.suspend(() => {
        const batch = { ...more, rows }
        rows = []
        load = 0
        ledger.receive(batch.rows.length)
        return keep(batch, size.limit)
      })
    const tape = TapeRows.make({
      ...options,
      run: run.run,
      progress,
      sink: {
        portion: size.usual,
        put: (made, { coverage, ordinal }) =>
          Effect.suspend(() => {
            for (const row of made) rows.push(row)
            load += weightOf(made)
            return load >= size.limit ? flush({ position: ordinal, coverage }) : Effect.void
          }),
        lose: (count) => {
          ledger.receive(count)
          ledger.lose(count)
        }
      }
    })
    const outcome = yield* tape.advance(Number.POSITIVE_INFINITY)
    if (Either.isRight(outcome)) {
      return yield* flush({ position: tape.ordinal(), coverage: tape.coverage(), wholeUntil: tape.time() })
    }
    const { ordinal, time, venues } = yield* outline(options, run)
    const { sequence, whole } = tape.known()
    yield* Effect.logError(
      `rows of run ${run.run} are lost after its record ${tape.ordinal()}: ${outcome.left.message}`
    )
    // Nothing is known to be there of a venue that the database does not name.
    const from = new Map([...Array.from(venues, (venue) => [venue, key.startedAt] as const), ...whole])
    const reason = lostRecords(outcome.left.detail)
    rows.push(...gapRows({ from, to: time, sequence: sequence + 1, rows: null, reason }))
    ledger.receive(1)
    ledger.lose(1)
    // The run has come to where its loss is recorded, whatever connections were down.
    const coverage: Coverage = { begins: from, down: new Map() }
    yield* flush({ position: Math.max(tape.ordinal(), ordinal), coverage })
  })

const outline = ({ reader }: RecoveryOptions, run: Run): Effect.Effect<Outline> =>
  Effect.gen(function* () {
    const venues = new Set<string>()
    let [ordinal, time] = [0, 0]
    for (const { after, begun } of run.segments) {
      if (after < ordinal) continue
      ordinal = after
      time = Math.max(time, begun)
      yield* reader.records(run.run, after).pipe(
        Stream.runForEach((record) =>
          Effect.sync(() => {
            ordinal = record.ordinal
            time = Math.max(time, timeOf(record.input))
            const venue = venueOfInput(record.input)
            if (venue !== undefined) venues.add(venue)
          })
        ),
        Effect.catchAll((error) => Effect.logWarning("records of an earlier run cannot be read", error))
      )
    }
    return { ordinal, time, venues }
  })

const venueOfInput = (input: Input): string | undefined => {
  const about: object = input._tag === "Told" ? input.event : input
  if ("venue" in about) return String(about.venue)
  return "instrumentId" in about ? venueOf(about.instrumentId as InstrumentId) : undefined
}
