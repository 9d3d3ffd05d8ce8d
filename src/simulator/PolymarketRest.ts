/** The CLOB's public REST endpoints (venue reference, Polymarket §2.1 to §2.3). */
import * as Book from "./PolymarketBook.ts"
import { type BookState, restBook } from "./PolymarketFrames.ts"
import type { Catalogue, MarketView } from "./PolymarketMarket.ts"
import { type Reply, type Request, failure, json, text } from "./Rest.ts"
import { type OutcomeIndex } from "./MatchingBook.ts"
import { SCALE, parseDecimal } from "../domain/Money.ts"

const NO_BOOK = "No orderbook exists for the requested token id"
const PAGE = 100
const END = "LTE="
const MOST_BOOKS = 500

const cursorOf = (offset: number): string => Buffer.from(String(offset)).toString("base64")

/** The row that a cursor stands for; `undefined` when it is not one. */
const offsetOf = (cursor: string): number | undefined => {
  const decoded = Buffer.from(cursor, "base64").toString("latin1")
  return /^-?\d{1,9}$/.test(decoded) && cursorOf(Number(decoded)) === cursor ? Number(decoded) : undefined
}

const iso = (time: number): string => new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z")

const tokenPrice = (market: MarketView, outcome: OutcomeIndex): number => {
  const winner = market.winner()
  if (winner !== null) return winner === outcome ? 1 : 0
  const { ask, bid } = market.quotes()
  const yes = bid === undefined && ask === undefined ? 0.5 : ((bid ?? 0) + (ask ?? 1)) / 2
  const price = outcome === 0 ? yes : 1 - yes
  return Math.round(price * 1_000_000) / 1_000_000
}

/** The long form of `/markets`, `/sampling-markets` and `/markets/{condition id}`. */
const longMarket = (market: MarketView) => {
  const { info } = market
  const open = market.open()
  const winner = market.winner()
  return {
    enable_order_book: open,
    active: true,
    closed: !open,
    archived: false,
    accepting_orders: open,
    accepting_order_timestamp: iso(info.listedAt),
    minimum_order_size: Number(info.minOrderSize),
    minimum_tick_size: Number(market.tickSize()),
    condition_id: info.condition,
    question_id: info.questionId,
    question: info.question,
    description: info.description,
    market_slug: info.slug,
    end_date_iso: iso(info.endsAt),
    game_start_time: null,
    seconds_delay: 0,
    fpmm: "",
    maker_base_fee: 0,
    taker_base_fee: 0,
    notifications_enabled: true,
    neg_risk: info.negRisk,
    neg_risk_market_id: info.negRiskMarketId,
    neg_risk_request_id: info.negRisk ? info.questionId : "",
    icon: "",
    image: "",
    rewards: { rates: null, min_size: 50, max_spread: 4.5 },
    is_50_50_outcome: false,
    tokens: info.outcomes.map((outcome, index) => ({
      token_id: info.tokens[index as OutcomeIndex],
      outcome,
      price: tokenPrice(market, index as OutcomeIndex),
      winner: winner === index
    })),
    tags: [...info.tags.map((tag) => tag.label), "All"]
  }
}

/** The short form of `/clob-markets/{condition id}`: what is false or absent is left out. */
const compactMarket = (market: MarketView) => {
  const { info } = market
  return {
    r: { mi: 50, ma: 4.5, moas: 30 },
    t: info.outcomes.map((outcome, index) => ({ t: info.tokens[index as OutcomeIndex], o: outcome })),
    c: info.condition,
    mos: Number(info.minOrderSize),
    mts: Number(market.tickSize()),
    ...(info.negRisk ? { nr: true } : {}),
    mbf: 1000,
    tbf: 1000,
    ao: market.open(),
    aot: iso(info.listedAt),
    fd: { r: 0.04, e: 1, to: true },
    v: info.version
  }
}

const page = (markets: ReadonlyArray<MarketView>, cursor: string): Reply => {
  const offset = cursor === "" ? 0 : offsetOf(cursor)
  if (offset === undefined) return failure(400, "invalid next_cursor")
  const rows = offset < 0 ? [] : markets.slice(offset, offset + PAGE)
  const next = offset + PAGE
  return json(200, {
    data: rows.map(longMarket),
    next_cursor: offset < 0 || next >= markets.length ? END : cursorOf(next),
    limit: PAGE,
    count: rows.length
  })
}

const isToken = (token: string): boolean => /^\d{1,78}$/.test(token)

