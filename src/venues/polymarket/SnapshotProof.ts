/** What the venue's hash of a book covers besides its levels (Polymarket reference §5.3), as far as a snapshot says it. */
import type { Instrument } from "../../domain/Market.ts"
import { formatDecimal } from "../../domain/Money.ts"

/** What a snapshot says besides its levels; `null` where the frame left it out. */
export interface SnapshotProof {
  readonly market: string
  readonly assetId: string
  readonly tickSize: string | null
  readonly lastTradePrice: string | null
  /** Alternatives, likeliest first: the socket does not print it, and metadata may be out of date. */
  readonly minOrderSizes: ReadonlyArray<string>
  readonly negRisks: ReadonlyArray<boolean>
  readonly version: string | null
}

/** The members of a message that it is made of; `null` where there is none. */
export interface Said {
  readonly market: string
  readonly assetId: string
  readonly tickSize: string | null
  readonly lastTradePrice: string | null
  readonly minOrderSize: string | null
  readonly negRisk: boolean | null
  readonly version: string | null
  /** Whether the message is of the form that prints tick and last trade. */
  readonly isDump: boolean
}

const firstKnown = <A>(said: A | null, known: A | null, fallbacks: ReadonlyArray<A>): ReadonlyArray<A> => [
  ...new Set([said, known, ...fallbacks].filter((value): value is A => value !== null))
]

/** The very text that is kept elsewhere, where it is the same: the verifier keeps it as long as the book. */
const shared = (said: string, known: string): string => (said === known ? known : said)

/** Short texts of which there are few, and which many books have: ticks, sizes, prices. */
const few = new Map<string, string>()
const MOST_FEW = 2_000
const one = (text: string): string => {
  const known = few.get(text)
  if (known !== undefined) return known
  if (few.size < MOST_FEW) few.set(text, text)
  return text
}
const oneOf = (text: string | null): string | null => (text === null ? null : one(text))

/** Our metadata fills in what the message leaves out, the venue's usual values come last. */
export const proofOf = (said: Said, { market, venueInstrumentId }: Instrument): SnapshotProof => {
  const minOrderSize = market.minOrderSize === null ? null : one(formatDecimal(market.minOrderSize))
  const tick = market.tickSize === null ? null : one(formatDecimal(market.tickSize))
  return {
    market: shared(said.market, market.venueMarketId),
    assetId: shared(said.assetId, venueInstrumentId),
    tickSize: oneOf(said.tickSize ?? (said.isDump ? tick : null)),
    lastTradePrice: oneOf(said.lastTradePrice),
    minOrderSizes: firstKnown(oneOf(said.minOrderSize), minOrderSize, ["5"]),
    negRisks: firstKnown(said.negRisk, market.negRisk, [false, true]),
    version: oneOf(said.version)
  }
}
