/**
 * Kalshi's wire shapes (Kalshi reference §2, §3, §7). Prices, amounts and counts are decimal text; a list that is empty
 * may be missing or `null`; unknown keys and unknown words are tolerated.
 */
import { Schema } from "effect"
import * as Unread from "./Unread.ts"

/** A key that may be missing or `null`, which means the same everywhere here. */
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })
const text = optional(Schema.String)
/** Strikes and multipliers are numbers, and text in some answers. */
const number = optional(Schema.Union(Schema.Number, Schema.NumberFromString))

/** One band of a market's price grid, §2.2. */
export const PriceRange = Schema.Struct({ start: Schema.String, end: Schema.String, step: Schema.String })
export type PriceRange = typeof PriceRange.Type

/** A market, §3.4. There is no series and no category in it: the event knows them. */
export const Market = Schema.Struct({
  ticker: Schema.NonEmptyString,
  event_ticker: Schema.String,
  market_type: text,
  title: text,
  yes_sub_title: text,
  no_sub_title: text,
  status: Schema.String,
  result: text,
  open_time: text,
  close_time: text,
  updated_time: text,
  yes_bid_dollars: text,
  yes_ask_dollars: text,
  yes_bid_size_fp: text,
  yes_ask_size_fp: text,
  last_price_dollars: text,
  volume_fp: text,
  volume_24h_fp: text,
  open_interest_fp: text,
  settlement_value_dollars: text,
  price_level_structure: text,
  price_ranges: optional(Schema.Array(PriceRange)),
  mve_collection_ticker: text
}).annotations(Unread.inMarket)
export type Market = typeof Market.Type

/** A page of `/markets`: entries are decoded one by one, so that one bad market costs one market. */
export const MarketsPage = Schema.Struct({ markets: optional(Schema.Array(Schema.Unknown)), cursor: text })

/** `GET /markets/{ticker}`. */
export const SingleMarket = Schema.Struct({ market: Schema.Unknown })

/** An event, §3.3; its category is announced to go away, the series' one stays. */
export const Event = Schema.Struct({
  event_ticker: Schema.String,
  series_ticker: Schema.String,
  title: Schema.String,
  sub_title: text,
  collateral_return_type: text,
  mutually_exclusive: Schema.Boolean,
  category: text,
  fee_type_override: text,
  fee_multiplier_override: number,
  markets: optional(Schema.Array(Schema.Unknown))
}).annotations(Unread.inEvent)
export type Event = typeof Event.Type

export const EventsPage = Schema.Struct({ events: optional(Schema.Array(Event)), cursor: text }).annotations(
  Unread.inEventsPage
)

/** `GET /events/{event_ticker}`: the markets beside the event, or inside it when asked to be nested. */
export const SingleEvent = Schema.Struct({ event: Event, markets: optional(Schema.Array(Schema.Unknown)) })

/** A series, §3.2. */
export const Series = Schema.Struct({
  ticker: Schema.String,
  title: Schema.String,
  category: Schema.String,
  categories: optional(Schema.Array(Schema.String)),
  tags: optional(Schema.Array(Schema.String)),
  fee_type: text,
  fee_multiplier: number
}).annotations(Unread.inSeries)
export type Series = typeof Series.Type

export const SeriesList = Schema.Struct({ series: optional(Schema.Array(Series)) })
export const SingleSeries = Schema.Struct({ series: Series })

/** `GET /series/fee_changes`. */
export const SeriesFeeChanges = Schema.Struct({
  series_fee_change_arr: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      series_ticker: Schema.String,
      fee_type: Schema.String,
      fee_multiplier: number,
      scheduled_ts: Schema.String
    })
  )
})
export type SeriesFeeChange = (typeof SeriesFeeChanges.Type)["series_fee_change_arr"][number]

/** `GET /events/fee_changes`; `null` ends an override. */
export const EventFeeChanges = Schema.Struct({
  event_fee_changes: optional(
    Schema.Array(
      Schema.Struct({
        id: Schema.String,
        event_ticker: Schema.String,
        series_ticker: text,
        fee_type_override: text,
        fee_multiplier_override: number,
        scheduled_ts: Schema.String
      })
    )
  ),
  cursor: text
})
export type EventFeeChange = NonNullable<(typeof EventFeeChanges.Type)["event_fee_changes"]>[number]

