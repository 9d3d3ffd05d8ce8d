/** Reading values of unknown shape by hand, for the hot path: each reader returns the value or throws a {@link Fault}. */
import { parseDecimal, parsePrice, parseSize, type Price, SCALE, type Size } from "../../domain/Money.ts"
import { Fault, type Json, shown } from "../../resilience/Reading.ts"

export const text = (value: unknown, path: string): string => {
  if (typeof value === "string") return value
  throw new Fault(path, `text expected, not ${shown(value)}`)
}

export const optionalText = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : null

export const integer = (value: unknown, path: string): number => {
  if (Number.isSafeInteger(value)) return value as number
  throw new Fault(path, `a whole number expected, not ${shown(value)}`)
}

export const price = (value: unknown, path: string): Price => {
  const parsed = parsePrice(text(value, path))
  if (parsed === -1) throw new Fault(path, `a price of 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

/** A level's price: at 0 and at 1 nothing can rest. */
export const levelPrice = (value: unknown, path: string): Price => {
  const parsed = price(value, path)
  if (parsed === 0 || parsed === SCALE) throw new Fault(path, `a price inside 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

/** A count; some older answers print it as a number. */
export const size = (value: unknown, path: string): Size => {
  const parsed = parseSize(typeof value === "number" ? String(value) : text(value, path))
  if (parsed === -1) throw new Fault(path, `a non-negative count expected, not ${shown(value)}`)
  return parsed
}

/** A signed decimal in millionths (`-54.00`). */
export const signed = (value: unknown, path: string): number => {
  const all = text(value, path)
  const negative = all.startsWith("-")
  const parsed = parseDecimal(negative ? all.slice(1) : all)
  if (parsed === -1) throw new Fault(path, `a signed count expected, not ${shown(value)}`)
  return negative && parsed !== 0 ? -parsed : parsed
}

/** RFC 3339 with up to nanoseconds, in milliseconds. */
export const instant = (value: unknown, path: string): number => {
  const millis = Date.parse(text(value, path))
  if (!Number.isFinite(millis)) throw new Fault(path, `a time expected, not ${shown(value)}`)
  return Math.floor(millis)
}

/** The venue's stamp of a message: `ts_ms`, or the older `ts` in seconds or as text; `undefined` when it has none. */
export const stamp = (message: Json): number | undefined => {
  const { ts, ts_ms } = message
  if (ts_ms !== undefined && ts_ms !== null) return integer(ts_ms, "ts_ms")
  if (typeof ts === "number") return integer(ts, "ts") * 1000
  return typeof ts === "string" ? instant(ts, "ts") : undefined
}
