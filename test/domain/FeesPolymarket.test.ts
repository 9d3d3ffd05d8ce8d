import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import type { FeeRefusal, FeeRefused, Fill, Role } from "../../src/domain/FeeRule.ts"
import { feeFor } from "../../src/domain/Fees.ts"
import { Price, SCALE, Size, complement, parseDecimal, parsePrice, parseSize } from "../../src/domain/Money.ts"
import {
  DOLLAR_FEES_SINCE,
  type PolymarketFeeListing,
  type PolymarketFeeRule,
  type PolymarketFeeSchedule,
  polymarketCategoryRule,
  polymarketFeeRule,
  polymarketModelFee
} from "../../src/domain/PolymarketFees.ts"
import { haveRecordings, json } from "../support/Recordings.ts"
import { price, size } from "./Arbitraries.ts"

const many = { fastCheck: { numRuns: 500 } }

const OCTOBER = Date.UTC(2026, 9, 7)
const JULY = Date.UTC(2026, 6, 1)

const fillOf = (shares: string, at: string, side: Role = "taker", time = OCTOBER): Fill => ({
  price: Price(parsePrice(at)),
  size: Size(parseSize(shares)),
  side,
  time
})

const schedule = (rate: number | string, exponent: number | string = 1): PolymarketFeeListing => ({
  feesEnabled: true,
  schedule: { rate, exponent, takerOnly: true }
})

const ruleOf = (listing: PolymarketFeeListing, time = OCTOBER): PolymarketFeeRule =>
  Either.getOrThrow(polymarketFeeRule(listing, time))

const micros = (text: string): bigint => BigInt(parseDecimal(text))

const fee = (rule: PolymarketFeeRule, fill: Fill): bigint => Either.getOrThrow(feeFor(rule, fill)).amount

const reasonOf = (result: Either.Either<unknown, FeeRefused>): FeeRefusal =>
  Either.getOrThrow(Either.flip(result)).reason

const rule = fc
  .tuple(
    fc.oneof(fc.constantFrom(0, 40_000, 70_000), fc.integer({ min: 0, max: SCALE })),
    fc.integer({ min: 1, max: 4 })
  )
  .map(([rate, exponent]) => ruleOf(schedule(rate / SCALE, exponent)))