/** `GET /exchange/status`. Below the top level, one entry for each shard (§8.6). */
export const ExchangeStatus = Schema.Struct({
  exchange_active: Schema.Boolean,
  trading_active: Schema.Boolean,
  exchange_estimated_resume_time: text,
  exchange_index_statuses: optional(
    Schema.Array(
      Schema.Struct({
        exchange_index: Schema.Int,
        description: text,
        exchange_active: Schema.Boolean,
        trading_active: Schema.Boolean
      }).annotations(Unread.inStatus)
    )
  )
}).annotations(Unread.inStatus)
export type ExchangeStatus = typeof ExchangeStatus.Type

const AccountBucket = Schema.Struct({
  refill_rate: Schema.Finite.pipe(Schema.positive()),
  bucket_capacity: Schema.Finite.pipe(Schema.positive())
})

/** `GET /account/limits`: tokens a second and how many can gather, §4.7. */
export const AccountLimits = Schema.Struct({ usage_tier: text, read: AccountBucket })
export type AccountLimits = typeof AccountLimits.Type

/** `["0.4700","3.00"]`: a price and a count; both lists of a book are bids, ascending (§3.5). */
export const Level = Schema.Tuple(Schema.String, Schema.Union(Schema.String, Schema.Number))
const levels = optional(Schema.Array(Level))

/** The two lists of a book over REST, each in the prices of its own side. */
export const RestLevels = Schema.Struct({ yes_dollars: levels, no_dollars: levels })
export type RestLevels = typeof RestLevels.Type

/** `GET /markets/{ticker}/orderbook`; `orderbook` is the older name, still answered for empty books. */
export const Orderbook = Schema.Struct({ orderbook_fp: optional(RestLevels), orderbook: optional(RestLevels) })
export type Orderbook = typeof Orderbook.Type

/** `GET /markets/orderbooks`. */
export const Orderbooks = Schema.Struct({
  orderbooks: optional(Schema.Array(Schema.Struct({ ticker: Schema.String, orderbook_fp: optional(RestLevels) })))
})

/** A public trade over REST, §3.6. The older `taker_side` says the same as `taker_outcome_side`. */
export const Trade = Schema.Struct({
  trade_id: Schema.String,
  ticker: Schema.String,
  count_fp: text,
  count: number,
  yes_price_dollars: Schema.String,
  taker_outcome_side: text,
  taker_side: text,
  created_time: Schema.String
}).annotations(Unread.inTrade)
export type Trade = typeof Trade.Type

export const TradesPage = Schema.Struct({ trades: optional(Schema.Array(Trade)), cursor: text })

const Quotes = Schema.Struct({ open_dollars: text, low_dollars: text, high_dollars: text, close_dollars: text })

/** A candle, §3.7: `null` and missing prices stand for a time without trades. */
export const Candlestick = Schema.Struct({
  /** The inclusive end, in seconds. */
  end_period_ts: Schema.Int,
  yes_bid: optional(Quotes),
  yes_ask: optional(Quotes),
  price: optional(
    Schema.Struct({ ...Quotes.fields, mean_dollars: text, previous_dollars: text }).annotations(Unread.inCandlePrices)
  ),
  volume_fp: text,
  open_interest_fp: text
})
export type Candlestick = typeof Candlestick.Type

export const Candlesticks = Schema.Struct({ ticker: text, candlesticks: optional(Schema.Array(Candlestick)) })

/** `GET /markets/candlesticks`. */
export const CandlesticksBatch = Schema.Struct({
  markets: Schema.Array(
    Schema.Struct({ market_ticker: Schema.String, candlesticks: optional(Schema.Array(Candlestick)) })
  )
})

const inner = { code: text, message: text, details: text }

/** The four shapes of an error body, §5.1: nested, bare text, a failed validation, flat. */
export const ErrorBody = Schema.Union(
  Schema.Struct({ error: Schema.Struct(inner) }),
  Schema.Struct({ error: Schema.String }),
  Schema.Struct({ msg: Schema.String }),
  Schema.Struct(inner)
)
export type ErrorBody = typeof ErrorBody.Type

/** Channels of the socket that are used here, §7.6. */
export type Channel = "orderbook_delta" | "trade" | "ticker" | "market_lifecycle_v2"

/** What a client sends, §7.2. */
export type Command =
  | {
      readonly cmd: "subscribe"
      readonly params: {
        readonly channels: ReadonlyArray<Channel>
        readonly market_tickers?: ReadonlyArray<string>
        readonly use_yes_price?: boolean
        readonly send_initial_snapshot?: boolean
        readonly skip_ticker_ack?: boolean
      }
    }
  | {
      readonly cmd: "update_subscription"
      readonly params: {
        readonly sids: readonly [number]
        readonly action: "add_markets" | "delete_markets" | "get_snapshot"
        readonly market_tickers: ReadonlyArray<string>
        readonly send_initial_snapshot?: boolean
      }
    }

