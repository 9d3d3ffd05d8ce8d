/** Candlesticks of one market: a row a minute, gathered into hours and days when asked (Kalshi reference §3.7). */
import type { Quotes } from "./KalshiBook.ts"
import * as KalshiText from "./KalshiText.ts"

/** Minutes kept of a market. */
const KEPT = 3000
const MINUTE = 60

interface Range {
  open: number
  low: number
  high: number
  close: number
}

/** What happened in a period. Prices and sizes are millionths, `end` whole seconds. */
interface Candle {
  end: number
  readonly bid: Range
  readonly ask: Range
  price: Range | undefined
  /** Last trade before the period; zero when there was none. */
  readonly previous: number
  /** Prices times contracts, for the mean. */
  turnover: number
  volume: number
  openInterest: number
}

export interface Candles {
  /** After a change at `now` milliseconds. */
  readonly quote: (now: number, quotes: Quotes, openInterest: number) => void
  readonly trade: (now: number, price: number, size: number) => void
  /** Periods of so many minutes that end within the times, in the venue's form. Times are whole seconds. */
  readonly read: (from: number, to: number, minutes: number) => ReadonlyArray<object>
}

const flat = (price: number): Range => ({ open: price, low: price, high: price, close: price })
const extend = (range: Range, { close, high, low }: Range): void => {
  range.low = Math.min(range.low, low)
  range.high = Math.max(range.high, high)
  range.close = close
}

const range = ({ close, high, low, open }: Range) => ({
  close_dollars: KalshiText.dollars(close),
  high_dollars: KalshiText.dollars(high),
  low_dollars: KalshiText.dollars(low),
  open_dollars: KalshiText.dollars(open)
})

const priceOf = (candle: Candle) => ({
  ...(candle.price === undefined
    ? { close_dollars: null, high_dollars: null, low_dollars: null, mean_dollars: null, open_dollars: null }
    : {
        ...range(candle.price),
        mean_dollars: KalshiText.dollars(Math.round(candle.turnover / candle.volume / 100) * 100)
      }),
  previous_dollars: candle.previous === 0 ? null : KalshiText.dollars(candle.previous)
})

const json = (candle: Candle) => ({
  end_period_ts: candle.end,
  open_interest_fp: KalshiText.count(candle.openInterest),
  price: priceOf(candle),
  volume_fp: KalshiText.count(candle.volume),
  yes_ask: range(candle.ask),
  yes_bid: range(candle.bid)
})

export const make = (): Candles => {
  const rows: Array<Candle> = []
  let last = 0

  const rowAt = (now: number): Candle | undefined => {
    const end = (Math.floor(now / 1000 / MINUTE) + 1) * MINUTE
    const row = rows[rows.length - 1]
    if (row === undefined || row.end === end) return row
    const { ask, bid, openInterest } = row
    const fresh = { end, bid: flat(bid.close), ask: flat(ask.close), openInterest }
    rows.push({ ...fresh, price: undefined, previous: last, turnover: 0, volume: 0 })
    if (rows.length > KEPT) rows.shift()
    return rows[rows.length - 1]
  }

  const gather = (from: number, to: number, minutes: number): ReadonlyArray<Candle> => {
    const found: Array<Candle> = []
    const period = minutes * MINUTE
    for (const row of rows) {
      const end = Math.ceil(row.end / period) * period
      if (end < from || end > to) continue
      const open = found[found.length - 1]
      if (open === undefined || open.end !== end) {
        const copy = { ...row, bid: { ...row.bid }, ask: { ...row.ask }, price: row.price && { ...row.price } }
        found.push({ ...copy, end })
        continue
      }
      extend(open.bid, row.bid)
      extend(open.ask, row.ask)
      if (row.price !== undefined && open.price !== undefined) extend(open.price, row.price)
      else open.price ??= row.price && { ...row.price }
      open.turnover += row.turnover
      open.volume += row.volume
      open.openInterest = row.openInterest
    }
    return found
  }

  return {
    quote: (now, { yesAsk, yesBid }, openInterest) => {
      if (rows.length === 0) {
        const end = (Math.floor(now / 1000 / MINUTE) + 1) * MINUTE
        const first = { end, bid: flat(yesBid), ask: flat(yesAsk), openInterest }
        rows.push({ ...first, price: undefined, previous: 0, turnover: 0, volume: 0 })
        return
      }
      const row = rowAt(now)!
      extend(row.bid, flat(yesBid))
      extend(row.ask, flat(yesAsk))
      row.openInterest = openInterest
    },
    trade: (now, price, size) => {
      const row = rowAt(now)
      last = price
      if (row === undefined) return
      if (row.price === undefined) row.price = flat(price)
      else extend(row.price, flat(price))
      row.turnover += price * size
      row.volume += size
    },
    read: (from, to, minutes) => gather(from, to, minutes).map(json)
  }
}
