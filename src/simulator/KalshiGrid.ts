/** Kalshi's price grids: bands of prices, each with its own step (Kalshi reference §2.2). */
import { type Price, SCALE } from "../domain/Money.ts"
import type { Side } from "../domain/OrderBook.ts"
import * as KalshiText from "./KalshiText.ts"
import type { Listing } from "./Listings.ts"
import type { ExchangeMarket } from "./Operation.ts"
import type * as PriceRules from "./PriceRules.ts"
import * as Prng from "./Prng.ts"

/** A band in millionths of a dollar: start, end, step. */
type Band = readonly [start: number, end: number, step: number]

const CENT = 10_000
const even = (step: number): ReadonlyArray<Band> => [[0, SCALE, step]]
const edged = (edge: number, centre: number, cut = 10 * CENT): ReadonlyArray<Band> => [
  [0, cut, edge],
  [cut, SCALE - cut, centre],
  [SCALE - cut, SCALE, edge]
]

const structures = {
  linear_cent: even(CENT),
  deci_cent: even(1000),
  tapered_deci_cent: edged(1000, CENT),
  center_whole_edge_half_cent: edged(5000, CENT),
  center_whole_edge_quint_cent: edged(2000, CENT),
  center_half_edge_half_cent: even(5000),
  center_half_edge_quint_cent: edged(2000, 5000),
  center_half_edge_deci_cent: edged(1000, 5000),
  center_quint_edge_quint_cent: even(2000),
  center_quint_edge_deci_cent: edged(1000, 2000),
  center_centi_edge_centi_cent: even(100),
  center_deci_edge_centi_cent: edged(100, 1000, CENT)
}

/** What Kalshi calls a grid. */
export type Structure = keyof typeof structures

/** The names of all grids. */
export const names = Object.keys(structures) as [Structure, ...Array<Structure>]

/** `price_ranges`, keys in the order in which REST prints them. */
export const priceRanges = (structure: Structure) =>
  structures[structure].map(([start, end, step]) => ({
    end: KalshiText.dollars(end),
    start: KalshiText.dollars(start),
    step: KalshiText.dollars(step)
  }))

/** The finest step of a grid. */
const finest = (structure: Structure): Price =>
  structures[structure].reduce((least, [, , step]) => Math.min(least, step), SCALE) as Price

/** The price of the grid next to a YES price: at or below it for a bid, at or above it for an ask; −1 when there is none. */
export const fit = (structure: Structure, price: Price, side: Side): Price | -1 => {
  for (const [start, end, step] of structures[structure]) {
    const inside = side === "bid" ? price >= start && price < end : price > start && price <= end
    if (!inside) continue
    const steps = (price - start) / step
    const fitted = start + (side === "bid" ? Math.floor(steps) : Math.ceil(steps)) * step
    return fitted > 0 && fitted < SCALE ? (fitted as Price) : -1
  }
  return -1
}

/** Most markets trade in cents, a good part in tenths of a cent near the ends or throughout, the rest on odder grids. */
const shares: ReadonlyArray<readonly [Structure, number]> = [
  ["linear_cent", 0.5],
  ["tapered_deci_cent", 0.68],
  ["deci_cent", 0.82],
  ["center_half_edge_half_cent", 0.87],
  ["center_whole_edge_half_cent", 0.9],
  ["center_half_edge_deci_cent", 0.93],
  ["center_quint_edge_deci_cent", 0.96],
  ["center_deci_edge_centi_cent", 1]
]

/** The grid on which a listing opens. */
const opening = (seed: number, listing: Listing): Structure => {
  const draw = Prng.make(seed, `kalshi grid ${listing.serial}`).next()
  return shares.find(([, share]) => draw < share)?.[0] ?? "linear_cent"
}

/** The grids of an exchange's markets, and its rules that follow from them. */
export interface Grids {
  /** The grid of a market now: a market in cents gets finer steps near the ends once its price has come there. */
  readonly structureOf: (market: ExchangeMarket) => Structure
  /** Puts a market on another grid; what rests off it is the caller's business. */
  readonly assign: (market: ExchangeMarket, structure: Structure) => void
  /** These grids, and the grain of a hundredth of a contract (Kalshi reference §2.1). */
  readonly rules: PriceRules.PriceRules
}

export const make = (seed: number): Grids => {
  const assigned = new WeakMap<ExchangeMarket, Structure>()
  const structureOf: Grids["structureOf"] = (market) => {
    const structure = assigned.get(market) ?? opening(seed, market.listing)
    return structure === "linear_cent" && market.tick < CENT ? "tapered_deci_cent" : structure
  }
  return {
    structureOf,
    assign: (market, structure) => {
      assigned.set(market, structure)
      market.tick = finest(structure)
    },
    rules: {
      tick: (listing) => finest(opening(seed, listing)),
      fit: (market, price, side) => fit(structureOf(market), price, side),
      sizeStep: CENT
    }
  }
}
