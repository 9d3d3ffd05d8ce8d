/** What an exchange's matching engine does, operation by operation, and the markets that it does it to. */
import type { Price, Size } from "../domain/Money.ts"
import type { Listing } from "./Listings.ts"
import type { LevelChange, MatchingBook, OrderSide, OutcomeIndex } from "./MatchingBook.ts"

/** A market as its venues see it. Mutable: the exchange owns it. */
export interface ExchangeMarket {
  readonly listing: Listing
  readonly matching: MatchingBook
  /** Contracts traded so far, in millionths. */
  volume: number
  tick: Price
  minOrderSize: Size
  status: "open" | "resolved"
  winner: OutcomeIndex | null
}

/** One print: what the taker got at one price, in the taker's outcome. */
export interface Print {
  readonly price: Price
  readonly size: Size
}

/** One thing that the matching engine did at one instant. */
export type Operation =
  /** One order placed, or one or several cancelled together. */
  | {
      readonly _tag: "LevelsChanged"
      readonly market: ExchangeMarket
      readonly time: number
      readonly changes: ReadonlyArray<LevelChange>
    }
  /** One taker filled against one or more makers. */
  | {
      readonly _tag: "Traded"
      readonly market: ExchangeMarket
      readonly time: number
      readonly changes: ReadonlyArray<LevelChange>
      readonly taker: { readonly outcome: OutcomeIndex; readonly side: OrderSide }
      /** One for each price at which the taker filled, in the order of filling. */
      readonly prints: readonly [Print, ...ReadonlyArray<Print>]
      /** Price of the last maker, in the maker's own outcome. */
      readonly makerPrice: Price
    }
  | {
      readonly _tag: "TickSizeChanged"
      readonly market: ExchangeMarket
      readonly time: number
      readonly from: Price
      readonly to: Price
    }
  | { readonly _tag: "Listed"; readonly market: ExchangeMarket; readonly time: number }
  | {
      readonly _tag: "Resolved"
      readonly market: ExchangeMarket
      readonly time: number
      readonly winner: OutcomeIndex
    }
