/** The rows of the tables that ticks and feed events go to, before they are written. */
import type { InstrumentId } from "../domain/Market.ts"
import type { BookSnapshot } from "../domain/MarketEvent.ts"
import type { Price, Size } from "../domain/Money.ts"
import type { Level, Side } from "../domain/OrderBook.ts"

interface Tick {
  /** Counts the rows of a run from 1; `position` is this past the run's own id. */
  readonly sequence: number
  readonly instrumentId: InstrumentId
  readonly venueTime: number
  readonly receivedTime: number
  /** The digest's halves. */
  readonly high: number
  readonly low: number
}

export interface SnapshotRow extends Tick {
  readonly table: "book_snapshots"
  readonly source: BookSnapshot["source"]
  readonly hash: string | null
  /** Best first. */
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
}

export interface ChangeRow extends Tick {
  readonly table: "book_changes"
  readonly side: Side
  readonly price: Price
  readonly size: Size
  readonly bestBid: Price | -1 | null
  readonly bestAsk: Price | -1 | null
  readonly hash: string | null
}

export interface TradeRow extends Tick {
  readonly table: "trades"
  readonly price: Price
  readonly size: Size
  readonly takerSide: "buy" | "sell" | null
  readonly tradeId: string | null
}

export interface QuoteRow extends Tick {
  readonly table: "best_quotes"
  readonly bid: Price | -1
  readonly bidSize: Size
  readonly ask: Price | -1
  readonly askSize: Size
}

/**
 * `connected`, `disconnected`, `rejected`, `unsubscribed`, `tick_size` and `resolved` are moments. `stale`, `suspect` and
 * `resyncing` begin what the next `live` of the instrument ends, from and to. `gap` and `overflow` are stretches of
 * history that are not whole.
 */
export type FeedEventKind =
  | "connected"
  | "disconnected"
  | "rejected"
  | "unsubscribed"
  | "tick_size"
  | "resolved"
  | "stale"
  | "suspect"
  | "resyncing"
  | "live"
  | "gap"
  | "overflow"

export interface FeedEventRow {
  readonly table: "feed_events"
  /** As of a tick. What the writer says of rows that it lost has the number of one of them, and takes none of its own. */
  readonly sequence: number
  readonly venue: string
  /** Empty where no single connection is meant. */
  readonly connection: string
  readonly kind: FeedEventKind
  readonly instrumentId: InstrumentId | null
  readonly from: number
  readonly to: number | null
  readonly receivedTime: number
  readonly lost: number | null
  readonly reason: string
}

export type TickRow = SnapshotRow | ChangeRow | TradeRow | QuoteRow
export type Row = TickRow | FeedEventRow
export type Table = Row["table"]

export const tables: ReadonlyArray<Table> = ["book_snapshots", "book_changes", "trades", "best_quotes", "feed_events"]

export const venueOf = (id: InstrumentId): string => id.slice(0, id.indexOf(":"))

export const venueOfRow = (row: Row): string => (row.table === "feed_events" ? row.venue : venueOf(row.instrumentId))

/** Enough of a reason for a person; and text that a database takes. */
const REASON_LENGTH = 500
export const plain = (text: string): string => text.slice(0, REASON_LENGTH).replaceAll("\0", " ")

/** The levels that weigh as much in memory as one row. */
const LEVELS_PER_ROW = 4

/** How many rows a row counts for where rows are limited for memory's sake. */
export const weight = (row: Row): number =>
  row.table === "book_snapshots" ? 1 + Math.ceil((row.bids.length + row.asks.length) / LEVELS_PER_ROW) : 1

/** What rows weigh together. */
export const weightOf = (rows: ReadonlyArray<Row>): number => {
  let sum = 0
  for (const row of rows) sum += weight(row)
  return sum
}
