/**
 * Keys that Kalshi sends and nobody here reads, from recordings and the reference (§3, §7): they may come, so that
 * the drift watch tells only of those that are new.
 */
import { unread } from "../../resilience/Drift.ts"

const keys = (words: string) => unread(...words.trim().split(/\s+/))

/** A market over REST (§3.4); what the venue took away again is not among them. */
export const inMarket = keys(`
  can_close_early cap_strike created_time custom_strike early_close_condition exchange_index
  expected_expiration_time expiration_time expiration_value fee_waiver_expiration_time floor_strike
  functional_strike is_provisional latest_expiration_time mve_selected_legs no_ask_dollars no_bid_dollars
  notional_value_dollars occurrence_datetime previous_price_dollars previous_yes_ask_dollars
  previous_yes_bid_dollars primary_participant_key rules_primary rules_secondary settlement_bounds_type
  settlement_floor_dollars settlement_timer_seconds settlement_ts strike_type subtitle
`)

/** An event (§3.3). */
export const inEvent = keys(
  "exchange_index last_updated_ts product_metadata settlement_sources strike_date strike_period"
)

/** A page of events. */
export const inEventsPage = keys("milestones")

/** A series (§3.2). */
export const inSeries = keys(`
  additional_prohibitions contract_terms_url contract_url exchange_index frequency last_updated_ts
  product_metadata settlement_sources volume_fp
`)

/** The state of the exchange and of its shards (§3.1). */
export const inStatus = keys("intra_exchange_transfers_active")

/** A trade over REST (§3.6). */
export const inTrade = keys("is_block_trade no_price_dollars taker_book_side")

/** The trade prices of a candle (§3.7). */
export const inCandlePrices = keys("max_dollars min_dollars")

/** The envelope of messages about subscriptions (§7.3). */
export const inEnvelope = keys("sending_ts_ms seq sid")

/** A change of a level that an own order caused (§7.6). */
export const inDelta = keys("client_order_id subaccount")

/** `ticker` (§7.6). */
export const inTicker = keys(
  "dollar_open_interest dollar_volume last_trade_size_fp market_id open_interest_fp price_dollars time volume_fp"
)

/** `market_lifecycle_v2` (§7.6). */
export const inLifecycle = keys(
  "cap_strike custom_strike exchange_index floor_strike is_deactivated settlement_value strike_type"
)

/** What it says of a new market. */
export const inLifecycleMetadata = keys(`
  can_close_early cap_strike custom_strike expected_expiration_ts floor_strike rules_primary rules_secondary
  strike_type
`)
