/** Kalshi's public tape and candlesticks over REST (Kalshi reference §3.6, §3.7). */
import * as KalshiCursor from "./KalshiCursor.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import * as KalshiJson from "./KalshiJson.ts"
import * as KalshiQuery from "./KalshiQuery.ts"
import { type Endpoint, unless, within } from "./KalshiQuery.ts"
import { seconds } from "./KalshiText.ts"
import { json } from "./Rest.ts"

const MOST_TICKERS = 100
const MOST_CANDLES = 10_000
const PERIODS = ["1", "60", "1440"] as const

export const trades: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("GetTrades", parameters)
  const [limit, least, most] = [query.number("limit", 1000), query.number("min_ts"), query.number("max_ts")]
  const ticker = query.text("ticker")
  const blocks = query.flag("is_block_trade")
  const found = catalogue
    .trades()
    .filter(
      (trade) =>
        !blocks && (ticker === undefined || trade.ticker === ticker) && within(seconds(trade.time), least, most)
    )
  return unless(query, () => {
    const { cursor, rows } = KalshiQuery.page(
      found,
      (trade) => trade,
      limit,
      query.text("cursor"),
      KalshiCursor.ofTrades
    )
    return json(200, { cursor, trades: rows.map(KalshiJson.trade) })
  })
}

/** The periods of a request for candlesticks. */
const periodOf = (query: KalshiQuery.Query) => {
  for (const name of ["start_ts", "end_ts", "period_interval"]) query.required(name)
  const minutes = Number(query.word("period_interval", PERIODS) ?? 1)
  return { from: query.number("start_ts") ?? 0, to: query.number("end_ts") ?? 0, minutes }
}

export const candlesticks: Endpoint = (catalogue, parameters, [series = "", ticker = ""]) => {
  const query = KalshiQuery.read("GetMarketCandlesticks", parameters)
  const { from, minutes, to } = periodOf(query)
  const market = catalogue.byTicker(ticker)
  return unless(query, () =>
    market === undefined || market.info.series.ticker !== series
      ? KalshiErrors.notFound
      : json(200, { candlesticks: market.candles.read(from, to, minutes), ticker })
  )
}

export const batchCandlesticks: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("BatchGetMarketCandlesticks", parameters)
  query.required("market_tickers")
  const { from, minutes, to } = periodOf(query)
  const tickers = [...(query.list("market_tickers") ?? [])]
  if (tickers.length > MOST_TICKERS)
    query.refuse(KalshiErrors.invalid("BatchGetMarketCandlesticks", "MarketTickers", "max"))
  if (((to - from) / 60 / minutes) * tickers.length > MOST_CANDLES)
    query.refuse(KalshiErrors.nested(400, "invalid_parameters"))
  const found = tickers.flatMap((ticker) => catalogue.byTicker(ticker) ?? [])
  return unless(query, () =>
    json(200, {
      markets: found.map(({ candles, info }) => ({
        candlesticks: candles.read(from, to, minutes),
        market_ticker: info.ticker
      }))
    })
  )
}
