/** The markets of the workload: the same names in the sender, in the product and in its peers. */
import { Schema } from "effect"
import { type Instrument, instrumentId, type Market, marketId, VenueId } from "../../src/domain/Market.ts"
import type { Price, Size } from "../../src/domain/Money.ts"
import { PriceGrid } from "../../src/domain/PriceGrid.ts"
import * as Prng from "../../src/simulator/Prng.ts"

export interface ListingOptions {
  readonly seed: number
  /** Books that are subscribed. */
  readonly tokens: number
  /**
   * `one`: a market for each token, whose other token nobody wants, and one entry in a frame, about 350 bytes. `both`: two
   * tokens of each market, and both in every frame, as the venue itself sends it.
   */
  readonly entries: "one" | "both"
}

export interface Listed {
  readonly condition: string
  readonly tokens: readonly [string, string]
}

const decimal = (hex: string): string => BigInt(`0x${hex}`).toString()

export const perMarket = ({ entries }: Pick<ListingOptions, "entries">): 1 | 2 => (entries === "one" ? 1 : 2)

/** In the venue's shapes: 32 bytes in hex, and in decimal. */
export const list = (options: ListingOptions): ReadonlyArray<Listed> =>
  Array.from({ length: Math.ceil(options.tokens / perMarket(options)) }, (_, i) => {
    const prng = Prng.make(options.seed, `bench ${i}`)
    return { condition: `0x${prng.hex(64)}`, tokens: [decimal(prng.hex(64)), decimal(prng.hex(64))] }
  })

/** The tokens that are subscribed, in the order of their markets. */
export const tokensOf = (options: ListingOptions): ReadonlyArray<string> =>
  list(options).flatMap(({ tokens }) => tokens.slice(0, perMarket(options)))

const VENUE = VenueId.make("polymarket")
const CENT = 10_000 as Price
const GRID = Schema.decodeSync(PriceGrid)([{ start: "0.01", end: "0.99", step: "0.01" }])

/** As the product's catalogue would have them. */
export const instrumentsOf = (options: ListingOptions): ReadonlyArray<Instrument> =>
  list(options).flatMap(({ condition, tokens }, i) => {
    const outcomes = tokens.map((token, outcome) => ({
      instrumentId: instrumentId(VENUE, token),
      venueInstrumentId: token,
      name: outcome === 0 ? "Yes" : "No",
      winner: null
    }))
    const market: Market = {
      id: marketId(VENUE, condition),
      venue: VENUE,
      venueMarketId: condition,
      slug: `bench-${i}`,
      question: `Does benchmark ${i} hold?`,
      category: null,
      tags: [],
      status: "open",
      outcomes,
      tickSize: CENT,
      priceBands: GRID,
      minOrderSize: 5_000_000 as Size,
      negRisk: false,
      liquidity: null,
      volume24h: null,
      protocol: "v1",
      endTime: null
    }
    return outcomes.slice(0, perMarket(options)).map(({ instrumentId: id, venueInstrumentId }) => ({
      id,
      venueInstrumentId,
      market
    }))
  })
