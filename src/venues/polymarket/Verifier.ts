/**
 * Judges Polymarket books by the hash that comes with every book and every change (Polymarket reference §5.3).
 *
 * Two rules of the venue make a mismatch innocent for a while. One operation that changes several levels sends one
 * frame for each, all with the hash of the state after the last. And the hash covers the market's last trade price,
 * which is announced some 40 ms after the book that already contains the trade (§5.2).
 *
 * A hash costs as much as the book is long, so that hashing has a budget: so many levels for each millisecond that the
 * inputs say has passed. Within it every change is judged at once. Beyond it a change of a book that nothing is held
 * against is put off (`deferred`): a sweep hashes the state that the book has by then, those that wait longest first, and
 * so many levels at a time; a book that has waited for a second is hashed with its next change in any case. Where that does
 * not reproduce the hash, every further change is judged at once, as without a budget, until it is clear what is wrong.
 * All of it depends on the inputs and their times alone: a tape gives the same verdicts.
 */
import type { InstrumentId } from "../../domain/Market.ts"
import type { BookChange, BookSnapshot, FeedEvent, Trade } from "../../domain/MarketEvent.ts"
import { complement, formatDecimal, formatFixed, type Price } from "../../domain/Money.ts"
import { bestPrice, type OrderBook } from "../../domain/OrderBook.ts"
import type { BookVerifier, Judgement, Verdict } from "../Venue.ts"
import { BookHasher, type HashContext, type Recipe } from "./BookHash.ts"
import type { SnapshotProof } from "./SnapshotProof.ts"

interface Pending {
  readonly hash: string
  readonly time: number
  readonly since: number
  /** `trade`: the last trade price is not known yet. `tie`: the change shares the snapshot's millisecond. */
  readonly kind: "batch" | "tie" | "trade"
}

/** A change whose hash is to be compared with the book at the next occasion; no older one is. */
interface Due {
  hash: string
  time: number
  /** When the first frame with this hash came. */
  since: number
  /** Since when the book has not been hashed. */
  readonly waiting: number
}

export interface MarketState {
  lastTrade: string
  /** Other prices that the last trade may have had, by what was seen of it. */
  guesses: ReadonlyArray<string>
  tokens: ReadonlyArray<TokenState>
}

export interface TokenState {
  readonly id: InstrumentId
  context: HashContext
  recipe: Recipe
  book: OrderBook
  snapshotTime: number
  time: number
  bestBid: Price | -1
  bestAsk: Price | -1
  pending: Pending | undefined
  /** Only where nothing is pending. */
  due: Due | undefined
  /** The other token's book of a trade that this token has not told of: of which time, and since when it is due. */
  owed: { readonly time: number; readonly since: number } | undefined
  readonly market: MarketState
}

/** Frames of one operation follow each other within a few milliseconds (captured: 4 ms for eight). */
const BATCH_GRACE = 250
/** The last trade price follows its book by 34–39 ms (captured); a slow network adds to it. */
const TRADE_GRACE = 2_000

/** Levels hashed at once for each millisecond: about a fortieth of the time. */
const LEVELS_PER_MILLI = 125
/** What is saved up of them. */
const MOST_LEVELS = 25_000
/** What the rest of a book costs, in levels. */
const HEAD_LEVELS = 12
/** Levels of books put off that a sweep hashes: at fifty sweeps a second as much again, a millisecond at a time. */
const SWEEP_LEVELS = 2_500
/** How long a book that keeps changing may go without being hashed. */
const LONGEST_WAIT = 1_000

/** Prices of recent trades that are tried when a hash does not match. */
const MAX_GUESSES = 8

/** A last trade price as the venue prints it: three decimals, more only where the price needs them (§2.3). */
const lexeme = (price: Price): string => formatFixed(price, 3)

/** Member by member: a spread object takes more memory, as long as the book lives. */
const contextOf = (known: HashContext, changed: Partial<HashContext>): HashContext => ({
  market: known.market,
  assetId: known.assetId,
  minOrderSize: changed.minOrderSize ?? known.minOrderSize,
  tickSize: changed.tickSize ?? known.tickSize,
  negRisk: changed.negRisk ?? known.negRisk,
  version: changed.version ?? known.version
})

