/**
 * Goes through a tape for people and other tools: unlike a replay it goes on behind damage and holes, and says where
 * they are.
 */
import { Effect, Stream } from "effect"
import { decode } from "./Format.ts"
import * as SegmentFile from "./SegmentFile.ts"
import { type Selection, selects } from "./Selection.ts"
import { type Record, type Segment, TapeError, TapeReader } from "./TapeReader.ts"

/** What cannot be read, and where: a file and an offset. */
export interface Trouble {
  readonly where: string
  readonly detail: string
  /** The end of a run that was killed, or that is being written: nothing that was written is missing. */
  readonly harmless: boolean
}

export type Step =
  { readonly _tag: "Records"; readonly records: ReadonlyArray<Record> } | ({ readonly _tag: "Trouble" } & Trouble)

const trouble = (where: string, detail: string, harmless = false): Step => ({
  _tag: "Trouble",
  where,
  detail,
  harmless
})

/** How far clocks may have gone back between two segments. */
const CLOCK_SLACK = 60_000

async function* stepsOf(segment: Segment, next: Segment | undefined): AsyncGenerator<Step, void, void> {
  let position = segment.after
  for await (const part of SegmentFile.read(await SegmentFile.present(segment.file))) {
    if (part._tag === "Begin") {
      const { after, run } = part.header
      if (run === segment.run && after === segment.after) continue
      yield trouble(`${segment.file} at 0`, `these are the records after ${after} of run ${run}`)
    } else if (part._tag === "Fault") {
      yield trouble(`${segment.file} at ${part.offset}`, part.detail, part.torn && next === undefined)
    } else {
      const records: Array<Record> = []
      for (const [index, at] of part.bounds.slice(0, -1).entries()) {
        position++
        try {
          const input = decode(part.bytes, at, part.bounds[index + 1]!)
          records.push({ run: segment.run, ordinal: position, input })
        } catch (error) {
          yield trouble(`${segment.file} at ${part.offset + at}`, `the record is of no known kind: ${String(error)}`)
        }
      }
      yield { _tag: "Records", records }
    }
  }
  if (next !== undefined && next.after !== position) {
    yield trouble(next.file, `records ${position + 1} to ${next.after} of run ${segment.run} are not on the tape`)
  }
}

/** The steps through one segment. */
export const segment = (one: Segment, next: Segment | undefined): Stream.Stream<Step, TapeError> =>
  Stream.fromAsyncIterable(
    stepsOf(one, next),
    (cause) => new TapeError({ reason: "io", where: one.file, detail: String(cause), cause })
  )

/** All steps of all runs, of segments that may hold something of the selection. */
export const steps = (selection: Selection): Stream.Stream<Step, TapeError, TapeReader> =>
  Stream.unwrap(
    Effect.map(
      Effect.flatMap(TapeReader, ({ runs }) => runs),
      (runs) => {
        const { from = -Infinity, to = Infinity } = selection
        const all = runs.flatMap(({ segments }) => segments.map((one, i) => ({ one, next: segments[i + 1] })))
        const wanted = all.filter(
          ({ next, one }) => one.begun - CLOCK_SLACK < to && (next === undefined || next.begun + CLOCK_SLACK > from)
        )
        return Stream.flatMap(Stream.fromIterable(wanted), ({ next, one }) => segment(one, next))
      }
    )
  ).pipe(
    Stream.map((step) =>
      step._tag === "Records"
        ? { ...step, records: step.records.filter(({ input }) => selects(selection, input)) }
        : step
    )
  )
