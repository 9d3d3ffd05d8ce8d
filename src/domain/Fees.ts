/**
 * The fee of a fill by the rule of its venue. Rules are made from what a venue lists about a market, by `kalshiFeeRule`
 * and `polymarketFeeRule`, and hold for the time that they name.
 */
import { Either } from "effect"
import type { Fee, FeeRefused, Fill } from "./FeeRule.ts"
import type { KalshiFeeRule } from "./KalshiFees.ts"
import { chargeKalshiFill, unfilled } from "./KalshiOrderFees.ts"
import { type PolymarketFeeRule, polymarketFee } from "./PolymarketFees.ts"

export type FeeRule = KalshiFeeRule | PolymarketFeeRule

/**
 * What a fill pays when it is the only one of its order. The later fills of a Kalshi order can pay less by a rebate,
 * which needs the order's state: {@link chargeKalshiFill}.
 */
export const feeFor = (rule: FeeRule, fill: Fill): Either.Either<Fee, FeeRefused> =>
  Either.map(
    rule.venue === "kalshi"
      ? Either.map(chargeKalshiFill(rule, unfilled, fill), (charge) => charge.netFee)
      : polymarketFee(rule, fill),
    (amount) => ({ amount, rule })
  )
