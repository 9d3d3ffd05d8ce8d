/**
 * The words that both venues' fees are told in: the fill that pays, the fee, the identity of the rule behind it, and
 * the refusal when no rule is known. An unknown rule is refused; it is never a fee of zero.
 *
 * Money is `bigint`, in millionths of a dollar. Nothing is rounded here: a formula gives an {@link Exact} fraction, and
 * a venue's own rule says how that becomes money.
 */
import { Either, Schema } from "effect"
import { type Price, type Size, parseDecimal } from "./Money.ts"

/** An amount of money in millionths of a dollar: both venues tell fees in at most six decimals. */
export type Micros = bigint

/** The part in the match that the venue charges for; where a venue swaps the two, the part that it charges. */
export type Role = "taker" | "maker"

/** One match, seen from the account that pays. */
export interface Fill {
  /** Of the contract that changes hands; NO at 1 − p is the same fill as YES at p from the other side. */
  readonly price: Price
  readonly size: Size
  readonly side: Role
  /** When it happened, in milliseconds since the epoch: it must lie in the time of the rule. */
  readonly time: number
  /** Whether the money goes out or comes in, `buy` unless told; only what a balance is rounded by depends on it. */
  readonly action?: "buy" | "sell" | undefined
}

/** What identifies a rule, and the time that it is known to hold for. */
export interface FeeRuleIdentity {
  readonly id: string
  /** The date that this form of the rule took effect; `listed` when all there is to it is what the venue lists. */
  readonly version: string
  /** In milliseconds since the epoch, inclusive. */
  readonly from: number
  /** In milliseconds since the epoch, exclusive; `null` when no end is known. */
  readonly until: number | null
}

export interface Fee {
  /** Never negative: rebates to makers come apart from the fill, if at all. */
  readonly amount: Micros
  readonly rule: FeeRuleIdentity
}

/**
 * - `unknown-type`: a kind of fee that no formula is known for
 * - `unknown-shape`: a known kind, but what the venue lists for it is incomplete, contradictory or inexact
 * - `unknown-time`: no rule is known for the time of the fill
 * - `unknown-maker-fee`: makers pay, and nobody says what
 * - `too-fine`: price times size has more decimals than the venue's money
 */
export const FeeRefusal = Schema.Literal(
  "unknown-type",
  "unknown-shape",
  "unknown-time",
  "unknown-maker-fee",
  "too-fine"
)
export type FeeRefusal = typeof FeeRefusal.Type

export const FeeVenue = Schema.Literal("kalshi", "polymarket")
export type FeeVenue = typeof FeeVenue.Type

/** No fee can be told: whoever asked must not trade on a guess. */
export class FeeRefused extends Schema.TaggedError<FeeRefused>("parallax/domain/FeeRefused")("FeeRefused", {
  venue: FeeVenue,
  reason: FeeRefusal,
  /** What the venue said, or what is missing. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.venue}: no fee can be told (${this.reason}): ${this.detail}`
  }
}

export const refuse = (venue: FeeVenue, reason: FeeRefusal, detail: string): Either.Either<never, FeeRefused> =>
  Either.left(new FeeRefused({ venue, reason, detail }))

const written = (time: number): string => {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString()
}

/** The refusal of a time that `what` is not known to hold for. */
export const refuseTime = (venue: FeeVenue, what: string, time: number): Either.Either<never, FeeRefused> =>
  refuse(venue, "unknown-time", `${what} at ${written(time)}`)

/** Whether the rule is known to hold at a time, in milliseconds since the epoch. */
export const holdsAt = (rule: Pick<FeeRuleIdentity, "from" | "until">, time: number): boolean =>
  time >= rule.from && (rule.until === null || time < rule.until)

/** A fraction of {@link Micros}, not reduced; the denominator is positive. */
export interface Exact {
  readonly numerator: bigint
  readonly denominator: bigint
}

/** The smallest whole multiple of `grain` that is not below the value. */
export const roundUp = (value: Exact, grain: Micros): Micros => {
  const unit = value.denominator * grain
  return ((value.numerator + unit - 1n) / unit) * grain
}

/**
 * A rate or a multiplier as the venue lists it, in millionths, or `undefined` when it is no plain decimal of at most six
 * places. A JSON number passes through its shortest text, which is the decimal that the venue wrote.
 */
export const millionths = (value: unknown): bigint | undefined => {
  const text = typeof value === "number" ? String(value) : value
  const parsed = typeof text === "string" ? parseDecimal(text) : -1
  return parsed < 0 ? undefined : BigInt(parsed)
}
