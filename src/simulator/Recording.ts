/**
 * Recordings of the market channel: the frames of a file in their order, and the books that follow from them.
 *
 * One frame a line, either the frame's text itself or `{"receivedAt": …, "payloadUtf8": "<frame>"}`; `PONG` lines are
 * left out. A file that is one JSON array over several lines is taken as a list of frames.
 */
import { parseDecimal } from "../domain/Money.ts"
import * as Ladder from "./Ladder.ts"
import { type BookState, bookHash, level } from "./PolymarketFrames.ts"

export interface RecordedFrame {
  readonly text: string
  /** Milliseconds since the epoch, where the recording says. */
  readonly receivedAt: number | undefined
  /** What the text says, `undefined` when it is not JSON. */
  readonly json: unknown
}

type Fields = Readonly<Record<string, unknown>>

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (fields: Fields, key: string): string | undefined => {
  const value = fields[key]
  return typeof value === "string" ? value : undefined
}

const listOf = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value.filter(isFields) : [])

const unwrap = (line: string): RecordedFrame => {
  const json = parseJson(line)
  const payload = isFields(json) ? textOf(json, "payloadUtf8") : undefined
  if (payload === undefined) return { text: line, receivedAt: undefined, json }
  const at = Date.parse(String((json as Fields)["receivedAt"]))
  return { text: payload, receivedAt: Number.isNaN(at) ? undefined : at, json: parseJson(payload) }
}

/** The frames of a file. */
export const parse = (file: string): ReadonlyArray<RecordedFrame> => {
  // Split on newlines only: texts may hold other Unicode line separators.
  const lines = file.split("\n").map((line) => line.replace(/\r$/, ""))
  const first = lines.find((line) => line.trim() !== "")
  if (first !== undefined && first !== "PONG" && parseJson(first) === undefined) {
    const whole = parseJson(file)
    if (whole !== undefined) {
      const list: ReadonlyArray<unknown> = Array.isArray(whole) ? whole : [whole]
      return list.map((json) => ({ text: JSON.stringify(json), receivedAt: undefined, json }))
    }
  }
  return lines
    .filter((line) => line.trim() !== "")
    .map(unwrap)
    .filter((frame) => frame.text !== "PONG")
}

/** The events in a frame: dumps hold several. */
export const eventsOf = (frame: RecordedFrame): ReadonlyArray<Fields> =>
  Array.isArray(frame.json) ? listOf(frame.json) : isFields(frame.json) ? [frame.json] : []

/** The changes of a `price_change`, of the present form and of the two that were before September 2025. */
const changesOf = (event: Fields): ReadonlyArray<Fields> => {
  const { changes, price_changes: present } = event
  if (Array.isArray(present)) return listOf(present)
  const asset = { asset_id: event["asset_id"], hash: event["hash"] }
  return Array.isArray(changes) ? listOf(changes).map((change) => ({ ...asset, ...change })) : [event]
}

/** Every token that an event names. */
export const assetsOf = (event: Fields): ReadonlyArray<string> => {
  const named = changesOf(event).map((change) => textOf(change, "asset_id"))
  return named.filter((asset) => asset !== undefined)
}

/** Everything that changes with the frames about one token. */
interface TokenState {
  readonly bids: Ladder.Ladder
  readonly asks: Ladder.Ladder
  timestamp: string
  hash: string
}

/** What the recording knows of one market beside its books. */
export interface RecordedMarket {
  readonly condition: string
  /** In the order in which they are first named. */
  readonly tokens: Array<string>
  tickSize: string
  lastTradePrice: string
  version: "v1" | "v2"
  /** What the market's last price can have been, in the form that hashes use. */
  readonly prints: Set<string>
}

/** Every market that a recording names, as it is before the first frame. */
export const marketsOf = (frames: ReadonlyArray<RecordedFrame>): ReadonlyMap<string, RecordedMarket> => {
  const markets = new Map<string, RecordedMarket>()
  for (const event of frames.flatMap(eventsOf)) {
    const condition = textOf(event, "market")
    if (condition === undefined) continue
    let market = markets.get(condition)
    for (const asset of assetsOf(event)) {
      if (market === undefined) {
        market = { condition, tokens: [], tickSize: "0.01", lastTradePrice: "", version: "v1", prints: new Set([""]) }
        markets.set(condition, market)
      }
      if (!market.tokens.includes(asset)) market.tokens.push(asset)
    }
    const price = event["event_type"] === "last_trade_price" ? parseDecimal(textOf(event, "price") ?? "") : -1
    if (price === -1) continue
    for (const side of [price, 1_000_000 - price]) market?.prints.add((side / 1_000_000).toFixed(3))
  }
  return markets
}

