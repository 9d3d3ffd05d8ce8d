/**
 * One order book: two sides of sorted levels, the best level last, so that the busy end is the cheap end to edit.
 * (Bids ascend and asks descend, which is also Polymarket's wire order: polymarket.md §2.3.)
 *
 * A book is mutable and owned by one holder; everything here is synchronous. Whoever hands a book on hands on a
 * {@link levels} copy.
 */
import * as LevelPool from "./LevelPool.ts"
import { type Price, SCALE, type Size, notional } from "./Money.ts"

export type Side = "bid" | "ask"

/** A price and the absolute number of contracts resting there. */
export interface Level {
  readonly price: Price
  readonly size: Size
}

/** Where a side's levels lie in the pool of its book, the best level last. */
export type BookSide = LevelPool.Place

export interface OrderBook {
  readonly pool: LevelPool.LevelPool
  readonly bids: BookSide
  readonly asks: BookSide
}

/** A book without levels. Who keeps many lets them share a pool, and {@link release}s what they keep no longer. */
export const empty = (pool: LevelPool.LevelPool = LevelPool.make()): OrderBook => ({
  pool,
  bids: LevelPool.nowhere(pool),
  asks: LevelPool.nowhere(pool)
})

/** Empties a book and lets others have its memory. */
export const release = ({ asks, bids, pool }: OrderBook): void => {
  LevelPool.clear(pool, bids, 0)
  LevelPool.clear(pool, asks, 0)
}

const sideOf = (book: OrderBook, side: Side): BookSide => (side === "bid" ? book.bids : book.asks)

/** The index of the first level that is not worse than `price`: where it is, or where it would go. */
const indexOf = ({ block, from, length }: BookSide, side: Side, price: Price): number => {
  const { prices } = block
  let low = from
  let high = from + length
  while (low < high) {
    const middle = (low + high) >>> 1
    const worse = side === "bid" ? prices[middle]! < price : prices[middle]! > price
    if (worse) low = middle + 1
    else high = middle
  }
  return low - from
}

const holds = ({ block, from, length }: BookSide, index: number, price: Price): boolean =>
  index < length && block.prices[from + index] === price

/**
 * Sets the absolute size at a price; zero removes the level. Returns the size that was there before, so that a caller
 * sees whether anything changed.
 */
export const applyChange = (book: OrderBook, side: Side, price: Price, size: Size): Size => {
  const levels = sideOf(book, side)
  const index = indexOf(levels, side, price)
  if (holds(levels, index, price)) {
    const { sizes } = levels.block
    const at = levels.from + index
    const before = sizes[at] as Size
    if (size === 0) LevelPool.remove(levels, index)
    else sizes[at] = size
    return before
  }
  if (size !== 0) LevelPool.insert(book.pool, levels, index, price, size)
  return 0 as Size
}

const replaceSide = (book: OrderBook, side: Side, levels: ReadonlyArray<Level>): void => {
  const place = sideOf(book, side)
  LevelPool.clear(book.pool, place, levels.length)
  for (const { price, size } of levels) {
    const { block, from, length } = place
    const last = length === 0 ? undefined : block.prices[from + length - 1]!
    // Mostly they come in our order.
    const isNext = last === undefined || (side === "bid" ? price > last : price < last)
    if (isNext && size !== 0) LevelPool.insert(book.pool, place, length, price, size)
    else applyChange(book, side, price, size)
  }
}

/** Replaces the whole book. Levels may come in any order; of two at one price the later counts; zeros are left out. */
export const applySnapshot = (book: OrderBook, bids: ReadonlyArray<Level>, asks: ReadonlyArray<Level>): void => {
  replaceSide(book, "bid", bids)
  replaceSide(book, "ask", asks)
}

/** The best level of a side, or `undefined` when it is empty. */
export const best = (book: OrderBook, side: Side): Level | undefined => {
  const price = bestPrice(book, side)
  return price === -1 ? undefined : { price, size: bestSize(book, side) }
}

/** The best price of a side, or −1 when it is empty: {@link best} without the allocation. */
export const bestPrice = (book: OrderBook, side: Side): Price | -1 => {
  const { block, from, length } = sideOf(book, side)
  return length === 0 ? -1 : (block.prices[from + length - 1] as Price)
}

/** The size at the best price of a side, zero when it is empty. */
export const bestSize = (book: OrderBook, side: Side): Size => {
  const { block, from, length } = sideOf(book, side)
  return (length === 0 ? 0 : block.sizes[from + length - 1]) as Size
}

/** The size resting at exactly this price. */
export const sizeAt = (book: OrderBook, side: Side, price: Price): Size => {
  const levels = sideOf(book, side)
  const index = indexOf(levels, side, price)
  return (holds(levels, index, price) ? levels.block.sizes[levels.from + index] : 0) as Size
}

/** The levels of a side, best first, at most `limit` of them. */
export const levels = (book: OrderBook, side: Side, limit = Number.POSITIVE_INFINITY): Array<Level> => {
  const { block, from, length } = sideOf(book, side)
  const out: Array<Level> = []
  for (let i = from + length - 1; i >= from && out.length < limit; i--) {
    out.push({ price: block.prices[i] as Price, size: block.sizes[i] as Size })
  }
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
  const { block, from, length } = sideOf(book, side)
  const { prices, sizes } = block
  let total = 0n
  for (let i = from + length - 1; i >= from; i--) {
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
  const { block, from, length } = sideOf(book, side)
  let left: number = size
  let cost = 0n
  let worst: Price | -1 = -1
  for (let i = from + length - 1; i >= from && left > 0; i--) {
    const take = Math.min(left, block.sizes[i]!) as Size
    worst = block.prices[i] as Price
    cost += notional(worst, take)
    left -= take
  }
  return { filled: (size - left) as Size, cost, worst }
}

/** The same book, with memory of its own. */
export const copy = (book: OrderBook): OrderBook => {
  const copied = empty()
  applySnapshot(copied, levels(book, "bid").reverse(), levels(book, "ask").reverse())
  return copied
}

/** The same book seen from the complementary outcome: bids at p are asks at 1 − p (polymarket.md §5.2). */
export const mirror = (book: OrderBook): OrderBook => {
  const flip = (side: Side): Array<Level> =>
    levels(book, side)
      .map(({ price, size }) => ({ price: (SCALE - price) as Price, size }))
      .reverse()
  const mirrored = empty()
  applySnapshot(mirrored, flip("ask"), flip("bid"))
  return mirrored
}
