import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import type { FeeRefusal, FeeRefused, Fill, Role } from "../../src/domain/FeeRule.ts"
import { feeFor } from "../../src/domain/Fees.ts"
import {
  COMBO_MAKER_FEES_SINCE,
  FINE_ROUNDING_SINCE,
  type KalshiFeeListing,
  type KalshiFeeRule,
  type Membership,
  ROUNDING_KNOWN_SINCE,
  kalshiFeeRule,
  kalshiModelFee,
  kalshiTradeFee
} from "../../src/domain/KalshiFees.ts"
import { type KalshiCharge, chargeKalshiFill, unfilled } from "../../src/domain/KalshiOrderFees.ts"
import { Price, SCALE, Size, complement, parseDecimal, parsePrice, parseSize } from "../../src/domain/Money.ts"
import { haveRecordings, json, lines } from "../support/Recordings.ts"
import { price, size } from "./Arbitraries.ts"

const many = { fastCheck: { numRuns: 500 } }

const OCTOBER = Date.UTC(2026, 9, 7)
const JULY = Date.UTC(2026, 6, 1)

const series = (feeType: string, feeMultiplier: number | string = 1, ticker = "KXTEST"): KalshiFeeListing => ({
  series: { ticker, feeType, feeMultiplier }
})

const ruleOf = (listing: KalshiFeeListing, time = OCTOBER, membership: Membership = "direct"): KalshiFeeRule =>
  Either.getOrThrow(kalshiFeeRule(listing, time, membership))

const fillOf = (count: string, at: string, side: Role = "taker", time = OCTOBER): Fill => ({
  price: Price(parsePrice(at)),
  size: Size(parseSize(count)),
  side,
  time
})

/** Signed decimal text in millionths. */
const micros = (text: string): bigint =>
  text.startsWith("-") ? -BigInt(parseDecimal(text.slice(1))) : BigInt(parseDecimal(text))

const net = (rule: KalshiFeeRule, fill: Fill): bigint => Either.getOrThrow(feeFor(rule, fill)).amount

const reasonOf = (result: Either.Either<unknown, FeeRefused>): FeeRefusal =>
  Either.getOrThrow(Either.flip(result)).reason

/** Charges fills to one order, one after another. */
const chargeAll = (rule: KalshiFeeRule, fills: ReadonlyArray<Fill>): Array<KalshiCharge> => {
  let order = unfilled
  return fills.map((fill) => {
    const charge = Either.getOrThrow(chargeKalshiFill(rule, order, fill))
    order = charge.order
    return charge
  })
}

const role = fc.constantFrom<Role>("taker", "maker")
const type = fc.constantFrom("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees")
const multiplier = fc.oneof(
  fc.constantFrom(0, 0.5, 1, 2),
  fc.integer({ min: 0, max: 3_000_000 }).map((n) => n / SCALE)
)
const membership = fc.constantFrom<Membership>("direct", "non-direct")

const rule = fc
  .tuple(type, multiplier, fc.constantFrom(FINE_ROUNDING_SINCE, FINE_ROUNDING_SINCE - 1), membership)
  .map(([type, multiplier, time, membership]) => ({ rule: ruleOf(series(type, multiplier), time, membership), time }))

/** A fill as the venue has them: prices of four decimals, counts of two. */
const tradable = (time: number): fc.Arbitrary<Fill> =>
  fc.record({
    price: fc.integer({ min: 1, max: 9_999 }).map((n) => Price(n * 100)),
    size: fc.integer({ min: 1, max: 1_000_000 }).map((n) => Size(n * 10_000)),
    side: role,
    time: fc.constant(time),
    action: fc.constantFrom("buy" as const, "sell" as const)
  })

const sum = (values: ReadonlyArray<bigint>): bigint => values.reduce((a, b) => a + b, 0n)

