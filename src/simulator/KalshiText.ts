/** Prices, counts and times as Kalshi prints them (Kalshi reference §2.1, §2.4). */
import { SCALE, formatFixed } from "../domain/Money.ts"

const prices = new Map<number, string>()

/** Dollars with four decimals; prices are few, so each is printed once. */
export const dollars = (millionths: number): string => {
  const known = prices.get(millionths)
  if (known !== undefined) return known
  const text = formatFixed(millionths, 4)
  prices.set(millionths, text)
  return text
}

/** Contracts with two decimals, of a multiple of a hundredth. */
export const count = (millionths: number): string => formatFixed(millionths, 2)

/** A change of a count, with its sign when it is negative. */
export const signedCount = (millionths: number): string =>
  millionths < 0 ? `-${count(-millionths)}` : count(millionths)

/** Whole dollars of so many contracts at a price, rounded down. */
export const wholeDollars = (price: number, size: number): number =>
  Math.floor((price / SCALE) * Math.floor(size / SCALE))

/** RFC 3339 in UTC without needless zeros. */
export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/\.?0*Z$/, "Z")

/** Whole seconds since the epoch. */
export const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)
