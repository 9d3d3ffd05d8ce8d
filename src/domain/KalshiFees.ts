/**
 * Kalshi's fees: which rule holds for a market, and the trade fee of a fill (Kalshi reference §6.1, §6.2 step 1).
 * What a balance is rounded by, and what an order gets back of it, is in `KalshiOrderFees.ts`.
 *
 * Opening and closing fills pay alike; the settlement of a yes/no market is free.
 */
import { Either } from "effect"
import {
  type Exact,
  type FeeRefused,
  type FeeRuleIdentity,
  type Fill,
  type Micros,
  holdsAt,
  millionths,
  refuse,
  refuseTime,
  roundUp
} from "./FeeRule.ts"
import { SCALE, formatDecimal } from "./Money.ts"

/**
 * Since this day the trade fee is rounded up to $0.000001, before it to $0.0001 (Kalshi reference §6.2). The day is
 * uncertain: the change was seen between the 15th and the 18th of September 2026, at no known hour. Between the two
 * readings of a fill in those days lies less than $0.0001.
 */
export const FINE_ROUNDING_SINCE = Date.UTC(2026, 8, 15)

/** The oldest description of the rounding; how fees were rounded before is not known (Kalshi reference §6). */
export const ROUNDING_KNOWN_SINCE = Date.UTC(2026, 5, 1)

/** Makers of combos pay since 2026-08-20, 5:00 in New York (Kalshi reference §6.1). */
export const COMBO_MAKER_FEES_SINCE = Date.UTC(2026, 7, 20, 9)

interface Rounding {
  readonly version: string
  readonly from: number
  readonly until: number | null
  readonly grain: Micros
}

const roundings: ReadonlyArray<Rounding> = [
  { version: "2026-06-01", from: ROUNDING_KNOWN_SINCE, until: FINE_ROUNDING_SINCE, grain: 100n },
  { version: "2026-09-15", from: FINE_ROUNDING_SINCE, until: null, grain: 1n }
]

/** Dollars a contract at p(1 − p) = 1, in millionths (Kalshi reference §6.1). */
const TAKER_RATE = 70_000n

interface Kind {
  /** As {@link TAKER_RATE}; zero where the venue says that makers pay nothing. */
  readonly makerRate: bigint
  readonly since: number
}

/**
 * The types with a known formula. `flat` is in the venue's list without one and was never seen in use.
 *
 * For combos the factor 0.5 of the taker's rate is announced, and it is not clear whether that is for all maker fees or
 * only for those of swapped fills, with the standard 0.25 for the rest: the dearer reading is taken.
 */
const kinds: Readonly<Record<string, Kind>> = {
  quadratic: { makerRate: 0n, since: ROUNDING_KNOWN_SINCE },
  quadratic_with_maker_fees: { makerRate: 17_500n, since: ROUNDING_KNOWN_SINCE },
  quadratic_with_combo_maker_fees: { makerRate: 35_000n, since: COMBO_MAKER_FEES_SINCE }
}

/** Combos of independent football legs only: makers pay nothing (Kalshi reference §6.1). */
const MAKER_FREE_SERIES = "KXMVECROSSCATEGORY0-SHARD1"

/**
 * How finely the venue keeps a balance (Kalshi reference §6.2): $0.0001 for direct members, as which ordinary API
 * accounts were seen to be treated, and $0.01 for customers of a broker.
 */
export type Membership = "direct" | "non-direct"

const balanceGrains: Readonly<Record<Membership, Micros>> = { direct: 100n, "non-direct": 10_000n }

/** What the venue lists about a market's fees (Kalshi reference §3.2 to §3.4). */
export interface KalshiFeeListing {
  readonly series: {
    readonly ticker: string
    readonly feeType: string | null | undefined
    /** A JSON number on the wire, or its text. */
    readonly feeMultiplier: number | string | null | undefined
  }
  /** The event's overrides; each counts on its own, and one that is not there leaves the series' value. */
  readonly event?:
    | {
        readonly feeTypeOverride?: string | null | undefined
        readonly feeMultiplierOverride?: number | string | null | undefined
      }
    | undefined
  /** The market's `fee_waiver_expiration_time`, in milliseconds since the epoch. */
  readonly feeWaiverUntil?: number | null | undefined
}

