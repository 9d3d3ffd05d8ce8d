/** What the property tests of the domain draw from. */
import { FastCheck as fc } from "effect"
import { Price, SCALE, Size } from "../../src/domain/Money.ts"
import type { Level, Side } from "../../src/domain/OrderBook.ts"

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
