/**
 * The venue's book hash: SHA-1 over the compact JSON of the whole book with an empty `hash`, keys in the server's
 * order, levels in wire order (Polymarket reference §5.3).
 */
import { createHash } from "node:crypto"
import { formatDecimal } from "../../domain/Money.ts"
import type { BookSide, OrderBook } from "../../domain/OrderBook.ts"

/** What the hash covers besides the levels. Texts are the venue's own lexemes. */
export interface HashContext {
  readonly market: string
  readonly assetId: string
  readonly minOrderSize: string
  readonly tickSize: string
  readonly negRisk: boolean
  /** `v2` on Protocol V2 markets, which alone print it; otherwise `null`. */
  readonly version: string | null
}

/**
 * `current`: the recipe of 2025 and later. `legacy`: the one of 2024, which ends after the asks. `unknown`: none
 * reproduced the venue's own snapshot, so that its hashes cannot be used.
 */
export type Recipe = "current" | "legacy" | "unknown"

const levelsJson = (side: BookSide): string => {
  const { prices, sizes } = side
  let out = "["
  for (let i = 0; i < prices.length; i++) {
    out += `${i === 0 ? "" : ","}{"price":"${formatDecimal(prices[i]!)}","size":"${formatDecimal(sizes[i]!)}"}`
  }
  return `${out}]`
}

const quote = JSON.stringify

/**
 * The part of the text that does not depend on the last trade, so that several guesses at it cost one serialisation.
 * Our sides are sorted best last, which is the wire's order.
 */
export const preimage = (recipe: Recipe, context: HashContext, timestamp: number, book: OrderBook): string => {
  const head = `{"market":${quote(context.market)},"asset_id":${quote(context.assetId)},"timestamp":"${timestamp}","hash":"","bids":${levelsJson(book.bids)},"asks":${levelsJson(book.asks)}`
  return recipe === "legacy"
    ? `${head}}`
    : `${head},"min_order_size":${quote(context.minOrderSize)},"tick_size":${quote(context.tickSize)},"neg_risk":${context.negRisk},"last_trade_price":`
}

/** The hash of a {@link preimage} with the last trade price as the venue prints it, `""` before the first trade. */
export const digest = (recipe: Recipe, context: HashContext, text: string, lastTradePrice: string): string => {
  const tail = context.version === null ? "}" : `,"version":${quote(context.version)}}`
  const whole = recipe === "legacy" ? text : `${text}${quote(lastTradePrice)}${tail}`
  return createHash("sha1").update(whole, "utf8").digest("hex")
}
