/**
 * Who trades on one market: a fair value that wanders, makers who layer quotes around it and pull them when it leaves
 * them behind, takers who hit what is stale and takers who just want in or out.
 *
 * All decisions are drawn from the market's own random stream, so markets do not disturb each other.
 */
import { type Price, SCALE, type Size } from "../domain/Money.ts"
import { type Side, bestPrice, bestSize } from "../domain/OrderBook.ts"
import type { Listing } from "./Listings.ts"
import * as MatchingBook from "./MatchingBook.ts"
import type { MatchingBook as Matching, OrderRequest, RestingOrder } from "./MatchingBook.ts"
import type { Prng } from "./Prng.ts"

const MAKERS = 7

/** What a trader decides to do. */
export type Decision =
  | { readonly _tag: "Rest"; readonly request: OrderRequest }
  | { readonly _tag: "Cancel"; readonly orders: ReadonlyArray<RestingOrder> }
  | { readonly _tag: "Take"; readonly request: OrderRequest }

/** The mood of one market. `logit` is the log-odds of the first outcome, the fair value in the space it walks in. */
export interface Trading {
  readonly prng: Prng
  readonly anchor: number
  /** Deviation of the walk for one second, in log-odds. */
  readonly volatility: number
  /** How many orders rest on a side of a busy book. */
  readonly crowd: number
  logit: number
  movedAt: number
}

export const make = (prng: Prng, listing: Listing, now: number): Trading => {
  const logit = Math.log(listing.opening / (1 - listing.opening))
  return {
    prng,
    anchor: logit,
    volatility: 0.004 + 0.012 * prng.next(),
    crowd: 70 + prng.int(90),
    logit,
    movedAt: now
  }
}

/** The probability of the first outcome as the traders see it. */
export const fair = (trading: Trading): number => 1 / (1 + Math.exp(-trading.logit))

/** Lets the fair value walk up to `now`: pulled back to where it opened, shaken, and once in a while thrown. */
export const move = (trading: Trading, now: number): void => {
  const seconds = Math.min(60, Math.max(0, now - trading.movedAt) / 1000)
  trading.movedAt = now
  if (seconds === 0) return
  const { prng } = trading
  trading.logit += (trading.anchor - trading.logit) * Math.min(1, seconds / 1800)
  trading.logit += trading.volatility * Math.sqrt(seconds) * prng.normal()
  if (prng.chance(seconds / 600)) trading.logit += 0.35 * prng.normal()
  trading.logit = Math.min(5.5, Math.max(-5.5, trading.logit))
}

const roundSizes = [5, 10, 10, 15, 20, 25, 30, 50, 50, 100, 100, 150, 200, 250, 500, 1000] as const

/** Mostly round numbers, many with two decimals, a few with six, as the venues' books show. */
const sizeOf = (prng: Prng, scale: number): Size => {
  const kind = prng.next()
  if (kind < 0.5) return (prng.pick(roundSizes) * Math.max(1, Math.round(scale)) * SCALE) as Size
  const contracts = Math.min(200_000, 5 + 60 * Math.exp(1.1 * prng.normal()) * scale)
  const step = kind < 0.95 ? 10_000 : 1
  return (Math.round((contracts * SCALE) / step) * step) as Size
}

/** The same wish spoken in either outcome: a bid for YES may be placed as an offer of NO. Most people buy. */
const inOutcome = (prng: Prng, rests: Side, yes: Price, size: Size): OrderRequest => {
  const buys = prng.chance(0.94)
  const outcome = (rests === "bid") === buys ? 0 : 1
  return {
    owner: prng.int(MAKERS),
    outcome,
    side: buys ? "buy" : "sell",
    price: MatchingBook.toYes(outcome, yes),
    size
  }
}

/**
 * A new quote at a distance from the fair value, never so near that it would trade: half of them close to it, the rest
 * spread over the whole side, where real books have their ladders of small orders.
 */
