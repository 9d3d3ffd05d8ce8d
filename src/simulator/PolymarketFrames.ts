/**
 * Polymarket's texts, byte for byte: books, frames of the market channel, and the hash of a book.
 *
 * The dump and REST are compact JSON; every later frame is one object with `", "` between members and no space after
 * `":"` (venue reference, Polymarket §5.2). Everything here is pure and works on lexemes: decimals as they are printed.
 */
import { hash as digest } from "node:crypto"

/** One level as compact JSON. */
export const level = (price: string, size: string): string => `{"price":"${price}","size":"${size}"}`

/** The book of one token at one instant. `bids` and `asks` are compact levels in wire order, without brackets. */
export interface BookState {
  /** Condition id. */
  readonly market: string
  readonly asset: string
  /** Milliseconds of the last change, as text. */
  readonly timestamp: string
  readonly hash: string
  readonly bids: string
  readonly asks: string
  readonly minOrderSize: string
  readonly tickSize: string
  readonly negRisk: boolean
  /** Three decimals, of the last maker's own token; empty before the first trade. The same for both tokens. */
  readonly lastTradePrice: string
  readonly version: "v1" | "v2"
}

const versionMember = (state: Pick<BookState, "version">): string => (state.version === "v2" ? `,"version":"v2"` : "")

/** `GET /book`, which with an empty `hash` is also what the hash is taken of. */
export const restBook = (state: BookState): string =>
  `{"market":"${state.market}","asset_id":"${state.asset}","timestamp":"${state.timestamp}","hash":"${state.hash}",` +
  `"bids":[${state.bids}],"asks":[${state.asks}],"min_order_size":"${state.minOrderSize}",` +
  `"tick_size":"${state.tickSize}","neg_risk":${state.negRisk},"last_trade_price":"${state.lastTradePrice}"` +
  `${versionMember(state)}}`

/** SHA-1 in lower-case hex over the REST form with an empty hash (venue reference, Polymarket §5.3). */
export const bookHash = (state: Omit<BookState, "hash">): string => digest("sha1", restBook({ ...state, hash: "" }))

/** The state with its hash filled in. */
export const hashed = (state: Omit<BookState, "hash">): BookState => ({ ...state, hash: bookHash(state) })

const dumpEntry = (state: BookState): string =>
  `{"market":"${state.market}","asset_id":"${state.asset}","timestamp":"${state.timestamp}","hash":"${state.hash}",` +
  `"bids":[${state.bids}],"asks":[${state.asks}],"tick_size":"${state.tickSize}","event_type":"book",` +
  `"last_trade_price":"${state.lastTradePrice}"${versionMember(state)}}`

/** The first frame after subscribing: compact, an array, and a newline at the end. */
export const dump = (states: ReadonlyArray<BookState>): string => `[${states.map(dumpEntry).join(",")}]\n`

const spacedLevels = (levels: string): string => levels.replaceAll(`","`, `", "`).replaceAll("},{", "}, {")

/** The book that follows a trade. */
export const book = (state: BookState): string =>
  `{"market":"${state.market}", "asset_id":"${state.asset}", "bids":[${spacedLevels(state.bids)}], ` +
  `"asks":[${spacedLevels(state.asks)}], "hash":"${state.hash}", "timestamp":"${state.timestamp}", ` +
  `"event_type":"book"}`

/** One level's new size as one of the two tokens sees it. */
export interface PriceChange {
  readonly asset: string
  readonly price: string
  readonly size: string
  readonly side: "BUY" | "SELL"
  readonly hash: string
  readonly bestBid: string
  readonly bestAsk: string
}

const priceChangeEntry = (change: PriceChange): string =>
  `{"asset_id":"${change.asset}", "price":"${change.price}", "size":"${change.size}", "side":"${change.side}", ` +
  `"hash":"${change.hash}", "best_bid":"${change.bestBid}", "best_ask":"${change.bestAsk}"}`

export const priceChange = (market: string, changes: ReadonlyArray<PriceChange>, timestamp: string): string =>
  `{"market":"${market}", "price_changes":[${changes.map(priceChangeEntry).join(", ")}], ` +
  `"timestamp":"${timestamp}", "event_type":"price_change"}`

/** The print of a trade, about 40 ms after the books that it changed. */
export interface LastTrade {
  readonly market: string
  /** The taker's token, price and side. */
  readonly asset: string
  readonly price: string
  readonly size: string
  readonly side: "BUY" | "SELL"
  readonly timestamp: string
  readonly transactionHash: string
}

export const lastTradePrice = (trade: LastTrade): string =>
  `{"market":"${trade.market}", "asset_id":"${trade.asset}", "price":"${trade.price}", "size":"${trade.size}", ` +
  `"fee_rate_bps":"0", "side":"${trade.side}", "timestamp":"${trade.timestamp}", "event_type":"last_trade_price", ` +
  `"transaction_hash":"${trade.transactionHash}"}`

export const tickSizeChange = (market: string, asset: string, from: string, to: string, timestamp: string): string =>
  `{"market":"${market}", "asset_id":"${asset}", "old_tick_size":"${from}", "new_tick_size":"${to}", ` +
  `"timestamp":"${timestamp}", "event_type":"tick_size_change"}`

export const bestBidAsk = (
  market: string,
  asset: string,
  best: { readonly bid: string; readonly ask: string; readonly spread: string },
  timestamp: string
): string =>
  `{"market":"${market}", "asset_id":"${asset}", "best_bid":"${best.bid}", "best_ask":"${best.ask}", ` +
  `"spread":"${best.spread}", "timestamp":"${timestamp}", "event_type":"best_bid_ask"}`

type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

/** Any value in the spacing of the later frames. */
export const spaced = (value: Json): string => {
  if (isList(value)) return `[${value.map(spaced).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${spaced(member)}`)
    .join(", ")}}`
}
