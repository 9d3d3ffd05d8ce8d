/**
 * Everything that happens to a market, in one vocabulary for all venues. Feeds emit venue events; `Books` applies them
 * and passes on what held, together with the integrity events that it derives.
 *
 * Times are milliseconds since the epoch: `venueTime` as the venue stamps it, `receivedTime` by our clock when the
 * frame arrived. Sizes are absolute whatever the venue sends.
 */
import type { InstrumentId, Market, MarketId, VenueId } from "./Market.ts"
import type { Price, Size } from "./Money.ts"
import type { Level, Side } from "./OrderBook.ts"
import type { PriceGrid } from "./PriceGrid.ts"

/** The whole book of one instrument. */
export interface BookSnapshot {
  readonly _tag: "BookSnapshot"
  readonly instrumentId: InstrumentId
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly venueTime: number
  readonly receivedTime: number
  readonly sequence: number | null
  /** The venue's digest of the book, where it sends one. */
  readonly hash: string | null
  /**
   * `socket`: in order with the changes around it. `rest`: asked for beside the socket, so that newer changes may have
   * come before it. `poll`: the venue is only asked now and then; there are no changes between.
   */
  readonly source: "socket" | "rest" | "poll"
  /** What this venue's verifier needs to recompute the digest; opaque to everybody else. */
  readonly proof: unknown
}

/** One level's new absolute size; zero removes it. */
export interface BookChange {
  readonly _tag: "BookChange"
  readonly instrumentId: InstrumentId
  readonly side: Side
  readonly price: Price
  readonly size: Size
  readonly venueTime: number
  readonly receivedTime: number
  readonly sequence: number | null
  readonly hash: string | null
  /** The best bid after this change as the venue states it: −1 for an empty side, `null` when it says nothing. */
  readonly bestBid: Price | -1 | null
  /** As {@link bestBid}, for the asks. */
  readonly bestAsk: Price | -1 | null
}

/** One level's change of size, as venues send it that count changes in sequence; `Books` makes it a `BookChange`. */
export interface BookDelta {
  readonly _tag: "BookDelta"
  readonly instrumentId: InstrumentId
  readonly side: Side
  readonly price: Price
  /** Signed, in millionths of a contract. */
  readonly delta: number
  readonly venueTime: number
  readonly receivedTime: number
  readonly sequence: number | null
}

export interface Trade {
  readonly _tag: "Trade"
  readonly instrumentId: InstrumentId
  readonly price: Price
  readonly size: Size
  /** What the taker did, in this instrument. */
  readonly takerSide: "buy" | "sell" | null
  readonly venueTime: number
  readonly receivedTime: number
  readonly sequence: number | null
  /** The venue's id of the trade or of its settlement; not unique on every venue. */
  readonly tradeId: string | null
}

/** From here on the market trades at other prices. */
export interface TickSizeChange {
  readonly _tag: "TickSizeChange"
  readonly instrumentId: InstrumentId
  /** The finest step of the new grid. */
  readonly tickSize: Price
  readonly priceBands: PriceGrid
  readonly venueTime: number
  readonly receivedTime: number
}

/** The venue's own statement of the best quotes, apart from any change. */
export interface BestQuote {
  readonly _tag: "BestQuote"
  readonly instrumentId: InstrumentId
  readonly bid: Price | -1
  readonly ask: Price | -1
  readonly venueTime: number
  readonly receivedTime: number
}

export interface MarketListed {
  readonly _tag: "MarketListed"
  readonly market: Market
  readonly venueTime: number
  readonly receivedTime: number
}

export interface MarketResolved {
  readonly _tag: "MarketResolved"
  readonly marketId: MarketId
  readonly instrumentIds: ReadonlyArray<InstrumentId>
  /** The winning outcome, where there is exactly one. */
  readonly winner: InstrumentId | null
  readonly venueTime: number
  readonly receivedTime: number
}

/** A message about these instruments that could not be used: their books may miss a change. */
export interface MessageRejected {
  readonly _tag: "MessageRejected"
  readonly venue: VenueId
  readonly connection: string
  readonly instrumentIds: ReadonlyArray<InstrumentId>
  readonly reason: string
  readonly receivedTime: number
}

/** The venue's numbering shows that messages about these instruments are missing: their books are not whole. */
export interface SequenceGap {
  readonly _tag: "SequenceGap"
  readonly venue: VenueId
  readonly connection: string
  readonly instrumentIds: ReadonlyArray<InstrumentId>
  readonly expected: number
  readonly received: number
  readonly receivedTime: number
}

/** From here on these instruments are fed by this connection; their books begin with its next snapshot. */
export interface Subscribed {
  readonly _tag: "Subscribed"
  readonly venue: VenueId
  readonly connection: string
  readonly instrumentIds: ReadonlyArray<InstrumentId>
  readonly receivedTime: number
}

/** These instruments are no longer wanted: their books end. */
export interface Unsubscribed {
  readonly _tag: "Unsubscribed"
  readonly venue: VenueId
  readonly connection: string
  readonly instrumentIds: ReadonlyArray<InstrumentId>
  readonly receivedTime: number
}

/** A connection opened. `slot` stays over reconnects (`polymarket-1`), `connection` is new each time. */
export interface Connected {
  readonly _tag: "Connected"
  readonly venue: VenueId
  readonly slot: string
  readonly connection: string
  readonly receivedTime: number
}

/** A connection ended: every book that it fed is stale from now on. */
export interface Disconnected {
  readonly _tag: "Disconnected"
  readonly venue: VenueId
  readonly slot: string
  readonly connection: string
  readonly reason: string
  readonly receivedTime: number
}

/** What a venue's feed emits. */
export type FeedEvent =
  | BookSnapshot
  | BookChange
  | BookDelta
  | Trade
  | TickSizeChange
  | BestQuote
  | MarketListed
  | MarketResolved
  | MessageRejected
  | SequenceGap
  | Subscribed
  | Unsubscribed
  | Connected
  | Disconnected

/**
 * How far a book can be trusted. `live`: built from a snapshot and every change since, and nothing contradicts it.
 * `stale`: its connection is down, or its first snapshot has not come. `suspect`: something the venue said contradicts
 * it. `resyncing`: a fresh snapshot has been asked for because it was suspect.
 */
export type BookStatus = "live" | "stale" | "suspect" | "resyncing"

export interface BookStatusChanged {
  readonly _tag: "BookStatusChanged"
  readonly instrumentId: InstrumentId
  readonly venue: VenueId
  readonly connection: string
  readonly status: BookStatus
  readonly previous: BookStatus
  readonly reason: string
  readonly receivedTime: number
}

/** The best quotes of a book changed. −1 and size 0 stand for an empty side. */
export interface BestChanged {
  readonly _tag: "BestChanged"
  readonly instrumentId: InstrumentId
  readonly bid: Price | -1
  readonly bidSize: Size
  readonly ask: Price | -1
  readonly askSize: Size
  readonly venueTime: number
  readonly receivedTime: number
}

/**
 * History is not whole here: between `from` and `to` changes may be missing, of one instrument or, where that is
 * `null`, of every instrument that the connection fed.
 */
export interface Gap {
  readonly _tag: "Gap"
  readonly venue: VenueId
  readonly connection: string
  readonly instrumentId: InstrumentId | null
  readonly from: number
  readonly to: number
  readonly reason: string
  readonly receivedTime: number
}

/** What flows on the bus: feed events that held, and what `Books` derived from them. */
export type MarketEvent = FeedEvent | BookStatusChanged | BestChanged | Gap
