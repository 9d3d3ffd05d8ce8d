/** Which prices and sizes an exchange takes. */
import { type Price, SCALE, type Size } from "../domain/Money.ts"
import type { Side } from "../domain/OrderBook.ts"
import type { Listing } from "./Listings.ts"
import { type OrderRequest, restingSide, toYes } from "./MatchingBook.ts"
import type { ExchangeMarket } from "./Operation.ts"
import type { Prng } from "./Prng.ts"

export const COARSE = 10_000 as Price
export const FINE = 1_000 as Price

/** Where prices are so near the ends that a finer grid is needed (venue reference, Polymarket §5.2). */
export const HIGH = 960_000
export const LOW = 40_000

export interface PriceRules {
  /** The finest step between prices of a market that is being listed. */
  readonly tick: (listing: Listing, prng: Prng) => Price
  /** The valid price next to a YES price, on the side away from the market; −1 when there is none. */
  readonly fit: (market: ExchangeMarket, price: Price, side: Side) => Price | -1
  /** Sizes are multiples of this, in millionths of a contract. */
  readonly sizeStep: number
}

/** One step for all prices of a market, a cent or a tenth of it, and sizes down to a millionth. */
export const uniform: PriceRules = {
  tick: (listing, prng) =>
    listing.opening > HIGH / SCALE || listing.opening < LOW / SCALE || prng.chance(0.12) ? FINE : COARSE,
  fit: (_, price) => price,
  sizeStep: 1
}

/** A request as the exchange takes it; `undefined` when it takes nothing like it. */
export const conform = (rules: PriceRules, market: ExchangeMarket, request: OrderRequest): OrderRequest | undefined => {
  if (rules === uniform) return request
  const side = restingSide(request.outcome, request.side)
  const yes = rules.fit(market, toYes(request.outcome, request.price), side)
  if (yes === -1) return undefined
  const size = Math.max(1, Math.floor(request.size / rules.sizeStep)) * rules.sizeStep
  return { ...request, price: toYes(request.outcome, yes), size: size as Size }
}