const spreadOf = (state: BookState): { readonly bid: number; readonly ask: number } => {
  const best = (levels: string) => {
    const last = /"price":"([\d.]+)"[^{]*$/.exec(levels)?.[1]
    return last === undefined ? -1 : parseDecimal(last)
  }
  return { bid: best(state.bids), ask: best(state.asks) }
}

/** Endpoints that answer for one token's book. */
const byToken = (catalogue: Catalogue, request: Request): Reply => {
  const token = request.query.get("token_id") ?? ""
  if (!isToken(token)) return failure(400, "Invalid token id")
  const found = catalogue.byToken(token)
  const state = found?.market.book(found.outcome)
  if (found === undefined || state === undefined) return failure(404, NO_BOOK)
  const { ask, bid } = spreadOf(state)
  switch (request.path) {
    case "/book":
      return text(`${restBook(state)}\n`)
    case "/tick-size":
      return json(200, { minimum_tick_size: Number(state.tickSize) })
    case "/neg-risk":
      return json(200, { neg_risk: state.negRisk })
    case "/fee-rate":
      return json(200, { base_fee: 1000 })
    case "/midpoint":
      return json(200, { mid: bid === -1 || ask === -1 ? "0.5" : Book.priceLexeme(Math.round((bid + ask) / 2)) })
    case "/spread":
      return json(200, { spread: bid === -1 || ask === -1 ? "0" : Book.priceLexeme(ask - bid) })
    case "/price": {
      const side = request.query.get("side")?.toUpperCase()
      if (side !== "BUY" && side !== "SELL") return failure(400, "Invalid side")
      return json(200, { price: Book.priceLexeme(Math.max(0, side === "BUY" ? bid : ask)) })
    }
    default: {
      const last = found.market.lastTrade()
      if (last === undefined) return json(200, { price: "0.5", side: "" })
      const same = last.outcome === found.outcome
      const price = Math.round((same ? last.price : 1 - last.price) * SCALE)
      const side = same ? last.side : last.side === "BUY" ? "SELL" : "BUY"
      return json(200, { price: Book.priceLexeme(price), side })
    }
  }
}

const tokenEndpoints = new Set([
  "/book",
  "/tick-size",
  "/neg-risk",
  "/fee-rate",
  "/midpoint",
  "/spread",
  "/price",
  "/last-trade-price"
])

const books = (catalogue: Catalogue, body: string): Reply => {
  let wanted: unknown
  try {
    wanted = JSON.parse(body)
  } catch {
    return failure(400, "Invalid payload")
  }
  if (!Array.isArray(wanted)) return failure(400, "Invalid payload")
  if (wanted.length > MOST_BOOKS) return failure(400, "Payload exceeds the limit")
  const states: Array<string> = []
  for (const entry of wanted as ReadonlyArray<unknown>) {
    const token = typeof entry === "object" && entry !== null && "token_id" in entry ? entry.token_id : undefined
    if (typeof token !== "string") return failure(400, "Invalid payload")
    const found = catalogue.byToken(token)
    const state = found?.market.book(found.outcome)
    if (state !== undefined) states.push(restBook(state))
  }
  return text(`[${states.join(",")}]\n`)
}

/** What the CLOB answers. */
export const answer = (catalogue: Catalogue, request: Request, now: number): Reply => {
  const { method, path, query } = request
  if (method === "POST") return path === "/books" ? books(catalogue, request.body) : failure(404, "not found")
  if (method !== "GET") return failure(405, "method not allowed")
  if (tokenEndpoints.has(path)) return byToken(catalogue, request)
  switch (path) {
    case "/":
    case "/ok":
      return json(200, "OK")
    case "/time":
      return json(200, Math.floor(now / 1000))
    case "/version":
      return json(200, { version: 2 })
    case "/markets":
      return page([...catalogue.markets()], query.get("next_cursor") ?? "")
    case "/sampling-markets":
      return page(
        [...catalogue.markets()].filter((market) => market.open()),
        query.get("next_cursor") ?? ""
      )
  }
  const [, list, id = "", ...deeper] = path.split("/")
  if (deeper.length > 0) return failure(404, "not found")
  if (list === "markets" || list === "clob-markets") {
    const market = catalogue.byCondition(id)
    if (market === undefined) return failure(404, "market not found")
    return json(200, list === "markets" ? longMarket(market) : compactMarket(market))
  }
  if (list === "markets-by-token") {
    const found = catalogue.byToken(id)
    if (found === undefined) return failure(404, "market not found")
    const [primary, secondary] = found.market.info.tokens
    return json(200, {
      condition_id: found.market.info.condition,
      primary_token_id: primary,
      secondary_token_id: secondary
    })
  }
  return failure(404, "not found")
}
