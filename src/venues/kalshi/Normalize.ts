/**
 * Kalshi's markets, books and trades as domain values, pure (Kalshi reference §2, §3, §8).
 *
 * A market has one book and one instrument, `kalshi:<ticker>`, which is YES. NO is the same book seen from the other
 * side and has no instrument; where a winner must be named, NO is `kalshi:<ticker>:no`.
 */
import { DateTime, Either, Option } from "effect"
import {
  type Instrument,
  instrumentId,
  type InstrumentId,
  type Market,
  marketId,
  VenueId
} from "../../domain/Market.ts"
import type { BookSnapshot, Trade } from "../../domain/MarketEvent.ts"
import { complement, parseSize, type Size } from "../../domain/Money.ts"
import type { Level } from "../../domain/OrderBook.ts"
import { finestStep } from "../../domain/PriceGrid.ts"
import { decodeWith, Fault, idAt, shown } from "../../resilience/Reading.ts"
import { priceGrid } from "./PriceGrid.ts"
import { instant, levelPrice, price, size } from "./Reading.ts"
import * as Wire from "./Wire.ts"

export const KALSHI = VenueId.make("kalshi")

/** The side of a market that has no book of its own. */
export const noSide = (ticker: string): InstrumentId => instrumentId(KALSHI, `${ticker}:no`)

/** Combinations of other markets, made by the thousand on demand (§7.6). */
export const isCombo = (ticker: string): boolean => ticker.startsWith("KXMVE")

/** Every market trades hundredths of a contract (§2.1). */
const GRAIN = 10_000 as Size

/** Which prices the NO list of a book has: its own, or those of YES as asked for with `use_yes_price` (§7.6). */
export type NoPrices = "no" | "yes"

/** A list of bids, each `[price, count]`, as levels of the YES book. */
export const levelsOf = (value: unknown, path: string, mirrored: boolean): Array<Level> => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Fault(path, `a list expected, not ${shown(value)}`)
  return value.map((entry: unknown, i) => {
    if (!Array.isArray(entry)) throw new Fault(`${path}[${i}]`, `a price and a count expected, not ${shown(entry)}`)
    const at = levelPrice(entry[0], `${path}[${i}][0]`)
    return { price: mirrored ? complement(at) : at, size: size(entry[1], `${path}[${i}][1]`) }
  })
}

/** A book over REST, whose NO list is always in NO prices (§3.5). It bears no time but that of its arrival. */
export const restSnapshot = (
  levels: Wire.RestLevels,
  id: InstrumentId,
  receivedTime: number,
  source: BookSnapshot["source"]
): Either.Either<BookSnapshot, string> =>
  reading(() => ({
    _tag: "BookSnapshot",
    instrumentId: id,
    bids: levelsOf(levels.yes_dollars, "yes_dollars", false),
    asks: levelsOf(levels.no_dollars, "no_dollars", true),
    venueTime: receivedTime,
    receivedTime,
    sequence: null,
    hash: null,
    source,
    proof: null
  }))

/** What the taker did in YES: buying YES and selling NO are one thing (§2.3). */
export const takerSide = (outcome: unknown): Trade["takerSide"] =>
  outcome === "yes" ? "buy" : outcome === "no" ? "sell" : null

export const restTrade = (trade: Wire.Trade, receivedTime: number): Either.Either<Trade, string> =>
  reading(() => ({
    _tag: "Trade",
    instrumentId: instrumentId(KALSHI, trade.ticker),
    price: price(trade.yes_price_dollars, "yes_price_dollars"),
    size: size(trade.count_fp ?? trade.count, "count_fp"),
    takerSide: takerSide(trade.taker_outcome_side ?? trade.taker_side),
    venueTime: instant(trade.created_time, "created_time"),
    receivedTime,
    sequence: null,
    tradeId: trade.trade_id
  }))

const reading = <A>(read: () => A): Either.Either<A, string> =>
  Either.mapLeft(caught(read), ({ path, problem }) => `${path}: ${problem}`)

const caught = <A>(read: () => A): Either.Either<A, Fault> => {
  try {
    return Either.right(read())
  } catch (fault) {
    if (fault instanceof Fault) return Either.left(fault)
    throw fault
  }
}

/** What a market takes from its event and series. */
export interface EventFacts {
  readonly title: string
  readonly category: string | null
  readonly tags: ReadonlyArray<string>
  /** At most one market of the event resolves YES, and positions in them share collateral (§8.2). */
  readonly exclusive: boolean
}

const UNKNOWN_EVENT: EventFacts = { title: "", category: null, tags: [], exclusive: false }

