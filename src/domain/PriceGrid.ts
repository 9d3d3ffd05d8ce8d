/**
 * The prices at which a market trades, as bands that each have a step of their own.
 *
 * A price is on the grid when it lies a whole number of steps above the start of a band that holds it. Bands hold both of
 * their ends, so where two meet, the price belongs to both. A band may reach to 0 and to 1, but nothing rests there: no
 * grid has these prices (Kalshi reference §2.2; Polymarket reference §7.1).
 */
import { Data, Either, Schema } from "effect"
import { type Price, PriceFromString, SCALE } from "./Money.ts"

/** From `start` to `end`, both included, in steps of `step` counted from `start`. */
export const PriceBand = Schema.Struct({
  start: PriceFromString,
  end: PriceFromString,
  step: PriceFromString
}).annotations({
  identifier: "PriceBand",
  description: "From start to end, both included, in steps counted from start"
})
export type PriceBand = typeof PriceBand.Type

/** Why bands are no grid. `band` is the index of the first that is at fault. */
export class InvalidGrid extends Data.TaggedError("InvalidGrid")<{
  /** `overlap`: it begins below the end of the band before it. */
  readonly reason: "empty" | "zero-step" | "backwards" | "overlap"
  readonly band: number
}> {
  override get message(): string {
    switch (this.reason) {
      case "empty":
        return "a grid has a band at least"
      case "zero-step":
        return "a step is more than 0"
      case "backwards":
        return "a band ends where it starts or above"
      case "overlap":
        return "a band starts where the one before it ends or above"
    }
  }
}

const faultIn = (bands: ReadonlyArray<PriceBand>): InvalidGrid | undefined => {
  if (bands.length === 0) return new InvalidGrid({ reason: "empty", band: 0 })
  for (const [band, { end, start, step }] of bands.entries()) {
    if (step === 0) return new InvalidGrid({ reason: "zero-step", band })
    if (end < start) return new InvalidGrid({ reason: "backwards", band })
    if (start < (bands[band - 1]?.end ?? 0)) return new InvalidGrid({ reason: "overlap", band })
  }
  return undefined
}

/** One band or more, ascending, none overlapping; there may be gaps between them, in which nothing trades. */
export const PriceGrid = Schema.Array(PriceBand).pipe(
  Schema.filter((bands) => faultIn(bands)?.message),
  Schema.brand("PriceGrid"),
  Schema.annotations({ identifier: "PriceGrid", description: "Ascending, none overlapping; 0 and 1 are never prices" })
)
export type PriceGrid = typeof PriceGrid.Type

export const make = (bands: ReadonlyArray<PriceBand>): Either.Either<PriceGrid, InvalidGrid> => {
  const fault = faultIn(bands)
  return fault === undefined ? Either.right(bands as PriceGrid) : Either.left(fault)
}

export const equivalence = Schema.equivalence(Schema.NullOr(PriceGrid))

/** The least step anywhere on the grid; coarser bands trade at a part of its multiples only. */
export const finestStep = (grid: PriceGrid): Price =>
  grid.reduce((finest, { step }) => (step < finest ? step : finest), SCALE as Price)

export const isOnGrid = (grid: PriceGrid, price: Price): boolean =>
  price > 0 &&
  price < SCALE &&
  grid.some(({ end, start, step }) => price >= start && price <= end && (price - start) % step === 0)

/** The greatest price of the grid that is not above this one, by the step that holds there; −1 when there is none. */
export const roundDown = (grid: PriceGrid, price: Price): Price | -1 => {
  for (let i = grid.length - 1; i >= 0; i--) {
    const { end, start, step } = grid[i]!
    const most = Math.min(price, end, SCALE - 1)
    if (most < start) continue
    const found = most - ((most - start) % step)
    if (found > 0) return found as Price
  }
  return -1
}

/** The least price of the grid that is not below this one, by the step that holds there; −1 when there is none. */
export const roundUp = (grid: PriceGrid, price: Price): Price | -1 => {
  for (const { end, start, step } of grid) {
    const least = Math.max(price, start, 1)
    const found = start + Math.ceil((least - start) / step) * step
    if (found <= end && found < SCALE) return found as Price
  }
  return -1
}
