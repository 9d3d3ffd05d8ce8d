/**
 * Endless traffic of both venues as a collector's inputs, from a seed: books that move, and everything that goes wrong on
 * the way. It asks nobody, so that the same seed gives the same inputs however they are taken.
 */
import { type Input, told } from "../../src/domain/Input.ts"
import { type Instrument, instrumentId, type Market, marketId, type VenueId } from "../../src/domain/Market.ts"
import { complement, formatDecimal, formatFixed, type Price, type Size } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import * as Prng from "../../src/simulator/Prng.ts"
import { KALSHI } from "../../src/venues/kalshi/Normalize.ts"
import { BookHasher } from "../../src/venues/polymarket/BookHash.ts"
import { POLYMARKET } from "../../src/venues/polymarket/Reading.ts"
import { market as makeMarket } from "./Events.ts"

const CENT = 10_000

interface Token {
  readonly instrument: Instrument
  readonly book: OrderBook.OrderBook
}

/** The levels of a side, the best last. */
const wire = (book: OrderBook.OrderBook, side: OrderBook.Side) =>
  OrderBook.levels(book, side)
    .map(({ price, size }) => ({ price: formatDecimal(price), size: formatDecimal(size) }))
    .reverse()

/** Both tokens of a market see one order from their own side. */
const makePolymarket = (count: number) =>
  Array.from({ length: count }, (_, i): readonly [Token, Token] => {
    const market = makeMarket(`m${i}`, {}, [`${1_000 + 2 * i}`, `${1_001 + 2 * i}`])
    const token = (index: 0 | 1): Token => {
      const outcome = market.outcomes[index]!
      const book = OrderBook.empty()
      const instrument = { id: outcome.instrumentId, venueInstrumentId: outcome.venueInstrumentId, market }
      return { instrument, book }
    }
    return [token(0), token(1)]
  })

const makeKalshi = (count: number) =>
  Array.from({ length: count }, (_, i): Token => {
    const ticker = `KXT-${i}`
    const outcomes = [
      { instrumentId: instrumentId(KALSHI, ticker), venueInstrumentId: ticker, name: "Yes", winner: null }
    ]
    const market: Market = {
      ...makeMarket(ticker),
      id: marketId(KALSHI, ticker),
      venue: KALSHI,
      venueMarketId: ticker,
      outcomes
    }
    return { instrument: { id: outcomes[0]!.instrumentId, venueInstrumentId: ticker, market }, book: OrderBook.empty() }
  })

const hasher = new BookHasher()

const hashOf = ({ book, instrument }: Token, time: number): string => {
  const { market, venueInstrumentId: assetId } = instrument
  const context = {
    market: market.venueMarketId,
    assetId,
    minOrderSize: "5",
    tickSize: "0.01",
    negRisk: false,
    version: null
  }
  return hasher.write("current", context, time, book).digest("")
}

const bookMessage = (token: Token, time: number) => ({
  event_type: "book",
  market: token.instrument.market.venueMarketId,
  asset_id: token.instrument.venueInstrumentId,
  timestamp: String(time),
  hash: hashOf(token, time),
  bids: wire(token.book, "bid"),
  asks: wire(token.book, "ask"),
  min_order_size: "5",
  tick_size: "0.01",
  neg_risk: false,
  last_trade_price: ""
})

export interface TrafficOptions {
  readonly seed: number
  readonly frames: number
  /** Markets of each venue. */
  readonly markets: number
  /** How often something goes wrong, of 0 to 1. */
  readonly trouble: number
}

