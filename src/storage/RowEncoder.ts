/** How rows of each table are written in binary: one pass over a batch, synchronously. */
import type { InstrumentId } from "../domain/Market.ts"
import { PgCopy } from "./PgCopy.ts"
import type { Row, Table, TickRow } from "./Rows.ts"

/** What a batch's rows refer to. */
export interface References {
  /** The id of this run, past which positions count. */
  readonly run: number
  /** The number of an instrument, if it has one. */
  readonly numberOf: (id: InstrumentId) => number | undefined
}

export interface Encoded {
  /** The bytes for each table that occurs, and how many rows they are. */
  readonly parts: ReadonlyMap<Table, { readonly rows: number; readonly bytes: Uint8Array }>
  /** Instruments without a number. As long as there are any, the bytes are of no use. */
  readonly unnumbered: ReadonlySet<InstrumentId>
}

const tick = ["position", "no", "venue_time", "received_time", "digest"]

const columns: Record<Table, ReadonlyArray<string>> = {
  book_snapshots: [...tick, "source", "hash", "bid_prices", "bid_sizes", "ask_prices", "ask_sizes"],
  book_changes: [...tick, "side", "price", "size", "best_bid", "best_ask", "hash"],
  trades: [...tick, "price", "size", "taker_side", "trade_id"],
  best_quotes: [...tick, "bid", "bid_size", "ask", "ask_size"],
  feed_events: ["position", "venue", "connection", "kind", "no", "from_time", "to_time", "lost", "reason"]
}

export const columnsOf = (table: Table): ReadonlyArray<string> => columns[table]

/** The columns of a table in the order in which they are written, for SQL. */
export const columnList = (table: Table): string => columns[table].join(", ")

const price = (level: { readonly price: number }): number => level.price
const size = (level: { readonly size: number }): number => level.size

/** A batch being written. */
interface Writing {
  readonly run: number
  readonly numberOf: References["numberOf"]
  readonly unnumbered: Set<InstrumentId>
  /** The instrument of the row before, which the next row is often about too. */
  id: InstrumentId | undefined
  no: number
}

const numberIn = (writing: Writing, id: InstrumentId): number => {
  if (id === writing.id) return writing.no
  const no = writing.numberOf(id)
  if (no === undefined) writing.unnumbered.add(id)
  writing.id = id
  writing.no = no ?? 0
  return writing.no
}

const writeTick = (out: PgCopy, row: TickRow, writing: Writing): void => {
  out.bigint(writing.run + row.sequence)
  out.int32(numberIn(writing, row.instrumentId))
  out.time(row.venueTime)
  out.time(row.receivedTime)
  out.int64(row.high, row.low)
}

const write = (out: PgCopy, row: Row, writing: Writing): void => {
  out.row(columns[row.table].length)
  switch (row.table) {
    case "book_changes":
      writeTick(out, row, writing)
      out.text(row.side)
      out.numeric(row.price)
      out.numeric(row.size)
      out.optionalNumeric(row.bestBid)
      out.optionalNumeric(row.bestAsk)
      out.optionalText(row.hash)
      return
    case "best_quotes":
      writeTick(out, row, writing)
      out.optionalNumeric(row.bid)
      out.numeric(row.bidSize)
      out.optionalNumeric(row.ask)
      out.numeric(row.askSize)
      return
    case "book_snapshots":
      writeTick(out, row, writing)
      out.text(row.source)
      out.optionalText(row.hash)
      out.numericArray(row.bids, price)
      out.numericArray(row.bids, size)
      out.numericArray(row.asks, price)
      out.numericArray(row.asks, size)
      return
    case "trades":
      writeTick(out, row, writing)
      out.numeric(row.price)
      out.numeric(row.size)
      out.optionalText(row.takerSide)
      out.optionalText(row.tradeId)
      return
    case "feed_events": {
      out.bigint(writing.run + row.sequence)
      out.text(row.venue)
      out.text(row.connection)
      out.text(row.kind)
      if (row.instrumentId === null) out.null()
      else out.int32(numberIn(writing, row.instrumentId))
      out.time(row.from)
      if (row.to === null) out.null()
      else out.time(row.to)
      if (row.lost === null) out.null()
      else out.bigint(row.lost)
      out.text(row.reason)
      return
    }
  }
}

/** About as many bytes as a row takes of the tables that most rows go to. Memory that is not written to costs nothing. */
const ROW_BYTES: Partial<Record<Table, number>> = { book_changes: 200, best_quotes: 140 }

interface Part {
  readonly out: PgCopy
  rows: number
}

/** One pass over a batch. Throws a `RangeError` when a row holds what its table cannot. */
export const encode = (rows: ReadonlyArray<Row>, { numberOf, run }: References): Encoded => {
  const parts = new Map<Table, Part>()
  const writing: Writing = { run, numberOf, unnumbered: new Set(), id: undefined, no: 0 }
  for (const row of rows) {
    let part = parts.get(row.table)
    if (part === undefined) {
      part = { out: new PgCopy(rows.length * (ROW_BYTES[row.table] ?? 0)), rows: 0 }
      parts.set(row.table, part)
    }
    part.rows++
    write(part.out, row, writing)
  }
  return {
    parts: new Map(Array.from(parts, ([table, { out, rows }]) => [table, { rows, bytes: out.finish() }])),
    unnumbered: writing.unnumbered
  }
}