describe("Kalshi fees", () => {
  describe("checks of the reference, §6.3", () => {
    const plain = ruleOf(series("quadratic"))

    it.each([
      ["1", "0.52", "0.017500"],
      ["1", "0.99", "0.000700"],
      ["100", "0.50", "1.75"],
      ["100", "0.25", "1.3125"]
    ])("a direct taker pays for %s at %s: %s", (count, at, expected) => {
      assert.strictEqual(net(plain, fillOf(count, at)), micros(expected))
    })

    it("a customer of a broker pays whole cents: the published table", () => {
      const cents = ruleOf(series("quadratic"), OCTOBER, "non-direct")
      assert.strictEqual(net(cents, fillOf("100", "0.50")), micros("1.75"))
      assert.strictEqual(net(cents, fillOf("1", "0.50")), micros("0.02"))
      assert.strictEqual(net(cents, fillOf("100", "0.25")), micros("1.32"))
    })

    it("the worked example of September: 0.00363825 is 0.003639, and the cent's rest is the rounding fee", () => {
      const cents = ruleOf(series("quadratic"), OCTOBER, "non-direct")
      const charge = Either.getOrThrow(chargeKalshiFill(cents, unfilled, fillOf("1", "0.055")))
      assert.strictEqual(charge.tradeFee, micros("0.003639"))
      assert.strictEqual(charge.roundingFee, micros("0.001361"))
      assert.strictEqual(charge.balanceChange, micros("-0.06"))
    })

    it("half the multiplier is half the fee", () => {
      assert.strictEqual(net(ruleOf(series("quadratic", 0.5)), fillOf("100", "0.50")), micros("0.875"))
    })

    it("makers pay by the type", () => {
      const fill = fillOf("100", "0.50", "maker")
      assert.strictEqual(net(plain, fill), 0n)
      assert.strictEqual(net(ruleOf(series("quadratic_with_maker_fees")), fill), micros("0.4375"))
      assert.strictEqual(net(ruleOf(series("quadratic_with_combo_maker_fees")), fill), micros("0.875"))
    })

    it("football combos are free for makers and not for takers", () => {
      const combos = ruleOf(series("quadratic_with_combo_maker_fees", 1, "KXMVECROSSCATEGORY0-SHARD1"))
      assert.strictEqual(net(combos, fillOf("100", "0.50", "maker")), 0n)
      assert.strictEqual(net(combos, fillOf("100", "0.50")), micros("1.75"))
    })
  })

  describe("trade fee", () => {
    it("is rounded up to $0.0001 until mid September 2026 and to $0.000001 since", () => {
      const fill = fillOf("1", "0.055")
      const before = ruleOf(series("quadratic"), FINE_ROUNDING_SINCE - 1)
      const since = ruleOf(series("quadratic"), FINE_ROUNDING_SINCE)
      assert.strictEqual(kalshiTradeFee(before, fill), micros("0.0037"))
      assert.strictEqual(kalshiTradeFee(since, fill), micros("0.003639"))
      assert.strictEqual(before.until, since.from)
      assert.notStrictEqual(before.version, since.version)
    })

    it.prop(
      "is the least multiple of the grain that is not below the formula",
      [rule, price, size, role],
      (drawn) => {
        const [{ rule, time }, price, size, side] = drawn
        const fee = kalshiTradeFee(rule, { price, size, side, time })
        const rate = side === "taker" ? 70_000n : rule.makerRate
        // In 10^-30 dollars.
        const exact = rule.multiplier * rate * BigInt(size) * BigInt(price) * BigInt(SCALE - price)
        const unit = 10n ** 24n
        assert.isTrue(fee >= 0n && fee * unit >= exact && (fee - rule.tradeFeeGrain) * unit < exact)
        assert.strictEqual(fee % rule.tradeFeeGrain, 0n)
      },
      many
    )

    it.prop("is the same for either leg", [rule, price, size, role], ([{ rule, time }, price, size, side]) => {
      assert.strictEqual(
        kalshiTradeFee(rule, { price, size, side, time }),
        kalshiTradeFee(rule, { price: complement(price), size, side, time })
      )
    })

    it.prop("grows with the size", [rule, price, size, size, role], ([{ rule, time }, price, a, b, side]) => {
      const [less, more] = a < b ? [a, b] : [b, a]
      assert.isTrue(
        kalshiTradeFee(rule, { price, size: less, side, time }) <=
          kalshiTradeFee(rule, { price, size: more, side, time })
      )
    })
  })

  describe("balance", () => {
    const drawn = rule.chain(({ rule, time }) => fc.record({ rule: fc.constant(rule), fill: tradable(time) }))

    it.prop(
      "stays whole in its grain, and no fill pays less than nothing",
      [drawn],
      ([{ rule, fill }]) => {
        const charge = Either.getOrThrow(chargeKalshiFill(rule, unfilled, fill))
        assert.strictEqual(charge.balanceChange % rule.balanceGrain, 0n)
        assert.isTrue(charge.netFee >= 0n)
        assert.isTrue(charge.roundingFee >= 0n && charge.roundingFee < rule.balanceGrain)
        const value = (BigInt(fill.price) * BigInt(fill.size)) / BigInt(SCALE)
        assert.strictEqual(charge.balanceChange, (fill.action === "sell" ? value : -value) - charge.netFee)
      },
      many
    )

    it.prop("is told for a buyer unless told otherwise", [drawn], ([{ rule, fill }]) => {
      const { action: _, ...silent } = fill
      assert.strictEqual(net(rule, silent), net(rule, { ...fill, action: "buy" }))
    })

    it.prop("moves alike for selling one outcome and buying the other", [drawn], ([{ rule, fill }]) => {
      const other = { ...fill, price: complement(fill.price) }
      assert.strictEqual(net(rule, { ...fill, action: "sell" }), net(rule, { ...other, action: "buy" }))
    })

    it("refuses what has more decimals than money", () => {
      const fill: Fill = { price: Price(333_333), size: Size(333_333), side: "taker", time: OCTOBER }
      assert.strictEqual(reasonOf(feeFor(ruleOf(series("quadratic")), fill)), "too-fine")
    })
  })

  describe("order", () => {
    it("gets back whole cents once it has gathered them, and never below nothing", () => {
      const cents = ruleOf(series("quadratic"), OCTOBER, "non-direct")
      const charges = chargeAll(
        cents,
        Array.from({ length: 3 }, () => fillOf("0.30", "0.50"))
      )
      assert.deepStrictEqual(
        charges.map((charge) => [charge.netFee, charge.order.accumulated]),
        [
          [10_000n, 4_750n],
          [10_000n, 9_500n],
          [0n, 4_250n]
        ]
      )
    })

    it("gets a grain back when it has gathered exactly one", () => {
      const direct = ruleOf(series("quadratic"))
      const charge = Either.getOrThrow(chargeKalshiFill(direct, { accumulated: 72n }, fillOf("1", "0.52")))
      assert.deepStrictEqual([charge.rebate, charge.order.accumulated], [100n, 0n])
    })

    const drawn = rule.chain(({ rule, time }) =>
      fc.record({ rule: fc.constant(rule), fills: fc.array(tradable(time), { minLength: 1, maxLength: 40 }) })
    )

    it.prop(
      "keeps account: what was paid is the trade fees and what is still owed",
      [drawn],
      ([{ rule, fills }]) => {
        const charges = chargeAll(rule, fills)
        assert.strictEqual(
          sum(charges.map((charge) => charge.netFee)),
          sum(charges.map((charge) => charge.tradeFee)) + charges.at(-1)!.order.accumulated
        )
        assert.isTrue(charges.every((charge) => charge.netFee >= 0n && charge.balanceChange % rule.balanceGrain === 0n))
      },
      many
    )

    it.prop(
      "pays within one grain of the trade fees when its fills are large enough to be rebated",
      [drawn],
      ([{ rule, fills }]) => {
        const large = fills.filter((fill) => kalshiTradeFee(rule, fill) >= rule.balanceGrain)
        const charges = chargeAll(rule, large)
        const paid = sum(charges.map((charge) => charge.netFee))
        const traded = sum(charges.map((charge) => charge.tradeFee))
        assert.isTrue(paid >= traded && paid - traded < rule.balanceGrain)
        // The formula lies below each trade fee by less than that fee's own grain.
        const unit = 10n ** 24n
        const model = sum(large.map((fill) => kalshiModelFee(rule, fill).numerator))
        const allowed = rule.balanceGrain + rule.tradeFeeGrain * BigInt(large.length)
        assert.isTrue(paid * unit >= model && paid * unit - model < allowed * unit)
      },
      many
    )
  })

  describe("rule", () => {
    const halved = { feeTypeOverride: "quadratic_with_maker_fees", feeMultiplierOverride: 0.5 }

    it("is the series', then the event's, then the market's waiver", () => {
      const listing = series("quadratic")
      const maker = fillOf("100", "0.50", "maker")
      const taker = fillOf("100", "0.50")
      const overridden = { ...listing, event: halved }
      assert.strictEqual(kalshiTradeFee(ruleOf(overridden), maker), micros("0.21875"))
      assert.strictEqual(net(ruleOf(overridden), taker), micros("0.875"))
      const waived = ruleOf({ ...overridden, feeWaiverUntil: OCTOBER + 1 })
      assert.strictEqual(net(waived, taker), 0n)
      assert.strictEqual(waived.until, OCTOBER + 1)
      assert.strictEqual(net(ruleOf({ ...overridden, feeWaiverUntil: OCTOBER }), taker), micros("0.875"))
    })

    it("takes each override on its own, and none that is null", () => {
      const none = { feeTypeOverride: null, feeMultiplierOverride: null }
      assert.deepStrictEqual(ruleOf({ ...series("quadratic"), event: none }), ruleOf(series("quadratic")))
      const type = { feeTypeOverride: "quadratic_with_maker_fees", feeMultiplierOverride: null }
      assert.deepStrictEqual(
        ruleOf({ ...series("quadratic", 0.5), event: type }),
        ruleOf(series("quadratic_with_maker_fees", 0.5))
      )
      assert.deepStrictEqual(
        ruleOf({ ...series("quadratic"), event: { feeMultiplierOverride: 0 } }),
        ruleOf(series("quadratic", 0))
      )
    })

    it.each(["flat", "margin_market_maker_program_fees", "Quadratic", "", "constructor", "__proto__"])(
      "is refused for the fee type %j",
      (feeType) => {
        assert.strictEqual(reasonOf(kalshiFeeRule(series(feeType), OCTOBER)), "unknown-type")
        const event = { feeTypeOverride: feeType }
        assert.strictEqual(reasonOf(kalshiFeeRule({ ...series("quadratic"), event }, OCTOBER)), "unknown-type")
      }
    )

    it("is refused when the series does not list one", () => {
      const unlisted = { series: { ticker: "KXTEST", feeType: undefined, feeMultiplier: 1 } }
      assert.strictEqual(reasonOf(kalshiFeeRule(unlisted, OCTOBER)), "unknown-type")
    })

    it.each([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, -1, 1e-7, 0.1 + 0.2, "half", ""])(
      "is refused for the multiplier %j",
      (feeMultiplier) => {
        const listing = { series: { ticker: "KXTEST", feeType: "quadratic", feeMultiplier } }
        assert.strictEqual(reasonOf(kalshiFeeRule(listing, OCTOBER)), "unknown-shape")
      }
    )

    it("reads a multiplier alike from a number and from text", () => {
      assert.deepStrictEqual(ruleOf(series("quadratic", 0.5)), ruleOf(series("quadratic", "0.50")))
    })

    it.each([
      ["before the rounding is known", "quadratic", ROUNDING_KNOWN_SINCE - 1],
      ["before makers of combos paid", "quadratic_with_combo_maker_fees", COMBO_MAKER_FEES_SINCE - 1],
      ["at no time", "quadratic", Number.NaN]
    ])("is refused %s", (_, feeType, time) => {
      assert.strictEqual(reasonOf(kalshiFeeRule(series(feeType), time)), "unknown-time")
    })

    it("does not price a fill outside of its time", () => {
      const summer = ruleOf(series("quadratic"), JULY)
      assert.strictEqual(reasonOf(feeFor(summer, fillOf("1", "0.52"))), "unknown-time")
      assert.strictEqual(net(summer, fillOf("1", "0.52", "taker", JULY)), micros("0.0175"))
    })

    it("of combos does not reach back to before makers paid", () => {
      const combos = ruleOf(series("quadratic_with_combo_maker_fees"), COMBO_MAKER_FEES_SINCE)
      const early = fillOf("1", "0.52", "taker", COMBO_MAKER_FEES_SINCE - 1)
      assert.strictEqual(reasonOf(feeFor(combos, early)), "unknown-time")
    })

    it("of a waiver ends with the rounding that it was made for", () => {
      const waived = ruleOf({ ...series("quadratic"), feeWaiverUntil: OCTOBER }, JULY)
      assert.strictEqual(waived.until, FINE_ROUNDING_SINCE)
    })

    it("says what it is, and a refusal says why", () => {
      const fee = Either.getOrThrow(feeFor(ruleOf(series("quadratic", 0.5)), fillOf("1", "0.52")))
      assert.strictEqual(fee.rule.id, "kalshi/quadratic/0.5")
      assert.strictEqual(fee.rule.version, "2026-09-15")
      const refusal = Either.getOrThrow(Either.flip(kalshiFeeRule(series("flat"), OCTOBER)))
      assert.strictEqual(refusal.message, "kalshi: no fee can be told (unknown-type): fee type flat of KXTEST")
    })
  })

  describe.skipIf(!haveRecordings)("recordings", () => {
    interface Vector {
      readonly name: string
      readonly coefficient: string
      readonly multiplier: string
      readonly balance_grain: string
      readonly trade_fee_grain: string
      readonly side: string
      readonly fills: ReadonlyArray<Readonly<Record<string, string>>>
    }
    const { vectors } = (haveRecordings ? json("venues/samples/kalshi/fee-vectors.json") : { vectors: [] }) as {
      readonly vectors: ReadonlyArray<Vector>
    }

    it("hold vectors", () => {
      assert.isAbove(vectors.length, 9)
    })

    it.each(vectors.map((vector) => [vector.name, vector] as const))("vector %s", (_, vector) => {
      const side = vector.coefficient === "0.07" ? "taker" : "maker"
      const rule = ruleOf(
        series("quadratic_with_maker_fees", vector.multiplier),
        OCTOBER,
        vector.balance_grain === "0.01" ? "non-direct" : "direct"
      )
      assert.strictEqual(side === "taker" ? rule.takerRate : rule.makerRate, micros(vector.coefficient))
      assert.strictEqual(rule.balanceGrain, micros(vector.balance_grain))
      assert.strictEqual(rule.tradeFeeGrain, micros(vector.trade_fee_grain))
      assert.strictEqual(vector.side, "bid")
      const fills = vector.fills.map((fill) => fillOf(fill["count"]!, fill["price"]!, side))
      chargeAll(rule, fills).forEach((charge, i) => {
        const expected = vector.fills[i]!
        const model = kalshiModelFee(rule, fills[i]!)
        const [whole = "", fraction = ""] = expected["model_fee"]!.split(".")
        assert.strictEqual(
          model.numerator * 10n ** BigInt(fraction.length),
          BigInt(whole + fraction) * BigInt(SCALE) * model.denominator
        )
        assert.strictEqual(charge.tradeFee, micros(expected["trade_fee"]!))
        assert.strictEqual(charge.roundingFee, micros(expected["rounding_fee"]!))
        assert.strictEqual(charge.rebate, micros(expected["rebate"]!))
        assert.strictEqual(charge.netFee, micros(expected["net_fee"]!))
        assert.strictEqual(charge.balanceChange, micros(expected["balance_change"]!))
        assert.strictEqual(charge.order.accumulated, micros(expected["accumulator_after"]!))
      })
    })

    interface VenueFill {
      readonly yes_price_dollars: string
      readonly count_fp: string
      readonly fee_cost: string
      readonly is_taker: boolean
      readonly outcome_side: string
      readonly ts: number
    }

    /** What the venue charged, against what the rule of that day says. */
    const agrees = (fill: VenueFill): void => {
      const yes = Price(parsePrice(fill.yes_price_dollars))
      const time = fill.ts * 1000
      const charged = net(ruleOf(series("quadratic"), time), {
        price: fill.outcome_side === "yes" ? yes : complement(yes),
        size: Size(parseSize(fill.count_fp)),
        side: fill.is_taker ? "taker" : "maker",
        time
      })
      assert.strictEqual(charged, micros(fill.fee_cost))
    }

    it("charge as the venue charged in answers", () => {
      const { fills } = json("venues/samples/kalshi/rest-fills-after-taker.json") as {
        readonly fills: ReadonlyArray<VenueFill>
      }
      assert.strictEqual(fills.length, 3)
      fills.forEach(agrees)
    })

    it("charge as the venue charged on the socket, fractional counts among them", () => {
      const fills = lines("captures/kalshi_ws/jfreun123_demo_session_20260701.jsonl")
        .filter((line) => line.includes('"fee_cost"'))
        .map((line) => (JSON.parse(line) as { readonly msg: VenueFill }).msg)
      assert.strictEqual(fills.length, 2)
      fills.forEach(agrees)
    })
  })
})
