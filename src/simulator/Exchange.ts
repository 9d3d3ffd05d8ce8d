/**
 * A seeded exchange that knows no venue: binary markets with fair values that move, makers and takers, and real
 * matching. Venue servers translate its operations into their own protocols.
 *
 * Synchronous; time is what the caller says it is, so the same seed and the same times give the same operations.
 * Prices and sizes are millionths (`Money.ts`), times milliseconds since the epoch.
 */
import { SCALE, type Size } from "../domain/Money.ts"
import * as FairValue from "./FairValue.ts"
import * as Listings from "./Listings.ts"
import type { Listing } from "./Listings.ts"
import * as MatchingBook from "./MatchingBook.ts"
import type { OutcomeIndex } from "./MatchingBook.ts"
import type { ExchangeMarket, Operation } from "./Operation.ts"
import { cancel, submit } from "./Orders.ts"
import * as PriceRules from "./PriceRules.ts"
import * as Prng from "./Prng.ts"
import * as Roulette from "./Roulette.ts"
import * as Traders from "./Traders.ts"

export interface ExchangeOptions {
  readonly seed: number
  /** Open markets; one that resolves is replaced by a new one. */
  readonly markets: number
  /** Operations a second over all markets. */
  readonly rate: number
  /** Milliseconds from one resolution to the next; 0 for none. */
  readonly turnover: number
  /** When trading opened. */
  readonly now: number
  /** Exchanges that share a seed ask the same questions and price them alike; their orders differ by this name. */
  readonly venue?: string
  /** How late, in milliseconds, and how wrong, in log-odds, its traders see the fair values: see {@link FairValue.Vision}. */
  readonly lagMs?: number
  readonly noise?: number
  readonly rules?: PriceRules.PriceRules
}

export interface Exchange {
  /** Open markets in the order of listing. */
  readonly markets: ReadonlyArray<ExchangeMarket>
  /** Everything that happens from the last step up to `now`. */
  readonly step: (now: number) => ReadonlyArray<Operation>
  /** An order from outside. */
  readonly submit: typeof submit
  readonly cancel: typeof cancel
  readonly resolve: (market: ExchangeMarket, winner: OutcomeIndex, now: number) => ReadonlyArray<Operation>
  /** Nobody trades on the market until it is resumed. */
  readonly halt: (market: ExchangeMarket) => void
  /** Cancels what rested through the halt and lets trading go on. */
  readonly resume: (market: ExchangeMarket, now: number) => ReadonlyArray<Operation>
}

/** How long a step may reach back, so that a paused process does not wake to a flood. */
const LONGEST_STEP = 250
/** Decisions in one step on a market that has just been listed. */
const ARRIVALS = 4

interface Desk {
  readonly market: ExchangeMarket
  readonly trading: Traders.Trading
  readonly fairValue: FairValue.FairValue
  /** When the market was listed by the exchange's timetable, which is the same for all exchanges of a seed. */
  readonly since: number
  /** How busy the market is, in relation to others. */
  readonly weight: number
  halted: boolean
}

