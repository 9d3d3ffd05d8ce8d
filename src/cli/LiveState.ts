/** What the live view shows, from one frame to the next: rates, ranks, and the way of each price. */
import type { InstrumentId, Market } from "../domain/Market.ts"
import type { BookStatus } from "../domain/MarketEvent.ts"
import { formatDecimal, type Price, type Size } from "../domain/Money.ts"
import type { BookKeeper } from "../Parallax.ts"
import type { Activity, BookActivity } from "./Activity.ts"
import type { LogEntry } from "./LogPane.ts"
import * as Meter from "./Meter.ts"
import type { Observation } from "./Observer.ts"

export interface FeedRow {
  readonly slot: string
  readonly connection: string
  readonly state: Observation["connections"][number]["state"]
  readonly reason: string
  readonly subscribed: number
  /** Messages a second. */
  readonly rate: number
  /** Milliseconds since data came; `null` when none has. */
  readonly age: number | null
}

export interface Quote {
  readonly price: Price
  readonly size: Size
  /** Whether the price changed just now. */
  readonly fresh: boolean
}

/** One market, shown by the book of its first outcome. */
export interface BookRow {
  readonly venue: string
  readonly question: string
  readonly outcome: string
  readonly bid: Quote | null
  readonly ask: Quote | null
  readonly lastTrade: BookActivity["lastTrade"]
  /** Digits after the point on this market's grid. */
  readonly decimals: number
  /** Updates a second. */
  readonly rate: number
  readonly status: BookStatus
  readonly verifiedBy: BookKeeper.BookView["verifiedBy"]
  /** The middle of the book over time in millionths, the latest last. */
  readonly trail: ReadonlyArray<number>
}

export interface LiveState {
  readonly observation: Observation
  readonly feeds: ReadonlyArray<FeedRow>
  /** Every market, the busiest first. */
  readonly books: ReadonlyArray<BookRow>
  readonly updateRate: number
  readonly rowRate: number
  readonly log: ReadonlyArray<LogEntry>
}

export interface Sources {
  readonly markets: () => ReadonlyArray<Market>
  readonly view: (
    id: InstrumentId,
    limit: number
  ) => Pick<BookKeeper.BookView, "bids" | "asks" | "status" | "verifiedBy"> | undefined
  readonly activity: Activity
  readonly log: () => ReadonlyArray<LogEntry>
}

/** How long rates look back: those of the whole, and those of single books, which are few and far between. */
const WINDOW = 3_000
const BOOK_WINDOW = 10_000
/** How long the order of the books stands still, so that it can be read. */
const RANK_EVERY = 2_000
/** The points of a trail. */
export const TRAIL = 12
const TRAIL_EVERY = 5_000
const FRESH = 700

interface Seen {
  bid: number
  ask: number
  bidAt: number
  askAt: number
  trail: Array<number>
  trailAt: number
}

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)

const decimalsOf = (millionths: number): number => formatDecimal(millionths).split(".")[1]?.length ?? 0

export const make = (sources: Sources): ((observation: Observation) => LiveState) => {
  const updates = Meter.make(WINDOW)
  const rows = Meter.make(WINDOW)
  const slots = Meter.family(WINDOW)
  const bookRates = Meter.family(BOOK_WINDOW)
  const seen = new Map<InstrumentId, Seen>()
  let ranks = new Map<InstrumentId, number>()
  let rankedAt = Number.NEGATIVE_INFINITY

  const feedRow = (time: number, info: Observation["connections"][number]): FeedRow => ({
    slot: info.slot,
    connection: info.connection,
    state: info.state,
    reason: info.reason,
    subscribed: info.subscribed,
    rate: slots.read(info.slot, time, sum(info.messages)),
    age: info.lastDataTime === null ? null : Math.max(0, time - info.lastDataTime)
  })

  const follow = (id: InstrumentId, bid: number, ask: number, time: number): Seen => {
    let one = seen.get(id)
    if (one === undefined) {
      one = { bid, ask, bidAt: -FRESH, askAt: -FRESH, trail: [], trailAt: Number.NEGATIVE_INFINITY }
      seen.set(id, one)
    }
    if (one.bid !== bid) one.bidAt = time
    if (one.ask !== ask) one.askAt = time
    one.bid = bid
    one.ask = ask
    if (bid < 0 || ask < 0) return one
    const middle = (bid + ask) / 2
    if (time - one.trailAt >= TRAIL_EVERY) {
      one.trailAt = time
      one.trail = [...one.trail.slice(1 - TRAIL), middle]
    } else one.trail[one.trail.length - 1] = middle
    return one
  }

  const bookRow = (time: number, market: Market): readonly [InstrumentId, BookRow] | undefined => {
    const outcome = market.outcomes[0]
    const view = outcome === undefined ? undefined : sources.view(outcome.instrumentId, 1)
    if (outcome === undefined || view === undefined) return undefined
    const id = outcome.instrumentId
    const [bid] = view.bids
    const [ask] = view.asks
    const { askAt, bidAt, trail } = follow(id, bid?.price ?? -1, ask?.price ?? -1, time)
    const activity = sources.activity.book(id)
    const prices = [market.tickSize ?? 0, bid?.price ?? 0, ask?.price ?? 0, activity?.lastTrade?.price ?? 0]
    return [
      id,
      {
        venue: market.venue,
        question: market.question,
        outcome: outcome.name,
        bid: bid === undefined ? null : { ...bid, fresh: time - bidAt < FRESH },
        ask: ask === undefined ? null : { ...ask, fresh: time - askAt < FRESH },
        lastTrade: activity?.lastTrade ?? null,
        decimals: Math.max(...prices.map(decimalsOf)),
        rate: bookRates.read(id, time, activity?.updates ?? 0),
        status: view.status,
        verifiedBy: view.verifiedBy,
        trail
      }
    ]
  }

  const rank = (time: number, books: ReadonlyArray<readonly [InstrumentId, BookRow]>): void => {
    if (time - rankedAt < RANK_EVERY) return
    rankedAt = time
    ranks = new Map([...books].sort(([, a], [, b]) => b.rate - a.rate).map(([id], index) => [id, index]))
    const ids = new Set<string>(ranks.keys())
    bookRates.keep(ids)
    for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id)
  }

  return (observation) => {
    const { time } = observation
    const books = sources
      .markets()
      .map((market) => bookRow(time, market))
      .filter((book) => book !== undefined)
    rank(time, books)
    const place = (id: InstrumentId): number => ranks.get(id) ?? ranks.size
    return {
      observation,
      feeds: observation.connections.map((info) => feedRow(time, info)),
      books: books.sort(([a], [b]) => place(a) - place(b)).map(([, row]) => row),
      updateRate: updates(time, observation.updates),
      rowRate: rows(time, sum(observation.writer.stored)),
      log: sources.log()
    }
  }
}
