/**
 * Polymarket's fees: which rule holds for a market, and the fee of a fill (Polymarket reference §7.10). The operator sets
 * the fee when it matches, in dollars: added to what a buyer spends, taken from what a seller gets.
 *
 * `fee_rate_bps`, `base_fee`, `makerBaseFee` and `takerBaseFee` are caps of an earlier protocol and no fees. Rebates to
 * makers are paid by the day from a pool and are no part of a fill; a builder's fee comes on top by the order's code.
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
 * Since the exchange upgrade of this hour, known to about an hour, fees are charged in dollars by the market's schedule;
 * before it a buyer paid in shares, by rules that are not described (Polymarket reference §0, §7.10).
 */
export const DOLLAR_FEES_SINCE = Date.UTC(2026, 3, 28, 11)

/** Fees have five decimals (Polymarket reference §7.10). */
const FEE_GRAIN: Micros = 10n

export interface PolymarketFeeRule extends FeeRuleIdentity {
  readonly venue: "polymarket"
  /** Dollars a share at (p(1 − p))^e = 1, in millionths; zero where the venue charges nothing. */
  readonly rate: bigint
  readonly exponent: number
  /** `false` as well when the venue does not say. */
  readonly takerOnly: boolean
}

type Listed = number | string | null | undefined

/** A market's schedule: Gamma's `feeSchedule`, or `fd` with its letters spelt out (Polymarket reference §2.2, §3). */
export interface PolymarketFeeSchedule {
  readonly rate?: Listed
  readonly exponent?: Listed
  readonly takerOnly?: boolean | null | undefined
}

/** What the venue lists about a market's fees. */
export interface PolymarketFeeListing {
  /** Gamma's `feesEnabled`; of the compact CLOB market, whether it has an `fd` (Polymarket reference §2.2). */
  readonly feesEnabled: boolean | null | undefined
  /** Gamma's `feeType`; the CLOB does not tell it. */
  readonly feeType?: string | null | undefined
  readonly schedule: PolymarketFeeSchedule | null | undefined
}

/**
 * Categories by fee type, for the types seen in listings. `crypto_fees` and `crypto_15_min` belong to the time before
 * {@link DOLLAR_FEES_SINCE} and have no category here, so that they need a schedule.
 */
const categories: Readonly<Record<string, string | null>> = {
  crypto_15_min: null,
  crypto_fees: null,
  crypto_fees_v2: "crypto",
  sports_fees_v2: "sports",
  sports_fees_v3: "sports",
  finance_prices_fees: "finance",
  politics_fees: "politics",
  mentions_fees: "mentions",
  tech_fees: "tech",
  economics_fees: "economics",
  culture_fees: "culture",
  weather_fees: "weather",
  general_fees: "other"
}

interface Period {
  readonly version: string
  readonly from: number
  readonly until: number | null
  /** Millionths by category. */
  readonly rates: Readonly<Record<string, bigint>>
}

const unchanged = {
  finance: 40_000n,
  politics: 40_000n,
  mentions: 40_000n,
  tech: 40_000n,
  economics: 50_000n,
  culture: 50_000n,
  weather: 50_000n,
  other: 50_000n,
  geopolitics: 0n
}

/**
 * Rates by category for markets whose schedule is not told, all with exponent 1 (Polymarket reference §7.10). They were
 * seen from May to July and from August to October 2026: the days of change are taken to be the first of the month, and
 * only crypto and sports are known to have changed.
 */
const periods: ReadonlyArray<Period> = [
  {
    version: "2026-05-01",
    from: Date.UTC(2026, 4, 1),
    until: Date.UTC(2026, 7, 1),
    rates: { ...unchanged, crypto: 72_000n, sports: 30_000n }
  },
  {
    version: "2026-08-01",
    from: Date.UTC(2026, 7, 1),
    until: null,
    rates: { ...unchanged, crypto: 70_000n, sports: 50_000n }
  }
]

const free: PolymarketFeeRule = {
  venue: "polymarket",
  id: "polymarket/none",
  version: "listed",
  from: 0,
  until: null,
  rate: 0n,
  exponent: 1,
  takerOnly: true
}

