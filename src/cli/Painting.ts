/** Lines and tables of coloured text that know how wide they are. */
import { clean, cut, cutMiddle, width } from "./Text.ts"

/** SGR parameters: what a terminal calls a colour or a weight. */
export const styles = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36",
  boldRed: "1;31",
  boldGreen: "1;32",
  boldCyan: "1;36"
} as const
export type Style = keyof typeof styles

/** Text in one style; any text, it is cleaned when it is painted. */
export interface Span {
  readonly text: string
  readonly style: Style | undefined
}

export type Line = ReadonlyArray<Span>

export const span = (text: string, style?: Style): Span => ({ text, style })

const raw = (text: string): string => {
  const body = clean(text)
  // Blanks at the ends are ours: they are what keeps columns apart.
  return body === ""
    ? " ".repeat(text.length)
    : " ".repeat(text.length - text.trimStart().length) + body + " ".repeat(text.length - text.trimEnd().length)
}

export const widthOf = (line: Line): number => line.reduce((sum, { text }) => sum + width(raw(text)), 0)

/** The text of a line for a terminal of so many columns: never wider, no control but SGR, ending in the plain style. */
export const paint = (line: Line, columns: number, colors: boolean): string => {
  let left = columns
  let out = ""
  for (const { style, text } of line) {
    const shown = cut(raw(text), left)
    if (shown === "") continue
    left -= width(shown)
    out += colors && style !== undefined ? `\u001b[${styles[style]}m${shown}\u001b[0m` : shown
    if (left <= 0) break
  }
  return out.trimEnd()
}

/** One part at the left end, one at the right end where there is room for both. */
export const apart = (left: Line, right: Line, columns: number): Line => {
  const room = columns - widthOf(left) - widthOf(right)
  return room < 1 ? left : [...left, span(" ".repeat(room)), ...right]
}

/** As many of the parts, set apart by blanks, as there is room for. */
export const joined = (parts: ReadonlyArray<Line>, room: number): Line => {
  const line: Array<Span> = []
  let left = room
  for (const part of parts) {
    const blank = line.length === 0 ? [] : [span("   ")]
    left -= widthOf(part) + widthOf(blank)
    if (left < 0 && line.length > 0) break
    line.push(...blank, ...part)
  }
  return line
}

export interface Column<A> {
  readonly title: string
  readonly width: number
  /** Takes what is left over, and gives when nothing else can; one of a table's columns. */
  readonly grows?: true
  readonly align?: "right"
  /** Where a text that is too long is cut; at its end unless this says otherwise. */
  readonly cut?: "middle"
  /** Left out where there is no room: the higher, the sooner. Those without stay. */
  readonly optional?: number
  readonly cell: (row: A) => Line
}

const GAP = 2
const NARROWEST = 8

const needed = <A>(columns: ReadonlyArray<Column<A>>): number =>
  columns.reduce((sum, column) => sum + column.width + GAP, -GAP)

const chosen = <A>(columns: ReadonlyArray<Column<A>>, room: number): ReadonlyArray<Column<A>> => {
  let kept = columns
  while (needed(kept) > room) {
    const least = Math.max(...kept.map(({ optional }) => optional ?? 0))
    if (least === 0) return kept
    kept = kept.filter(({ optional }) => (optional ?? 0) !== least)
  }
  return kept
}

const cellOf = (line: Line, columns: number, { align, cut: where }: Column<never>): Line => {
  const room = columns - widthOf(line)
  if (room >= 0) {
    const blank = span(" ".repeat(room))
    return align === "right" ? [blank, ...line] : [...line, blank]
  }
  const text = clean(line.map(({ text }) => text).join(""))
  const short = where === "middle" ? cutMiddle(text, columns) : cut(text, columns)
  return [span(short + " ".repeat(Math.max(0, columns - width(short))), line[0]?.style)]
}

/** A heading and the rows below it, in as many of the columns as there is room for. */
export const table = <A>(columns: ReadonlyArray<Column<A>>, rows: ReadonlyArray<A>, room: number): Array<Line> => {
  const kept = chosen(columns, room)
  const spare = room - needed(kept)
  const lineOf = (cell: (column: Column<A>) => Line): Line =>
    kept.flatMap((column, index) => [
      ...(index === 0 ? [] : [span(" ".repeat(GAP))]),
      ...cellOf(cell(column), column.grows === true ? Math.max(NARROWEST, column.width + spare) : column.width, column)
    ])
  return [lineOf(({ title }) => [span(title, "dim")]), ...rows.map((row) => lineOf(({ cell }) => cell(row)))]
}
