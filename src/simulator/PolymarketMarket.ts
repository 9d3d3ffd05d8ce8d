/**
 * Markets under Polymarket's names: ids in the venue's shapes, derived from the seed and the listing alone, and the
 * view that REST answers from.
 */
import type { Listing } from "./Listings.ts"
import type { OutcomeIndex } from "./MatchingBook.ts"
import type { BookIdentity } from "./PolymarketBook.ts"
import type { BookState } from "./PolymarketFrames.ts"
import * as Prng from "./Prng.ts"

export interface Tag {
  readonly id: string
  readonly label: string
  readonly slug: string
}

/** What never changes about a market. Times are milliseconds since the epoch. */
export interface MarketInfo extends BookIdentity {
  readonly gammaId: string
  readonly questionId: string
  readonly question: string
  readonly slug: string
  readonly description: string
  readonly outcomes: readonly [string, string]
  readonly tags: ReadonlyArray<Tag>
  readonly event: { readonly id: string; readonly slug: string; readonly title: string }
  /** What names the market within its event. */
  readonly item: string
  /** Shared by the markets of a mutually exclusive group; empty otherwise. */
  readonly negRiskMarketId: string
  readonly listedAt: number
  readonly endsAt: number
}

/** A market as it is now. */
export interface MarketView {
  readonly info: MarketInfo
  readonly open: () => boolean
  readonly winner: () => OutcomeIndex | null
  /** `undefined` once the market is resolved: its book is gone. */
  readonly book: (outcome: OutcomeIndex) => BookState | undefined
  /** The price grid, as printed. */
  readonly tickSize: () => string
  /** Best quotes of the first outcome in dollars; `undefined` on an empty side. */
  readonly quotes: () => { readonly bid: number | undefined; readonly ask: number | undefined }
  /** Contracts traded. */
  readonly volume: () => number
  /** Dollars resting in the book. */
  readonly liquidity: () => number
  /** What the last taker did; `undefined` before the first trade. Price in dollars, in the taker's outcome. */
  readonly lastTrade: () =>
    { readonly outcome: OutcomeIndex; readonly side: "BUY" | "SELL"; readonly price: number } | undefined
}

/** All markets that the venue knows. */
export interface Catalogue {
  /** In the order of listing. */
  readonly markets: () => Iterable<MarketView>
  readonly byCondition: (id: string) => MarketView | undefined
  readonly byToken: (token: string) => { readonly market: MarketView; readonly outcome: OutcomeIndex } | undefined
}

const wellKnownTags: Record<string, number> = {
  Sports: 1,
  Politics: 2,
  Crypto: 21,
  World: 101970,
  Geopolitics: 100265,
  Finance: 120,
  Economy: 100328,
  Tech: 1401,
  Culture: 596,
  Weather: 84,
  NBA: 745,
  NFL: 450,
  NHL: 899,
  AI: 439,
  Elections: 144,
  Bitcoin: 235,
  Ethereum: 39
}

/** A tag's id depends on its label alone. */
export const tagOf = (label: string): Tag => ({
  id: String(wellKnownTags[label] ?? 102_000 + Prng.make(0, `tag ${label}`).int(90_000)),
  label,
  slug: label.toLowerCase().replace(/[^a-z0-9]+/g, "-")
})

const decimal = (hex: string): string => BigInt(`0x${hex}`).toString()

/** One market in so many speaks Protocol V2, whose ids are structured (venue reference, Polymarket §9 "Ids"). */
const PROTOCOL_V2_SHARE = 25

/** How a listing is called on Polymarket. */
export const infoOf = (seed: number, listing: Listing): MarketInfo => {
  const prng = Prng.make(seed, `polymarket ${listing.serial}`)
  const version = listing.serial % PROTOCOL_V2_SHARE === 0 ? "v2" : "v1"
  const base = version === "v2" ? `01${prng.hex(32)}${"0".repeat(28)}` : undefined
  const condition = base === undefined ? prng.hex(64) : `${base}00`
  const tokens: readonly [string, string] =
    base === undefined ? [decimal(prng.hex(64)), decimal(prng.hex(64))] : [decimal(`${base}00`), decimal(`${base}01`)]
  const { group } = listing
  return {
    condition: `0x${condition}`,
    tokens,
    minOrderSize: "5",
    negRisk: group !== null,
    version,
    gammaId: String(5_300_000 + listing.serial * 7),
    questionId: `0x${prng.hex(64)}`,
    question: listing.question,
    slug: listing.slug,
    description: listing.description,
    outcomes: listing.outcomes,
    tags: listing.tags.map(tagOf),
    event:
      group === null
        ? { id: String(1_100_000 + listing.serial * 3), slug: listing.slug, title: listing.question }
        : { id: String(1_000_000 + group.serial * 3), slug: group.slug, title: group.title },
    item: listing.item,
    negRiskMarketId: group === null ? "" : `0x${Prng.make(seed, `polymarket group ${group.serial}`).hex(62)}00`,
    listedAt: listing.listedAt,
    endsAt: listing.endsAt
  }
}
