/**
 * The exchange as Kalshi: holds every market in the venue's form and translates the engine's operations into the
 * messages that the venue would send (Kalshi reference §7.6, §8.3).
 */
import { type Price, SCALE, type Size } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { Exchange } from "./Exchange.ts"
import * as KalshiBook from "./KalshiBook.ts"
import * as KalshiCandles from "./KalshiCandles.ts"
import type { Channel } from "./KalshiCommand.ts"
import * as KalshiGrid from "./KalshiGrid.ts"
import { SETTLEMENT_TIMER } from "./KalshiJson.ts"
import type { Catalogue, KalshiMarket, KalshiTrade } from "./KalshiMarket.ts"
import * as KalshiMessage from "./KalshiMessage.ts"
import type { Message } from "./KalshiMessage.ts"
import * as KalshiNames from "./KalshiNames.ts"
import type { Directory } from "./KalshiSubscriptions.ts"
import { type LevelChange, restingSide, toYes } from "./MatchingBook.ts"
import type { ExchangeMarket, Operation } from "./Operation.ts"
import * as Prng from "./Prng.ts"

/** Settled markets and trades that stay in the lists. */
const REMEMBERED = 500
const TRADES_KEPT = 5000

/** Whether anybody would hear of it. */
export type Watched = (channel: Channel, ticker: string) => boolean

export interface KalshiVenue extends Catalogue, Directory {
  /** Takes over what the engine did and says what the venue sends. */
  readonly publish: (operation: Operation, watched: Watched) => ReadonlyArray<Message>
  /** What falls due without the engine: settlements. */
  readonly due: (now: number) => ReadonlyArray<Message>
  /** Suspends a market's trading or lets it go on, in name only. */
  readonly suspend: (market: KalshiMarket, is: boolean, now: number) => ReadonlyArray<Message>
  /** Puts a market on another grid, once the orders that do not fit it are cancelled. */
  readonly regrid: (
    market: KalshiMarket,
    structure: KalshiGrid.Structure,
    now: number,
    watched: Watched
  ) => ReadonlyArray<Message>
  /** A change that crosses the book, and with `heals` its opposite. The true book stays as it is. */
  readonly crossed: (market: KalshiMarket, heals: boolean, now: number) => ReadonlyArray<Message>
  readonly exchangeMarket: (market: KalshiMarket) => ExchangeMarket | undefined
}

const grain = (size: number): number => Math.floor(size / 10_000) * 10_000

