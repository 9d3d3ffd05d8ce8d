/**
 * Price-time matching of one binary market. There is one book, kept in YES prices: an order for NO is the opposite
 * order for YES at the complementary price (BUY NO at p rests as an offer of YES at 1 − p), so both outcomes' views
 * are mirrors of each other and an order of one can fill an order of the other.
 *
 * Synchronous and mutable; prices and sizes are millionths (`Money.ts`).
 */
import { type Price, SCALE, type Size } from "../domain/Money.ts"
import { type OrderBook, type Side, applyChange, bestPrice, empty, sizeAt } from "../domain/OrderBook.ts"

/** 0 is the first outcome (YES), 1 the second (NO). */
export type OutcomeIndex = 0 | 1
export type OrderSide = "buy" | "sell"

/** A wish to trade, in the prices of its own outcome. */
export interface OrderRequest {
  readonly owner: number
  readonly outcome: OutcomeIndex
  readonly side: OrderSide
  readonly price: Price
  readonly size: Size
}

/** A resting order. `left` shrinks as it fills; `limit` and `rests` are its YES price and its side of the YES book. */
export interface RestingOrder extends OrderRequest {
  readonly limit: Price
  readonly rests: Side
  left: Size
  /** Its place in {@link MatchingBook.orders}. */
  slot: number
}

/** A level whose size changed, named by the order that changed it: own outcome, own side, own price. */
export interface LevelChange {
  readonly outcome: OutcomeIndex
  readonly side: OrderSide
  readonly price: Price
  /** What rests there now, of both outcomes' orders; zero when nothing is left. */
  readonly size: Size
}

/** One maker order met by a taker. */
export interface Fill {
  readonly maker: RestingOrder
  readonly size: Size
  /** In the taker's outcome. */
  readonly price: Price
  /** In the maker's own outcome. */
  readonly makerPrice: Price
}

export interface MatchingBook {
  /** All levels in YES prices. */
  readonly book: OrderBook
  /** Every resting order, in no particular order. */
  readonly orders: Array<RestingOrder>
  readonly bids: Map<Price, Array<RestingOrder>>
  readonly asks: Map<Price, Array<RestingOrder>>
}

export const make = (): MatchingBook => ({ book: empty(), orders: [], bids: new Map(), asks: new Map() })

/** The price of an outcome seen as a YES price, and back. */
export const toYes = (outcome: OutcomeIndex, price: Price): Price =>
  outcome === 0 ? price : ((SCALE - price) as Price)

/** Where an order rests in the YES book. */
export const restingSide = (outcome: OutcomeIndex, side: OrderSide): Side =>
  (side === "buy") === (outcome === 0) ? "bid" : "ask"

const queues = (matching: MatchingBook, side: Side) => (side === "bid" ? matching.bids : matching.asks)

/** The level that an order stands on, as it is now. */
export const levelOf = (matching: MatchingBook, order: RestingOrder): LevelChange => ({
  outcome: order.outcome,
  side: order.side,
  price: order.price,
  size: sizeAt(matching.book, order.rests, order.limit)
})

/** Whether an order would trade at once. */
export const crosses = (matching: MatchingBook, request: OrderRequest): boolean => {
  const limit = toYes(request.outcome, request.price)
  const rests = restingSide(request.outcome, request.side)
  const opposite = bestPrice(matching.book, rests === "bid" ? "ask" : "bid")
  return opposite !== -1 && (rests === "bid" ? limit >= opposite : limit <= opposite)
}

/** Rests an order that does not cross, behind those already at its price. */
export const rest = (matching: MatchingBook, request: OrderRequest): RestingOrder => {
  const limit = toYes(request.outcome, request.price)
  const rests = restingSide(request.outcome, request.side)
  const order: RestingOrder = { ...request, limit, rests, left: request.size, slot: matching.orders.length }
  matching.orders.push(order)
  const level = queues(matching, rests)
  const queue = level.get(limit)
  if (queue === undefined) level.set(limit, [order])
  else queue.push(order)
  applyChange(matching.book, rests, limit, (sizeAt(matching.book, rests, limit) + order.left) as Size)
  return order
}

const unlist = (matching: MatchingBook, order: RestingOrder): void => {
  const last = matching.orders.pop()!
  if (last !== order) {
    matching.orders[order.slot] = last
    last.slot = order.slot
  }
  order.slot = -1
}

/** Takes an order out of the book. */
export const cancel = (matching: MatchingBook, order: RestingOrder): void => {
  if (order.slot === -1) return
  const level = queues(matching, order.rests)
  const queue = level.get(order.limit)!
  if (queue.length === 1) level.delete(order.limit)
  else queue.splice(queue.indexOf(order), 1)
  unlist(matching, order)
  applyChange(
    matching.book,
    order.rests,
    order.limit,
    (sizeAt(matching.book, order.rests, order.limit) - order.left) as Size
  )
}

/**
 * Fills a taker against the other side: best price first, at one price the oldest first, each at the maker's price.
 * What does not fill is left to the caller.
 */
export const take = (matching: MatchingBook, request: OrderRequest): ReadonlyArray<Fill> => {
  const fills: Array<Fill> = []
  const limit = toYes(request.outcome, request.price)
  const opposite: Side = restingSide(request.outcome, request.side) === "bid" ? "ask" : "bid"
  const level = queues(matching, opposite)
  let wanted: number = request.size
  while (wanted > 0) {
    const price = bestPrice(matching.book, opposite)
    if (price === -1 || (opposite === "ask" ? price > limit : price < limit)) break
    const queue = level.get(price)!
    let taken = 0
    while (wanted > 0 && queue.length > 0) {
      const maker = queue[0]!
      const size = Math.min(wanted, maker.left) as Size
      maker.left = (maker.left - size) as Size
      wanted -= size
      taken += size
      fills.push({ maker, size, price: toYes(request.outcome, price), makerPrice: maker.price })
      if (maker.left === 0) {
        queue.shift()
        unlist(matching, maker)
      }
    }
    if (queue.length === 0) level.delete(price)
    applyChange(matching.book, opposite, price, (sizeAt(matching.book, opposite, price) - taken) as Size)
  }
  return fills
}

/** The levels of these orders as they are now, each once, in the order in which they were touched. */
export const levelsOf = (matching: MatchingBook, orders: ReadonlyArray<RestingOrder>): ReadonlyArray<LevelChange> => {
  const seen = new Set<number>()
  const changes: Array<LevelChange> = []
  for (const order of orders) {
    const key = order.rests === "bid" ? order.limit : -order.limit
    if (seen.has(key)) continue
    seen.add(key)
    changes.push(levelOf(matching, order))
  }
  return changes
}