/** From an event, and from its series where that was needed. */
export const eventFacts = (event: Wire.Event, series: Option.Option<Wire.Series>): EventFacts => {
  const categories = Option.match(series, {
    onNone: () => [],
    onSome: ({ categories, category, tags }) => [category, ...(categories ?? []), ...(tags ?? [])]
  })
  return {
    title: event.title,
    category: event.category || categories[0] || null,
    tags: [...new Set(categories)].filter((name) => name !== "" && name !== event.category),
    exclusive: event.mutually_exclusive && (event.collateral_return_type ?? "") !== ""
  }
}

/**
 * `inactive` is a pause within trading hours, which the book outlives. `determined` and `amended` have a result,
 * although it can still be disputed (§8.3).
 */
const statusOf = (status: string): Market["status"] => {
  switch (status) {
    case "active":
    case "inactive":
      return "open"
    case "determined":
    case "amended":
    case "finalized":
      return "resolved"
    default:
      return "closed"
  }
}

/** Whether YES won: `null` while open, and for results between 0 and 1 (`scalar`). */
const yesWon = (result: string | undefined): boolean | null =>
  result === "yes" ? true : result === "no" ? false : null

/** The winner as events name it. */
export const winnerOf = (ticker: string, result: string | undefined): InstrumentId | null => {
  const won = yesWon(result)
  return won === null ? null : won ? instrumentId(KALSHI, ticker) : noSide(ticker)
}

/** Markets of one event often share their title; the words for YES tell them apart. */
const questionOf = (title: string, yes: string, ticker: string): string => {
  if (title === "") return yes === "" ? ticker : yes
  return yes === "" || title.toLowerCase().includes(yes.toLowerCase()) ? title : `${title}: ${yes}`
}

const optionalSize = (value: string | undefined): Size | null => {
  const parsed = value === undefined ? -1 : parseSize(value)
  return parsed === -1 ? null : parsed
}

const timeOf = (value: string | number | undefined): DateTime.Utc | null =>
  value === undefined || value === "" ? null : Option.getOrNull(DateTime.make(value))

const fromWire = (market: Wire.Market, event: EventFacts): Market => {
  if (market.ticker.includes(":")) throw new Fault("ticker", `a ticker expected, not ${shown(market.ticker)}`)
  const status = statusOf(market.status)
  const priceBands = priceGrid(market.price_ranges, market.price_level_structure)
  return {
    id: marketId(KALSHI, market.ticker),
    venue: KALSHI,
    venueMarketId: market.ticker,
    slug: market.ticker,
    question: questionOf(market.title || event.title, market.yes_sub_title ?? "", market.ticker),
    category: event.category,
    tags: event.tags,
    status,
    outcomes: [
      {
        instrumentId: instrumentId(KALSHI, market.ticker),
        venueInstrumentId: market.ticker,
        name: "Yes",
        winner: status === "resolved" ? yesWon(market.result) : null
      }
    ],
    tickSize: priceBands === null ? null : finestStep(priceBands),
    priceBands,
    minOrderSize: GRAIN,
    negRisk: event.exclusive,
    liquidity: null,
    volume24h: optionalSize(market.volume_24h_fp),
    protocol: null,
    endTime: timeOf(market.close_time)
  }
}

/** Why a market object could not be used. */
export interface Rejected {
  readonly id: string
  readonly path: string
  readonly problem: string
}

const decodeMarket = decodeWith(Wire.Market)

/** A market of the lists, §3.4, without what only its event knows. */
export const wireMarket = (value: unknown): Either.Either<Wire.Market, Rejected> =>
  Either.mapLeft(
    caught(() => decodeMarket(value)),
    ({ path, problem }) => ({ id: idAt(value, "ticker"), path, problem })
  )

/** A market with its event's facts, which are unknown without. */
export const market = (wire: Wire.Market, event: EventFacts = UNKNOWN_EVENT): Either.Either<Market, Rejected> =>
  Either.mapLeft(
    caught(() => fromWire(wire, event)),
    ({ path, problem }) => ({ id: wire.ticker, path, problem })
  )

/**
 * A market from the lifecycle's `created`: trading begins at its opening time, without a word on the socket. Volume and
 * category stay unknown.
 */
export const createdMarket = (message: Wire.LifecycleMessage, now: number): Market => {
  const about = message.additional_metadata
  const created = fromWire(
    {
      ticker: message.market_ticker,
      event_ticker: about?.event_ticker ?? "",
      status: (message.open_ts ?? 0) * 1000 <= now ? "active" : "initialized",
      title: about?.title ?? about?.name ?? "",
      yes_sub_title: about?.yes_sub_title ?? "",
      price_level_structure: message.price_level_structure ?? "",
      price_ranges: message.price_ranges ?? []
    },
    UNKNOWN_EVENT
  )
  return { ...created, endTime: timeOf(message.close_ts === undefined ? undefined : message.close_ts * 1000) }
}

/** The market of an instrument with a later or earlier end. */
export const withCloseTime = ({ market }: Instrument, closeSeconds: number): Market => ({
  ...market,
  endTime: timeOf(closeSeconds * 1000)
})