export interface RecordedBooks {
  readonly apply: (frame: RecordedFrame) => void
  /** The book as of the frames applied; `undefined` before the token's first book. */
  readonly book: (token: string) => BookState | undefined
}

/** The last price and the kind of market under which a recorded hash comes out; as last seen when none does. */
const explained = (market: RecordedMarket, state: BookState): BookState => {
  for (const lastTradePrice of new Set([state.lastTradePrice, ...market.prints])) {
    for (const negRisk of [false, true]) {
      const candidate = { ...state, lastTradePrice, negRisk }
      if (bookHash(candidate) === state.hash) return candidate
    }
  }
  return state
}

/** Follows the books through the frames, lexemes as recorded. */
export const books = (markets: ReadonlyMap<string, RecordedMarket>): RecordedBooks => {
  const tokens = new Map<string, TokenState>()
  const owners = new Map<string, RecordedMarket>()
  for (const market of markets.values()) for (const token of market.tokens) owners.set(token, market)

  const put = (ladder: Ladder.Ladder, fields: Fields) => {
    const price = textOf(fields, "price") ?? ""
    const size = textOf(fields, "size") ?? ""
    const at = parseDecimal(price)
    if (at === -1) return
    ladder.set(at, parseDecimal(size) === 0 ? undefined : level(price, size))
  }

  const snapshot = (event: Fields, token: string, market: RecordedMarket) => {
    const state: TokenState = {
      bids: Ladder.make("bid"),
      asks: Ladder.make("ask"),
      timestamp: textOf(event, "timestamp") ?? "",
      hash: textOf(event, "hash") ?? ""
    }
    for (const bid of listOf(event["bids"] ?? event["buys"])) put(state.bids, bid)
    for (const ask of listOf(event["asks"] ?? event["sells"])) put(state.asks, ask)
    tokens.set(token, state)
    market.tickSize = textOf(event, "tick_size") ?? market.tickSize
    market.lastTradePrice = textOf(event, "last_trade_price") ?? market.lastTradePrice
    if (event["version"] === "v2") market.version = "v2"
  }

  const change = (event: Fields) => {
    for (const one of changesOf(event)) {
      const state = tokens.get(textOf(one, "asset_id") ?? "")
      if (state === undefined) continue
      put(one["side"] === "BUY" ? state.bids : state.asks, one)
      state.timestamp = textOf(event, "timestamp") ?? state.timestamp
      state.hash = textOf(one, "hash") ?? state.hash
    }
  }

  return {
    apply: (frame) => {
      for (const event of eventsOf(frame)) {
        const token = textOf(event, "asset_id") ?? ""
        const market = owners.get(token) ?? markets.get(textOf(event, "market") ?? "")
        if (market === undefined) continue
        if (event["event_type"] === "book") snapshot(event, token, market)
        if (event["event_type"] === "price_change") change(event)
        if (event["event_type"] === "tick_size_change") {
          market.tickSize = textOf(event, "new_tick_size") ?? market.tickSize
        }
      }
    },
    book: (token) => {
      const state = tokens.get(token)
      const market = owners.get(token)
      if (state === undefined || market === undefined) return undefined
      return explained(market, {
        market: market.condition,
        asset: token,
        timestamp: state.timestamp,
        hash: state.hash,
        bids: state.bids.text(),
        asks: state.asks.text(),
        minOrderSize: "5",
        tickSize: market.tickSize,
        negRisk: false,
        lastTradePrice: market.lastTradePrice,
        version: market.version
      })
    }
  }
}

/** The markets whose first recorded book has a hash that only a mutually exclusive group explains. */
export const negRiskMarkets = (frames: ReadonlyArray<RecordedFrame>): ReadonlySet<string> => {
  const found = new Set<string>()
  const seen = new Set<string>()
  const markets = marketsOf(frames)
  const follow = books(markets)
  for (const frame of frames) {
    follow.apply(frame)
    for (const event of eventsOf(frame)) {
      const [asset] = assetsOf(event)
      const market = textOf(event, "market")
      if (event["event_type"] !== "book" || asset === undefined || market === undefined || seen.has(market)) continue
      seen.add(market)
      if (follow.book(asset)?.negRisk === true) found.add(market)
    }
  }
  return found
}
