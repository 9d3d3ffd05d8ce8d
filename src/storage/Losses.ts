/** What the writer says in the tables of rows that are not there, in their place and under their numbers. */
import type { Coverage } from "./Coverage.ts"
import type { FeedEventRow, Row } from "./Rows.ts"
import { plain, venueOfRow } from "./Rows.ts"

/** Rows of one venue that were dropped before they were written. */
export interface Overflow {
  readonly venue: string
  /** When the first and the last of them were received. */
  readonly from: number
  readonly to: number
  readonly rows: number
  /** The number of the last. */
  readonly sequence: number
}

export const overflowRow = ({ from, rows, sequence, to, venue }: Overflow): FeedEventRow => ({
  table: "feed_events",
  sequence,
  venue,
  connection: "",
  kind: "overflow",
  instrumentId: null,
  from,
  to,
  receivedTime: to,
  lost: rows,
  reason: "the database was away for longer than memory lasts"
})

/** Stands for a row that the database refuses; there is none for one of the feed. */
export const refusalRow = (row: Row, reason: string): FeedEventRow | undefined =>
  row.table === "feed_events"
    ? undefined
    : {
        table: "feed_events",
        sequence: row.sequence,
        venue: venueOfRow(row),
        connection: "",
        kind: "gap",
        instrumentId: row.instrumentId,
        from: row.receivedTime,
        to: row.receivedTime,
        receivedTime: row.receivedTime,
        lost: 1,
        reason: plain(reason)
      }

/** What is known between two records: up to when the history of each venue is there, and the number of the last row. */
export interface Known {
  readonly sequence: number
  readonly whole: ReadonlyMap<string, number>
}

/** A stretch of records that can be derived no more. */
export interface Stretch {
  /** Up to when the history of each venue concerned is whole. */
  readonly from: ReadonlyMap<string, number>
  /** When the last of the records was received. */
  readonly to: number
  /** The number of the last of their rows, or of what follows on the last that is known. */
  readonly sequence: number
  /** The rows of all venues together, where they were counted. */
  readonly rows: number | null
  readonly reason: string
}

/** What is missing between what is known and a later point from which it goes on. */
export const lostStretch = (
  { sequence, whole }: Known,
  next: { readonly coverage: Coverage; readonly sequence: number; readonly time: number },
  why: string
): Stretch & { readonly rows: number } => ({
  from: new Map([...next.coverage.begins, ...whole]),
  to: next.time,
  sequence: next.sequence,
  // Rows of later records may be there already.
  rows: Math.max(0, next.sequence - sequence),
  reason: lostRecords(why)
})

export const lostRecords = (why: string): string => `records of the tape are gone: ${why}`

/** A row for each venue of which something may be missing; none where it is known that nothing is. */
export const gapRows = ({ from: whole, reason, rows, sequence, to }: Stretch): Array<FeedEventRow> => {
  const missing = rows === 0 ? [] : [...whole].filter(([, from]) => from <= to)
  return missing.map(([venue, from]) => ({
    table: "feed_events",
    sequence,
    venue,
    connection: "",
    kind: "gap",
    instrumentId: null,
    from,
    to,
    receivedTime: to,
    lost: missing.length === 1 ? rows : null,
    reason: plain(reason)
  }))
}
