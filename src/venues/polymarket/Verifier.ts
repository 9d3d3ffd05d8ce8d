/**
 * Judges Polymarket books by the hash that comes with every book and every change (Polymarket reference §5.3).
 *
 * Two rules of the venue make a mismatch innocent for a while. One operation that changes several levels sends one
 * frame for each, all with the hash of the state after the last. And the hash covers the market's last trade price,
 * which is announced some 40 ms after the book that already contains the trade (§5.2).
 */
import type { InstrumentId } from "../../domain/Market.ts"
import type { BookChange, BookSnapshot, FeedEvent, Trade } from "../../domain/MarketEvent.ts"
import { complement, formatDecimal, formatFixed, type Price } from "../../domain/Money.ts"
import { bestPrice, type OrderBook } from "../../domain/OrderBook.ts"
import type { BookVerifier, Verdict } from "../Venue.ts"
import { digest, type HashContext, preimage, type Recipe } from "./BookHash.ts"

/** What a snapshot says besides its levels; `null` where the frame left it out. */
export interface SnapshotProof {
  readonly market: string
  readonly assetId: string
  readonly tickSize: string | null
  readonly lastTradePrice: string | null
  /** Alternatives, likeliest first: the socket does not print it, and metadata may be out of date. */
  readonly minOrderSizes: ReadonlyArray<string>
  readonly negRisks: ReadonlyArray<boolean>
  readonly version: string | null
}

interface Pending {
  readonly hash: string
  readonly time: number
  readonly since: number
  /** `trade`: the last trade price is not known yet. `tie`: the change shares the snapshot's millisecond. */
  readonly kind: "batch" | "tie" | "trade"
}

export interface MarketState {
  lastTrade: string
  /** Other prices that the last trade may have had, by what was seen of it. */
  guesses: ReadonlyArray<string>
  readonly tokens: Map<InstrumentId, TokenState>
}

export interface TokenState {
  context: HashContext
  recipe: Recipe
  book: OrderBook
  snapshotTime: number
  time: number
  bestBid: Price | -1
  bestAsk: Price | -1
  pending: Pending | undefined
  /** The other token's book of a trade that this token has not told of: of which time, and since when it is due. */
  owed: { readonly time: number; readonly since: number } | undefined
  readonly market: MarketState
}

/** Frames of one operation follow each other within a few milliseconds (captured: 4 ms for eight). */
const BATCH_GRACE = 250
/** The last trade price follows its book by 34–39 ms (captured); a slow network adds to it. */
const TRADE_GRACE = 2_000

/** Prices of recent trades that are tried when a hash does not match. */
const MAX_GUESSES = 8

/** A last trade price as the venue prints it: three decimals, more only where the price needs them (§2.3). */
const lexeme = (price: Price): string => formatFixed(price, 3)

const unique = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(texts)]

/** What a verifier remembers: plain data, kept in place, with the books that it judges. */
export interface Memory {
  readonly markets: Map<string, MarketState>
  readonly tokens: Map<InstrumentId, TokenState>
  readonly pendingTokens: Map<InstrumentId, TokenState>
  readonly owingTokens: Map<InstrumentId, TokenState>
}

export const memory = (): Memory => ({
  markets: new Map(),
  tokens: new Map(),
  pendingTokens: new Map(),
  owingTokens: new Map()
})

