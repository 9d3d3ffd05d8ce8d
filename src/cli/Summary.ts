/** What a run came to, as text: a table for people and a last line for scripts. */
import type { BookStatus } from "../domain/MarketEvent.ts"
import type { Observation } from "./Observer.ts"

/** Digits in groups of three: `31,234`. */
export const grouped = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",")

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const

/** Bytes with a unit, three digits at most: `9.4 MB`. */
export const bytes = (count: number): string => {
  let value = Math.max(0, count)
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`
}

/** A length of time in at most two units: `20.0 s` (or `20 s` with no digits), `1 min 23 s`, `2 h 05 min`. */
export const duration = (millis: number, digits = 1): string => {
  const seconds = Math.max(0, millis) / 1000
  if (seconds < 59.5) return `${seconds.toFixed(digits)} s`
  const [small, large, names] =
    seconds < 3599.5
      ? [Math.round(seconds) % 60, Math.floor(Math.round(seconds) / 60), ["min", "s"]]
      : [Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600), ["h", "min"]]
  return `${large} ${names[0]} ${String(small).padStart(2, "0")} ${names[1]}`
}

/** A count with its noun: `1 gap`, `2 gaps`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`

/** Counts by name, the largest first: `5,800 price_change, 120 book`. */
const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
    .map(([name, count]) => `${grouped(count)} ${name}`)
    .join(", ")

/** The sum over all connections of one of their counters by name. */
const summed = (records: ReadonlyArray<Readonly<Record<string, number>>>): Record<string, number> => {
  // Names come from outside: only a map keeps them all alike.
  const sums = new Map<string, number>()
  for (const record of records)
    for (const [name, count] of Object.entries(record)) sums.set(name, (sums.get(name) ?? 0) + count)
  return Object.fromEntries(sums)
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** A list that may be empty after its total. */
const after = (list: string): string => (list === "" ? "" : `: ${list}`)

const statuses: ReadonlyArray<BookStatus> = ["live", "stale", "suspect", "resyncing"]

/** The numbers that a log line or a script wants. */
export interface Totals {
  readonly books: number
  readonly live: number
  readonly frames: number
  readonly verified: number
  readonly mismatches: number
  readonly stored: number
  readonly lost: number
}

export const totals = ({ books, connections, counters, writer }: Observation): Totals => ({
  books: total(books),
  live: books.live,
  frames: connections.reduce((sum, { frames }) => sum + frames, 0),
  verified: counters.verified,
  mismatches: counters.mismatches,
  stored: total(writer.stored),
  lost: writer.lost
})

/** One line with fixed words, digits ungrouped. */
export const line = (name: string, observation: Observation): string => {
  const { books, live, lost, mismatches, stored, verified } = totals(observation)
  return `${name}: ${live} of ${books} books live, ${verified} hashes verified, ${mismatches} hash mismatches, ${stored} rows stored, ${lost} rows lost`
}

/** The closing text, its last line being {@link line}. */
export const text = (name: string, observation: Observation): string => {
  const { books, connections, counters, database, writer } = observation
  const { frames, stored } = totals(observation)
  const messages = summed(connections.map(({ messages }) => messages))
  const errors = summed(connections.map(({ errors }) => errors))
  const received = connections.reduce((sum, { bytes }) => sum + bytes, 0)
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["ran for", duration(observation.elapsed)],
    ["connections", `${grouped(observation.opened)} opened, ${grouped(observation.drops)} dropped`],
    ["received", `${plural(frames, "frame")}, ${bytes(received)}${after(listed(messages))}`],
    ...(total(errors) === 0 ? [] : [["errors", listed(errors)] as const]),
    ["books", statuses.map((status) => `${grouped(books[status])} ${status}`).join(", ")],
    [
      "integrity",
      [
        plural(counters.verified, "digest verified", "digests verified"),
        plural(counters.mismatches, "mismatch", "mismatches"),
        `${grouped(counters.unverifiable)} unverifiable`,
        plural(counters.resyncs, "resync"),
        plural(observation.gaps, "gap")
      ].join(", ")
    ],
    ["stored", `${plural(stored, "row")}${after(listed(writer.stored))}`],
    ...(writer.buffered === 0 ? [] : [["not stored", plural(writer.buffered, "row")] as const]),
    ["lost", plural(writer.lost, "row")],
    ["database", `${database.driver}, ${database.state}${database.state === "up" ? "" : after(database.error ?? "")}`],
    ["memory", `${bytes(observation.peakMemory)} at most`]
  ]
  return ["", ...rows.map(([label, value]) => `  ${label.padEnd(12)} ${value}`), "", line(name, observation)].join("\n")
}
