/** Markets, their outcomes, and the instruments that carry an order book. */
import { Schema } from "effect"
import { PriceFromString, SizeFromString } from "./Money.ts"
import { PriceGrid } from "./PriceGrid.ts"

/** The name of a venue, as in ids and configuration: `polymarket`, `kalshi`. */
export const VenueId = Schema.NonEmptyString.pipe(Schema.brand("VenueId"))
export type VenueId = typeof VenueId.Type

/** `polymarket:<condition id>`, `kalshi:<ticker>`. */
export const MarketId = Schema.NonEmptyString.pipe(Schema.brand("MarketId"))
export type MarketId = typeof MarketId.Type

/** One order book: `polymarket:<token id>`, `kalshi:<ticker>`. */
export const InstrumentId = Schema.NonEmptyString.pipe(Schema.brand("InstrumentId"))
export type InstrumentId = typeof InstrumentId.Type

/** The life of a market as far as trading is concerned. `unlisted`: the venue no longer shows it to our filters. */
export const MarketStatus = Schema.Literal("open", "closed", "resolved", "unlisted")
export type MarketStatus = typeof MarketStatus.Type

/** One side of the question, tradable through its own order book. */
export const Outcome = Schema.Struct({
  instrumentId: InstrumentId,
  /** The venue's own id of the instrument: a token id, a ticker. */
  venueInstrumentId: Schema.String,
  name: Schema.String,
  /** Set once the market resolved. */
  winner: Schema.NullOr(Schema.Boolean)
})
export type Outcome = typeof Outcome.Type

/** A question with its outcomes, as the venue lists it. Unknown amounts are `null`, never zero. */
export const Market = Schema.Struct({
  id: MarketId,
  venue: VenueId,
  venueMarketId: Schema.String,
  slug: Schema.String,
  question: Schema.String,
  category: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String),
  status: MarketStatus,
  outcomes: Schema.Array(Outcome),
  /** The finest step between prices; `null` when the venue does not say. */
  tickSize: Schema.NullOr(PriceFromString).annotations({
    description: "The finest step between prices; priceBands say where it holds. Null when the venue does not say"
  }),
  /** The prices at which it trades; `null` when the venue does not say. */
  priceBands: Schema.NullOr(PriceGrid).annotations({
    description:
      "The prices at which it trades: ascending bands, each with its own step. Null when the venue does not say"
  }),
  /** The smallest resting order, in contracts. */
  minOrderSize: Schema.NullOr(SizeFromString),
  /** One of several mutually exclusive outcomes that share collateral (polymarket.md §7.11). */
  negRisk: Schema.Boolean,
  /** Dollars resting in the book, as the venue reports it. */
  liquidity: Schema.NullOr(SizeFromString),
  /** Dollars (Polymarket) or contracts (Kalshi) traded in 24 hours, as the venue reports it. */
  volume24h: Schema.NullOr(SizeFromString),
  /** The dialect of the venue's protocol that the market speaks, where there are several (polymarket.md §0). */
  protocol: Schema.NullOr(Schema.String),
  endTime: Schema.NullOr(Schema.DateTimeUtc)
}).annotations({ identifier: "Market" })
export type Market = typeof Market.Type

/** What a feed subscribes to: one book, with what is needed to read and verify it. */
export interface Instrument {
  readonly id: InstrumentId
  readonly venueInstrumentId: string
  readonly market: Market
}

export const marketId = (venue: VenueId, id: string): MarketId => MarketId.make(`${venue}:${id}`)
export const instrumentId = (venue: VenueId, id: string): InstrumentId => InstrumentId.make(`${venue}:${id}`)

/** The instruments of a market, one for each outcome. */
export const instruments = (market: Market): ReadonlyArray<Instrument> =>
  market.outcomes.map((outcome) => ({
    id: outcome.instrumentId,
    venueInstrumentId: outcome.venueInstrumentId,
    market
  }))
