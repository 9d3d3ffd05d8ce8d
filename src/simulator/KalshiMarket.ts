/** A market as Kalshi keeps it, and all markets that it knows. */
import type { Price, Size } from "../domain/Money.ts"
import type { OrderBook } from "../domain/OrderBook.ts"
import type * as KalshiCandles from "./KalshiCandles.ts"
import type { Structure } from "./KalshiGrid.ts"
import type { MarketInfo } from "./KalshiNames.ts"

/** Kalshi reference §8.3; `closed`, `disputed` and `amended` do not come up here. */
export type Status = "active" | "inactive" | "determined" | "finalized"

/** Mutable: the venue owns it. Prices and sizes are millionths, times milliseconds since the epoch. */
export interface KalshiMarket {
  readonly info: MarketInfo
  /** In YES prices: its asks are the bids for NO. */
  readonly book: OrderBook
  readonly candles: KalshiCandles.Candles
  status: Status
  structure: Structure
  /** Contracts traded so far, and held at present. */
  volume: number
  openInterest: number
  /** Of the last trade, in YES prices; zero before the first. */
  lastPrice: Price
  lastSize: Size
  updatedAt: number
  closesAt: number
  result: "yes" | "no" | ""
  settledAt: number | undefined
}

/** One print of the public tape. */
export interface KalshiTrade {
  readonly id: string
  readonly ticker: string
  readonly yesPrice: Price
  readonly size: Size
  /** What the taker bought. */
  readonly taker: "yes" | "no"
  readonly time: number
}

/** What REST answers from. */
export interface Catalogue {
  readonly markets: () => Iterable<KalshiMarket>
  readonly byTicker: (ticker: string) => KalshiMarket | undefined
  /** The public tape, oldest first. */
  readonly trades: () => ReadonlyArray<KalshiTrade>
}
