/**
 * The best quotes of the ticker channel, held until they can fairly be compared with the book. The two come in streams of
 * their own, in no common order: a quote counts only when nothing was said of its market for a while, in either.
 */
import type { InstrumentId } from "../../domain/Market.ts"
import type { BestQuote, FeedEvent } from "../../domain/MarketEvent.ts"
import { type Price, SCALE } from "../../domain/Money.ts"
import { type Json } from "../../resilience/Reading.ts"
import { price, size } from "./Reading.ts"

/** For so long, in milliseconds. */
const SETTLES_AFTER = 3_000

/** Empty sides are priced at the ends of the range, or have no size (Kalshi reference §10). */
const quote = (message: Json, side: "bid" | "ask"): Price | -1 => {
  const at = price(message[`yes_${side}_dollars`], `yes_${side}_dollars`)
  const contracts = message[`yes_${side}_size_fp`]
  const none = at === 0 || at === SCALE || (contracts !== undefined && size(contracts, `yes_${side}_size_fp`) === 0)
  return none ? -1 : at
}

/** Both sides as a ticker message states them. */
export const read = (message: Json): Pick<BestQuote, "bid" | "ask"> => ({
  bid: quote(message, "bid"),
  ask: quote(message, "ask")
})

export interface Quotes {
  readonly note: (stated: BestQuote) => void
  /** The book moved; what was stated before is no longer comparable. */
  readonly forget: (id: InstrumentId) => void
  /** Emits what has stood long enough, each once. */
  readonly settle: (now: number, out: Array<FeedEvent>) => void
}

/** `waiting`: in the order of their age, since what is noted again is put at the end; kept in place. */
export const make = (waiting = new Map<InstrumentId, BestQuote>()): Quotes => {
  return {
    note: (stated) => {
      waiting.delete(stated.instrumentId)
      waiting.set(stated.instrumentId, stated)
    },
    forget: (id) => void waiting.delete(id),
    settle: (now, out) => {
      for (const [id, stated] of waiting) {
        if (now - stated.receivedTime < SETTLES_AFTER) return
        waiting.delete(id)
        out.push({ ...stated, receivedTime: now })
      }
    }
  }
}
