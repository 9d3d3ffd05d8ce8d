/** The live view as lines of text: pure, so that what a state looks like can be tested. */
import { LogLevel } from "effect"
import { bookTable, statusStyles } from "./BookTable.ts"
import type { FeedRow, LiveState } from "./LiveState.ts"
import { apart, type Column, joined, type Line, paint, span, type Style, table } from "./Painting.ts"
import type { Size } from "./Screen.ts"
import { bytes, duration, grouped, plural } from "./Summary.ts"

export interface Frame extends LiveState {
  /** What runs: `demo`. */
  readonly name: string
  /** Where the API is served, if that is known. */
  readonly url: string | undefined
}

export interface Canvas extends Size {
  readonly colors: boolean
}

/** Feeds and log entries that are shown at most; the books take the rest of the screen. */
const FEEDS = 6
const ENTRIES = 5
const LABEL = 11

const feedStyles: Readonly<Record<FeedRow["state"], Style>> = {
  connected: "green",
  connecting: "yellow",
  waiting: "yellow",
  halted: "red",
  closed: "dim"
}

const feedColumns: ReadonlyArray<Column<FeedRow>> = [
  { title: "  Feed", width: 16, cell: ({ slot, state }) => [span("● ", feedStyles[state]), span(slot, "bold")] },
  { title: "State", width: 11, cell: ({ state }) => [span(state, feedStyles[state])] },
  {
    title: "Connection",
    width: 20,
    grows: true,
    optional: 2,
    cell: ({ connection, reason, state }) => [state === "connected" ? span(connection) : span(reason, "yellow")]
  },
  { title: "Books", width: 6, align: "right", optional: 1, cell: ({ subscribed }) => [span(grouped(subscribed))] },
  { title: "Messages/s", width: 10, align: "right", cell: ({ rate }) => [span(grouped(rate))] },
  {
    title: "Data age",
    width: 9,
    align: "right",
    optional: 3,
    cell: ({ age }) => [
      age === null ? span("none yet", "dim") : span(duration(age), age > 10_000 ? "yellow" : undefined)
    ]
  }
]

const counted = (count: number, words: string, style?: Style): Line => [
  span(grouped(count), style ?? "bold"),
  span(` ${words}`)
]

/** A count that ought to be zero, and is red when it is not. */
const fault = (count: number, words: string): Line =>
  count === 0 ? [span("0", "green"), span(` ${words}`)] : counted(count, words, "boldRed")

const perSecond = (rate: number): Line => [span(`${grouped(rate)}/s`, "cyan")]

const totals = ({ observation, rowRate, updateRate }: LiveState, room: number): Array<Line> => {
  const { books, counters, database, drops, gaps, memory, opened, writer } = observation
  const { best_quotes, book_changes, book_snapshots, feed_events, trades } = writer.stored
  const stored = best_quotes + book_changes + book_snapshots + feed_events + trades
  const troubled = (["stale", "suspect", "resyncing"] as const).flatMap((status) =>
    books[status] === 0 ? [] : [[span(`${grouped(books[status])} ${status}`, statusStyles[status])]]
  )
  const state = database.state === "up" ? span("up", "green") : span(database.state, "boldRed")
  const facts = (label: string, ...parts: ReadonlyArray<Line>): Line => [
    span(label.padEnd(LABEL), "dim"),
    ...joined(parts, room - LABEL)
  ]
  return [
    facts("Books", [span(grouped(books.live), books.live > 0 ? "boldGreen" : "bold"), span(" live")], ...troubled),
    facts(
      "Integrity",
      [span("✓ ", "green"), ...counted(counters.verified, "digests verified")],
      fault(counters.mismatches, "mismatches"),
      [span(plural(counters.resyncs, "resync"))],
      [span(plural(gaps, "gap"))]
    ),
    facts(
      "Received",
      counted(observation.updates, "updates"),
      perSecond(updateRate),
      [span(plural(opened, "connection"))],
      [span(plural(drops, "drop"), drops === 0 ? undefined : "yellow")]
    ),
    facts(
      "Stored",
      counted(stored, "rows"),
      perSecond(rowRate),
      [span(`${grouped(book_changes)} changes`)],
      [span(`${grouped(best_quotes)} quotes`)],
      [span(`${grouped(trades)} trades`)],
      [span(`${grouped(book_snapshots)} snapshots`)]
    ),
    facts(
      "Database",
      [span(`${database.driver} `), state],
      [span(`${grouped(writer.buffered)} rows buffered`)],
      fault(writer.lost, "lost"),
      [span(`${bytes(memory)} memory`)]
    )
  ]
}

const levelStyle = (level: LogLevel.LogLevel): Style =>
  LogLevel.greaterThanEqual(level, LogLevel.Error)
    ? "red"
    : LogLevel.greaterThanEqual(level, LogLevel.Warning)
      ? "yellow"
      : "dim"

const logLines = ({ log }: LiveState): Array<Line> =>
  log
    .slice(-ENTRIES)
    .map(({ level, text, time }) => [
      span(`${new Date(time).toISOString().slice(11, 19)} `, "dim"),
      span(text, levelStyle(level))
    ])

const header = ({ name, observation, url }: Frame, columns: number): Line =>
  apart(
    [span("Parallax", "boldCyan"), span(` ${name}`, "bold")],
    [...(url === undefined ? [] : [span(url, "cyan"), span("   ")]), span(`up ${duration(observation.elapsed, 0)}`)],
    columns
  )

const inset = (line: Line): Line => [span(" "), ...line]

/** At most `rows` lines, none wider than `columns`. */
export const render = (frame: Frame, { colors, columns, rows }: Canvas): Array<string> => {
  const room = Math.max(0, columns - 2)
  const rule: Line = [span("─".repeat(columns), "dim")]
  const feeds = table(feedColumns, frame.feeds.slice(0, FEEDS), room)
  if (frame.feeds.length === 0) feeds.push([span("  none yet", "dim")])
  const hidden = frame.feeds.length - FEEDS
  if (hidden > 0) feeds.push([span(`  and ${grouped(hidden)} more`, "dim")])
  const log = logLines(frame)
  const above = [inset(header(frame, room)), rule, ...[...feeds, [], ...totals(frame, room)].map(inset), rule]
  const below = log.length === 0 ? [] : [rule, ...log.map(inset)]
  // The log gives way first, then what comes last.
  const fits = rows - above.length - below.length >= 4
  const space = rows - above.length - (fits ? below.length : 0)
  const books = space < 2 ? [] : bookTable(frame.books, room, space).map(inset)
  const blank: ReadonlyArray<Line> = fits ? Array.from({ length: Math.max(0, space - books.length) }, () => []) : []
  return [...above, ...books, ...blank, ...(fits ? below : [])]
    .slice(0, rows)
    .map((line) => paint(line, columns, colors))
}
