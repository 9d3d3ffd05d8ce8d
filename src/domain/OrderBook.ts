/**
 * One order book: two sides of sorted integer arrays, best level last, so that the busy end is the cheap end to edit.
 * (Bids ascend and asks descend, which is also Polymarket's wire order: polymarket.md §2.3.)
 *
 * A book is mutable and owned by one holder; everything here is synchronous. Whoever hands a book on hands on a
 * {@link levels} copy.
 */
import { type Price, SCALE, type Size, notional } from "./Money.ts"

export type Side = "bid" | "ask"

/** A price and the absolute number of contracts resting there. */
export interface Level {
  readonly price: Price
  readonly size: Size
}

/** Prices and sizes in parallel, the best level last. A snapshot brings new lists. */
export interface BookSide {
  prices: Array<Price>
  sizes: Array<Size>
}

export interface OrderBook {
  readonly bids: BookSide
  readonly asks: BookSide
}

export const empty = (): OrderBook => ({ bids: { prices: [], sizes: [] }, asks: { prices: [], sizes: [] } })

const sideOf = (book: OrderBook, side: Side): BookSide => (side === "bid" ? book.bids : book.asks)

/** The index of the first level that is not worse than `price`: where it is, or where it would go. */
const indexOf = (levels: BookSide, side: Side, price: Price): number => {
  const { prices } = levels
  let low = 0
  let high = prices.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const worse = side === "bid" ? prices[middle]! < price : prices[middle]! > price
    if (worse) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Sets the absolute size at a price; zero removes the level. Returns the size that was there before, so that a caller
 * sees whether anything changed.
 */
export const applyChange = (book: OrderBook, side: Side, price: Price, size: Size): Size => {
  const levels = sideOf(book, side)
  const index = indexOf(levels, side, price)
  if (levels.prices[index] === price) {
    const before = levels.sizes[index]!
    if (size === 0) {
      removeAt(levels.prices, index)
      removeAt(levels.sizes, index)
    } else levels.sizes[index] = size
    return before
  }
  if (size !== 0) {
    insertAt(levels.prices, index, price)
    insertAt(levels.sizes, index, size)
  }
  return 0 as Size
}

/** `splice` makes a list of what it took out, each time. */
const removeAt = (values: Array<number>, index: number): void => {
  const last = values.length - 1
  for (let i = index; i < last; i++) values[i] = values[i + 1]!
  values.pop()
}

const insertAt = (values: Array<number>, index: number, value: number): void => {
  values.push(value)
  for (let i = values.length - 1; i > index; i--) values[i] = values[i - 1]!
  values[index] = value
}

/** Most books change little after their snapshot: copies take no more memory than they have levels. */
const replaceSide = (book: OrderBook, side: Side, levels: ReadonlyArray<Level>): void => {
  const grown = empty()
  const { prices, sizes } = sideOf(grown, side)
  for (const { price, size } of levels) {
    const last = prices[prices.length - 1]
    // Mostly they come in our order.
    if (size !== 0 && (last === undefined || (side === "bid" ? price > last : price < last))) {
      prices.push(price)
      sizes.push(size)
    } else applyChange(grown, side, price, size)
  }
  const to = sideOf(book, side)
  to.prices = prices.slice()
  to.sizes = sizes.slice()
}

/** Replaces the whole book. Levels may come in any order; of two at one price the later counts; zeros are left out. */
export const applySnapshot = (book: OrderBook, bids: ReadonlyArray<Level>, asks: ReadonlyArray<Level>): void => {
  replaceSide(book, "bid", bids)
  replaceSide(book, "ask", asks)
}

/** The best level of a side, or `undefined` when it is empty. */
export const best = (book: OrderBook, side: Side): Level | undefined => {
  const { prices, sizes } = sideOf(book, side)
  const last = prices.length - 1
  return last < 0 ? undefined : { price: prices[last]!, size: sizes[last]! }
}

/** The best price of a side, or −1 when it is empty: {@link best} without the allocation. */
export const bestPrice = (book: OrderBook, side: Side): Price | -1 => {
  const { prices } = sideOf(book, side)
  return prices.length === 0 ? -1 : prices[prices.length - 1]!
}

/** The size at the best price of a side, zero when it is empty. */
export const bestSize = (book: OrderBook, side: Side): Size => {
  const { sizes } = sideOf(book, side)
  return sizes.length === 0 ? (0 as Size) : sizes[sizes.length - 1]!
}

/** The size resting at exactly this price. */
export const sizeAt = (book: OrderBook, side: Side, price: Price): Size => {
  const levels = sideOf(book, side)
  const index = indexOf(levels, side, price)
  return levels.prices[index] === price ? levels.sizes[index]! : (0 as Size)
}

/** The levels of a side, best first, at most `limit` of them. */
export const levels = (book: OrderBook, side: Side, limit = Number.POSITIVE_INFINITY): Array<Level> => {
  const { prices, sizes } = sideOf(book, side)
  const out: Array<Level> = []
  for (let i = prices.length - 1; i >= 0 && out.length < limit; i--) out.push({ price: prices[i]!, size: sizes[i]! })
  return out
}

/** A bid at or above an offer: no venue rests such a book for longer than it takes to match it. */
export const isCrossed = (book: OrderBook): boolean => {
  const bid = bestPrice(book, "bid")
  const ask = bestPrice(book, "ask")
  return bid !== -1 && ask !== -1 && bid >= ask
}

/** All contracts resting on a side at `limit` or better. */
export const depth = (book: OrderBook, side: Side, limit: Price): bigint => {
  const { prices, sizes } = sideOf(book, side)
  let total = 0n
  for (let i = prices.length - 1; i >= 0; i--) {
    if (side === "bid" ? prices[i]! < limit : prices[i]! > limit) break
    total += BigInt(sizes[i]!)
  }
  return total
}

/** What taking `size` contracts from a side would come to. */
export interface Fill {
  /** Contracts that the book can fill, at most what was asked for. */
  readonly filled: Size
  /** Price times size summed over the levels taken, as {@link notional}. */
  readonly cost: bigint
  /** The worst price touched; −1 when nothing fills. */
  readonly worst: Price | -1
}

/** Walks a side from the best level until `size` is covered or the book ends. Taking asks buys, taking bids sells. */
export const costToFill = (book: OrderBook, side: Side, size: Size): Fill => {
  const { prices, sizes } = sideOf(book, side)
  let left: number = size
  let cost = 0n
  let worst: Price | -1 = -1
  for (let i = prices.length - 1; i >= 0 && left > 0; i--) {
    const take = Math.min(left, sizes[i]!) as Size
    cost += notional(prices[i]!, take)
    worst = prices[i]!
    left -= take
  }
  return { filled: (size - left) as Size, cost, worst }
}

/** The same book seen from the complementary outcome: bids at p are asks at 1 − p (polymarket.md §5.2). */
export const mirror = (book: OrderBook): OrderBook => {
  const flip = (side: BookSide): BookSide => ({
    prices: side.prices.map((price) => (SCALE - price) as Price),
    sizes: side.sizes.slice()
  })
  return { bids: flip(book.asks), asks: flip(book.bids) }
}