const unique = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(texts)]

/** What a verifier remembers: plain data, kept in place, with the books that it judges. */
export interface Memory {
  readonly markets: Map<string, MarketState>
  readonly tokens: Map<InstrumentId, TokenState>
  readonly pendingTokens: Map<InstrumentId, TokenState>
  readonly owingTokens: Map<InstrumentId, TokenState>
  /** In the order in which they became due. */
  readonly dueTokens: Map<InstrumentId, TokenState>
  /** Levels that may be hashed at once, as of a time. */
  readonly budget: { levels: number; time: number }
}

export const memory = (): Memory => ({
  markets: new Map(),
  tokens: new Map(),
  pendingTokens: new Map(),
  owingTokens: new Map(),
  dueTokens: new Map(),
  budget: { levels: MOST_LEVELS, time: 0 }
})

export interface VerifierOptions {
  /** Levels that may be hashed at once for each millisecond. */
  readonly levelsPerMilli?: number
  /** What is saved up of them, and what a sweep may hash besides. */
  readonly mostLevels?: number
  readonly sweepLevels?: number
}

export const make = (
  { budget, dueTokens, markets, owingTokens, pendingTokens, tokens }: Memory = memory(),
  { levelsPerMilli = LEVELS_PER_MILLI, mostLevels = MOST_LEVELS, sweepLevels = SWEEP_LEVELS }: VerifierOptions = {}
): BookVerifier => {
  const hasher = new BookHasher()

  const marketOf = (id: string): MarketState => {
    let market = markets.get(id)
    if (market === undefined) {
      market = { lastTrade: "", guesses: [], tokens: [] }
      markets.set(id, market)
    }
    return market
  }

  const settle = (token: TokenState, pending: Pending | undefined): void => {
    const { id } = token
    if (token.due !== undefined) {
      token.due = undefined
      dueTokens.delete(id)
    }
    if (pending !== undefined) pendingTokens.set(id, token)
    else if (token.pending !== undefined) pendingTokens.delete(id)
    token.pending = pending
  }

  const costOf = ({ book }: TokenState): number => HEAD_LEVELS + book.bids.length + book.asks.length

  /** Takes what hashing the book costs from the budget, if there is so much. */
  const affords = (token: TokenState, now: number): boolean => {
    // Our clock may have been set back.
    const passed = Math.max(0, now - budget.time)
    budget.levels = Math.min(mostLevels, budget.levels + passed * levelsPerMilli)
    budget.time = now
    const cost = costOf(token)
    if (budget.levels < cost) return false
    budget.levels -= cost
    return true
  }

  /** Whether some candidate for the last trade price reproduces the hash; the one that does becomes the market's. */
  const reproduces = (token: TokenState, hash: string, time: number, more: ReadonlyArray<string> = []): boolean => {
    const { market } = token
    hasher.write(token.recipe, token.context, time, token.book)
    if (hasher.digest(market.lastTrade) === hash) return true
    if (market.guesses.length === 0 && more.length === 0) return false
    for (const candidate of unique([...market.guesses, ...more])) {
      if (candidate === market.lastTrade || hasher.digest(candidate) !== hash) continue
      // The other token may be told of the time before the trade yet.
      market.guesses = unique([market.lastTrade, ...market.guesses]).slice(0, MAX_GUESSES)
      market.lastTrade = candidate
      return true
    }
    return false
  }

  const kindOf = (token: TokenState, time: number): "batch" | "tie" => (time === token.snapshotTime ? "tie" : "batch")

  /** Hashes a book that was put off; whether that proves it. What it does not prove is pending from now on. */
  const catchUp = (token: TokenState, { hash, since, time }: Due): boolean => {
    const isProved = reproduces(token, hash, time)
    settle(token, isProved ? undefined : { hash, time, since, kind: kindOf(token, time) })
    return isProved
  }

  /** What was put off was hashed by the venue with what is known of the market now, and is about to change. */
  const catchUpAll = (market: MarketState, except?: TokenState): void => {
    for (const token of market.tokens) {
      if (token.due !== undefined && token !== except) catchUp(token, token.due)
    }
  }

  /** A trade changes the books of both tokens, so that the other one has to follow. */
  const expectOthers = (token: TokenState, time: number, now: number): void => {
    for (const other of token.market.tokens) {
      if (other === token || other.time >= time) continue
      other.owed = { time, since: other.owed?.since ?? now }
      owingTokens.set(other.id, other)
    }
  }

  const remember = (token: TokenState, time: number): void => {
    token.time = time
    if (token.owed !== undefined && time >= token.owed.time) {
      token.owed = undefined
      owingTokens.delete(token.id)
    }
    token.bestBid = bestPrice(token.book, "bid")
    token.bestAsk = bestPrice(token.book, "ask")
  }

  /** Prices at which a trade between two states of a book can have happened, seen from either outcome. */
  const tradedPrices = (token: TokenState): ReadonlyArray<string> =>
    [token.bestAsk, token.bestBid, bestPrice(token.book, "ask"), bestPrice(token.book, "bid")]
      .filter((price): price is Price => price !== -1)
      .flatMap((price) => [lexeme(price), lexeme(complement(price))])

  const recognise = (event: BookSnapshot, proof: SnapshotProof, token: TokenState): boolean => {
    for (const recipe of ["current", "legacy"] as const) {
      for (const minOrderSize of recipe === "current" ? proof.minOrderSizes : [""]) {
        for (const negRisk of recipe === "current" ? proof.negRisks : [false]) {
          token.recipe = recipe
          token.context = contextOf(token.context, { minOrderSize, negRisk })
          if (reproduces(token, event.hash ?? "", event.venueTime)) return true
        }
      }
    }
    token.recipe = "unknown"
    return false
  }

  const checkSnapshot = (event: BookSnapshot, book: OrderBook): Verdict => {
    const proof = event.proof as SnapshotProof | null
    if (event.hash === null || proof === null) return "unverifiable"
    const market = marketOf(proof.market)
    let token = tokens.get(event.instrumentId)
    const known = token !== undefined && token.recipe !== "unknown"
    if (token === undefined) {
      const { assetId, market: marketId } = proof
      token = {
        id: event.instrumentId,
        context: { market: marketId, assetId, minOrderSize: "", tickSize: "", negRisk: false, version: null },
        recipe: "unknown",
        book,
        snapshotTime: 0,
        time: 0,
        bestBid: -1,
        bestAsk: -1,
        pending: undefined,
        due: undefined,
        owed: undefined,
        market
      }
      tokens.set(event.instrumentId, token)
      // A list that grows by itself keeps room for more, for as long as the market lives.
      market.tokens = market.tokens.concat([token])
    }
    catchUpAll(market, token)
    token.book = book
    token.snapshotTime = event.venueTime
    token.context = contextOf(token.context, {
      tickSize: proof.tickSize ?? token.context.tickSize,
      version: proof.version ?? token.context.version
    })
    settle(token, undefined)

    if (proof.lastTradePrice === null && known) {
      const guesses = tradedPrices(token)
      remember(token, event.venueTime)
      expectOthers(token, event.venueTime, event.receivedTime)
      if (reproduces(token, event.hash, event.venueTime, guesses)) return "verified"
      settle(token, {
        hash: event.hash,
        time: event.venueTime,
        since: event.receivedTime,
        kind: "trade"
      })
      return "pending"
    }
    if (proof.lastTradePrice !== null) {
      market.lastTrade = proof.lastTradePrice
      market.guesses = []
    }
    remember(token, event.venueTime)
    return recognise(event, proof, token) ? "verified" : "unverifiable"
  }

  const checkChange = (event: BookChange, isUrgent: boolean): Verdict => {
    const token = tokens.get(event.instrumentId)
    if (token === undefined || event.hash === null || token.recipe === "unknown") return "unverifiable"
    const { hash, venueTime: time, receivedTime, instrumentId: id } = event
    remember(token, time)
    const before = token.pending
    const due = token.due
    const isSameDue = due !== undefined && due.time === time && (due.hash === hash || time === token.snapshotTime)
    const dueSince = isSameDue ? due.since : receivedTime
    const isOverdue = due !== undefined && receivedTime - due.waiting >= LONGEST_WAIT
    const isAffordable = affords(token, receivedTime)
    if (before === undefined && !isUrgent && !isAffordable && !isOverdue) {
      if (due === undefined) {
        token.due = { hash, time, since: dueSince, waiting: receivedTime }
        dueTokens.set(id, token)
      } else {
        due.hash = hash
        due.time = time
        due.since = dueSince
      }
      return "deferred"
    }
    if (reproduces(token, hash, time)) {
      settle(token, undefined)
      return "verified"
    }
    if (before?.kind === "trade") {
      settle(token, { ...before, hash, time })
      return "pending"
    }
    const sameRun = before !== undefined && before.hash === hash && before.time === time
    // A change in the snapshot's own millisecond may be one that the snapshot contains already (the frames that follow
    // bring the state back to it), so its hash proves nothing until the clock moves on.
    const kind = kindOf(token, time)
    if (before !== undefined && !sameRun && before.kind === "batch" && kind === "batch") {
      settle(token, undefined)
      return "mismatch"
    }
    const since =
      before !== undefined && (sameRun || (kind === "tie" && before.kind === "tie")) ? before.since : dueSince
    settle(token, { hash, time, since, kind })
    return "pending"
  }

  const noteTrade = (event: Trade): void => {
    const market = tokens.get(event.instrumentId)?.market
    if (market === undefined) return
    catchUpAll(market)
    // One order that sweeps several levels prints a trade for each; the hash holds the price of one of them.
    const printed = [lexeme(event.price), lexeme(complement(event.price))]
    market.guesses = unique([...printed, ...market.guesses]).slice(0, MAX_GUESSES)
    for (const token of market.tokens) {
      const { pending } = token
      if (pending !== undefined && reproduces(token, pending.hash, pending.time)) settle(token, undefined)
    }
  }

  return {
    check: (event: FeedEvent, book: OrderBook, isUrgent = false): Verdict => {
      switch (event._tag) {
        case "BookSnapshot":
          return checkSnapshot(event, book)
        case "BookChange":
          return checkChange(event, isUrgent)
        case "Trade":
          noteTrade(event)
          return "unverifiable"
        case "TickSizeChange": {
          const token = tokens.get(event.instrumentId)
          if (token !== undefined) {
            if (token.due !== undefined) catchUp(token, token.due)
            token.context = contextOf(token.context, { tickSize: formatDecimal(event.tickSize) })
          }
          return "unverifiable"
        }
        default:
          return "unverifiable"
      }
    },
    expire: (now) => {
      const judged: Array<Judgement> = []
      let levels = sweepLevels
      for (const [instrumentId, token] of dueTokens) {
        if (levels <= 0) break
        levels -= costOf(token)
        if (catchUp(token, token.due!)) judged.push({ instrumentId, why: undefined })
      }
      for (const [instrumentId, token] of pendingTokens) {
        const { hash, kind, since, time } = token.pending!
        if (now - since < (kind === "trade" ? TRADE_GRACE : BATCH_GRACE)) continue
        if (!reproduces(token, hash, time)) {
          judged.push({ instrumentId, why: `the book does not hash to ${hash.slice(0, 8)}… as the venue says` })
        }
        settle(token, undefined)
      }
      for (const [instrumentId, token] of owingTokens) {
        if (now - token.owed!.since < TRADE_GRACE) continue
        token.owed = undefined
        owingTokens.delete(instrumentId)
        judged.push({ instrumentId, why: "a trade changed the market and no new book came" })
      }
      return judged
    },
    isBehind: () => dueTokens.size > 0,
    forget: (instrumentId) => {
      const token = tokens.get(instrumentId)
      if (token === undefined) return
      tokens.delete(instrumentId)
      settle(token, undefined)
      owingTokens.delete(instrumentId)
      const { market } = token
      market.tokens = market.tokens.filter((one) => one !== token)
      if (market.tokens.length === 0) markets.delete(token.context.market)
    }
  }
}
