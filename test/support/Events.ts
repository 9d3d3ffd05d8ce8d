/** Feed events and markets for tests, with sensible values where a test does not care. Times are small numbers. */
import { Schema } from "effect"
import {
  InstrumentId,
  type Instrument,
  instrumentId,
  type Market,
  marketId,
  type MarketStatus,
  VenueId
} from "../../src/domain/Market.ts"
import type {
  BestQuote,
  BookChange,
  BookSnapshot,
  Connected,
  Disconnected,
  MarketResolved,
  MessageRejected,
  Subscribed,
  TickSizeChange,
  Trade,
  Unsubscribed
} from "../../src/domain/MarketEvent.ts"
import { complement, formatDecimal, parsePrice, parseSize, type Price, type Size } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import { PriceGrid } from "../../src/domain/PriceGrid.ts"
import type { BookVerifier } from "../../src/venues/Venue.ts"

export const venue = VenueId.make("polymarket")
export const slot = "polymarket-1"
export const connection = "polymarket-1-a"
export const token = "111"
export const id = InstrumentId.make(`polymarket:${token}`)
export const other = InstrumentId.make("polymarket:222")

export const price = (text: string): Price => parsePrice(text) as Price
export const size = (text: string): Size => parseSize(text) as Size
/** A grid from its bands as decimals. */
export const gridOf = (...bands: ReadonlyArray<readonly [start: string, end: string, step: string]>): PriceGrid =>
  Schema.decodeSync(PriceGrid)(bands.map(([start, end, step]) => ({ start, end, step })))
/** Levels as `0.41 100, 0.42 5`. */
export const levels = (text: string): Array<OrderBook.Level> =>
  text === ""
    ? []
    : text.split(", ").map((level) => {
        const [at = "", amount = ""] = level.split(" ")
        return { price: price(at), size: size(amount) }
      })

export const market = (name: string, fields: Partial<Market> = {}, tokens: ReadonlyArray<string> = [token, "222"]) => {
  const condition = `0x${Buffer.from(name).toString("hex")}`
  const status: MarketStatus = "open"
  return {
    id: marketId(venue, condition),
    venue,
    venueMarketId: condition,
    slug: name,
    question: `${name}?`,
    category: null,
    tags: [],
    status,
    outcomes: tokens.map((one, i) => ({
      instrumentId: instrumentId(venue, one),
      venueInstrumentId: one,
      name: i === 0 ? "Yes" : "No",
      winner: null
    })),
    tickSize: price("0.01"),
    priceBands: gridOf(["0.01", "0.99", "0.01"]),
    minOrderSize: size("5"),
    negRisk: false,
    liquidity: null,
    volume24h: null,
    protocol: "v1",
    endTime: null,
    ...fields
  } satisfies Market
}

export const instrument = (of: Market, index = 0): Instrument => {
  const outcome = of.outcomes[index]!
  return { id: outcome.instrumentId, venueInstrumentId: outcome.venueInstrumentId, market: of }
}

export const connected = (at: number, fields: Partial<Connected> = {}): Connected => ({
  _tag: "Connected",
  venue,
  slot,
  connection,
  receivedTime: at,
  ...fields
})

export const disconnected = (at: number, fields: Partial<Disconnected> = {}): Disconnected => ({
  _tag: "Disconnected",
  venue,
  slot,
  connection,
  reason: "cut",
  receivedTime: at,
  ...fields
})

export const subscribed = (at: number, fields: Partial<Subscribed> = {}): Subscribed => ({
  _tag: "Subscribed",
  venue,
  connection,
  instrumentIds: [id],
  receivedTime: at,
  ...fields
})

export const unsubscribed = (at: number, fields: Partial<Unsubscribed> = {}): Unsubscribed => ({
  _tag: "Unsubscribed",
  venue,
  connection,
  instrumentIds: [id],
  receivedTime: at,
  ...fields
})

export const snapshot = (
  at: number,
  bids = "0.41 100",
  asks = "0.43 50",
  fields: Partial<BookSnapshot> = {}
): BookSnapshot => ({
  _tag: "BookSnapshot",
  instrumentId: id,
  bids: levels(bids),
  asks: levels(asks),
  venueTime: at,
  receivedTime: at,
  sequence: null,
  hash: null,
  source: "socket",
  proof: null,
  ...fields
})

export const rest = (at: number, bids?: string, asks?: string, fields: Partial<BookSnapshot> = {}): BookSnapshot =>
  snapshot(at, bids, asks, { source: "rest", ...fields })

export const change = (
  at: number,
  side: OrderBook.Side,
  level: string,
  fields: Partial<Omit<BookChange, "side" | "price" | "size">> = {}
): BookChange => ({
  _tag: "BookChange",
  instrumentId: id,
  side,
  ...levels(level)[0]!,
  venueTime: at,
  receivedTime: at,
  sequence: null,
  hash: null,
  bestBid: null,
  bestAsk: null,
  ...fields
})

export const trade = (at: number, at_: string, fields: Partial<Trade> = {}): Trade => ({
  _tag: "Trade",
  instrumentId: id,
  ...levels(at_)[0]!,
  takerSide: "buy",
  venueTime: at,
  receivedTime: at,
  sequence: null,
  tradeId: null,
  ...fields
})

export const tickSize = (at: number, to: string, fields: Partial<TickSizeChange> = {}): TickSizeChange => ({
  _tag: "TickSizeChange",
  instrumentId: id,
  tickSize: price(to),
  priceBands: gridOf([to, formatDecimal(complement(price(to))), to]),
  venueTime: at,
  receivedTime: at,
  ...fields
})

export const quote = (at: number, bid: string, ask: string): BestQuote => ({
  _tag: "BestQuote",
  instrumentId: id,
  bid: price(bid),
  ask: price(ask),
  venueTime: at,
  receivedTime: at
})

export const rejected = (at: number, fields: Partial<MessageRejected> = {}): MessageRejected => ({
  _tag: "MessageRejected",
  venue,
  connection,
  instrumentIds: [id],
  reason: "price: NaN",
  receivedTime: at,
  ...fields
})

export const resolved = (at: number, fields: Partial<MarketResolved> = {}): MarketResolved => ({
  _tag: "MarketResolved",
  marketId: market("m").id,
  instrumentIds: [id],
  winner: id,
  venueTime: at,
  receivedTime: at,
  ...fields
})

const sideText = (book: OrderBook.OrderBook, side: OrderBook.Side): string =>
  OrderBook.levels(book, side)
    .map(({ price, size }) => `${price}x${size}`)
    .reverse()
    .join(" ")

/** A digest that anybody can read. */
export const digest = (time: number, book: OrderBook.OrderBook): string =>
  `${time} ${sideText(book, "bid")} | ${sideText(book, "ask")}`

/** A verifier of a venue whose every message carries the {@link digest} of the book after it, without exceptions. */
export const exactVerifier = (): BookVerifier => ({
  check: (event, book) => {
    if (event._tag !== "BookSnapshot" && event._tag !== "BookChange") return "unverifiable"
    if (event.hash === null) return "unverifiable"
    return event.hash === digest(event.venueTime, book) ? "verified" : "mismatch"
  },
  expire: () => [],
  isBehind: () => false,
  forget: () => {}
})