export const make = (options: ExchangeOptions): Exchange => {
  const { lagMs = 0, noise = 0, rules = PriceRules.uniform, seed, venue = "" } = options
  const source = Listings.make(seed)
  const prng = Prng.make(seed, `${venue}exchange`)
  const roulette = Roulette.make(prng)
  const desks: Array<Desk> = []
  const markets: Array<ExchangeMarket> = []
  const waiting: Array<Listing> = []
  /** Listed a moment ago: makers are still coming in. */
  let filling: Array<Desk> = []
  let steppedAt = options.now
  let turnedAt = options.now
  let owed = 0

  const open = (since: number): Desk => {
    if (waiting.length === 0) waiting.push(...source.next(since))
    const listing = waiting.shift()!
    const own = Prng.make(seed, `${venue}market ${listing.serial}`)
    const market: ExchangeMarket = {
      listing,
      matching: MatchingBook.make(),
      volume: Math.round(own.exponential() * 200_000) * SCALE,
      tick: rules.tick(listing, own),
      minOrderSize: (5 * SCALE) as Size,
      status: "open",
      winner: null
    }
    const trading = Traders.make(own, listing, since)
    const fairValue = FairValue.make(seed, listing, since, { venue, lagMs, noise })
    const desk: Desk = { market, trading, fairValue, since, weight: 0.2 + own.exponential() ** 2, halted: false }
    desks.push(desk)
    markets.push(market)
    return desk
  }

  const weigh = () => roulette.weigh(desks.map((desk) => desk.weight))

  const act = (desk: Desk, now: number): ReadonlyArray<Operation> => {
    const { market, trading } = desk
    if (desk.halted) return []
    trading.logit = desk.fairValue.at(now)
    const decision = Traders.decide(trading, market.matching, market.tick)
    if (decision === undefined) return []
    if (decision._tag === "Cancel") return cancel(market, decision.orders, now)
    const request = PriceRules.conform(rules, market, decision.request)
    return request === undefined ? [] : submit(market, request, decision._tag === "Rest", now)
  }

  /** `since` is the time by the timetable of what happens at `now`. */
  const replace = (market: ExchangeMarket, winner: OutcomeIndex, now: number, since: number) => {
    const index = markets.indexOf(market)
    if (index === -1) return []
    markets.splice(index, 1)
    desks.splice(index, 1)
    for (const order of market.matching.orders.slice()) MatchingBook.cancel(market.matching, order)
    market.status = "resolved"
    market.winner = winner
    const desk = open(since)
    filling.push(desk)
    weigh()
    const operations: ReadonlyArray<Operation> = [
      { _tag: "Resolved", market, time: now, winner },
      { _tag: "Listed", market: desk.market, time: now }
    ]
    return operations
  }

  const resolve: Exchange["resolve"] = (market, winner, now) => replace(market, winner, now, now)

  /** By timetable and lot, so that exchanges of one seed settle the same questions alike and at the same time. */
  const turnOver = (now: number): ReadonlyArray<Operation> => {
    const { turnover } = options
    if (turnover === 0 || now - turnedAt < turnover) return []
    turnedAt += Math.floor((now - turnedAt) / turnover) * turnover
    const turn = (turnedAt - options.now) / turnover
    const lots = desks.map((desk) => {
      const { endsAt, serial } = desk.market.listing
      return { desk, lot: endsAt <= turnedAt ? -1 : Prng.make(seed, `turn ${turn} ${serial}`).next() }
    })
    if (lots.length === 0) return []
    const { desk } = lots.reduce((first, other) => (other.lot < first.lot ? other : first))
    const winner = FairValue.outcome(seed, desk.market.listing, desk.since, turnedAt)
    return replace(desk.market, winner, now, turnedAt)
  }

  const deskOf = (market: ExchangeMarket) => desks.find((desk) => desk.market === market)

  const halt: Exchange["halt"] = (market) => {
    const desk = deskOf(market)
    if (desk !== undefined) desk.halted = true
  }

  const resume: Exchange["resume"] = (market, now) => {
    const desk = deskOf(market)
    if (desk?.halted !== true) return []
    desk.halted = false
    filling.push(desk)
    return cancel(market, market.matching.orders.slice(), now)
  }

  const step = (now: number): ReadonlyArray<Operation> => {
    const operations: Array<Operation> = [...turnOver(now)]
    owed += (options.rate * Math.min(LONGEST_STEP, Math.max(0, now - steppedAt))) / 1000
    steppedAt = now
    // Busy moments and quiet ones: half of what is due may wait for a later step.
    const due = Math.floor(owed * (0.5 + prng.next() / 2) + prng.next() / 2)
    owed -= due
    for (let i = 0; i < due; i++) {
      const desk = desks[roulette.spin()]
      if (desk !== undefined) operations.push(...act(desk, now))
    }
    filling = filling.filter(
      (desk) => desk.market.status === "open" && desk.market.matching.orders.length < desk.trading.crowd
    )
    for (const desk of filling) for (let i = 0; i < ARRIVALS; i++) operations.push(...act(desk, now))
    return operations
  }

  while (markets.length < options.markets) {
    const { fairValue, market, trading } = open(options.now)
    trading.logit = fairValue.at(options.now)
    for (let i = 0; i < trading.crowd * 2; i++) {
      const opening = Traders.quote(trading, market.matching, market.tick, i % 2 === 0 ? "bid" : "ask")
      const request = opening?._tag === "Rest" ? PriceRules.conform(rules, market, opening.request) : undefined
      if (request !== undefined) MatchingBook.rest(market.matching, request)
    }
  }
  weigh()
  return { markets, step, submit, cancel, resolve, halt, resume }
}
