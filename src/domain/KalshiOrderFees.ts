/**
 * What a Kalshi fill does to a balance: the trade fee, the rounding fee that brings the balance back to its grain, and
 * the rebate of what an order's fills have paid too much that way (Kalshi reference §6.2). The state of an order goes in
 * and comes out; nothing is kept here.
 */
import { Either } from "effect"
import { type FeeRefused, type Fill, type Micros, holdsAt, refuse, refuseTime } from "./FeeRule.ts"
import { type KalshiFeeRule, kalshiTradeFee } from "./KalshiFees.ts"
import { SCALE, notional } from "./Money.ts"

/** What an order carries from fill to fill, its taker and maker fills together. */
export interface KalshiOrderFees {
  /** Rounding fees paid and not yet rebated. */
  readonly accumulated: Micros
}

/** An order before its first fill. */
export const unfilled: KalshiOrderFees = { accumulated: 0n }

export interface KalshiCharge {
  readonly tradeFee: Micros
  /** Less than one grain of the balance. */
  readonly roundingFee: Micros
  /** Whole grains of the balance. */
  readonly rebate: Micros
  /** Trade fee and rounding fee without the rebate, what the venue reports as `fee_cost`; never negative. */
  readonly netFee: Micros
  /** Whole grains; negative when the fill costs more than it brings. */
  readonly balanceChange: Micros
  /** The order after the fill. */
  readonly order: KalshiOrderFees
}

const UNIT = BigInt(SCALE)

/** Division towards minus infinity; the divisor is positive. */
const floorDivide = (value: bigint, by: bigint): bigint => (value < 0n ? (value + 1n) / by - 1n : value / by)

const lesser = (a: bigint, b: bigint): bigint => (a < b ? a : b)

/**
 * Charges one fill to an order. A rebate is due as soon as the order has gathered one grain, and no fill gives back more
 * whole grains than it takes; the venue's text leaves both open (Kalshi reference §6.2, ambiguities). For direct members
 * they move at most $0.0001 within an order.
 */
export const chargeKalshiFill = (
  rule: KalshiFeeRule,
  order: KalshiOrderFees,
  fill: Fill
): Either.Either<KalshiCharge, FeeRefused> => {
  if (!holdsAt(rule, fill.time)) return refuseTime("kalshi", rule.id, fill.time)
  const value = notional(fill.price, fill.size)
  if (value % UNIT !== 0n) return refuse("kalshi", "too-fine", `${fill.size} at ${fill.price}, both in millionths`)
  const revenue = fill.action === "sell" ? value / UNIT : -value / UNIT
  const grain = rule.balanceGrain
  const tradeFee = kalshiTradeFee(rule, fill)
  const raw = revenue - tradeFee
  const aligned = floorDivide(raw, grain) * grain
  const roundingFee = raw - aligned
  const accumulated = order.accumulated + roundingFee
  const rebate = lesser(accumulated / grain, (tradeFee + roundingFee) / grain) * grain
  return Either.right({
    tradeFee,
    roundingFee,
    rebate,
    netFee: tradeFee + roundingFee - rebate,
    balanceChange: aligned + rebate,
    order: { accumulated: accumulated - rebate }
  })
}
