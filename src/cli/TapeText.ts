/** What the commands of the tape print. */
import { timeText } from "../tape/Selection.ts"
import type { Fault, Surveyed } from "../tape/Survey.ts"

export interface SurveyedRun {
  readonly run: number
  readonly stored: number | null
  readonly segments: ReadonlyArray<Surveyed>
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

/** Whether the rows of all records are known to be in a database. */
const isStored = ({ stored }: SurveyedRun, { after, records }: Surveyed): boolean | null =>
  stored === null ? null : stored >= after + records

/** How many times smaller the file is than what it holds. */
const ratio = ({ bytes, compressed, plainBytes }: Surveyed): number | null =>
  compressed && bytes > 0 ? plainBytes / bytes : null

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e5 ? 3 : 1)} MB`

const HEADINGS = ["records", "from", "to", "size", "packed", "state", "stored", "file"]
const RIGHT = new Set(["records", "size", "packed"])

const rowOf = (run: SurveyedRun, segment: Surveyed): ReadonlyArray<string> => {
  const { after, begun, bytes, ended, file, hasState, records } = segment
  const packed = ratio(segment)
  const stored = isStored(run, segment)
  return [
    records === 0 ? "none" : `${after + 1}–${after + records}`,
    timeText(begun),
    ended === null ? "" : timeText(ended),
    megabytes(bytes),
    packed === null ? "" : `${packed.toFixed(1)}×`,
    hasState ? "yes" : "",
    stored === null ? "unknown" : stored ? "yes" : "no",
    file
  ]
}

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const cell = (text: string, column: number) =>
    RIGHT.has(HEADINGS[column]!) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join("  ").trimEnd()}\n`).join("")
}

/** For people. */
export const table = (runs: ReadonlyArray<SurveyedRun>): string => {
  if (runs.length === 0) return "The tape is empty.\n"
  const blocks = runs.map((run) => {
    const { segments } = run
    const records = segments.reduce((sum, segment) => sum + segment.records, 0)
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    const facts = [
      `begun ${timeText(run.run / 1000)}`,
      counted(segments.length, "segment"),
      counted(records, "record"),
      megabytes(bytes)
    ]
    return `run ${run.run}: ${facts.join(", ")}\n${aligned([HEADINGS, ...segments.map((one) => rowOf(run, one))])}`
  })
  return blocks.join("\n")
}

/** For other programs. */
export const json = (runs: ReadonlyArray<SurveyedRun>): string => {
  const shown = runs.map((run) => ({
    run: run.run,
    begun: timeText(run.run / 1000),
    stored: run.stored,
    segments: run.segments.map((segment) => ({
      file: segment.file,
      after: segment.after,
      records: segment.records,
      begun: timeText(segment.begun),
      ended: segment.ended === null ? null : timeText(segment.ended),
      bytes: segment.bytes,
      plainBytes: segment.plainBytes,
      compressed: segment.compressed,
      ratio: ratio(segment),
      hasState: segment.hasState,
      stored: isStored(run, segment)
    }))
  }))
  return `${JSON.stringify(shown, null, 2)}\n`
}

export const fault = ({ detail, file, harmless, offset }: Fault): string =>
  `${file}${offset === null ? "" : ` at ${offset}`}: ${detail}${harmless ? " (the end of a run may be so)" : ""}\n`

export const verdict = (runs: number, segments: number, faults: number): string =>
  `${counted(runs, "run")}, ${counted(segments, "segment")}: ${faults === 0 ? "no faults" : counted(faults, "fault")}\n`