export const make = (seed: number, exchange: Exchange, grids: KalshiGrid.Grids, now: number): KalshiVenue => {
  const markets = new Map<ExchangeMarket, KalshiMarket>()
  const exchangeMarkets = new Map<KalshiMarket, ExchangeMarket>()
  const tickers = new Map<string, KalshiMarket>()
  const ids = new Map<string, KalshiMarket>()
  const events = new Map<string, number>()
  const trades: Array<KalshiTrade> = []
  let ended: Array<KalshiMarket> = []
  const prng = Prng.make(seed, "kalshi trades")

  const uuid = () =>
    [
      prng.hex(8),
      prng.hex(4),
      `5${prng.hex(3)}`,
      `${prng.pick(["8", "9", "a", "b"])}${prng.hex(3)}`,
      prng.hex(12)
    ].join("-")

  const add = (market: ExchangeMarket, time: number): KalshiMarket => {
    const volume = grain(market.volume)
    const info = KalshiNames.infoOf(seed, market.listing)
    const added: KalshiMarket = {
      info,
      book: OrderBook.copy(market.matching.book),
      candles: KalshiCandles.make(),
      status: "active",
      structure: grids.structureOf(market),
      volume,
      openInterest: grain(volume * 0.4),
      lastPrice: 0 as Price,
      lastSize: 0 as Size,
      updatedAt: time,
      closesAt: info.endsAt,
      result: "",
      settledAt: undefined
    }
    added.candles.quote(time, KalshiBook.quotes(added.book), added.openInterest)
    markets.set(market, added)
    exchangeMarkets.set(added, market)
    tickers.set(info.ticker, added)
    ids.set(info.id, added)
    events.set(info.event.ticker, (events.get(info.event.ticker) ?? 0) + 1)
    return added
  }

  const forget = (market: KalshiMarket) => {
    const of = exchangeMarkets.get(market)
    if (of !== undefined) markets.delete(of)
    exchangeMarkets.delete(market)
    tickers.delete(market.info.ticker)
    ids.delete(market.info.id)
  }

  /** Changes levels and says so, and says what that makes of the best quotes. */
  const change = (
    market: KalshiMarket,
    levels: ReadonlyArray<readonly [side: OrderBook.Side, yesPrice: Price, size: Size]>,
    time: number,
    watched: Watched,
    traded: ReadonlyArray<KalshiTrade> = []
  ): ReadonlyArray<Message> => {
    const { book, candles, info } = market
    const before = KalshiBook.quotes(book)
    const seen = watched("orderbook_delta", info.ticker)
    const messages: Array<Message> = []
    for (const [side, yesPrice, size] of levels) {
      const delta = KalshiBook.apply(book, side, yesPrice, size)
      if (delta !== undefined && seen) messages.push(KalshiMessage.delta(market, delta, time))
    }
    for (const trade of traded) {
      candles.trade(time, trade.yesPrice, trade.size)
      messages.push(KalshiMessage.trade(trade))
    }
    const after = KalshiBook.quotes(book)
    const moved = (Object.keys(after) as Array<keyof typeof after>).some((key) => after[key] !== before[key])
    market.updatedAt = time
    if (!moved && traded.length === 0) return messages
    candles.quote(time, after, market.openInterest)
    if (watched("ticker", info.ticker)) messages.push(KalshiMessage.ticker(market, time))
    return messages
  }

  const levelsOf = (operation: Operation & { readonly changes: ReadonlyArray<LevelChange> }) =>
    operation.changes.map(
      ({ outcome, price, side, size }) => [restingSide(outcome, side), toYes(outcome, price), size] as const
    )

  /** Puts the prints of a taker on the tape. */
  const record = (market: KalshiMarket, operation: Operation & { _tag: "Traded" }): ReadonlyArray<KalshiTrade> => {
    const { prints, taker, time } = operation
    const bought = restingSide(taker.outcome, taker.side) === "bid" ? "yes" : "no"
    return prints.map(({ price, size }) => {
      const yesPrice = toYes(taker.outcome, price)
      const trade: KalshiTrade = { id: uuid(), ticker: market.info.ticker, yesPrice, size, taker: bought, time }
      trades.push(trade)
      market.volume += size
      market.openInterest += grain(size / 2)
      market.lastPrice = yesPrice
      market.lastSize = size
      return trade
    })
  }

  const resolve = (market: KalshiMarket, winner: 0 | 1, time: number, watched: Watched) => {
    const gone = (side: OrderBook.Side) =>
      OrderBook.levels(market.book, side)
        .map(({ price }) => [side, price, 0 as Size] as const)
        .reverse()
    const emptied = change(market, [...gone("bid"), ...gone("ask")], time, watched)
    market.status = "determined"
    market.result = winner === 0 ? "yes" : "no"
    market.closesAt = Math.min(time, market.closesAt)
    ended.push(market)
    return [...emptied, KalshiMessage.determined(market, time)]
  }

  const publish: KalshiVenue["publish"] = (operation, watched) => {
    const { time } = operation
    if (operation._tag === "Listed") {
      const added = add(operation.market, time)
      const created = KalshiMessage.created(added)
      return events.get(added.info.event.ticker) === 1 ? [KalshiMessage.eventCreated(added), created] : [created]
    }
    const market = markets.get(operation.market)
    if (market === undefined) return []
    switch (operation._tag) {
      case "LevelsChanged":
        return change(market, levelsOf(operation), time, watched)
      case "Traded": {
        const traded = record(market, operation)
        if (trades.length > TRADES_KEPT * 1.2) trades.splice(0, trades.length - TRADES_KEPT)
        return change(market, levelsOf(operation), time, watched, traded)
      }
      case "TickSizeChanged":
        market.structure = grids.structureOf(operation.market)
        market.updatedAt = time
        return [KalshiMessage.gridChanged(market)]
      case "Resolved":
        return resolve(market, operation.winner, time, watched)
    }
  }

  const due: KalshiVenue["due"] = (now) => {
    const messages: Array<Message> = []
    for (const market of ended) {
      if (market.status !== "determined" || now < market.updatedAt + SETTLEMENT_TIMER * 1000) continue
      market.status = "finalized"
      market.settledAt = now
      market.updatedAt = now
      messages.push(KalshiMessage.settled(market, now))
    }
    const tooMany = ended.length - REMEMBERED
    if (tooMany > 0) ended.slice(0, tooMany).forEach(forget)
    if (tooMany > 0) ended = ended.slice(tooMany)
    return messages
  }

  const suspend: KalshiVenue["suspend"] = (market, is, time) => {
    if (market.status !== (is ? "active" : "inactive")) return []
    market.status = is ? "inactive" : "active"
    market.updatedAt = time
    return [KalshiMessage.suspended(market, is)]
  }

  const regrid: KalshiVenue["regrid"] = (market, structure, time, watched) => {
    const of = exchangeMarkets.get(market)
    if (of === undefined) return []
    const unfit = of.matching.orders.filter(({ limit, rests }) => KalshiGrid.fit(structure, limit, rests) !== limit)
    const cancelled = exchange.cancel(of, unfit, time).flatMap((operation) => publish(operation, watched))
    grids.assign(of, structure)
    market.structure = structure
    market.updatedAt = time
    return [...cancelled, KalshiMessage.gridChanged(market)]
  }

  const crossed: KalshiVenue["crossed"] = (market, heals, time) => {
    const ask = OrderBook.bestPrice(market.book, "ask")
    if (ask === -1) return []
    const above = Math.min(SCALE - 1, ask + 10_000) as Price
    const yesPrice = Math.max(ask, KalshiGrid.fit(market.structure, above, "bid")) as Price
    const message = (delta: number) => KalshiMessage.delta(market, { side: "yes", yesPrice, delta }, time)
    return heals ? [message(25 * SCALE), message(-25 * SCALE)] : [message(25 * SCALE)]
  }

  for (const market of exchange.markets) add(market, now)
  return {
    markets: () => markets.values(),
    byTicker: (ticker) => tickers.get(ticker),
    byId: (id) => ids.get(id),
    trades: () => trades,
    exchangeMarket: (market) => exchangeMarkets.get(market),
    publish,
    due,
    suspend,
    regrid,
    crossed
  }
}