describe("Polymarket fees", () => {
  describe("checks of the reference, §7.10", () => {
    it.each([
      ["0.5", "1.5625", "1.5625"],
      ["0.3", "1.1025", "1.1025"],
      ["0.1", "0.2025", "0.2025"],
      ["0.05", "0.05640625", "0.05641"],
      ["0.01", "0.00245025", "0.00246"]
    ])("rate 0.25 with exponent 2, 100 shares at %s: the formula gives %s, charged is %s", (at, model, charged) => {
      const rule = ruleOf(schedule(0.25, 2))
      const exact = polymarketModelFee(rule, fillOf("100", at))
      const [whole = "", fraction = ""] = model.split(".")
      assert.strictEqual(
        exact.numerator * 10n ** BigInt(fraction.length),
        BigInt(whole + fraction) * BigInt(SCALE) * exact.denominator
      )
      assert.strictEqual(fee(rule, fillOf("100", at)), micros(charged))
    })

    it("100 shares of crypto at one half cost 1.75", () => {
      assert.strictEqual(fee(ruleOf(schedule(0.07)), fillOf("100", "0.5")), micros("1.75"))
    })

    it("charges nothing below $0.00001 and five decimals from there on", () => {
      const rule = ruleOf(schedule(0.04))
      // 0.04 · C · 0.25: a thousandth of a share is just the least fee.
      assert.strictEqual(fee(rule, fillOf("0.000999", "0.5")), 0n)
      assert.strictEqual(fee(rule, fillOf("0.001", "0.5")), 10n)
      assert.strictEqual(fee(rule, fillOf("0.001001", "0.5")), 20n)
    })

    it("charges takers only", () => {
      assert.strictEqual(fee(ruleOf(schedule(0.07)), fillOf("100", "0.5", "maker")), 0n)
    })
  })

  describe("fee", () => {
    it.prop(
      "is the formula, rounded up to five decimals unless it is below the least fee",
      [rule, price, size],
      (drawn) => {
        const [rule, price, size] = drawn
        const charged = fee(rule, { price, size, side: "taker", time: OCTOBER })
        const shape = (BigInt(price) * BigInt(SCALE - price)) ** BigInt(rule.exponent)
        // In millionths of 10^-(6 + 12 e) dollars.
        const exact = BigInt(size) * rule.rate * shape
        const unit = 10n ** BigInt(6 + 12 * rule.exponent)
        assert.isTrue(charged >= 0n)
        assert.strictEqual(charged % 10n, 0n)
        if (exact < 10n * unit) assert.strictEqual(charged, 0n)
        else assert.isTrue(charged * unit >= exact && (charged - 10n) * unit < exact)
      },
      many
    )

    it.prop("is the same for either outcome", [rule, price, size], ([rule, price, size]) => {
      const fill: Fill = { price, size, side: "taker", time: OCTOBER }
      assert.strictEqual(fee(rule, fill), fee(rule, { ...fill, price: complement(price) }))
    })

    it.prop("grows with the size", [rule, price, size, size], ([rule, price, a, b]) => {
      const [less, more] = a < b ? [a, b] : [b, a]
      const fill: Fill = { price, size: less, side: "taker", time: OCTOBER }
      assert.isTrue(fee(rule, fill) <= fee(rule, { ...fill, size: more }))
    })

    it.prop("is the same to buy and to sell", [rule, price, size], ([rule, price, size]) => {
      const fill: Fill = { price, size, side: "taker", time: OCTOBER }
      assert.strictEqual(fee(rule, { ...fill, action: "buy" }), fee(rule, { ...fill, action: "sell" }))
    })
  })

  describe("rule", () => {
    it("is the market's schedule, from numbers or from text", () => {
      const numbers = ruleOf({
        feesEnabled: true,
        feeType: "tech_fees",
        schedule: { rate: 0.04, exponent: 1, takerOnly: true }
      })
      const text = ruleOf({
        feesEnabled: true,
        feeType: "tech_fees",
        schedule: { rate: "0.040", exponent: "1", takerOnly: true }
      })
      assert.deepStrictEqual(numbers, text)
      assert.strictEqual(numbers.id, "polymarket/tech_fees/0.04^1")
    })

    it("is no fee only when the venue says that fees are off", () => {
      const off: PolymarketFeeListing = { feesEnabled: false, schedule: null }
      assert.strictEqual(fee(ruleOf(off), fillOf("100", "0.5")), 0n)
      assert.strictEqual(fee(ruleOf(off), fillOf("100", "0.5", "maker")), 0n)
      assert.strictEqual(ruleOf(off).id, "polymarket/none")
      for (const feesEnabled of [true, null, undefined]) {
        assert.strictEqual(reasonOf(polymarketFeeRule({ feesEnabled, schedule: null }, OCTOBER)), "unknown-shape")
      }
    })

    it("is not taken from the fee type when the venue does not say that fees are on", () => {
      for (const feesEnabled of [null, undefined]) {
        const listing = { feesEnabled, feeType: "tech_fees", schedule: null }
        assert.strictEqual(reasonOf(polymarketFeeRule(listing, OCTOBER)), "unknown-shape")
      }
    })

    it("with a rate of zero is free for both sides", () => {
      const rule = ruleOf({ feesEnabled: true, schedule: { rate: 0, exponent: 1, takerOnly: false } })
      assert.strictEqual(fee(rule, fillOf("100", "0.5")), 0n)
      assert.strictEqual(fee(rule, fillOf("100", "0.5", "maker")), 0n)
    })

    it("is refused when fees are off and on at once", () => {
      assert.strictEqual(
        reasonOf(polymarketFeeRule({ ...schedule(0.04), feesEnabled: false }, OCTOBER)),
        "unknown-shape"
      )
      assert.strictEqual(ruleOf({ ...schedule(0), feesEnabled: false }).rate, 0n)
    })

    it.each(["sports_fees_v9", "margin_fees", "", "toString", "__proto__"])(
      "is refused for the fee type %j",
      (feeType) => {
        assert.strictEqual(reasonOf(polymarketFeeRule({ ...schedule(0.04), feeType }, OCTOBER)), "unknown-type")
        const bare = { feesEnabled: true, feeType, schedule: null }
        assert.strictEqual(reasonOf(polymarketFeeRule(bare, OCTOBER)), "unknown-type")
      }
    )

    const shapes: ReadonlyArray<PolymarketFeeSchedule> = [
      {},
      { rate: 0.04 },
      { exponent: 1 },
      { rate: -0.04, exponent: 1 },
      { rate: Number.NaN, exponent: 1 },
      { rate: 0.1 + 0.2, exponent: 1 },
      { rate: 4, exponent: 1 },
      { rate: 0.04, exponent: 0 },
      { rate: 0.04, exponent: 1.5 },
      { rate: 0.04, exponent: -1 },
      { rate: 0.04, exponent: 1e9 },
      { rate: 0.04, exponent: null }
    ]
    it.each(shapes)("is refused for the schedule %j", (shape) => {
      const listing = { feesEnabled: true, schedule: { ...shape, takerOnly: true } }
      assert.strictEqual(reasonOf(polymarketFeeRule(listing, OCTOBER)), "unknown-shape")
    })

    it.each([false, null, undefined])("with takerOnly %j charges takers and refuses makers", (takerOnly) => {
      const rule = ruleOf({ feesEnabled: true, schedule: { rate: 0.04, exponent: 1, takerOnly } })
      assert.strictEqual(fee(rule, fillOf("100", "0.5")), micros("1"))
      assert.strictEqual(reasonOf(feeFor(rule, fillOf("100", "0.5", "maker"))), "unknown-maker-fee")
    })

    it("does not reach back to the time when buyers paid in shares", () => {
      const fill = fillOf("100", "0.5", "taker", DOLLAR_FEES_SINCE - 1)
      assert.strictEqual(reasonOf(feeFor(ruleOf(schedule(0.07)), fill)), "unknown-time")
      assert.strictEqual(reasonOf(feeFor(ruleOf(schedule(0.07)), { ...fill, time: Number.NaN })), "unknown-time")
    })
  })

  describe("rates by category", () => {
    it.each([
      ["crypto", JULY, "0.072"],
      ["crypto", OCTOBER, "0.07"],
      ["sports", JULY, "0.03"],
      ["sports", OCTOBER, "0.05"],
      ["finance", OCTOBER, "0.04"],
      ["politics", OCTOBER, "0.04"],
      ["mentions", OCTOBER, "0.04"],
      ["tech", OCTOBER, "0.04"],
      ["economics", OCTOBER, "0.05"],
      ["culture", OCTOBER, "0.05"],
      ["weather", OCTOBER, "0.05"],
      ["other", OCTOBER, "0.05"],
      ["geopolitics", OCTOBER, "0"]
    ])("%s at %d: %s", (category, time, rate) => {
      assert.strictEqual(Either.getOrThrow(polymarketCategoryRule(category, time)).rate, micros(rate))
    })

    it("serve a market whose schedule is not told, within their time", () => {
      const listing = { feesEnabled: true, feeType: "crypto_fees_v2", schedule: null }
      const summer = ruleOf(listing, JULY)
      assert.strictEqual(fee(summer, fillOf("100", "0.5", "taker", JULY)), micros("1.8"))
      assert.strictEqual(reasonOf(feeFor(summer, fillOf("100", "0.5"))), "unknown-time")
      assert.strictEqual(fee(ruleOf(listing), fillOf("100", "0.5")), micros("1.75"))
      assert.strictEqual(reasonOf(polymarketFeeRule(listing, Date.UTC(2026, 3, 30))), "unknown-time")
    })

    it.each(["crypto_fees", "crypto_15_min"])("do not serve %s, which is older than they are", (feeType) => {
      const listing = { feesEnabled: true, feeType, schedule: null }
      assert.strictEqual(reasonOf(polymarketFeeRule(listing, OCTOBER)), "unknown-time")
    })

    it.each(["pets", "Crypto", "constructor"])("are refused for the category %j", (category) => {
      assert.strictEqual(reasonOf(polymarketCategoryRule(category, OCTOBER)), "unknown-type")
    })
  })

  describe.skipIf(!haveRecordings)("recordings", () => {
    interface GammaMarket {
      readonly feesEnabled: boolean
      readonly feeType: string | null
      readonly feeSchedule?: PolymarketFeeSchedule | null
    }
    const gamma = (name: string): Either.Either<PolymarketFeeRule, FeeRefused> => {
      const file = json(`venues/samples/polymarket/${name}.json`)
      const market = (Array.isArray(file) ? file[0] : file) as GammaMarket
      return polymarketFeeRule({ ...market, schedule: market.feeSchedule }, OCTOBER)
    }

    it.each([
      ["gamma-market-2026-10", "polymarket/crypto_fees_v2/0.07^1"],
      ["gamma-market-sports-handicap-2026-04", "polymarket/sports_fees_v2/0.03^1"],
      ["gamma-market-closed-2026-03", "polymarket/none"]
    ])("%s is charged by %s", (name, id) => {
      assert.strictEqual(Either.getOrThrow(gamma(name)).id, id)
    })

    it("a market with fees and neither schedule nor dated rate is refused", () => {
      assert.strictEqual(reasonOf(gamma("gamma-market-2026-03")), "unknown-time")
    })

    it("the compact market's schedule is read", () => {
      const { fd } = json("venues/samples/polymarket/rest-clob-market-v1.json") as {
        readonly fd: { readonly r: number; readonly e: number; readonly to: boolean }
      }
      const rule = ruleOf({ feesEnabled: true, schedule: { rate: fd.r, exponent: fd.e, takerOnly: fd.to } })
      assert.strictEqual(fee(rule, fillOf("100", "0.5")), micros("1.75"))
    })
  })
})
