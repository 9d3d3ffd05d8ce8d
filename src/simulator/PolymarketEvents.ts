/** One operation of the engine as the frames that the venue sends about it (venue reference, Polymarket §5.2 and §5.3). */
import { type Price, SCALE, formatDecimal } from "../domain/Money.ts"
import type { Frame } from "./Frame.ts"
import type { LevelChange, OrderSide, OutcomeIndex } from "./MatchingBook.ts"
import type { Operation } from "./Operation.ts"
import * as Book from "./PolymarketBook.ts"
import * as Frames from "./PolymarketFrames.ts"
import type { MarketInfo } from "./PolymarketMarket.ts"
import type { Prng } from "./Prng.ts"

/** Milliseconds from a trade's books to its print: 34 and 39 in the captures. */
const PRINT_DELAY = { least: 34, spread: 6 }

/** A market with its books as they are after the operation. */
export interface Subject {
  readonly info: MarketInfo
  readonly books: Book.PolymarketBook
}

/** The best quotes of both tokens. */
export type BothBests = readonly [Book.BestQuotes, Book.BestQuotes]

export const sideName = (side: OrderSide): "BUY" | "SELL" => (side === "buy" ? "BUY" : "SELL")
const otherSide = (side: OrderSide): "BUY" | "SELL" => (side === "buy" ? "SELL" : "BUY")

const frame = (type: string, info: MarketInfo, assets: ReadonlyArray<string>, text: string, delay = 0): Frame => ({
  type,
  market: info.condition,
  assets,
  text,
  delay
})

/** The order's own token first, its mirror second; all levels of one operation carry the hash and the bests of its end. */
export const priceChange = ({ books, info }: Subject, change: LevelChange, time: number): Frame => {
  const entry = (outcome: OutcomeIndex, price: number, side: "BUY" | "SELL"): Frames.PriceChange => {
    const best = books.best(outcome)
    return {
      asset: info.tokens[outcome],
      price: Book.priceLexeme(price),
      size: formatDecimal(change.size),
      side,
      hash: books.state(outcome).hash,
      bestBid: best.bid,
      bestAsk: best.ask
    }
  }
  const other: OutcomeIndex = change.outcome === 0 ? 1 : 0
  const entries = [
    entry(change.outcome, change.price, sideName(change.side)),
    entry(other, SCALE - change.price, otherSide(change.side))
  ]
  return frame("price_change", info, info.tokens, Frames.priceChange(info.condition, entries, String(time)))
}

const outcomesFrom = (first: OutcomeIndex): ReadonlyArray<OutcomeIndex> => (first === 0 ? [0, 1] : [1, 0])

export const bookFrames = ({ books, info }: Subject, first: OutcomeIndex): ReadonlyArray<Frame> =>
  outcomesFrom(first).map((outcome) => frame("book", info, [info.tokens[outcome]], Frames.book(books.state(outcome))))

export const bestFrames = ({ books, info }: Subject, before: BothBests, time: number): ReadonlyArray<Frame> => {
  const frames: Array<Frame> = []
  for (const outcome of outcomesFrom(0)) {
    const best = books.best(outcome)
    if (best.bid === before[outcome].bid && best.ask === before[outcome].ask) continue
    const text = Frames.bestBidAsk(info.condition, info.tokens[outcome], best, String(time))
    frames.push(frame("best_bid_ask", info, [info.tokens[outcome]], text))
  }
  return frames
}

export const prints = (
  prng: Prng,
  { info }: Subject,
  operation: Operation & { readonly _tag: "Traded" }
): ReadonlyArray<Frame> => {
  const delay = PRINT_DELAY.least + prng.int(PRINT_DELAY.spread)
  const transactionHash = `0x${prng.hex(64)}`
  const asset = info.tokens[operation.taker.outcome]
  return operation.prints.map((print) => {
    const text = Frames.lastTradePrice({
      market: info.condition,
      asset,
      price: Book.priceLexeme(print.price),
      size: formatDecimal(print.size),
      side: sideName(operation.taker.side),
      timestamp: String(operation.time + delay),
      transactionHash
    })
    return frame("last_trade_price", info, [asset], text, delay)
  })
}

export const newMarket = ({ books, info }: Subject, time: number): Frame =>
  frame(
    "new_market",
    info,
    [],
    Frames.spaced({
      id: info.gammaId,
      question: info.question,
      market: info.condition,
      slug: info.slug,
      description: info.description,
      assets_ids: info.tokens,
      outcomes: info.outcomes,
      event_message: {
        id: info.event.id,
        ticker: info.event.slug,
        slug: info.event.slug,
        title: info.event.title,
        description: info.description
      },
      timestamp: String(time),
      event_type: "new_market",
      tags: info.tags.map((tag) => tag.slug),
      condition_id: info.condition,
      active: true,
      clob_token_ids: info.tokens,
      sports_market_type: "",
      line: "",
      game_start_time: "",
      order_price_min_tick_size: books.state(0).tickSize,
      group_item_title: info.item,
      taker_base_fee: "1000",
      fees_enabled: true,
      fee_schedule: { exponent: "1", rate: "0.04", taker_only: true, rebate_rate: "0.25" }
    })
  )

/** The end comes after the last trades were told. */
export const marketResolved = ({ info }: Subject, winner: OutcomeIndex, time: number): Frame => {
  const delay = PRINT_DELAY.least + PRINT_DELAY.spread
  return frame(
    "market_resolved",
    info,
    info.tokens,
    Frames.spaced({
      id: info.gammaId,
      market: info.condition,
      assets_ids: info.tokens,
      winning_asset_id: info.tokens[winner],
      winning_outcome: info.outcomes[winner],
      timestamp: String(time + delay),
      event_type: "market_resolved",
      tags: info.tags.map((tag) => tag.slug)
    }),
    delay
  )
}

export const tickSizeChanges = ({ info }: Subject, from: Price, to: Price, time: number): ReadonlyArray<Frame> =>
  info.tokens.map((token) => {
    const [before, after] = [Book.priceLexeme(from), Book.priceLexeme(to)]
    const text = Frames.tickSizeChange(info.condition, token, before, after, String(time))
    return frame("tick_size_change", info, [token], text)
  })
