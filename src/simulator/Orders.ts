/** Orders on one market of an exchange, and the operations that they come to. Synchronous, as the exchange is. */
import type { Size } from "../domain/Money.ts"
import { bestPrice } from "../domain/OrderBook.ts"
import * as MatchingBook from "./MatchingBook.ts"
import type { OrderRequest, RestingOrder } from "./MatchingBook.ts"
import type { ExchangeMarket, Operation, Print } from "./Operation.ts"
import * as PriceRules from "./PriceRules.ts"

/** A market whose prices have come near an end gets the finer grid. */
const refine = (market: ExchangeMarket, now: number): ReadonlyArray<Operation> => {
  if (market.tick !== PriceRules.COARSE) return []
  const bid = bestPrice(market.matching.book, "bid")
  const ask = bestPrice(market.matching.book, "ask")
  if (!(bid > PriceRules.HIGH) && !(ask !== -1 && ask < PriceRules.LOW)) return []
  market.tick = PriceRules.FINE
  return [{ _tag: "TickSizeChanged", market, time: now, from: PriceRules.COARSE, to: PriceRules.FINE }]
}

/** Fills what crosses, and what is left rests if `rests` says so. */
export const submit = (
  market: ExchangeMarket,
  request: OrderRequest,
  rests: boolean,
  now: number
): ReadonlyArray<Operation> => {
  const { matching } = market
  const fills = MatchingBook.take(matching, request)
  const filled = fills.reduce((sum, fill) => sum + fill.size, 0)
  const touched = fills.map((fill) => fill.maker)
  if (rests && filled < request.size) {
    touched.push(MatchingBook.rest(matching, { ...request, size: (request.size - filled) as Size }))
  }
  const changes = MatchingBook.levelsOf(matching, touched)
  const [first, ...others] = fills
  if (first === undefined) {
    if (changes.length === 0) return []
    return [{ _tag: "LevelsChanged", market, time: now, changes }, ...refine(market, now)]
  }
  market.volume += filled
  const prints: [Print, ...Array<Print>] = [first]
  for (const { price, size } of others) {
    const last = prints[prints.length - 1]!
    if (last.price === price) prints[prints.length - 1] = { price, size: (last.size + size) as Size }
    else prints.push({ price, size })
  }
  const traded: Operation = {
    _tag: "Traded",
    market,
    time: now,
    changes,
    taker: { outcome: request.outcome, side: request.side },
    prints: prints.map(({ price, size }) => ({ price, size })) as unknown as typeof prints,
    makerPrice: fills[fills.length - 1]!.makerPrice
  }
  return [traded, ...refine(market, now)]
}

/** Cancels orders together: one operation. */
export const cancel = (
  market: ExchangeMarket,
  orders: ReadonlyArray<RestingOrder>,
  now: number
): ReadonlyArray<Operation> => {
  for (const order of orders) MatchingBook.cancel(market.matching, order)
  const changes = MatchingBook.levelsOf(market.matching, orders)
  if (changes.length === 0) return []
  return [{ _tag: "LevelsChanged", market, time: now, changes }, ...refine(market, now)]
}
