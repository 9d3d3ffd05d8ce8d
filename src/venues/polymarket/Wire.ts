/**
 * Polymarket's wire shapes, as the venue prints them (Polymarket reference §2–§5). Numbers are strings on the book
 * endpoints and the socket, and numbers in market metadata; unknown keys are ignored.
 */
import { Schema } from "effect"
import * as Unread from "./Unread.ts"

const NullishString = Schema.optionalWith(Schema.String, { nullable: true, as: "Option" })
const NumberOrText = Schema.Union(Schema.Number, Schema.String)
const NullishAmount = Schema.optionalWith(NumberOrText, { nullable: true, as: "Option" })

/** A level of a book: `{"price":"0.41","size":"1363.56"}`. */
export const Level = Schema.Struct({ price: Schema.String, size: Schema.String })
export type Level = typeof Level.Type

const Levels = Schema.Array(Level)

/** A book in the initial dump (array frame) or after a trade (object frame without tick and last trade), §5.2. */
export const BookMessage = Schema.Struct({
  event_type: Schema.Literal("book"),
  market: Schema.String,
  asset_id: Schema.String,
  timestamp: Schema.String,
  hash: Schema.optional(Schema.String),
  bids: Levels,
  asks: Levels,
  tick_size: Schema.optional(Schema.String),
  last_trade_price: Schema.optional(Schema.String),
  version: Schema.optional(Schema.String)
})
export type BookMessage = typeof BookMessage.Type

export const PriceChangeEntry = Schema.Struct({
  asset_id: Schema.String,
  price: Schema.String,
  size: Schema.String,
  side: Schema.String,
  hash: Schema.optional(Schema.String),
  best_bid: Schema.optional(Schema.String),
  best_ask: Schema.optional(Schema.String)
})

/** The form since 2025-09-15: both complementary assets in one frame, sizes absolute (§5.2). */
export const PriceChangeMessage = Schema.Struct({
  event_type: Schema.Literal("price_change"),
  market: Schema.String,
  timestamp: Schema.String,
  price_changes: Schema.Array(PriceChangeEntry)
})
export type PriceChangeMessage = typeof PriceChangeMessage.Type

/** The forms before 2025-09-15, one asset a frame; only recordings hold them (§5.2). */
export const LegacyPriceChangeMessage = Schema.Struct({
  event_type: Schema.Literal("price_change"),
  market: Schema.String,
  asset_id: Schema.String,
  timestamp: Schema.String,
  hash: Schema.optional(Schema.String),
  price: Schema.optional(Schema.String),
  size: Schema.optional(Schema.String),
  side: Schema.optional(Schema.String),
  changes: Schema.optional(
    Schema.Array(Schema.Struct({ price: Schema.String, size: Schema.String, side: Schema.String }))
  )
})

export const LastTradePriceMessage = Schema.Struct({
  event_type: Schema.Literal("last_trade_price"),
  market: Schema.String,
  asset_id: Schema.String,
  price: Schema.String,
  size: Schema.String,
  side: Schema.String,
  timestamp: Schema.String,
  fee_rate_bps: Schema.optional(Schema.String),
  transaction_hash: Schema.optional(Schema.String)
})

export const TickSizeChangeMessage = Schema.Struct({
  event_type: Schema.Literal("tick_size_change"),
  market: Schema.String,
  asset_id: Schema.String,
  old_tick_size: Schema.String,
  new_tick_size: Schema.String,
  timestamp: Schema.String
})

export const BestBidAskMessage = Schema.Struct({
  event_type: Schema.Literal("best_bid_ask"),
  market: Schema.String,
  asset_id: Schema.String,
  best_bid: Schema.String,
  best_ask: Schema.String,
  spread: Schema.optional(Schema.String),
  timestamp: Schema.String
})

export const NewMarketMessage = Schema.Struct({
  event_type: Schema.Literal("new_market"),
  market: Schema.String,
  question: Schema.String,
  slug: Schema.String,
  assets_ids: Schema.Array(Schema.String),
  outcomes: Schema.Array(Schema.String),
  timestamp: Schema.String,
  tags: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [], nullable: true }),
  active: Schema.optional(Schema.Boolean),
  order_price_min_tick_size: NullishString
}).annotations(Unread.inNewMarket)
export type NewMarketMessage = typeof NewMarketMessage.Type

