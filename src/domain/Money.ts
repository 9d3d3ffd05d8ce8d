/**
 * Exact money: prices and sizes are branded integers of one millionth, and text at every boundary.
 *
 * Both venues fit: Polymarket's finest tick is 0.0001 and its sizes carry six decimals (polymarket.md §2.3, §7.4),
 * Kalshi's counts carry two. Floating point never holds a fraction of money; products are `bigint`.
 */
import { Brand, ParseResult, Schema } from "effect"

/** Millionths in one unit: one dollar of price, one contract of size. */
export const SCALE = 1_000_000

/** A price in millionths of a dollar, 0 … 1 000 000. */
export type Price = number & Brand.Brand<"Price">

/** A number of contracts in millionths, 0 or more; up to nine billion contracts stay exact. */
export type Size = number & Brand.Brand<"Size">

const isInteger = Number.isSafeInteger

export const Price = Brand.refined<Price>(
  (n) => isInteger(n) && n >= 0 && n <= SCALE,
  (n) => Brand.error(`a price is an integer of 0 to ${SCALE} millionths, not ${n}`)
)

export const Size = Brand.refined<Size>(
  (n) => isInteger(n) && n >= 0,
  (n) => Brand.error(`a size is a non-negative integer of millionths, not ${n}`)
)

/** The price of the complementary outcome: a bid for YES at p is an offer of NO at 1 − p. */
export const complement = (price: Price): Price => (SCALE - price) as Price

const ZERO = 48
const NINE = 57
const POINT = 46

/**
 * Reads a plain decimal (`0.41`, `.41`, `0.4100`, `12`) as millionths, or −1 when it is not one: signs, exponents,
 * blanks, empty text, a seventh significant decimal and values past 2^53 are refused, never rounded.
 */
export const parseDecimal = (text: string): number => {
  const length = text.length
  let value = 0
  let decimals = -1
  let digits = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= ZERO && code <= NINE) {
      digits++
      if (decimals < 0) value = value * 10 + (code - ZERO)
      else if (decimals < 6) {
        value = value * 10 + (code - ZERO)
        decimals++
      } else if (code !== ZERO) return -1
    } else if (code === POINT && decimals < 0) decimals = 0
    else return -1
  }
  if (digits === 0) return -1
  for (let i = Math.max(decimals, 0); i < 6; i++) value *= 10
  // Past 2^53 the sum is no longer exact, but it never comes back below.
  return value <= Number.MAX_SAFE_INTEGER ? value : -1
}

/** A price from text, or −1 when the text is not a decimal of 0 to 1. */
export const parsePrice = (text: string): Price | -1 => {
  const value = parseDecimal(text)
  return (value > SCALE ? -1 : value) as Price | -1
}

/** A size from text, or −1 when the text is not a non-negative decimal. */
export const parseSize = (text: string): Size | -1 => parseDecimal(text) as Size | -1

/** The shortest decimal of a number of millionths: no trailing zeros, no exponent (`0.41`, `270`, `0.0001`). */
export const formatDecimal = (millionths: number): string => {
  const whole = Math.floor(millionths / SCALE)
  const fraction = millionths - whole * SCALE
  if (fraction === 0) return String(whole)
  let digits = String(fraction + SCALE).slice(1)
  while (digits.endsWith("0")) digits = digits.slice(0, -1)
  return `${whole}.${digits}`
}

/** A decimal with exactly `decimals` digits after the point; the value must fit, as `0.490` for three. */
export const formatFixed = (millionths: number, decimals: number): string => {
  const [whole = "0", fraction = ""] = formatDecimal(millionths).split(".")
  return decimals === 0 ? whole : `${whole}.${fraction.padEnd(decimals, "0")}`
}

/** Price times size in millionths of a millionth of a dollar. */
export const notional = (price: Price, size: Size): bigint => BigInt(price) * BigInt(size)

const NOTIONAL_SCALE = BigInt(SCALE) * BigInt(SCALE)

/** The exact decimal of a {@link notional} in dollars. */
export const formatNotional = (value: bigint): string => {
  const fraction = (value % NOTIONAL_SCALE).toString().padStart(12, "0").replace(/0+$/, "")
  const whole = (value / NOTIONAL_SCALE).toString()
  return fraction === "" ? whole : `${whole}.${fraction}`
}

const fromText = <A extends number>(target: Schema.Schema<A, number>, parse: (text: string) => A | -1, what: string) =>
  Schema.transformOrFail(Schema.String, Schema.typeSchema(target), {
    strict: true,
    decode: (text, _, ast) => {
      const value = parse(text)
      return value === -1
        ? ParseResult.fail(new ParseResult.Type(ast, text, `${what}, not ${JSON.stringify(text)}`))
        : ParseResult.succeed(value)
    },
    encode: (value) => ParseResult.succeed(formatDecimal(value))
  })

/** A price as decimal text at a boundary. */
export const PriceFromString = fromText(
  Schema.Int.pipe(Schema.between(0, SCALE), Schema.fromBrand(Price)),
  parsePrice,
  "a price is a decimal of 0 to 1"
).annotations({
  identifier: "Price",
  jsonSchema: { type: "string", pattern: "^[0-9]+(\\.[0-9]+)?$", examples: ["0.41"] }
})

/** A size as decimal text at a boundary. */
export const SizeFromString = fromText(
  Schema.Int.pipe(Schema.nonNegative(), Schema.fromBrand(Size)),
  parseSize,
  "a size is a non-negative decimal"
).annotations({
  identifier: "Size",
  jsonSchema: { type: "string", pattern: "^[0-9]+(\\.[0-9]+)?$", examples: ["1363.56"] }
})