export const quote = (trading: Trading, matching: Matching, tick: number, rests: Side): Decision | undefined => {
  const { prng } = trading
  const sign = rests === "bid" ? -1 : 1
  const centre = fair(trading) * SCALE
  const room = rests === "bid" ? centre : SCALE - centre
  const near = prng.chance(0.55)
  const away = tick * 0.6 + (near ? prng.exponential() * 4 * tick : prng.next() * room)
  let price = Math.round((centre + sign * away) / tick) * tick
  if (tick < 10_000 && !near && prng.chance(0.7)) price = Math.round(price / 10_000) * 10_000
  const opposite = bestPrice(matching.book, rests === "bid" ? "ask" : "bid")
  if (opposite !== -1) price = rests === "bid" ? Math.min(price, opposite - tick) : Math.max(price, opposite + tick)
  if (price < tick || price > SCALE - tick) return undefined
  return { _tag: "Rest", request: inOutcome(prng, rests, price as Price, sizeOf(prng, 1 + away / 40_000)) }
}

/** Orders of one maker, at most `limit`, that `wanted` says to pull. */
const ordersOf = (matching: Matching, owner: number, limit: number, wanted: (order: RestingOrder) => boolean) => {
  const found: Array<RestingOrder> = []
  for (const order of matching.orders) {
    if (found.length >= limit) break
    if (order.owner === owner && wanted(order)) found.push(order)
  }
  return found
}

const taker = (
  trading: Trading,
  matching: Matching,
  tick: number,
  lifts: Side,
  depth: number
): Decision | undefined => {
  const { prng } = trading
  const opposite: Side = lifts === "bid" ? "ask" : "bid"
  const best = bestPrice(matching.book, opposite)
  if (best === -1) return undefined
  const through = depth * tick
  const limit = Math.min(SCALE - tick, Math.max(tick, lifts === "bid" ? best + through : best - through)) as Price
  const offered = bestSize(matching.book, opposite)
  const size = prng.chance(0.3) ? (Math.min(offered, 5000 * SCALE) as Size) : sizeOf(prng, 0.4)
  const request = inOutcome(prng, lifts, limit, Math.max(1, size) as Size)
  return { _tag: "Take", request }
}

/** A level that the fair value has passed is pulled by its maker or taken by somebody quicker. */
const stale = (trading: Trading, matching: Matching, tick: number): Decision | undefined => {
  const { prng } = trading
  const centre = fair(trading) * SCALE
  const ask = bestPrice(matching.book, "ask")
  const bid = bestPrice(matching.book, "bid")
  const side: Side | undefined =
    ask !== -1 && ask < centre - tick * 0.4 ? "ask" : bid !== -1 && bid > centre + tick * 0.4 ? "bid" : undefined
  if (side === undefined) return undefined
  if (prng.chance(0.25)) return taker(trading, matching, tick, side === "ask" ? "bid" : "ask", prng.int(3))
  const best = side === "ask" ? ask : bid
  const queue = (side === "ask" ? matching.asks : matching.bids).get(best as Price)
  const first = queue?.[0]
  if (first === undefined) return undefined
  const orders = prng.chance(0.3)
    ? ordersOf(matching, first.owner, 8, (order) =>
        side === "ask" ? order.rests === "ask" && order.limit <= centre : order.rests === "bid" && order.limit >= centre
      )
    : []
  return { _tag: "Cancel", orders: orders.length > 0 ? orders : [first] }
}

/** What happens next on a market; `undefined` when nobody finds anything to do. */
export const decide = (trading: Trading, matching: Matching, tick: number): Decision | undefined => {
  const { prng } = trading
  const correction = stale(trading, matching, tick)
  if (correction !== undefined) return correction
  const mood = prng.next()
  if (mood < 0.03) return taker(trading, matching, tick, prng.chance(0.5) ? "bid" : "ask", prng.int(2))
  if (mood < 0.04) {
    const orders = ordersOf(matching, prng.int(MAKERS), 2 + prng.int(7), () => true)
    if (orders.length > 0) return { _tag: "Cancel", orders }
  }
  const short = matching.orders.length < trading.crowd * 2
  if (matching.orders.length === 0 || prng.chance(short ? 0.58 : 0.44)) {
    return quote(trading, matching, tick, prng.chance(0.5) ? "bid" : "ask")
  }
  return { _tag: "Cancel", orders: [matching.orders[prng.int(matching.orders.length)]!] }
}
