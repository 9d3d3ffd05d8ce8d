/**
 * Faults with the time of each: a JSON array, or one object after another (JSON lines), such as
 * `{"at": 5, "fault": "drop"}`. `at` is seconds from the start of the simulator.
 */
import * as Faults from "./Faults.ts"

export interface ScheduledFault {
  /** Milliseconds from the start. */
  readonly at: number
  readonly fault: Faults.Fault
}

/** Something in the file that is no scheduled fault. `field` is empty when the line as a whole is meant. */
export interface FileProblem {
  readonly line: number
  readonly field: string
  readonly problem: string
}

interface Piece {
  readonly line: number
  readonly text: string
}

/** The objects of a list or of JSON lines, each with the line that it starts on. */
const pieces = (
  text: string
): { readonly found: ReadonlyArray<Piece>; readonly problems: ReadonlyArray<FileProblem> } => {
  const found: Array<Piece> = []
  const problems: Array<FileProblem> = []
  let line = 1
  let depth = 0
  let quoted = false
  let start = { at: 0, line: 0 }
  let strayOn = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === "\n") line++
    if (quoted) {
      if (char === "\\") i++
      else if (char === '"') quoted = false
    } else if (char === '"' && depth > 0) quoted = true
    else if (char === "{") {
      if (depth++ === 0) start = { at: i, line }
    } else if (char === "}" && depth > 0) {
      if (--depth === 0) found.push({ line: start.line, text: text.slice(start.at, i + 1) })
    } else if (depth === 0 && !/[\s,[\]]/.test(char) && strayOn !== line) {
      strayOn = line
      problems.push({ line, field: "", problem: `expected an object, found ${JSON.stringify(char)}` })
    }
  }
  if (depth > 0) problems.push({ line: start.line, field: "", problem: "the object does not end" })
  return { found, problems }
}

const scheduled = (piece: Piece): ScheduledFault | ReadonlyArray<FileProblem> => {
  let value: unknown
  try {
    value = JSON.parse(piece.text)
  } catch (error) {
    return [{ line: piece.line, field: "", problem: `not JSON: ${(error as Error).message}` }]
  }
  const { at, ...command } = value as Record<string, unknown>
  const problems: Array<FileProblem> = []
  if (typeof at !== "number" || !(at >= 0)) {
    problems.push({ line: piece.line, field: "at", problem: "seconds from the start, 0 or more, are required" })
  }
  const decoded = Faults.decode(command)
  if ("problems" in decoded) return [...problems, ...decoded.problems.map((one) => ({ line: piece.line, ...one }))]
  return problems.length > 0 ? problems : { at: (at as number) * 1000, fault: decoded.fault }
}

/** Everything in the file, or everything that is wrong with it. */
export const parse = (
  text: string
): ReadonlyArray<ScheduledFault> | { readonly problems: ReadonlyArray<FileProblem> } => {
  const { found, problems } = pieces(text)
  const faults: Array<ScheduledFault> = []
  const wrong: Array<FileProblem> = [...problems]
  for (const piece of found) {
    const result = scheduled(piece)
    if ("fault" in result) faults.push(result)
    else wrong.push(...result)
  }
  return wrong.length > 0 ? { problems: wrong.sort((a, b) => a.line - b.line) } : faults
}

/** Problems in one line of text: `line 3: durationMs: Expected …`. */
export const format = (problems: ReadonlyArray<FileProblem>): string =>
  problems.map(({ field, line, problem }) => `line ${line}: ${field === "" ? "" : `${field}: `}${problem}`).join("; ")
