/** Market events to store, with sensible values where a test does not care. */
import { InstrumentId, type Market, MarketId, VenueId } from "../../src/domain/Market.ts"
import type {
  BestChanged,
  BookChange,
  BookSnapshot,
  BookStatusChanged,
  Connected,
  Disconnected,
  Gap,
  Trade
} from "../../src/domain/MarketEvent.ts"
import { parsePrice, parseSize, type Price, type Size } from "../../src/domain/Money.ts"
import type { Level } from "../../src/domain/OrderBook.ts"

export const venue = VenueId.make("polymarket")
export const instrument = InstrumentId.make("polymarket:111")
export const other = InstrumentId.make("polymarket:222")
export const market = MarketId.make("polymarket:0xabc")
export const connection = "polymarket-1.1"

/** 2026-09-21T14:13:20Z. */
export const epoch = 1_790_000_000_000

export const price = (text: string): Price => parsePrice(text) as Price
export const size = (text: string): Size => parseSize(text) as Size
export const level = (at: string, amount: string): Level => ({ price: price(at), size: size(amount) })

export const change = (fields: Partial<BookChange> = {}): BookChange => ({
  _tag: "BookChange",
  instrumentId: instrument,
  side: "bid",
  price: price("0.41"),
  size: size("100"),
  venueTime: epoch,
  receivedTime: epoch + 40,
  sequence: null,
  hash: null,
  bestBid: null,
  bestAsk: null,
  ...fields
})

export const snapshot = (fields: Partial<BookSnapshot> = {}): BookSnapshot => ({
  _tag: "BookSnapshot",
  instrumentId: instrument,
  bids: [level("0.4", "12.5"), level("0.41", "270")],
  asks: [level("0.43", "1363.56"), level("0.42", "0.000001")],
  venueTime: epoch,
  receivedTime: epoch + 40,
  sequence: null,
  hash: "5e0ee4e6",
  source: "socket",
  proof: undefined,
  ...fields
})

export const trade = (fields: Partial<Trade> = {}): Trade => ({
  _tag: "Trade",
  instrumentId: instrument,
  price: price("0.42"),
  size: size("5"),
  takerSide: "buy",
  venueTime: epoch,
  receivedTime: epoch + 40,
  sequence: null,
  tradeId: "0xfeed",
  ...fields
})

export const quotes = (fields: Partial<BestChanged> = {}): BestChanged => ({
  _tag: "BestChanged",
  instrumentId: instrument,
  bid: price("0.41"),
  bidSize: size("270"),
  ask: -1,
  askSize: size("0"),
  venueTime: epoch,
  receivedTime: epoch + 40,
  ...fields
})

export const status = (fields: Partial<BookStatusChanged>): BookStatusChanged => ({
  _tag: "BookStatusChanged",
  instrumentId: instrument,
  venue,
  connection,
  status: "live",
  previous: "stale",
  reason: "",
  receivedTime: epoch,
  ...fields
})

export const connected = (fields: Partial<Connected> = {}): Connected => ({
  _tag: "Connected",
  venue,
  slot: "polymarket-1",
  connection,
  receivedTime: epoch,
  ...fields
})

export const disconnected = (fields: Partial<Disconnected> = {}): Disconnected => ({
  _tag: "Disconnected",
  venue,
  slot: "polymarket-1",
  connection,
  reason: "closed: 1006",
  receivedTime: epoch,
  ...fields
})

export const gap = (fields: Partial<Gap> = {}): Gap => ({
  _tag: "Gap",
  venue,
  connection,
  instrumentId: instrument,
  from: epoch,
  to: epoch + 5000,
  reason: "closed: 1006",
  receivedTime: epoch + 5000,
  ...fields
})

/** A market with one outcome. */
export const listed = (venue: VenueId, name: string, instrumentId: InstrumentId): Market => ({
  id: MarketId.make(`${venue}:${name}`),
  venue,
  venueMarketId: name,
  slug: name,
  question: `${name}?`,
  category: null,
  tags: [],
  status: "open",
  outcomes: [{ instrumentId, venueInstrumentId: name, name: "Yes", winner: null }],
  tickSize: null,
  priceBands: null,
  minOrderSize: null,
  negRisk: false,
  liquidity: null,
  volume24h: null,
  protocol: null,
  endTime: null
})
