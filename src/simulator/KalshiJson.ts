/** Kalshi's REST objects, keys in the order in which the venue prints them (Kalshi reference §3.2 to §3.6). */
import { SCALE } from "../domain/Money.ts"
import * as KalshiBook from "./KalshiBook.ts"
import * as KalshiGrid from "./KalshiGrid.ts"
import type { KalshiMarket, KalshiTrade } from "./KalshiMarket.ts"
import type { MarketInfo, SeriesInfo, Strike } from "./KalshiNames.ts"
import { count, dollars, iso } from "./KalshiText.ts"

/** Seconds from a market's determination to its settlement. */
export const SETTLEMENT_TIMER = 5

const DAY = 86_400_000

const strikeOf = (strike: Strike | undefined) =>
  strike === undefined
    ? {}
    : {
        ...(strike.cap === undefined ? {} : { cap_strike: strike.cap }),
        ...(strike.floor === undefined ? {} : { floor_strike: strike.floor }),
        strike_type: strike.type
      }

/** What YES pays, once it is known. */
export const settlementValue = ({ result }: KalshiMarket): string => dollars(result === "yes" ? SCALE : 0)

export const market = (market: KalshiMarket) => {
  const { info } = market
  const { yesAsk, yesAskSize, yesBid, yesBidSize } = KalshiBook.quotes(market.book)
  const { cap_strike, floor_strike, strike_type } = strikeOf(info.strike) as Record<string, unknown>
  const latest = iso(info.endsAt + 7 * DAY)
  return {
    can_close_early: true,
    ...(cap_strike === undefined ? {} : { cap_strike }),
    close_time: iso(market.closesAt),
    created_time: iso(info.createdAt),
    early_close_condition: "This market will close and expire after the event occurs.",
    event_ticker: info.event.ticker,
    exchange_index: info.shard,
    expected_expiration_time: iso(info.endsAt),
    expiration_time: latest,
    expiration_value: "",
    ...(floor_strike === undefined ? {} : { floor_strike }),
    last_price_dollars: dollars(market.lastPrice),
    latest_expiration_time: latest,
    market_type: "binary",
    no_ask_dollars: dollars(SCALE - yesBid),
    no_bid_dollars: dollars(SCALE - yesAsk),
    no_sub_title: info.noSubTitle,
    notional_value_dollars: "1.0000",
    occurrence_datetime: iso(info.endsAt),
    open_interest_fp: count(market.openInterest),
    open_time: iso(info.createdAt),
    previous_price_dollars: "0.0000",
    previous_yes_ask_dollars: "0.0000",
    previous_yes_bid_dollars: "0.0000",
    price_level_structure: market.structure,
    price_ranges: KalshiGrid.priceRanges(market.structure),
    result: market.result,
    rules_primary: info.rules,
    rules_secondary: "",
    settlement_bounds_type: "default",
    settlement_timer_seconds: SETTLEMENT_TIMER,
    ...(market.settledAt === undefined ? {} : { settlement_ts: iso(market.settledAt) }),
    ...(market.result === "" ? {} : { settlement_value_dollars: settlementValue(market) }),
    status: market.status,
    ...(strike_type === undefined ? {} : { strike_type }),
    ticker: info.ticker,
    title: info.title,
    updated_time: iso(market.updatedAt),
    volume_24h_fp: count(market.volume),
    volume_fp: count(market.volume),
    yes_ask_dollars: dollars(yesAsk),
    yes_ask_size_fp: count(yesAskSize),
    yes_bid_dollars: dollars(yesBid),
    yes_bid_size_fp: count(yesBidSize),
    yes_sub_title: info.yesSubTitle
  }
}

/** An event by one of its markets; `nested` puts the markets into it. */
export const event = (
  { createdAt, endsAt, event, series, shard }: MarketInfo,
  nested?: ReadonlyArray<KalshiMarket>
) => ({
  category: series.category,
  collateral_return_type: event.exclusive ? "MECNET" : "",
  event_ticker: event.ticker,
  exchange_index: shard,
  last_updated_ts: iso(createdAt),
  ...(nested === undefined ? {} : { markets: nested.map(market) }),
  mutually_exclusive: event.exclusive,
  series_ticker: series.ticker,
  strike_date: iso(endsAt),
  sub_title: event.subTitle,
  title: event.title
})

export const series = (series: SeriesInfo) => ({
  additional_prohibitions: null,
  categories: [series.category],
  category: series.category,
  contract_terms_url: "",
  contract_url: "",
  fee_multiplier: series.feeMultiplier,
  fee_type: series.feeType,
  frequency: series.frequency,
  settlement_sources: [{ name: "Simulator", url: "" }],
  tags: series.tags,
  ticker: series.ticker,
  title: series.title
})

export const trade = (trade: KalshiTrade) => ({
  count_fp: count(trade.size),
  created_time: iso(trade.time),
  is_block_trade: false,
  no_price_dollars: dollars(SCALE - trade.yesPrice),
  taker_book_side: trade.taker === "yes" ? "bid" : "ask",
  taker_outcome_side: trade.taker,
  taker_side: trade.taker,
  ticker: trade.ticker,
  trade_id: trade.id,
  yes_price_dollars: dollars(trade.yesPrice)
})

/** The strike of a market as the lifecycle channel tells it. */
export const strikeFields = strikeOf
