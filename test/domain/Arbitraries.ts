/** What the property tests of the domain draw from. */
import { Either, FastCheck as fc } from "effect"
import { Price, SCALE, Size } from "../../src/domain/Money.ts"
import type { Level, Side } from "../../src/domain/OrderBook.ts"
import { make, type PriceGrid } from "../../src/domain/PriceGrid.ts"

/** Any price, the ends and the neighbours of the ends more often than chance. */
export const price: fc.Arbitrary<Price> = fc
  .oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: SCALE }) }, fc.constantFrom(0, 1, SCALE - 1, SCALE))
  .map((n) => Price(n))

/** Few prices, so that random changes meet at one level; the ends of the range among them. */
export const nearPrice: fc.Arbitrary<Price> = fc
  .constantFrom(0, 1, 400_000, 405_000, 410_000, 410_100, 420_000, SCALE - 1, SCALE)
  .map((n) => Price(n))

/** Any size, from nothing to the greatest that is exact. */
export const size: fc.Arbitrary<Size> = fc
  .oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 0, max: 10_000_000_000 }),
    fc.maxSafeNat(),
    fc.constant(Number.MAX_SAFE_INTEGER)
  )
  .map((n) => Size(n))

export const side: fc.Arbitrary<Side> = fc.constantFrom("bid", "ask")

export const level = (prices: fc.Arbitrary<Price> = nearPrice, sizes: fc.Arbitrary<Size> = size): fc.Arbitrary<Level> =>
  fc.record({ price: prices, size: sizes })

/** Levels as a careless venue might send them: in any order, twice at one price, empty. */
export const levels = (
  prices: fc.Arbitrary<Price> = nearPrice,
  sizes: fc.Arbitrary<Size> = size
): fc.Arbitrary<Array<Level>> => fc.array(level(prices, sizes), { maxLength: 12 })

/** Any grid of up to four bands: touching or apart, of one price, with a last step that is cut short. */
export const priceGrid: fc.Arbitrary<PriceGrid> = fc
  .array(
    fc.record({
      skip: fc.constantFrom(0, 0, 1, 5_000, 100_000),
      width: fc.constantFrom(0, 1, 9_999, 10_000, 100_000, 200_000),
      step: fc.constantFrom(100, 333, 1_000, 2_000, 5_000, 10_000, 250_000, SCALE)
    }),
    { minLength: 1, maxLength: 4 }
  )
  .map((drawn) => {
    let at = 0
    const bands = drawn.flatMap(({ skip, step, width }) => {
      const start = at + skip
      const end = Math.min(SCALE, start + width)
      at = end
      return start > SCALE ? [] : [{ start: Price(start), end: Price(end), step: Price(step) }]
    })
    return Either.getOrThrow(make(bands))
  })