/** Inputs with this many frames in all, and what belongs to them. */
export function* traffic({ frames: total, markets, seed, trouble }: TrafficOptions): Generator<Input> {
  const random = Prng.make(seed)
  const pairs = makePolymarket(markets)
  const singles = makeKalshi(markets)
  const instruments = { [POLYMARKET]: pairs.flat(), [KALSHI]: singles }
  let now = 1_790_000_000_000
  let made = 0
  let opened = 0
  let swept = now
  let number = 0
  const connections = new Map<VenueId, string>()

  const levelOf = (side: OrderBook.Side) => ((side === "bid" ? 20 : 51) + random.int(29)) * CENT
  const sizeOf = () => (random.chance(0.3) ? 0 : (1 + random.int(40)) * 1_000_000)

  const change = ([yes, no]: readonly [Token, Token]): string => {
    const side: OrderBook.Side = random.chance(0.5) ? "bid" : "ask"
    const price = levelOf(side) as Price
    const size = sizeOf() as Size
    OrderBook.applyChange(yes.book, side, price, size)
    OrderBook.applyChange(no.book, side === "bid" ? "ask" : "bid", complement(price), size)
    const entry = (token: Token, at: Price, of: OrderBook.Side) => {
      const [bid, ask] = [OrderBook.bestPrice(token.book, "bid"), OrderBook.bestPrice(token.book, "ask")]
      return {
        asset_id: token.instrument.venueInstrumentId,
        price: formatDecimal(at),
        size: formatDecimal(size),
        side: of === "bid" ? "BUY" : "SELL",
        hash: hashOf(token, now),
        best_bid: bid === -1 ? "0" : formatDecimal(bid),
        best_ask: ask === -1 ? "1" : formatDecimal(ask)
      }
    }
    return JSON.stringify({
      event_type: "price_change",
      market: yes.instrument.market.venueMarketId,
      timestamp: String(now),
      price_changes: [entry(yes, price, side), entry(no, complement(price), side === "bid" ? "ask" : "bid")]
    })
  }
  const fixed = (book: OrderBook.OrderBook, side: OrderBook.Side) =>
    OrderBook.levels(book, side)
      .map(({ price, size }) => [formatFixed(price, 4), formatFixed(size, 2)])
      .reverse()
  const snapshot = (token: Token): string =>
    JSON.stringify({
      type: "orderbook_snapshot",
      sid: 1,
      seq: ++number,
      msg: {
        market_ticker: token.instrument.venueInstrumentId,
        yes_dollars_fp: fixed(token.book, "bid"),
        no_dollars_fp: fixed(token.book, "ask")
      }
    })
  const delta = (token: Token): string => {
    const side: OrderBook.Side = random.chance(0.5) ? "bid" : "ask"
    const price = levelOf(side) as Price
    const size = sizeOf() as Size
    const before = OrderBook.applyChange(token.book, side, price, size)
    return JSON.stringify({
      type: "orderbook_delta",
      sid: 1,
      seq: ++number,
      msg: {
        market_ticker: token.instrument.venueInstrumentId,
        price_dollars: formatFixed(price, 4),
        delta_fp: ((size - before) / 1_000_000).toFixed(2),
        side: side === "bid" ? "yes" : "no",
        ts_ms: now
      }
    })
  }

  const open = (venue: VenueId): ReadonlyArray<Input> => {
    const connection = `${venue}-1-${(++opened).toString(16)}`
    connections.set(venue, connection)
    const about = { venue, connection, receivedTime: now }
    const tokens = instruments[venue] ?? []
    number = venue === KALSHI ? 0 : number
    const terms = venue === KALSHI ? { noPrices: "yes", looksUpListings: false } : {}
    const dump =
      venue === KALSHI ? tokens.map(snapshot) : [JSON.stringify(tokens.map((token) => bookMessage(token, now)))]
    made += dump.length
    return [
      { _tag: "Opened", slot: `${venue}-1`, terms, ...about },
      { _tag: "Wanted", instruments: tokens.map(({ instrument }) => instrument), ...about },
      { _tag: "Frames", frames: dump.map((text) => Buffer.from(text)), ...about }
    ]
  }
  /** What becomes of a frame on the way. */
  const spoil = (frame: string): ReadonlyArray<string> => {
    if (!random.chance(trouble)) return [frame]
    switch (random.int(6)) {
      case 0:
        return []
      case 1:
        return [frame, frame]
      case 2:
        return [frame.slice(0, random.int(frame.length))]
      case 3:
        return [
          frame,
          random.pick(["null", "[]", "{}", "17", '{"type":"new"}', '{"event_type":"new"}', "\u0000", "INVALID"])
        ]
      case 4:
        return [frame.replace(/"(price|price_dollars|size|delta_fp)":"[^"]*"/, '"$1":"NaN"')]
      default:
        return ['{"__proto__":{"type":"x"},"event_type":"price_change","market":"0x"}', frame]
    }
  }

  yield* open(POLYMARKET)
  yield* open(KALSHI)
  while (made < total) {
    now += random.int(12)
    const venue = random.chance(0.5) ? POLYMARKET : KALSHI
    if (random.chance(trouble / 10)) {
      const connection = connections.get(venue)!
      yield told({ _tag: "Disconnected", venue, slot: `${venue}-1`, connection, reason: "cut", receivedTime: now })
      now += random.int(3_000)
      yield* open(venue)
      continue
    }
    if (random.chance(trouble)) {
      const token = random.pick(pairs.flat() as [Token, ...Array<Token>])
      const instrumentId = token.instrument.id
      yield { _tag: "ResyncBegun", instrumentId, receivedTime: now }
      now += random.int(80)
      const body = bookMessage(token, now)
      if (random.chance(0.2))
        yield { _tag: "ResyncFailed", instrumentId, reason: "timeout", final: false, receivedTime: now }
      else
        yield { _tag: "Answer", venue: POLYMARKET, instrumentId, of: "book", source: "rest", body, receivedTime: now }
    }
    if (venue === KALSHI && random.chance(trouble * 2)) {
      // What a resync on the socket asks for.
      const frames = singles.map((token) => Buffer.from(snapshot(token)))
      yield { _tag: "Frames", venue, connection: connections.get(venue)!, frames, receivedTime: now }
    }
    const frames: Array<string> = []
    for (let i = 0, n = 1 + random.int(20); i < n; i++) {
      const frame =
        venue === KALSHI
          ? delta(random.pick(singles as unknown as [Token, ...Array<Token>]))
          : change(random.pick(pairs as unknown as [(typeof pairs)[0], ...typeof pairs]))
      frames.push(...spoil(frame))
      made++
    }
    if (random.chance(trouble) && frames.length > 1) frames.reverse()
    const connection = connections.get(venue)!
    yield { _tag: "Frames", venue, connection, frames: frames.map((text) => Buffer.from(text)), receivedTime: now }
    while (now - swept >= 100) yield { _tag: "Swept", receivedTime: (swept += 100) }
  }
}