/** `subscribed`: one for each channel of the request, §7.3. */
export const SubscribedMessage = Schema.Struct({
  type: Schema.Literal("subscribed"),
  id: optional(Schema.Int),
  msg: Schema.Struct({ channel: Schema.String, sid: Schema.Int })
}).annotations(Unread.inEnvelope)

/** `error`: of a command when it has an `id`, of a running channel when it has a `sid`, §7.3. */
export const ErrorMessage = Schema.Struct({
  type: Schema.Literal("error"),
  id: optional(Schema.Int),
  sid: optional(Schema.Int),
  msg: Schema.Struct({
    code: Schema.Int,
    msg: text,
    market_ticker: text,
    market_tickers: optional(Schema.Array(Schema.String))
  })
}).annotations(Unread.inEnvelope)

/** The message of `market_lifecycle_v2`, §7.6; all times in seconds. */
export const LifecycleMessage = Schema.Struct({
  market_ticker: Schema.NonEmptyString,
  event_type: Schema.String,
  open_ts: optional(Schema.Number),
  close_ts: optional(Schema.Number),
  determination_ts: optional(Schema.Number),
  settled_ts: optional(Schema.Number),
  result: text,
  price_level_structure: text,
  price_ranges: optional(Schema.Array(PriceRange)),
  yes_sub_title: text,
  additional_metadata: optional(
    Schema.Struct({ name: text, title: text, yes_sub_title: text, no_sub_title: text, event_ticker: text }).annotations(
      Unread.inLifecycleMetadata
    )
  )
}).annotations(Unread.inLifecycle)
export type LifecycleMessage = typeof LifecycleMessage.Type

/** What every message of the socket bears; the channels of books, trades and markets are numbered, §7.5 and §7.6. */
const envelope = {
  id: optional(Schema.Int),
  sid: Schema.Int,
  sending_ts_ms: optional(Schema.Int)
}
const numbered = { ...envelope, seq: Schema.Int }

/** Times of a message, in milliseconds and as they were told before. */
const stamps = { ts: optional(Schema.Union(Schema.String, Schema.Number)), ts_ms: optional(Schema.Int) }

/** The first word about a market, and a fresh start after; the list of an empty side is missing, §7.6. */
export const OrderbookSnapshotMessage = Schema.Struct({
  type: Schema.Literal("orderbook_snapshot"),
  ...numbered,
  msg: Schema.Struct({
    market_ticker: Schema.String,
    market_id: text,
    yes_dollars_fp: levels,
    no_dollars_fp: levels
  })
})

/** A signed change of one level, §7.6. */
export const OrderbookDeltaMessage = Schema.Struct({
  type: Schema.Literal("orderbook_delta"),
  ...numbered,
  msg: Schema.Struct({
    market_ticker: Schema.String,
    market_id: text,
    price_dollars: Schema.String,
    delta_fp: Schema.String,
    side: Schema.Literal("yes", "no"),
    ...stamps
  }).annotations(Unread.inDelta)
})

/** A trade, §7.6. */
export const TradeMessage = Schema.Struct({
  type: Schema.Literal("trade"),
  ...numbered,
  msg: Schema.Struct({
    trade_id: Schema.String,
    market_ticker: Schema.String,
    yes_price_dollars: Schema.String,
    no_price_dollars: text,
    count_fp: Schema.String,
    taker_side: text,
    taker_outcome_side: text,
    taker_book_side: text,
    is_block_trade: optional(Schema.Boolean),
    ...stamps
  })
})

/** The quotes and totals of a market, not numbered, §7.6. */
export const TickerMessage = Schema.Struct({
  type: Schema.Literal("ticker"),
  ...envelope,
  msg: Schema.Struct({
    market_ticker: Schema.String,
    yes_bid_dollars: Schema.String,
    yes_ask_dollars: Schema.String,
    yes_bid_size_fp: text,
    yes_ask_size_fp: text,
    ...stamps
  }).annotations(Unread.inTicker)
})

/** The life of a market, with its envelope, §7.6. */
export const MarketLifecycleMessage = Schema.Struct({
  type: Schema.Literal("market_lifecycle_v2"),
  ...envelope,
  seq: optional(Schema.Int),
  msg: LifecycleMessage
})
