/** States of a collector, made up. */
import type { BookRow, FeedRow, LiveState } from "../../src/cli/LiveState.ts"
import type { Observation } from "../../src/cli/Observer.ts"
import { instrumentId, type Market, marketId, VenueId } from "../../src/domain/Market.ts"
import { Price, Size } from "../../src/domain/Money.ts"

export const venue = VenueId.make("polymarket")

export const market = (token: string, question = `Question ${token}?`): Market => ({
  id: marketId(venue, `m${token}`),
  venue,
  venueMarketId: `m${token}`,
  slug: `slug-${token}`,
  question,
  category: null,
  tags: [],
  status: "open",
  outcomes: [
    { instrumentId: instrumentId(venue, token), venueInstrumentId: token, name: "Yes", winner: null },
    { instrumentId: instrumentId(venue, `${token}n`), venueInstrumentId: `${token}n`, name: "No", winner: null }
  ],
  tickSize: Price(10_000),
  priceBands: null,
  minOrderSize: null,
  negRisk: false,
  liquidity: null,
  volume24h: null,
  protocol: null,
  endTime: null
})

export const observation = (changes: Partial<Observation> = {}): Observation => ({
  time: 1_800_000_020_000,
  elapsed: 20_000,
  connections: [
    {
      venue,
      slot: "polymarket-1",
      connection: "polymarket-1-abcdef",
      state: "connected",
      since: 1_800_000_000_000,
      breaker: { name: "polymarket feed", state: "closed", since: 0, nextAttempt: null, lastFailure: "" },
      attempts: 0,
      reason: "",
      subscribed: 120,
      frames: 6012,
      bytes: 9_400_000,
      lastDataTime: 1_800_000_019_900,
      messages: { price_change: 5800, book: 120, last_trade_price: 92 },
      errors: {}
    }
  ],
  opened: 1,
  drops: 0,
  gaps: 0,
  updates: 6012,
  markets: 60,
  books: { live: 120, stale: 0, suspect: 0, resyncing: 0 },
  counters: {
    applied: 5800,
    snapshots: 120,
    verified: 7070,
    mismatches: 0,
    unverifiable: 3,
    checkedByDigest: 0,
    checkedLater: 0,
    checkedByQuotes: 0,
    unchecked: 0,
    duplicates: 0,
    outdated: 0,
    early: 0,
    foreign: 0,
    resyncs: 0,
    quarantines: 0
  },
  writer: {
    mode: "live",
    position: null,
    lag: 0,
    stored: { book_snapshots: 120, book_changes: 31_000, trades: 92, best_quotes: 21, feed_events: 1 },
    buffered: 0,
    batches: 0,
    lost: 0,
    lastFlush: null,
    error: null,
    errorLasts: false
  },
  database: { driver: "embedded", where: "data/db", state: "up", since: 1_800_000_000_000, error: null },
  memory: 180_000_000,
  peakMemory: 190_000_000,
  ...changes
})

export const feedRow = (changes: Partial<FeedRow> = {}): FeedRow => ({
  slot: "polymarket-1",
  connection: "polymarket-1-abcdef",
  state: "connected",
  reason: "",
  subscribed: 120,
  rate: 412.3,
  age: 80,
  ...changes
})

export const bookRow = (changes: Partial<BookRow> = {}): BookRow => ({
  venue: "polymarket",
  question: "Will it rain in Paris?",
  outcome: "Yes",
  bid: { price: Price(410_000), size: Size(1_203_000_000), fresh: false },
  ask: { price: Price(420_000), size: Size(2_500_000), fresh: true },
  lastTrade: { price: Price(420_000), takerSide: "buy" },
  decimals: 2,
  rate: 12.34,
  status: "live",
  verifiedBy: "digest",
  trail: [400_000, 405_000, 415_000],
  ...changes
})

export const liveState = (changes: Partial<LiveState> = {}): LiveState => ({
  observation: observation(),
  feeds: [feedRow()],
  books: [bookRow()],
  updateRate: 300,
  rowRate: 500,
  log: [],
  ...changes
})
