/**
 * Brings the database up to what happens now, after there was no room for live rows: those that were not kept are derived
 * from the tape, as fast as the database takes them, while those that come meanwhile are set aside; where the two meet,
 * live rows go their usual way again.
 */
import { Effect, Either } from "effect"
import type { Tape } from "../tape/Tape.ts"
import * as Coverage from "./Coverage.ts"
import { HALF, type LiveRows, type Point } from "./LiveRows.ts"
import { gapRows, lostStretch } from "./Losses.ts"
import type { Outbox } from "./Outbox.ts"
import type { RowLedger } from "./RowLedger.ts"
import { weightOf } from "./Rows.ts"
import * as TapeRows from "./TapeRows.ts"

export interface CatchUpOptions extends TapeRows.Recording {
  readonly tape: Tape["Type"]
  readonly live: LiveRows
  readonly outbox: Outbox
  readonly ledger: RowLedger
  /** How many rows are derived at a time, by weight. */
  readonly portion: number
}

const wholeAt = ({ coverage, time }: Point): ReadonlyMap<string, number> =>
  new Map(Coverage.at(coverage, time).map(({ venue, wholeUntil }) => [venue, wholeUntil]))

/** Ends when live rows are kept again. */
export const catchUp = ({ ledger, live, outbox, portion, tape, ...recording }: CatchUpOptions): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* outbox.until(() => outbox.isIdle)
    const start = live.kept
    const lose = (rows: number): void => {
      ledger.receive(rows)
      ledger.lose(rows)
    }
    const source = TapeRows.make({
      ...recording,
      run: tape.run,
      progress: { position: start.ordinal, sequence: start.sequence, whole: wholeAt(start) },
      sink: {
        portion,
        put: (rows, mark) => {
          const load = weightOf(rows)
          return Effect.zipRight(
            outbox.until(() => outbox.fits(load, HALF)),
            Effect.sync(() => outbox.put(rows, mark))
          )
        },
        lose
      }
    })
    /** Gives why the records up to this one cannot be had, if so. */
    const advance = (until: number): Effect.Effect<string | undefined> =>
      Effect.zipRight(tape.flush, source.advance(until)).pipe(
        Effect.map((outcome) =>
          Either.isLeft(outcome)
            ? outcome.left.message
            : source.ordinal() < until
              ? "the disk did not take them"
              : undefined
        )
      )
    /** What the tape does not hold is lost: goes on from where live rows are all there. */
    const giveUp = (why: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const before = source.known()
        const { coverage, ordinal, sequence, time } = live.resumable()
        const after = source.ordinal()
        const gap = lostStretch(before, { coverage, sequence, time }, why)
        outbox.put(gapRows(gap), { ordinal, coverage })
        lose(gap.rows)
        live.rejoin()
        return Effect.logError(`rows of the records ${after + 1} to ${ordinal} are lost: ${why}`)
      })

    let fault = yield* advance(live.last)
    while (fault === undefined) {
      const point = live.setAside()
      fault = yield* advance(point.ordinal)
      if (fault !== undefined || !live.rejoin()) continue
      const { sequence } = source.known()
      return sequence === point.sequence
        ? yield* Effect.logInfo("the database has caught up with the tape")
        : yield* Effect.logError(`the tape gives ${sequence} rows where ${point.sequence} were seen`)
    }
    yield* giveUp(fault)
  })
