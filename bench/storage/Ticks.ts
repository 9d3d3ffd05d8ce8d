/**
 * Events as a busy collector makes them of Polymarket's frames: changes of levels near the best, each with the venue's
 * hash and best quotes, and now and then a best quote that changed. The same seed gives the same events.
 */
import { InstrumentId } from "../../src/domain/Market.ts"
import type { BestChanged, BookChange } from "../../src/domain/MarketEvent.ts"
import type { Price, Size } from "../../src/domain/Money.ts"

export interface TickOptions {
  readonly instruments: number
  /** How many of a hundred events are best quotes. */
  readonly quotes: number
  /** When the first is received, in milliseconds since the epoch. */
  readonly start: number
  /** Events received in a millisecond. */
  readonly rate: number
}

export type Tick = BookChange | BestChanged

const HEX = "0123456789abcdef"

/** Small, quick and good enough for test data. */
const random = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Gives the next events each time; a time never steps back. */
export const make = ({ instruments, quotes, rate, start }: TickOptions): ((count: number) => Array<Tick>) => {
  const next = random(7)
  const below = (n: number): number => Math.floor(next() * n)
  const ids = Array.from({ length: instruments }, () =>
    InstrumentId.make(`polymarket:${Array.from({ length: 77 }, () => below(10)).join("")}`)
  )
  const middles = ids.map(() => 5 + below(90))
  const hash = (): string => {
    let text = ""
    for (let i = 0; i < 40; i++) text += HEX[below(16)]
    return text
  }
  const hashes = Array.from({ length: 4096 }, hash)
  const sizes = new Map<number, number>()
  let made = 0
  const event = (): Tick => {
    const receivedTime = start + Math.floor(made++ / rate)
    const venueTime = receivedTime - 30
    // A few books are busy, most are not.
    const at = Math.floor(next() ** 2 * instruments)
    const instrumentId = ids[at]!
    if (next() < 0.02) middles[at] = Math.min(95, Math.max(5, middles[at]! + (next() < 0.5 ? -1 : 1)))
    const middle = middles[at]!
    const bid = (middle * 10_000) as Price
    const ask = ((middle + 1) * 10_000) as Price
    const size = () => (1_000_000 + below(2000) * 1_000_000 + (next() < 0.5 ? below(100) * 10_000 : 0)) as Size
    if (below(100) < quotes) {
      const [bidSize, askSize] = [size(), size()]
      return { _tag: "BestChanged", instrumentId, bid, bidSize, ask, askSize, venueTime, receivedTime }
    }
    const side = next() < 0.5 ? "bid" : "ask"
    const away = below(5)
    const price = ((side === "bid" ? Math.max(1, middle - away) : Math.min(99, middle + 1 + away)) * 10_000) as Price
    // A level that is taken away is there, and one that changes changes.
    const level = (at * 200 + price / 10_000) * 2 + (side === "bid" ? 0 : 1)
    const before = sizes.get(level) ?? 0
    let now = before > 0 && next() < 0.15 ? (0 as Size) : size()
    if (now === before) now = (now + 10_000) as Size
    sizes.set(level, now)
    return {
      _tag: "BookChange",
      instrumentId,
      side,
      price,
      size: now,
      venueTime,
      receivedTime,
      sequence: null,
      hash: hashes[below(4096)]!,
      bestBid: bid,
      bestAsk: ask
    }
  }
  return (count) => Array.from({ length: count }, event)
}