/** The rate of a category at a time, in milliseconds since the epoch, for a market whose schedule is not told. */
export const polymarketCategoryRule = (
  category: string,
  time: number
): Either.Either<PolymarketFeeRule, FeeRefused> => {
  const period = periods.find((one) => holdsAt(one, time))
  if (period === undefined) return refuseTime("polymarket", "rates by category", time)
  const rate = Object.hasOwn(period.rates, category) ? period.rates[category] : undefined
  if (rate === undefined) return refuse("polymarket", "unknown-type", `category ${category}`)
  const { version, from, until } = period
  return Either.right({
    venue: "polymarket",
    id: `polymarket/${category}/${formatDecimal(Number(rate))}^1`,
    version,
    from,
    until,
    rate,
    exponent: 1,
    takerOnly: true
  })
}

/** Exponents 1 and 2 were seen; beyond 9 it is no fee but a mistake. */
const exponentOf = (listed: Listed): number | undefined =>
  /^[1-9]$/.test(String(listed ?? "")) ? Number(listed) : undefined

const scheduleRule = (
  schedule: PolymarketFeeSchedule,
  feeType: string | null | undefined
): Either.Either<PolymarketFeeRule, FeeRefused> => {
  const rate = millionths(schedule.rate)
  const exponent = exponentOf(schedule.exponent)
  if (rate === undefined || exponent === undefined || rate > BigInt(SCALE)) {
    return refuse("polymarket", "unknown-shape", `rate ${schedule.rate}, exponent ${schedule.exponent}`)
  }
  return Either.right({
    venue: "polymarket",
    id: `polymarket/${feeType ?? "schedule"}/${formatDecimal(Number(rate))}^${exponent}`,
    version: "2026-04-28",
    from: DOLLAR_FEES_SINCE,
    until: null,
    rate,
    exponent,
    takerOnly: schedule.takerOnly === true
  })
}

/**
 * The rule of a market: its own schedule, or, when that is not told, the rate of its fee type's category at a time in
 * milliseconds since the epoch. A market without a schedule is free of fees only when the venue says that fees are off.
 */
export const polymarketFeeRule = (
  listing: PolymarketFeeListing,
  time: number
): Either.Either<PolymarketFeeRule, FeeRefused> => {
  const { feesEnabled, feeType, schedule } = listing
  const told = schedule !== null && schedule !== undefined
  if (feesEnabled === false) {
    if (!told || millionths(schedule.rate) === 0n) return Either.right(free)
    return refuse("polymarket", "unknown-shape", `fees are off, and the rate is ${schedule.rate}`)
  }
  const typed = feeType !== null && feeType !== undefined
  if (typed && !Object.hasOwn(categories, feeType)) return refuse("polymarket", "unknown-type", `fee type ${feeType}`)
  if (told) return scheduleRule(schedule, feeType)
  const category = typed ? categories[feeType] : undefined
  if (feesEnabled !== true || category === undefined)
    return refuse("polymarket", "unknown-shape", "no schedule, and not said that fees are off")
  if (category === null) return refuse("polymarket", "unknown-time", `fee type ${feeType} without a schedule`)
  return polymarketCategoryRule(category, time)
}

const ONE = BigInt(SCALE)

/** What a taker pays by the formula, not rounded: C · rate · (p(1 − p))^e (Polymarket reference §7.10). */
export const polymarketModelFee = (rule: PolymarketFeeRule, fill: Fill): Exact => {
  const price = BigInt(fill.price)
  const exponent = BigInt(rule.exponent)
  return {
    numerator: BigInt(fill.size) * rule.rate * (price * (ONE - price)) ** exponent,
    denominator: ONE * ONE ** (2n * exponent)
  }
}

/**
 * What a fill pays. Below $0.00001 the venue charges nothing; from there on fees have five decimals. Which way the venue
 * rounds is not known, and here it is up, so that a cost is never told too low: at most $0.00001 a fill too high.
 */
export const polymarketFee = (rule: PolymarketFeeRule, fill: Fill): Either.Either<Micros, FeeRefused> => {
  if (!holdsAt(rule, fill.time)) return refuseTime("polymarket", rule.id, fill.time)
  if (rule.rate === 0n) return Either.right(0n)
  if (fill.side === "maker")
    return rule.takerOnly ? Either.right(0n) : refuse("polymarket", "unknown-maker-fee", rule.id)
  const model = polymarketModelFee(rule, fill)
  return Either.right(model.numerator < FEE_GRAIN * model.denominator ? 0n : roundUp(model, FEE_GRAIN))
}
