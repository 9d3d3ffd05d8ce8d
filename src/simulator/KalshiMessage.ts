/** Messages of the market channels, as the text of their `msg` (Kalshi reference §7.6); keys are in captured order. */
import { SCALE, type Size } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import * as KalshiBook from "./KalshiBook.ts"
import type { Channel } from "./KalshiCommand.ts"
import * as KalshiGrid from "./KalshiGrid.ts"
import { settlementValue, strikeFields } from "./KalshiJson.ts"
import type { KalshiMarket, KalshiTrade } from "./KalshiMarket.ts"
import { count, dollars, iso, seconds, signedCount, wholeDollars } from "./KalshiText.ts"

/** One message on its way to every subscription of its channel that takes its market. */
export interface Message {
  readonly channel: Channel
  readonly type: string
  readonly ticker: string
  readonly msg: string
  /** The same for those who asked for NO prices on the YES scale. */
  readonly yesScaled?: string
  /** Of a change of a level: what rests there after it. */
  readonly rests?: Size
}

const bookHead = ({ info }: KalshiMarket) => `{"market_ticker":"${info.ticker}","market_id":"${info.id}"`

/** A whole book; a side without levels is left out. */
export const snapshot = (market: KalshiMarket, yesScale: boolean): string => {
  const side = (name: KalshiBook.OutcomeSide) => {
    const list = KalshiBook.list(market.book, name, yesScale)
    return list === "[]" ? "" : `,"${name}_dollars_fp":${list}`
  }
  return `${bookHead(market)}${side("yes")}${side("no")}}`
}

/** The change of one level. */
export const delta = (market: KalshiMarket, change: KalshiBook.LevelDelta, time: number): Message => {
  const { side, yesPrice } = change
  const msg = (yesScale: boolean) =>
    `${bookHead(market)},"price_dollars":"${dollars(KalshiBook.told(side, yesPrice, yesScale))}"` +
    `,"delta_fp":"${signedCount(change.delta)}","side":"${side}","ts":"${iso(time)}","ts_ms":${time}}`
  const { ticker } = market.info
  const rests = OrderBook.sizeAt(market.book, side === "yes" ? "bid" : "ask", yesPrice)
  return { channel: "orderbook_delta", type: "orderbook_delta", ticker, msg: msg(false), yesScaled: msg(true), rests }
}

export const trade = ({ id, size, taker, ticker, time, yesPrice }: KalshiTrade): Message => ({
  channel: "trade",
  type: "trade",
  ticker,
  msg: JSON.stringify({
    trade_id: id,
    market_ticker: ticker,
    yes_price_dollars: dollars(yesPrice),
    no_price_dollars: dollars(SCALE - yesPrice),
    count_fp: count(size),
    taker_side: taker,
    taker_outcome_side: taker,
    taker_book_side: taker === "yes" ? "bid" : "ask",
    is_block_trade: false,
    ts: seconds(time),
    ts_ms: time
  })
})

/** Best quotes, last trade and totals. */
export const ticker = (market: KalshiMarket, time: number): Message => {
  const { info, lastPrice, openInterest, volume } = market
  const quotes = KalshiBook.quotes(market.book)
  const msg = JSON.stringify({
    market_id: info.id,
    market_ticker: info.ticker,
    price_dollars: dollars(lastPrice),
    yes_bid_dollars: dollars(quotes.yesBid),
    yes_ask_dollars: dollars(quotes.yesAsk),
    volume_fp: count(volume),
    open_interest_fp: count(openInterest),
    dollar_volume: wholeDollars(lastPrice, volume),
    dollar_open_interest: wholeDollars(lastPrice, openInterest),
    yes_bid_size_fp: count(quotes.yesBidSize),
    yes_ask_size_fp: count(quotes.yesAskSize),
    last_trade_size_fp: count(market.lastSize),
    ts: seconds(time),
    ts_ms: time,
    time: iso(time)
  })
  return { channel: "ticker", type: "ticker", ticker: info.ticker, msg }
}

const lifecycle = ({ info }: KalshiMarket, fields: object): Message => ({
  channel: "market_lifecycle_v2",
  type: "market_lifecycle_v2",
  ticker: info.ticker,
  msg: JSON.stringify({ market_ticker: info.ticker, ...fields })
})

/** Bands as the socket prints them. */
const gridOf = ({ structure }: KalshiMarket) => ({
  price_level_structure: structure,
  price_ranges: KalshiGrid.priceRanges(structure).map(({ end, start, step }) => ({ start, end, step }))
})

export const created = (market: KalshiMarket): Message => {
  const { info } = market
  return lifecycle(market, {
    event_type: "created",
    exchange_index: info.shard,
    open_ts: seconds(info.createdAt),
    close_ts: seconds(market.closesAt),
    ...gridOf(market),
    additional_metadata: {
      name: info.title,
      title: info.title,
      yes_sub_title: info.yesSubTitle,
      no_sub_title: info.noSubTitle,
      rules_primary: info.rules,
      rules_secondary: "",
      can_close_early: true,
      event_ticker: info.event.ticker,
      expected_expiration_ts: seconds(info.endsAt),
      ...strikeFields(info.strike)
    }
  })
}

export const eventCreated = ({ info }: KalshiMarket): Message => ({
  channel: "market_lifecycle_v2",
  type: "event_lifecycle",
  ticker: info.event.ticker,
  msg: JSON.stringify({
    event_ticker: info.event.ticker,
    exchange_index: info.shard,
    title: info.event.title,
    subtitle: info.event.subTitle,
    collateral_return_type: info.event.exclusive ? "MECNET" : "",
    series_ticker: info.series.ticker
  })
})

/** Trading was suspended, or goes on. */
export const suspended = (market: KalshiMarket, is: boolean): Message =>
  lifecycle(market, { is_deactivated: is, event_type: is ? "deactivated" : "activated" })

export const gridChanged = (market: KalshiMarket): Message =>
  lifecycle(market, { event_type: "price_level_structure_updated", ...gridOf(market) })

export const determined = (market: KalshiMarket, time: number): Message =>
  lifecycle(market, {
    determination_ts: seconds(time),
    result: market.result,
    settlement_value: settlementValue(market),
    event_type: "determined"
  })

export const settled = (market: KalshiMarket, time: number): Message =>
  lifecycle(market, { settled_ts: seconds(time), event_type: "settled" })
