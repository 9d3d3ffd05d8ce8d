/** How rows of each table are written in binary: one pass over a batch, synchronously. */
import type { InstrumentId } from "../domain/Market.ts"
import { PgCopy } from "./PgCopy.ts"
import type { Row, Table, TickRow } from "./Rows.ts"

/** What a batch's rows refer to, as it is known inside the transaction that writes them. */
export interface References {
  /** The id of this run, past which positions count. */
  readonly run: number
  /** The number of an instrument. */
  readonly numberOf: (id: InstrumentId) => number | undefined
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

const writeTick = (out: PgCopy, row: TickRow, { run, numberOf }: References): void => {
  const no = numberOf(row.instrumentId)
  if (no === undefined) throw new RangeError(`no number for ${row.instrumentId}`)
  out.bigint(run + row.sequence)
  out.int32(no)
  out.time(row.venueTime)
  out.time(row.receivedTime)
  out.int64(row.high, row.low)
}

const write = (out: PgCopy, row: Row, references: References): void => {
  out.row(columns[row.table].length)
  switch (row.table) {
    case "book_changes":
      writeTick(out, row, references)
      out.text(row.side)
      out.numeric(row.price)
      out.numeric(row.size)
      out.optionalNumeric(row.bestBid)
      out.optionalNumeric(row.bestAsk)
      out.optionalText(row.hash)
      return
    case "best_quotes":
      writeTick(out, row, references)
      out.optionalNumeric(row.bid)
      out.numeric(row.bidSize)
      out.optionalNumeric(row.ask)
      out.numeric(row.askSize)
      return
    case "book_snapshots":
      writeTick(out, row, references)
      out.text(row.source)
      out.optionalText(row.hash)
      out.numericArray(row.bids, price)
      out.numericArray(row.bids, size)
      out.numericArray(row.asks, price)
      out.numericArray(row.asks, size)
      return
    case "trades":
      writeTick(out, row, references)
      out.numeric(row.price)
      out.numeric(row.size)
      out.optionalText(row.takerSide)
      out.optionalText(row.tradeId)
      return
    case "feed_events": {
      const no = row.instrumentId === null ? undefined : references.numberOf(row.instrumentId)
      out.bigint(references.run + row.sequence)
      out.text(row.venue)
      out.text(row.connection)
      out.text(row.kind)
      if (no === undefined) out.null()
      else out.int32(no)
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

/** The bytes for each table that occurs. Throws a `RangeError` when a row holds what its table cannot. */
export const encode = (rows: ReadonlyArray<Row>, references: References): ReadonlyMap<Table, Uint8Array> => {
  const writers = new Map<Table, PgCopy>()
  for (const row of rows) {
    let writer = writers.get(row.table)
    if (writer === undefined) {
      writer = new PgCopy()
      writers.set(row.table, writer)
    }
    write(writer, row, references)
  }
  return new Map([...writers].map(([table, writer]) => [table, writer.finish()]))
}