export const MarketResolvedMessage = Schema.Struct({
  event_type: Schema.Literal("market_resolved"),
  market: Schema.String,
  assets_ids: Schema.Array(Schema.String),
  winning_asset_id: Schema.optional(Schema.String),
  winning_outcome: Schema.optional(Schema.String),
  timestamp: Schema.String
}).annotations(Unread.inMarketResolved)

/** `GET /book`, §2.3. Key order is part of the hash (§5.3). */
export const RestBook = Schema.Struct({
  market: Schema.String,
  asset_id: Schema.String,
  timestamp: Schema.String,
  hash: Schema.optional(Schema.String),
  bids: Levels,
  asks: Levels,
  min_order_size: Schema.optional(Schema.String),
  tick_size: Schema.optional(Schema.String),
  neg_risk: Schema.optional(Schema.Boolean),
  last_trade_price: Schema.optional(Schema.String),
  version: Schema.optional(Schema.String)
})
export type RestBook = typeof RestBook.Type

/** A page of `/markets` and its siblings: entries are decoded one by one, so that one bad market costs one market. */
export const ClobPage = Schema.Struct({
  data: Schema.Array(Schema.Unknown),
  next_cursor: Schema.String
}).annotations(Unread.inClobPage)

/** The long market object of the CLOB, §2.2. */
export const ClobMarket = Schema.Struct({
  condition_id: Schema.String,
  question: Schema.String,
  market_slug: Schema.String,
  active: Schema.Boolean,
  closed: Schema.Boolean,
  archived: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  accepting_orders: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  enable_order_book: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  minimum_order_size: NumberOrText,
  minimum_tick_size: NumberOrText,
  neg_risk: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  end_date_iso: NullishString,
  tokens: Schema.Array(
    Schema.Struct({
      token_id: Schema.String,
      outcome: Schema.String,
      winner: Schema.optionalWith(Schema.Boolean, { default: () => false })
    }).annotations(Unread.inClobToken)
  ),
  tags: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [], nullable: true })
}).annotations(Unread.inClobMarket)
export type ClobMarket = typeof ClobMarket.Type

/** A page of `/markets/keyset`, §3; the last one has no `next_cursor`. */
export const GammaPage = Schema.Struct({
  markets: Schema.Array(Schema.Unknown),
  next_cursor: Schema.optionalWith(Schema.String, { nullable: true })
})

/** Gamma prints some lists as JSON text inside the JSON (§3, encoding traps), and has been seen to print real ones. */
const TextList = Schema.Union(Schema.parseJson(Schema.Array(Schema.String)), Schema.Array(Schema.String))

const Tag = Schema.Struct({
  id: NumberOrText,
  label: Schema.optional(Schema.String),
  slug: Schema.optional(Schema.String)
}).annotations(Unread.inTag)

export const GammaTag = Tag

/** The part of Gamma's market object that we keep, §3. */
export const GammaMarket = Schema.Struct({
  question: Schema.String,
  conditionId: Schema.String,
  slug: Schema.String,
  active: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  closed: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  archived: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true }),
  enableOrderBook: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true }),
  acceptingOrders: Schema.optionalWith(Schema.Boolean, { default: () => true, nullable: true }),
  outcomes: Schema.optionalWith(TextList, { nullable: true, as: "Option" }),
  clobTokenIds: Schema.optionalWith(TextList, { nullable: true, as: "Option" }),
  /** Protocol V2: a real array. */
  positionIds: Schema.optionalWith(Schema.Array(Schema.String), { nullable: true, as: "Option" }),
  version: NullishString,
  outcomePrices: Schema.optionalWith(TextList, { nullable: true, as: "Option" }),
  umaResolutionStatus: NullishString,
  category: NullishString,
  orderPriceMinTickSize: NullishAmount,
  orderMinSize: NullishAmount,
  negRisk: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true }),
  liquidityNum: NullishAmount,
  volume24hr: NullishAmount,
  endDate: NullishString,
  tags: Schema.optionalWith(Schema.Array(Tag), { default: () => [], nullable: true }),
  events: Schema.optionalWith(
    Schema.Array(
      Schema.Struct({
        title: Schema.optional(Schema.String),
        category: NullishString,
        tags: Schema.optionalWith(Schema.Array(Tag), { default: () => [], nullable: true })
      }).annotations(Unread.inGammaEvent)
    ),
    { default: () => [], nullable: true }
  )
}).annotations(Unread.inGammaMarket)
export type GammaMarket = typeof GammaMarket.Type
