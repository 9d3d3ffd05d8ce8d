/**
 * Reading values of the venue's messages: each is what the protocol says, or a {@link Fault} that names its path
 * (Polymarket reference §2.3, §5.2).
 */
import { VenueId } from "../../domain/Market.ts"
import { parsePrice, parseSize, type Price, SCALE, type Size } from "../../domain/Money.ts"
import type { Level, Side } from "../../domain/OrderBook.ts"
import { array, Fault, object, shown } from "../../resilience/Reading.ts"

export const POLYMARKET = VenueId.make("polymarket")

/** Decimals are text on the socket; test doubles and some endpoints print numbers. */
export const text = (value: unknown, path: string): string => {
  if (typeof value === "string") return value
  if (typeof value === "number") return String(value)
  throw new Fault(path, `text expected, not ${shown(value)}`)
}

export const price = (value: unknown, path: string): Price => {
  const parsed = parsePrice(text(value, path))
  if (parsed === -1) throw new Fault(path, `a price of 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

export const size = (value: unknown, path: string): Size => {
  const parsed = parseSize(text(value, path))
  if (parsed === -1) throw new Fault(path, `a non-negative size expected, not ${shown(value)}`)
  return parsed
}

/** A level's price: at 0 and at 1 nothing can rest. */
export const levelPrice = (value: unknown, path: string): Price => {
  const parsed = price(value, path)
  if (parsed === 0 || parsed === SCALE) throw new Fault(path, `a price inside 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

/** The best price of a side: the ends of the range and the empty text stand for an empty side. */
export const best = (value: unknown, path: string): Price | -1 | null => {
  if (value === undefined || value === null) return null
  if (value === "") return -1
  const parsed = price(value, path)
  return parsed === 0 || parsed === SCALE ? -1 : parsed
}

/** Milliseconds; some messages carry seconds, told apart by magnitude (§6.1). */
export const time = (value: unknown, path: string): number => {
  const millis = Number(text(value, path))
  // A time too far ahead would make everything that follows look outdated.
  if (!Number.isSafeInteger(millis) || millis <= 0 || millis >= 1e13) {
    throw new Fault(path, `a time expected, not ${shown(value)}`)
  }
  return millis < 1e12 ? millis * 1000 : millis
}

export const bookSide = (value: unknown, path: string): Side => {
  const side = text(value, path).toUpperCase()
  if (side === "BUY") return "bid"
  if (side === "SELL") return "ask"
  throw new Fault(path, `BUY or SELL expected, not ${shown(value)}`)
}

export const levels = (value: unknown, path: string): Array<Level> =>
  array(value, path).map((entry, i) => {
    const level = object(entry, `${path}[${i}]`)
    return {
      price: levelPrice(level["price"], `${path}[${i}].price`),
      size: size(level["size"], `${path}[${i}].size`)
    }
  })

export const optionalText = (value: unknown): string | null => (typeof value === "string" ? value : null)

export const hashOf = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)
