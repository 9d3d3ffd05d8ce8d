import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, Schema } from "effect"
import {
  Price,
  PriceFromString,
  SCALE,
  Size,
  SizeFromString,
  complement,
  formatDecimal,
  formatFixed,
  formatNotional,
  notional,
  parseDecimal,
  parsePrice,
  parseSize
} from "../../src/domain/Money.ts"
import { price, size } from "./Arbitraries.ts"

const many = { fastCheck: { numRuns: 1000 } }

/** The rule in its slowest form: the whole text matched, all arithmetic in `bigint`. */
const model = (text: string): number => {
  const match = /^([0-9]*)(?:\.([0-9]*))?$/.exec(text)
  if (match === null) return -1
  const [, whole = "", fraction = ""] = match
  if (whole + fraction === "" || /[1-9]/.test(fraction.slice(6))) return -1
  const value = BigInt(whole + fraction.slice(0, 6).padEnd(6, "0"))
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(value)
}

/** Every way to write a number of millionths: zeros in front and behind, the whole part or the point left out. */
const spelling = <N extends number>(value: fc.Arbitrary<N>): fc.Arbitrary<readonly [N, string]> =>
  fc
    .tuple(value, fc.nat({ max: 4 }), fc.nat({ max: 6 }), fc.nat({ max: 4 }), fc.boolean())
    .map(([n, leading, kept, trailing, bare]) => {
      const digits = String(n).padStart(7, "0")
      const whole = digits.slice(0, -6)
      const shortest = digits.slice(-6).replace(/0+$/, "")
      const fraction = digits.slice(-6).slice(0, Math.max(kept, shortest.length)) + "0".repeat(trailing)
      const front = bare && fraction !== "" && whole === "0" ? "" : "0".repeat(leading) + whole
      return [n, fraction === "" ? front : `${front}.${fraction}`] as const
    })

/** Text that is nearly a number, so that the boundary of what is accepted is met from both sides. */
const nearlyNumber = fc.oneof(
  fc.string({ unit: fc.constantFrom("0", "1", "4", "9", ".", "0", "0", "-", "+", "e", " ", "x", "_", ",", "\u0661") }),
  fc.string({ unit: fc.constantFrom("0", "9", "."), maxLength: 24 }),
  fc.string({ unit: "binary" }),
  fc.double().map(String),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String)
)

const notDecimals = [
  "",
  ".",
  "..",
  "0..4",
  "0.4.1",
  "NaN",
  "Infinity",
  "-Infinity",
  "-1",
  "-0",
  "-0.41",
  "+0.41",
  "1e9",
  "1e-9",
  "4.1e-1",
  "0x1",
  "0b1",
  " 1",
  "1 ",
  "\t1",
  "1\n",
  "0,41",
  "1_000",
  "1n",
  "null",
  "undefined",
  "true",
  "[]",
  "1.0000001",
  "0.0000001",
  "0.9999999",
  "0.41000000000000000001",
  "\u0661",
  "\u0131",
  "1\u012e5",
  "\uff11",
  "\u00bd",
  "9007199254.740992",
  "9007199255",
  "99999999999999999999999999999999"
]

