/** A YES book as Kalshi prints it: two lists of bids, ascending, the best last (Kalshi reference §3.5, §8.1). */
import { type Price, SCALE, type Size } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import * as KalshiText from "./KalshiText.ts"

export type OutcomeSide = "yes" | "no"

/** The signed change of a level, in the YES scale. */
export interface LevelDelta {
  readonly side: OutcomeSide
  readonly yesPrice: Price
  readonly delta: number
}

const level = (price: number, size: number) => `["${KalshiText.dollars(price)}","${KalshiText.count(size)}"]`

/** The price at which a level is told: a bid for NO in NO prices, or on the YES scale if so wanted. */
export const told = (side: OutcomeSide, yesPrice: number, yesScale: boolean): number =>
  side === "yes" || yesScale ? yesPrice : SCALE - yesPrice

/** The levels of a list as JSON text, brackets included; `depth` keeps the best so many, 0 all of them. */
export const list = (book: OrderBook.OrderBook, side: OutcomeSide, yesScale: boolean, depth = 0): string => {
  const best = OrderBook.levels(book, side === "yes" ? "bid" : "ask", depth === 0 ? undefined : depth)
  const texts = best.map(({ price, size }) => level(told(side, price, yesScale), size))
  return `[${texts.reverse().join(",")}]`
}

/** `orderbook_fp` of REST. */
export const restBook = (book: OrderBook.OrderBook, depth: number): string =>
  `{"no_dollars":${list(book, "no", false, depth)},"yes_dollars":${list(book, "yes", false, depth)}}`

/** Sets a level; what that changes, if anything. */
export const apply = (
  book: OrderBook.OrderBook,
  side: OrderBook.Side,
  yesPrice: Price,
  size: Size
): LevelDelta | undefined => {
  const delta = size - OrderBook.applyChange(book, side, yesPrice, size)
  return delta === 0 ? undefined : { side: side === "bid" ? "yes" : "no", yesPrice, delta }
}

/** Best quotes of both outcomes. An empty side reads 0 for a bid and 1 for an ask, both of size 0. */
export interface Quotes {
  readonly yesBid: number
  readonly yesAsk: number
  readonly yesBidSize: number
  readonly yesAskSize: number
}

export const quotes = (book: OrderBook.OrderBook): Quotes => {
  const ask = OrderBook.bestPrice(book, "ask")
  return {
    yesBid: Math.max(0, OrderBook.bestPrice(book, "bid")),
    yesAsk: ask === -1 ? SCALE : ask,
    yesBidSize: OrderBook.bestSize(book, "bid"),
    yesAskSize: OrderBook.bestSize(book, "ask")
  }
}