export interface KalshiFeeRule extends FeeRuleIdentity {
  readonly venue: "kalshi"
  /** Millionths: 500 000 halves the fee, zero lifts it. */
  readonly multiplier: bigint
  /** Millionths of a dollar. */
  readonly takerRate: bigint
  readonly makerRate: bigint
  /** What the trade fee is rounded up to. */
  readonly tradeFeeGrain: Micros
  /** What the balance is kept in. */
  readonly balanceGrain: Micros
}

/**
 * The rule that holds for a market at a time, in milliseconds since the epoch. A waiver of the market goes before an
 * override of its event, and that before the series (Kalshi reference §6.1). A waiver lifts the fee and not the
 * rounding of the balance; that it goes first is inferred, no waived fill was seen.
 */
export const kalshiFeeRule = (
  listing: KalshiFeeListing,
  time: number,
  membership: Membership = "direct"
): Either.Either<KalshiFeeRule, FeeRefused> => {
  const { series, event, feeWaiverUntil } = listing
  const rounding = roundings.find((one) => holdsAt(one, time))
  if (rounding === undefined) return refuseTime("kalshi", "the rounding", time)
  const common = {
    venue: "kalshi",
    takerRate: TAKER_RATE,
    tradeFeeGrain: rounding.grain,
    balanceGrain: balanceGrains[membership],
    version: rounding.version
  } as const
  if (feeWaiverUntil !== null && feeWaiverUntil !== undefined && time < feeWaiverUntil) {
    const until = Math.min(rounding.until ?? feeWaiverUntil, feeWaiverUntil)
    return Either.right({ ...common, id: "kalshi/waived", multiplier: 0n, makerRate: 0n, from: rounding.from, until })
  }
  const type = event?.feeTypeOverride ?? series.feeType
  const kind = typeof type === "string" && Object.hasOwn(kinds, type) ? kinds[type] : undefined
  if (kind === undefined) {
    return refuse("kalshi", "unknown-type", `fee type ${type ?? "not listed"} of ${series.ticker}`)
  }
  if (time < kind.since) return refuseTime("kalshi", `fee type ${type}`, time)
  const listed = event?.feeMultiplierOverride ?? series.feeMultiplier
  const multiplier = millionths(listed)
  if (multiplier === undefined) {
    return refuse("kalshi", "unknown-shape", `fee multiplier ${listed ?? "not listed"} of ${series.ticker}`)
  }
  return Either.right({
    ...common,
    id: `kalshi/${type}/${formatDecimal(Number(multiplier))}`,
    multiplier,
    makerRate: series.ticker === MAKER_FREE_SERIES ? 0n : kind.makerRate,
    from: Math.max(rounding.from, kind.since),
    until: rounding.until
  })
}

const ONE = BigInt(SCALE)

/** Five factors of six decimals each, and six of the thirty remain in the result. */
const MODEL_DENOMINATOR = ONE ** 4n

/** The fee of the formula, not rounded: M · rate · C · P · (1 − P), the same for either leg (Kalshi reference §6.1). */
export const kalshiModelFee = (rule: KalshiFeeRule, fill: Fill): Exact => {
  const rate = fill.side === "taker" ? rule.takerRate : rule.makerRate
  const price = BigInt(fill.price)
  const numerator = rule.multiplier * rate * BigInt(fill.size) * price * (ONE - price)
  return { numerator, denominator: MODEL_DENOMINATOR }
}

/** The trade fee: the formula's fee rounded up to the grain of its time (Kalshi reference §6.2 step 1). */
export const kalshiTradeFee = (rule: KalshiFeeRule, fill: Fill): Micros =>
  roundUp(kalshiModelFee(rule, fill), rule.tradeFeeGrain)