describe("Money", () => {
  describe("text to millionths", () => {
    it.prop(
      "agrees with exact arithmetic on any text",
      [nearlyNumber],
      ([text]) => {
        assert.strictEqual(parseDecimal(text), model(text))
      },
      many
    )

    it.prop(
      "never yields anything but −1 or a whole number in range",
      [nearlyNumber],
      ([text]) => {
        const asPrice = parsePrice(text)
        const asSize = parseSize(text)
        assert.isTrue(asPrice === -1 || Price.is(asPrice), `price ${asPrice}`)
        assert.isTrue(asSize === -1 || Size.is(asSize), `size ${asSize}`)
      },
      many
    )

    it.prop(
      "any spelling of a price is the same price",
      [spelling(price)],
      ([[value, text]]) => {
        assert.strictEqual(parsePrice(text), value)
      },
      many
    )

    it.prop(
      "any spelling of a size is the same size",
      [spelling(size)],
      ([[value, text]]) => {
        assert.strictEqual(parseSize(text), value)
      },
      many
    )

    it.each([".41", "0.41", "0.4100", "00.41", "0.410000000000"])("reads %j as 0.41", (text) => {
      assert.strictEqual(parsePrice(text), 410_000)
    })

    it.each(notDecimals)("refuses %j", (text) => {
      assert.strictEqual(parseDecimal(text), -1)
      assert.strictEqual(parsePrice(text), -1)
      assert.strictEqual(parseSize(text), -1)
    })

    it("keeps a price between 0 and 1", () => {
      assert.strictEqual(parsePrice("0"), 0)
      assert.strictEqual(parsePrice("1"), SCALE)
      assert.strictEqual(parsePrice("1.000001"), -1)
      assert.strictEqual(parsePrice("1.5"), -1)
      assert.strictEqual(parsePrice("2"), -1)
    })

    it("reads the greatest exact size and no greater", () => {
      assert.strictEqual(parseSize("9007199254.740991"), Number.MAX_SAFE_INTEGER)
      assert.strictEqual(parseSize("9007199254.740992"), -1)
    })
  })

  describe("millionths to text", () => {
    it.prop(
      "round-trips exactly",
      [size],
      ([value]) => {
        assert.strictEqual(parseDecimal(formatDecimal(value)), value)
      },
      many
    )

    it.prop(
      "writes the shortest plain decimal",
      [size],
      ([value]) => {
        assert.match(formatDecimal(value), /^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$/)
      },
      many
    )

    it.prop(
      "every spelling comes back as one text",
      [spelling(size)],
      ([[value, text]]) => {
        assert.strictEqual(formatDecimal(parseSize(text)), formatDecimal(value))
      },
      many
    )

    it.prop(
      "writes as many decimals as asked for when the value fits",
      [fc.nat({ max: 6 }), fc.nat({ max: 9_000_000_000 })],
      ([decimals, units]) => {
        const step = 10 ** (6 - decimals)
        const value = Math.min(units, Math.floor(Number.MAX_SAFE_INTEGER / step)) * step
        const text = formatFixed(value, decimals)
        assert.match(text, decimals === 0 ? /^[0-9]+$/ : new RegExp(`^[0-9]+\\.[0-9]{${decimals}}$`))
        assert.strictEqual(parseDecimal(text), value)
      },
      many
    )

    it.each([
      [0, "0"],
      [1, "0.000001"],
      [100, "0.0001"],
      [410_000, "0.41"],
      [SCALE, "1"],
      [270_000_000, "270"],
      [1_363_560_000, "1363.56"],
      [Number.MAX_SAFE_INTEGER, "9007199254.740991"]
    ])("writes %d as %s", (value, text) => {
      assert.strictEqual(formatDecimal(value), text)
    })
  })

  describe("complement", () => {
    it.prop("of the complement is the price itself", [price], ([p]) => {
      assert.strictEqual(complement(complement(p)), p)
    })

    it.prop("adds up to one dollar and stays a price", [price], ([p]) => {
      assert.strictEqual(p + complement(p), SCALE)
      assert.isTrue(Price.is(complement(p)))
    })
  })

  describe("notional", () => {
    it.prop("is exact: a price and its complement share every cent", [price, size], ([p, s]) => {
      assert.strictEqual(notional(p, s) + notional(complement(p), s), BigInt(SCALE) * BigInt(s))
    })

    it.prop(
      "is written exactly and as short as can be",
      [price, size],
      ([p, s]) => {
        const text = formatNotional(notional(p, s))
        assert.match(text, /^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$/)
        const [whole = "", fraction = ""] = text.split(".")
        assert.strictEqual(BigInt(whole + fraction.padEnd(12, "0")), BigInt(p) * BigInt(s))
      },
      many
    )

    it("of 270 contracts at 0.41 is 110.7 dollars", () => {
      assert.strictEqual(formatNotional(notional(Price(410_000), Size(270_000_000))), "110.7")
    })
  })

  describe("constructors", () => {
    it.prop(
      "a price is exactly a whole number of 0 to 1 000 000",
      [fc.oneof(fc.double(), fc.integer(), fc.integer({ min: -2, max: SCALE + 2 }))],
      ([n]) => {
        assert.strictEqual(Price.is(n), Number.isInteger(n) && n >= 0 && n <= SCALE)
        assert.strictEqual(Either.isRight(Price.either(n)), Price.is(n))
      }
    )

    it.each([Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 53])("refuse %d", (n) => {
      assert.isFalse(Price.is(n))
      assert.isFalse(Size.is(n))
      assert.throws(() => Price(n))
      assert.throws(() => Size(n))
    })

    it("a price ends at one dollar, a size where integers stop being exact", () => {
      assert.isTrue(Price.is(SCALE))
      assert.isFalse(Price.is(SCALE + 1))
      assert.isTrue(Size.is(Number.MAX_SAFE_INTEGER))
    })
  })

  describe("schemas", () => {
    const decodePrice = Schema.decodeUnknownEither(PriceFromString)
    const decodeSize = Schema.decodeUnknownEither(SizeFromString)

    it.prop("encode and decode are inverse, for every price", [PriceFromString], ([value]) => {
      assert.isTrue(Price.is(value))
      assert.strictEqual(Schema.decodeSync(PriceFromString)(Schema.encodeSync(PriceFromString)(value)), value)
    })

    it.prop("encode and decode are inverse, for every size", [size], ([value]) => {
      assert.strictEqual(Schema.decodeSync(SizeFromString)(Schema.encodeSync(SizeFromString)(value)), value)
    })

    it.prop(
      "accept exactly what the parsers accept",
      [nearlyNumber],
      ([text]) => {
        assert.strictEqual(
          Either.getOrElse(decodePrice(text), () => -1),
          parsePrice(text)
        )
        assert.strictEqual(
          Either.getOrElse(decodeSize(text), () => -1),
          parseSize(text)
        )
      },
      many
    )

    it("refuse numbers: money at a boundary is text", () => {
      assert.isTrue(Either.isLeft(decodePrice(0.41)))
      assert.isTrue(Either.isLeft(decodeSize(270)))
      assert.isTrue(Either.isLeft(decodePrice(null)))
    })

    it("say what is allowed and what came", () => {
      const message = String(Either.getOrThrow(Either.flip(decodePrice("1.5"))))
      assert.include(message, 'a price is a decimal of 0 to 1, not "1.5"')
    })

    it.each([Number.NaN, 0.5, -1, Number.POSITIVE_INFINITY])("do not write %d as if it were money", (n) => {
      assert.isTrue(Either.isLeft(Schema.encodeUnknownEither(PriceFromString)(n)))
      assert.isTrue(Either.isLeft(Schema.encodeUnknownEither(SizeFromString)(n)))
    })

    it("do not write a price above one dollar", () => {
      assert.isTrue(Either.isLeft(Schema.encodeUnknownEither(PriceFromString)(SCALE + 1)))
    })
  })
})
