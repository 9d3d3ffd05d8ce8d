/**
 * The two books of one Polymarket market, kept as they are printed: every change of the engine lands in both tokens'
 * views, and a token's state is put together, hashed once, and kept until the next change. Nobody subscribed, nothing
 * hashed.
 */
import { type Price, SCALE, formatDecimal, formatFixed } from "../domain/Money.ts"
import * as Ladder from "./Ladder.ts"
import type { LevelChange, OutcomeIndex } from "./MatchingBook.ts"
import { type BookState, hashed, level } from "./PolymarketFrames.ts"

/** What a book says of its market in every state. */
export interface BookIdentity {
  readonly condition: string
  readonly tokens: readonly [string, string]
  readonly minOrderSize: string
  readonly negRisk: boolean
  readonly version: "v1" | "v2"
}

/** The best quotes as `price_change` states them: an empty side reads "0" for bids and "1" for asks. */
export interface BestQuotes {
  readonly bid: string
  readonly ask: string
  readonly spread: string
}

export interface PolymarketBook {
  readonly identity: BookIdentity
  readonly apply: (change: LevelChange) => void
  /** Stamps the last change with its time in milliseconds. */
  readonly stamp: (time: number) => void
  readonly setTick: (tick: Price) => void
  /** Price of the last maker, in the maker's own token. */
  readonly setLastTrade: (makerPrice: Price) => void
  readonly state: (outcome: OutcomeIndex) => BookState
  readonly best: (outcome: OutcomeIndex) => BestQuotes
  /** What `look` sees if `change` were made at `time`; afterwards everything is as before, `undo` being its opposite. */
  readonly imagine: <A>(change: LevelChange, undo: LevelChange, time: number, look: () => A) => A
}

const lexemes = new Map<number, string>()

/** A price as the venue prints it; prices are few, so each is printed once. */
export const priceLexeme = (price: number): string => {
  const known = lexemes.get(price)
  if (known !== undefined) return known
  const lexeme = formatDecimal(price)
  lexemes.set(price, lexeme)
  return lexeme
}

interface View {
  readonly bids: Ladder.Ladder
  readonly asks: Ladder.Ladder
  state: BookState | undefined
}

const makeView = (): View => ({ bids: Ladder.make("bid"), asks: Ladder.make("ask"), state: undefined })

export const make = (identity: BookIdentity, tick: Price, time: number): PolymarketBook => {
  const views: readonly [View, View] = [makeView(), makeView()]
  let timestamp = String(time)
  let tickSize = priceLexeme(tick)
  let lastTradePrice = ""

  const invalidate = () => {
    views[0].state = undefined
    views[1].state = undefined
  }

  const apply = (change: LevelChange) => {
    const size = formatDecimal(change.size)
    const other = views[1 - change.outcome]!
    const own = views[change.outcome]
    const mirrored = SCALE - change.price
    const buys = change.side === "buy"
    const gone = change.size === 0
    ;(buys ? own.bids : own.asks).set(change.price, gone ? undefined : level(priceLexeme(change.price), size))
    ;(buys ? other.asks : other.bids).set(mirrored, gone ? undefined : level(priceLexeme(mirrored), size))
    invalidate()
  }

  const best = (outcome: OutcomeIndex): BestQuotes => {
    const { asks, bids } = views[outcome]
    const bid = Math.max(0, bids.best())
    const ask = asks.best() === -1 ? SCALE : asks.best()
    return { bid: priceLexeme(bid), ask: priceLexeme(ask), spread: priceLexeme(Math.max(0, ask - bid)) }
  }

  return {
    identity,
    apply,
    best,
    stamp: (time) => {
      timestamp = String(time)
      invalidate()
    },
    setTick: (tick) => {
      tickSize = priceLexeme(tick)
      invalidate()
    },
    setLastTrade: (makerPrice) => {
      lastTradePrice = formatFixed(makerPrice, 3)
      invalidate()
    },
    state: (outcome) => {
      const view = views[outcome]
      return (view.state ??= hashed({
        market: identity.condition,
        asset: identity.tokens[outcome],
        timestamp,
        bids: view.bids.text(),
        asks: view.asks.text(),
        minOrderSize: identity.minOrderSize,
        tickSize,
        negRisk: identity.negRisk,
        lastTradePrice,
        version: identity.version
      }))
    },
    imagine: (change, undo, time, look) => {
      const before = timestamp
      apply(change)
      timestamp = String(time)
      const seen = look()
      apply(undo)
      timestamp = before
      return seen
    }
  }
}
