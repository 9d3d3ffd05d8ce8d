/**
 * The exchange as Polymarket: holds every market's books in the venue's form and translates the engine's operations
 * into the frames that the venue would send (venue reference, Polymarket §5.2, §5.3 and §11).
 */
import { SCALE } from "../domain/Money.ts"
import { type Side, bestPrice, levels } from "../domain/OrderBook.ts"
import type { Exchange } from "./Exchange.ts"
import type { Frame } from "./Frame.ts"
import type { LevelChange, OutcomeIndex } from "./MatchingBook.ts"
import type { ExchangeMarket, Operation } from "./Operation.ts"
import * as Book from "./PolymarketBook.ts"
import * as Events from "./PolymarketEvents.ts"
import { type Catalogue, type MarketView, infoOf } from "./PolymarketMarket.ts"
import * as Prng from "./Prng.ts"

/** Resolved markets that stay in the lists. */
const REMEMBERED = 500

/** One market with its books. */
export interface VenueMarket extends MarketView {
  readonly market: ExchangeMarket
  readonly books: Book.PolymarketBook
}

export interface PolymarketVenue extends Catalogue {
  /** Takes over what the engine did and says what the venue sends, each frame with its delay in milliseconds. */
  readonly publish: (operation: Operation, watched: (market: VenueMarket) => boolean) => ReadonlyArray<Frame>
  readonly find: (token: string) => { readonly market: VenueMarket; readonly outcome: OutcomeIndex } | undefined
  /** Frames of a change that crosses the book, as if it were made and, `heals`, unmade. The true book stays as it is. */
  readonly crossed: (market: VenueMarket, outcome: OutcomeIndex, heals: boolean, now: number) => ReadonlyArray<Frame>
}

const liquidity = (market: ExchangeMarket): number => {
  const { book } = market.matching
  let total = 0
  for (const { price, size } of levels(book, "bid")) total += (price / SCALE) * (size / SCALE)
  for (const { price, size } of levels(book, "ask")) total += (1 - price / SCALE) * (size / SCALE)
  return Math.round(total * 10_000) / 10_000
}

export const make = (seed: number, exchange: Exchange, now: number): PolymarketVenue => {
  const markets = new Map<ExchangeMarket, VenueMarket>()
  const conditions = new Map<string, VenueMarket>()
  const tokens = new Map<string, { readonly market: VenueMarket; readonly outcome: OutcomeIndex }>()
  const resolved: Array<VenueMarket> = []
  const lastTrades = new Map<ExchangeMarket, ReturnType<MarketView["lastTrade"]> & {}>()
  const prng = Prng.make(seed, "polymarket trades")

  const add = (market: ExchangeMarket, time: number): VenueMarket => {
    const info = infoOf(seed, market.listing)
    const books = Book.make(info, market.tick, time)
    const { book } = market.matching
    for (const level of levels(book, "bid")) books.apply({ outcome: 0, side: "buy", ...level })
    for (const level of levels(book, "ask")) books.apply({ outcome: 0, side: "sell", ...level })
    const quote = (of: Side) => {
      const price = bestPrice(market.matching.book, of)
      return price === -1 ? undefined : price / SCALE
    }
    const venueMarket: VenueMarket = {
      info,
      market,
      books,
      open: () => market.status === "open",
      winner: () => market.winner,
      book: (outcome) => (market.status === "open" ? books.state(outcome) : undefined),
      tickSize: () => Book.priceLexeme(market.tick),
      quotes: () => ({ bid: quote("bid"), ask: quote("ask") }),
      volume: () => market.volume / SCALE,
      liquidity: () => liquidity(market),
      lastTrade: () => lastTrades.get(market)
    }
    markets.set(market, venueMarket)
    conditions.set(info.condition, venueMarket)
    tokens.set(info.tokens[0], { market: venueMarket, outcome: 0 })
    tokens.set(info.tokens[1], { market: venueMarket, outcome: 1 })
    return venueMarket
  }

  const forget = (market: VenueMarket) => {
    markets.delete(market.market)
    lastTrades.delete(market.market)
    conditions.delete(market.info.condition)
    for (const token of market.info.tokens) tokens.delete(token)
  }

  const changeLevels = (venueMarket: VenueMarket, changes: ReadonlyArray<LevelChange>, time: number) => {
    for (const change of changes) venueMarket.books.apply(change)
    venueMarket.books.stamp(time)
  }

  const publish: PolymarketVenue["publish"] = (operation, watched) => {
    const { time } = operation
    if (operation._tag === "Listed") return [Events.newMarket(add(operation.market, time), time)]
    const venueMarket = markets.get(operation.market)
    if (venueMarket === undefined) return []
    const { books } = venueMarket
    const seen = watched(venueMarket)
    const before: Events.BothBests = [books.best(0), books.best(1)]
    switch (operation._tag) {
      case "LevelsChanged": {
        changeLevels(venueMarket, operation.changes, time)
        if (!seen) return []
        const frames = operation.changes.map((change) => Events.priceChange(venueMarket, change, time))
        return [...frames, ...Events.bestFrames(venueMarket, before, time)]
      }
      case "Traded": {
        changeLevels(venueMarket, operation.changes, time)
        books.setLastTrade(operation.makerPrice)
        const print = operation.prints[operation.prints.length - 1]!
        lastTrades.set(operation.market, {
          outcome: operation.taker.outcome,
          side: Events.sideName(operation.taker.side),
          price: print.price / SCALE
        })
        const after = Events.prints(prng, venueMarket, operation)
        if (!seen) return []
        return [
          ...Events.bookFrames(venueMarket, operation.taker.outcome),
          ...Events.bestFrames(venueMarket, before, time),
          ...after
        ]
      }
      case "TickSizeChanged": {
        books.setTick(operation.to)
        books.stamp(time)
        if (!seen) return []
        const changes = Events.tickSizeChanges(venueMarket, operation.from, operation.to, time)
        return [...changes, ...Events.bookFrames(venueMarket, 0)]
      }
      case "Resolved": {
        resolved.push(venueMarket)
        if (resolved.length > REMEMBERED) forget(resolved.shift()!)
        return [Events.marketResolved(venueMarket, operation.winner, time)]
      }
    }
  }

  const crossed: PolymarketVenue["crossed"] = (venueMarket, outcome, heals, now) => {
    const { books, market } = venueMarket
    const ask = bestPrice(market.matching.book, outcome === 0 ? "ask" : "bid")
    if (ask === -1) return []
    const own = outcome === 0 ? ask : SCALE - ask
    const price = Math.min(SCALE - market.tick, own + market.tick)
    const change = { outcome, side: "buy", price, size: 25 * SCALE } as LevelChange
    const undo = { ...change, size: 0 } as LevelChange
    const bogus = books.imagine(change, undo, now, () => Events.priceChange(venueMarket, change, now))
    return heals ? [bogus, Events.priceChange(venueMarket, undo, now)] : [bogus]
  }

  for (const market of exchange.markets) add(market, now)
  return {
    markets: () => markets.values(),
    byCondition: (id) => conditions.get(id),
    byToken: (token) => tokens.get(token),
    find: (token) => tokens.get(token),
    publish,
    crossed
  }
}