export const make = ({ markets, owingTokens, pendingTokens, tokens }: Memory = memory()): BookVerifier => {
  const marketOf = (id: string): MarketState => {
    let market = markets.get(id)
    if (market === undefined) {
      market = { lastTrade: "", guesses: [], tokens: new Map() }
      markets.set(id, market)
    }
    return market
  }

  const settle = (id: InstrumentId, token: TokenState, pending: Pending | undefined): void => {
    token.pending = pending
    if (pending === undefined) pendingTokens.delete(id)
    else pendingTokens.set(id, token)
  }

  /** Whether some candidate for the last trade price reproduces the hash; the one that does becomes the market's. */
  const reproduces = (token: TokenState, hash: string, time: number, more: ReadonlyArray<string> = []): boolean => {
    const { market } = token
    const text = preimage(token.recipe, token.context, time, token.book)
    for (const candidate of unique([market.lastTrade, ...market.guesses, ...more])) {
      if (digest(token.recipe, token.context, text, candidate) === hash) {
        if (candidate !== market.lastTrade) {
          // The other token may be told of the time before the trade yet.
          market.guesses = unique([market.lastTrade, ...market.guesses]).slice(0, MAX_GUESSES)
          market.lastTrade = candidate
        }
        return true
      }
    }
    return false
  }

  /** A trade changes the books of both tokens, so that the other one has to follow. */
  const expectOthers = (token: TokenState, time: number, now: number): void => {
    for (const [id, other] of token.market.tokens) {
      if (other === token || other.time >= time) continue
      other.owed = { time, since: other.owed?.since ?? now }
      owingTokens.set(id, other)
    }
  }

  const remember = (id: InstrumentId, token: TokenState, time: number): void => {
    token.time = time
    if (token.owed !== undefined && time >= token.owed.time) {
      token.owed = undefined
      owingTokens.delete(id)
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
          token.context = { ...token.context, minOrderSize, negRisk }
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
      const context = { market: proof.market, assetId: proof.assetId, minOrderSize: "", tickSize: "", negRisk: false }
      token = {
        context: { ...context, version: null },
        recipe: "unknown",
        book,
        snapshotTime: 0,
        time: 0,
        bestBid: -1,
        bestAsk: -1,
        pending: undefined,
        owed: undefined,
        market
      }
      tokens.set(event.instrumentId, token)
      market.tokens.set(event.instrumentId, token)
    }
    token.book = book
    token.snapshotTime = event.venueTime
    token.context = {
      ...token.context,
      tickSize: proof.tickSize ?? token.context.tickSize,
      version: proof.version ?? token.context.version
    }
    settle(event.instrumentId, token, undefined)

    if (proof.lastTradePrice === null && known) {
      const guesses = tradedPrices(token)
      remember(event.instrumentId, token, event.venueTime)
      expectOthers(token, event.venueTime, event.receivedTime)
      if (reproduces(token, event.hash, event.venueTime, guesses)) return "verified"
      settle(event.instrumentId, token, {
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
    remember(event.instrumentId, token, event.venueTime)
    return recognise(event, proof, token) ? "verified" : "unverifiable"
  }

  const checkChange = (event: BookChange): Verdict => {
    const token = tokens.get(event.instrumentId)
    if (token === undefined || event.hash === null || token.recipe === "unknown") return "unverifiable"
    const { hash, venueTime: time, receivedTime } = event
    remember(event.instrumentId, token, time)
    if (reproduces(token, hash, time)) {
      settle(event.instrumentId, token, undefined)
      return "verified"
    }
    const before = token.pending
    if (before?.kind === "trade") {
      settle(event.instrumentId, token, { ...before, hash, time })
      return "pending"
    }
    const sameRun = before !== undefined && before.hash === hash && before.time === time
    // A change in the snapshot's own millisecond may be one that the snapshot contains already (the frames that follow
    // bring the state back to it), so its hash proves nothing until the clock moves on.
    const tied = time === token.snapshotTime
    if (before !== undefined && !sameRun && before.kind === "batch" && !tied) {
      settle(event.instrumentId, token, undefined)
      return "mismatch"
    }
    const since = sameRun || (tied && before?.kind === "tie") ? before!.since : receivedTime
    settle(event.instrumentId, token, { hash, time, since, kind: tied ? "tie" : "batch" })
    return "pending"
  }

  const noteTrade = (event: Trade): void => {
    const market = tokens.get(event.instrumentId)?.market
    if (market === undefined) return
    // One order that sweeps several levels prints a trade for each; the hash holds the price of one of them.
    const printed = [lexeme(event.price), lexeme(complement(event.price))]
    market.guesses = unique([...printed, ...market.guesses]).slice(0, MAX_GUESSES)
    for (const [id, token] of market.tokens) {
      const { pending } = token
      if (pending !== undefined && reproduces(token, pending.hash, pending.time)) settle(id, token, undefined)
    }
  }

  return {
    check: (event: FeedEvent, book: OrderBook): Verdict => {
      switch (event._tag) {
        case "BookSnapshot":
          return checkSnapshot(event, book)
        case "BookChange":
          return checkChange(event)
        case "Trade":
          noteTrade(event)
          return "unverifiable"
        case "TickSizeChange": {
          const token = tokens.get(event.instrumentId)
          if (token !== undefined) token.context = { ...token.context, tickSize: formatDecimal(event.tickSize) }
          return "unverifiable"
        }
        default:
          return "unverifiable"
      }
    },
    expire: (now) => {
      const unproven: Array<{ instrumentId: InstrumentId; why: string }> = []
      for (const [instrumentId, token] of pendingTokens) {
        const { hash, kind, since, time } = token.pending!
        if (now - since < (kind === "trade" ? TRADE_GRACE : BATCH_GRACE)) continue
        if (!reproduces(token, hash, time)) {
          unproven.push({ instrumentId, why: `the book does not hash to ${hash.slice(0, 8)}… as the venue says` })
        }
        settle(instrumentId, token, undefined)
      }
      for (const [instrumentId, token] of owingTokens) {
        if (now - token.owed!.since < TRADE_GRACE) continue
        token.owed = undefined
        owingTokens.delete(instrumentId)
        unproven.push({ instrumentId, why: "a trade changed the market and no new book came" })
      }
      return unproven
    },
    forget: (instrumentId) => {
      const token = tokens.get(instrumentId)
      if (token === undefined) return
      tokens.delete(instrumentId)
      pendingTokens.delete(instrumentId)
      owingTokens.delete(instrumentId)
      token.market.tokens.delete(instrumentId)
      if (token.market.tokens.size === 0) markets.delete(token.context.market)
    }
  }
}
