/**
 * Polymarket's frames and market objects as domain values. Pure and synchronous, one pass for each frame; a frame is
 * used whole or rejected whole, with the path of the fault (Polymarket reference §2.2, §3, §5.2).
 */
import { DateTime, Either, Option, ParseResult, Schema } from "effect"
import {
  instrumentId,
  type Instrument,
  type InstrumentId,
  type Market,
  marketId,
  VenueId
} from "../../domain/Market.ts"
import type { BookChange, BookSnapshot, FeedEvent } from "../../domain/MarketEvent.ts"
import { formatDecimal, parseDecimal, parsePrice, parseSize, type Price, SCALE, type Size } from "../../domain/Money.ts"
import type { Level, Side } from "../../domain/OrderBook.ts"
import type { SnapshotProof } from "./Verifier.ts"
import { ClobMarket, GammaMarket, MarketResolvedMessage, NewMarketMessage, type RestBook } from "./Wire.ts"

export const POLYMARKET = VenueId.make("polymarket")

/** A value that is not what the protocol says, and where in the message it stands. */
class Fault {
  readonly path: string
  readonly problem: string
  constructor(path: string, problem: string) {
    this.path = path
    this.problem = problem
  }
}

type Json = Readonly<Record<string, unknown>>

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? String(value)

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** Decimals are text on the socket; test doubles and some endpoints print numbers. */
const text = (value: unknown, path: string): string => {
  if (typeof value === "string") return value
  if (typeof value === "number") return String(value)
  throw new Fault(path, `text expected, not ${shown(value)}`)
}

const price = (value: unknown, path: string): Price => {
  const parsed = parsePrice(text(value, path))
  if (parsed === -1) throw new Fault(path, `a price of 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

const size = (value: unknown, path: string): Size => {
  const parsed = parseSize(text(value, path))
  if (parsed === -1) throw new Fault(path, `a non-negative size expected, not ${shown(value)}`)
  return parsed
}

/** A level's price: at 0 and at 1 nothing can rest. */
const levelPrice = (value: unknown, path: string): Price => {
  const parsed = price(value, path)
  if (parsed === 0 || parsed === SCALE) throw new Fault(path, `a price inside 0 to 1 expected, not ${shown(value)}`)
  return parsed
}

/** The best price of a side: the ends of the range and the empty text stand for an empty side. */
const best = (value: unknown, path: string): Price | -1 | null => {
  if (value === undefined || value === null) return null
  if (value === "") return -1
  const parsed = price(value, path)
  return parsed === 0 || parsed === SCALE ? -1 : parsed
}

/** Milliseconds; some messages carry seconds, told apart by magnitude (§6.1). */
const time = (value: unknown, path: string): number => {
  const millis = Number(text(value, path))
  // A time too far ahead would make everything that follows look outdated.
  if (!Number.isSafeInteger(millis) || millis <= 0 || millis >= 1e13) {
    throw new Fault(path, `a time expected, not ${shown(value)}`)
  }
  return millis < 1e12 ? millis * 1000 : millis
}

const bookSide = (value: unknown, path: string): Side => {
  const side = text(value, path).toUpperCase()
  if (side === "BUY") return "bid"
  if (side === "SELL") return "ask"
  throw new Fault(path, `BUY or SELL expected, not ${shown(value)}`)
}

const array = (value: unknown, path: string): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  throw new Fault(path, `a list expected, not ${shown(value)}`)
}

const object = (value: unknown, path: string): Json => {
  if (isObject(value)) return value
  throw new Fault(path, `an object expected, not ${shown(value)}`)
}

const levels = (value: unknown, path: string): Array<Level> =>
  array(value, path).map((entry, i) => {
    const level = object(entry, `${path}[${i}]`)
    return {
      price: levelPrice(level["price"], `${path}[${i}].price`),
      size: size(level["size"], `${path}[${i}].size`)
    }
  })

const optionalText = (value: unknown): string | null => (typeof value === "string" ? value : null)

const hashOf = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

const firstKnown = <A>(said: A | null, known: A | null, fallbacks: ReadonlyArray<A>): ReadonlyArray<A> => [
  ...new Set([said, known, ...fallbacks].filter((value): value is A => value !== null))
]

/** What the verifier needs; our metadata fills in what the message leaves out, the venue's usual values come last. */
const proofOf = (message: Json, market: Market): SnapshotProof => {
  const minOrderSize = market.minOrderSize === null ? null : formatDecimal(market.minOrderSize)
  const negRisk = typeof message["neg_risk"] === "boolean" ? message["neg_risk"] : null
  const tick = market.tickSize === null ? null : formatDecimal(market.tickSize)
  const isDump = message["last_trade_price"] !== undefined
  return {
    market: text(message["market"], "market"),
    assetId: text(message["asset_id"], "asset_id"),
    tickSize: optionalText(message["tick_size"]) ?? (isDump ? tick : null),
    lastTradePrice: optionalText(message["last_trade_price"]),
    minOrderSizes: firstKnown(optionalText(message["min_order_size"]), minOrderSize, ["5"]),
    negRisks: firstKnown(negRisk, market.negRisk, [false, true]),
    version: optionalText(message["version"])
  }
}

const snapshotOf = (
  message: Json,
  instrument: Instrument,
  receivedTime: number,
  source: BookSnapshot["source"]
): BookSnapshot => ({
  _tag: "BookSnapshot",
  instrumentId: instrument.id,
  bids: levels(message["bids"], "bids"),
  asks: levels(message["asks"], "asks"),
  venueTime: time(message["timestamp"], "timestamp"),
  receivedTime,
  sequence: null,
  hash: hashOf(message["hash"]),
  source,
  proof: proofOf(message, instrument.market)
})

/** A book from `GET /book`. */
export const restSnapshot = (
  book: RestBook,
  instrument: Instrument,
  receivedTime: number
): Either.Either<BookSnapshot, string> => {
  try {
    return Either.right(snapshotOf(book as unknown as Json, instrument, receivedTime, "rest"))
  } catch (fault) {
    if (fault instanceof Fault) return Either.left(`${fault.path}: ${fault.problem}`)
    throw fault
  }
}

/** What a decoder counts: messages by type, and faults by kind. */
export interface Tally {
  readonly messages: Map<string, number>
  readonly errors: Map<string, number>
}

export const makeTally = (): Tally => ({ messages: new Map(), errors: new Map() })

/** The venue's ids come from outside: a map, never an object's keys. A bound keeps a hostile venue from filling it. */
const MAX_KINDS = 64

const count = (counts: Map<string, number>, key: string): void => {
  const name = counts.has(key) || counts.size < MAX_KINDS ? key : "other"
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

export interface DecoderContext {
  /** The connection, to name in events. */
  readonly connection: string
  /** What this connection is subscribed to, by token id. */
  readonly instrument: (assetId: string) => Instrument | undefined
  readonly instruments: () => Iterable<Instrument>
  readonly tally: Tally
  /** Told once for each kind of fault: a sample for the log. */
  readonly onFault: (kind: string, detail: string, sample: string) => void
}

/** Reads one frame into `out`, in the order in which its messages stand. Never throws. */
export type Decoder = (frame: string, receivedTime: number, out: Array<FeedEvent>) => void

const NAMES = /"(?:market|asset_?id)":\s?"?(0x[0-9a-fA-F]+|\d+)(?=[",}\s])/g
const SAMPLE = 300

export const makeDecoder = (context: DecoderContext): Decoder => {
  const { connection, instrument, onFault, tally } = context

  const rejected = (
    ids: ReadonlyArray<InstrumentId>,
    reason: string,
    receivedTime: number,
    out: Array<FeedEvent>
  ): void => {
    if (ids.length === 0) return
    out.push({ _tag: "MessageRejected", venue: POLYMARKET, connection, instrumentIds: ids, reason, receivedTime })
  }

  /**
   * The subscribed tokens that a text is about, whatever else is wrong with it: both of a market, for every change is one
   * of both books (§5.2), and the end of the text may be missing.
   */
  const mentioned = (frame: string): ReadonlyArray<InstrumentId> => {
    const names = new Set<string>()
    for (const [, name = ""] of frame.matchAll(NAMES)) {
      names.add(name)
      const known = instrument(name)
      if (known !== undefined) names.add(known.market.venueMarketId)
    }
    const ids: Array<InstrumentId> = []
    if (names.size === 0) return ids
    for (const { id, market } of context.instruments()) if (names.has(market.venueMarketId)) ids.push(id)
    return ids
  }

  const change = (
    entry: Json,
    path: string,
    venueTime: number,
    receivedTime: number,
    assetId: unknown = entry["asset_id"]
  ): BookChange | undefined => {
    const known = instrument(text(assetId, `${path}asset_id`))
    const event: Omit<BookChange, "instrumentId"> = {
      _tag: "BookChange",
      side: bookSide(entry["side"], `${path}side`),
      price: levelPrice(entry["price"], `${path}price`),
      size: size(entry["size"], `${path}size`),
      venueTime,
      receivedTime,
      sequence: null,
      hash: hashOf(entry["hash"]),
      bestBid: best(entry["best_bid"], `${path}best_bid`),
      bestAsk: best(entry["best_ask"], `${path}best_ask`)
    }
    return known === undefined ? undefined : { instrumentId: known.id, ...event }
  }

  const priceChange = (message: Json, receivedTime: number): ReadonlyArray<FeedEvent> => {
    const venueTime = time(message["timestamp"], "timestamp")
    const changes: Array<BookChange | undefined> = []
    if (message["price_changes"] !== undefined) {
      array(message["price_changes"], "price_changes").forEach((entry, i) => {
        const path = `price_changes[${i}].`
        changes.push(change(object(entry, path), path, venueTime, receivedTime))
      })
    } else if (message["changes"] !== undefined) {
      // Before 2025-09-15. The hash of these forms covers a time that the frame does not print (recordings of
      // December 2024: the book's own time lies some 10 ms earlier), so that it proves nothing.
      array(message["changes"], "changes").forEach((entry, i) => {
        const path = `changes[${i}].`
        const level = { ...object(entry, path), hash: undefined }
        changes.push(change(level, path, venueTime, receivedTime, message["asset_id"]))
      })
    } else changes.push(change({ ...message, hash: undefined }, "", venueTime, receivedTime))
    return changes.filter((event) => event !== undefined)
  }

  const decode = (message: Json, kind: string, receivedTime: number): ReadonlyArray<FeedEvent> | undefined => {
    const known = () => instrument(text(message["asset_id"], "asset_id"))
    switch (kind) {
      case "price_change":
        return priceChange(message, receivedTime)
      case "book": {
        const subject = known()
        return subject === undefined ? [] : [snapshotOf(message, subject, receivedTime, "socket")]
      }
      case "last_trade_price": {
        const subject = known()
        const event = {
          _tag: "Trade" as const,
          price: price(message["price"], "price"),
          size: size(message["size"], "size"),
          takerSide: bookSide(message["side"], "side") === "bid" ? ("buy" as const) : ("sell" as const),
          venueTime: time(message["timestamp"], "timestamp"),
          receivedTime,
          sequence: null,
          tradeId: optionalText(message["transaction_hash"])
        }
        return subject === undefined ? [] : [{ ...event, instrumentId: subject.id }]
      }
      case "tick_size_change": {
        const subject = known()
        const tickSize = levelPrice(message["new_tick_size"], "new_tick_size")
        const venueTime = time(message["timestamp"], "timestamp")
        return subject === undefined
          ? []
          : [{ _tag: "TickSizeChange", instrumentId: subject.id, tickSize, venueTime, receivedTime }]
      }
      case "best_bid_ask": {
        const subject = known()
        const bid = best(message["best_bid"], "best_bid")
        const ask = best(message["best_ask"], "best_ask")
        const venueTime = time(message["timestamp"], "timestamp")
        return subject === undefined || bid === null || ask === null
          ? []
          : [{ _tag: "BestQuote", instrumentId: subject.id, bid, ask, venueTime, receivedTime }]
      }
      case "new_market":
        return [
          {
            _tag: "MarketListed",
            market: listedMarket(message),
            venueTime: time(message["timestamp"], "timestamp"),
            receivedTime
          }
        ]
      case "market_resolved": {
        const resolved = decodeWith(MarketResolvedMessage)(message)
        return [
          {
            _tag: "MarketResolved",
            marketId: marketId(POLYMARKET, resolved.market),
            instrumentIds: resolved.assets_ids.map((id) => instrumentId(POLYMARKET, id)),
            winner: resolved.winning_asset_id ? instrumentId(POLYMARKET, resolved.winning_asset_id) : null,
            venueTime: time(resolved.timestamp, "timestamp"),
            receivedTime
          }
        ]
      }
      default:
        return undefined
    }
  }

  const readMessage = (value: unknown, frame: string, receivedTime: number, out: Array<FeedEvent>): void => {
    const kind = isObject(value) && typeof value["event_type"] === "string" ? value["event_type"] : undefined
    if (!isObject(value) || kind === undefined) {
      count(tally.errors, "untyped")
      onFault("untyped", "a message without event_type", frame.slice(0, SAMPLE))
      return
    }
    try {
      const events = decode(value, kind, receivedTime)
      if (events === undefined) {
        count(tally.errors, "unknown-type")
        onFault(
          `unknown-type ${kind.slice(0, 40)}`,
          "an event type that the protocol does not name",
          frame.slice(0, SAMPLE)
        )
        return
      }
      count(tally.messages, kind)
      for (const event of events) out.push(event)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      const problem = `${kind}: ${fault.path}: ${fault.problem}`
      count(tally.errors, "malformed")
      onFault(`malformed ${kind}`, problem, frame.slice(0, SAMPLE))
      rejected(mentioned(JSON.stringify(value)), problem, receivedTime, out)
    }
  }

  return (frame, receivedTime, out) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(frame)
    } catch {
      // Text that is no JSON at all is the venue talking (§5.4); a JSON text that is cut may have been a change.
      const cut = frame.startsWith("{") || frame.startsWith("[")
      const kind = cut ? "truncated" : "not-json"
      count(tally.errors, kind)
      onFault(kind, "a frame that is not JSON", frame.slice(0, SAMPLE))
      if (cut) rejected(mentioned(frame), "a frame that is not JSON", receivedTime, out)
      return
    }
    if (Array.isArray(parsed)) for (const message of parsed) readMessage(message, frame, receivedTime, out)
    else readMessage(parsed, frame, receivedTime, out)
  }
}

const decodeWith =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (value: unknown): A =>
    Either.getOrThrowWith(Schema.decodeUnknownEither(schema)(value), (error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return new Fault(issue?.path.join(".") ?? "", issue?.message ?? "does not decode")
    })

/** Metadata prints numbers; they are decimals with few digits, so their shortest text is exact. */
const amount = (value: number | string): Size | null => {
  const parsed = parseDecimal(typeof value === "number" ? numberText(value) : value)
  return parsed === -1 ? null : (parsed as Size)
}

/** Amounts of dollars are reported with binary noise past the sixth decimal; that much is cut, not read. */
const numberText = (value: number): string => (Number.isFinite(value) ? value.toFixed(6) : "")

const tick = (value: number | string): Price | null => {
  const parsed = amount(value)
  return parsed === null || parsed === 0 || parsed >= SCALE ? null : (parsed as number as Price)
}

const endTime = (value: string | null): DateTime.Utc | null =>
  value === null ? null : Option.getOrNull(DateTime.make(value.replace(" ", "T").replace(/\+00$/, "Z")))

const outcomesOf = (ids: ReadonlyArray<string>, names: ReadonlyArray<string>, winner: string | null) =>
  ids.map((id, i) => ({
    instrumentId: instrumentId(POLYMARKET, id),
    venueInstrumentId: id,
    name: names[i] ?? `Outcome ${i + 1}`,
    winner: winner === null ? null : winner === id
  }))

const checkTokens = (ids: ReadonlyArray<string>, path: string): ReadonlyArray<string> => {
  if (ids.length === 0) throw new Fault(path, "no tokens yet")
  ids.forEach((id, i) => {
    if (!/^\d{1,80}$/.test(id)) throw new Fault(`${path}[${i}]`, `a decimal token id expected, not ${shown(id)}`)
  })
  if (new Set(ids).size !== ids.length) throw new Fault(path, "the same token twice")
  return ids
}

const checkCondition = (id: string, path: string): string => {
  if (!/^0x[0-9a-fA-F]{1,64}$/.test(id)) throw new Fault(path, `a condition id expected, not ${shown(id)}`)
  return id
}

/** The one outcome that a resolved Gamma market prices at 1 (§3). */
const gammaWinner = (market: GammaMarket, ids: ReadonlyArray<string>): string | null => {
  const prices = Option.getOrElse(market.outcomePrices, () => [])
  const winners = ids.filter((_, i) => prices[i] === "1")
  return winners.length === 1 ? winners[0]! : null
}

const fromGamma = (value: unknown): Market => {
  const market = decodeWith(GammaMarket)(value)
  const version = Option.getOrElse(market.version, () => "v1")
  if (version !== "v1" && version !== "v2") throw new Fault("version", `v1 or v2 expected, not ${shown(version)}`)
  // By version even when both are present: many v1 markets carry position ids without a book behind them (§3).
  const [ids, path] =
    version === "v2" ? ([market.positionIds, "positionIds"] as const) : ([market.clobTokenIds, "clobTokenIds"] as const)
  const tokens = checkTokens(
    Option.getOrElse(ids, () => []),
    path
  )
  const resolved = Option.contains(market.umaResolutionStatus, "resolved")
  const tags = [...market.tags, ...market.events.flatMap((event) => event.tags)]
  const names = [...new Set(tags.flatMap((tag) => ((tag.slug ?? tag.label) ? [tag.slug ?? tag.label!] : [])))]
  return {
    id: marketId(POLYMARKET, checkCondition(market.conditionId, "conditionId")),
    venue: POLYMARKET,
    venueMarketId: market.conditionId,
    slug: market.slug,
    question: market.question,
    category: Option.getOrElse(
      Option.orElse(market.category, () =>
        Option.fromNullable(market.events[0]).pipe(Option.flatMap((e) => e.category))
      ),
      () => tags[0]?.label ?? null
    ),
    tags: names,
    status:
      market.closed || market.archived
        ? resolved
          ? "resolved"
          : "closed"
        : market.active && market.enableOrderBook && market.acceptingOrders
          ? "open"
          : "closed",
    outcomes: outcomesOf(
      tokens,
      Option.getOrElse(market.outcomes, () => []),
      market.closed && resolved ? gammaWinner(market, tokens) : null
    ),
    tickSize: Option.getOrNull(Option.map(market.orderPriceMinTickSize, tick)),
    minOrderSize: Option.getOrNull(Option.map(market.orderMinSize, amount)),
    negRisk: market.negRisk,
    liquidity: Option.getOrNull(Option.map(market.liquidityNum, amount)),
    volume24h: Option.getOrNull(Option.map(market.volume24hr, amount)),
    protocol: version,
    endTime: endTime(Option.getOrNull(market.endDate))
  }
}

const fromClob = (value: unknown): Market => {
  const market = decodeWith(ClobMarket)(value)
  const ids = checkTokens(
    market.tokens.map((token) => token.token_id),
    "tokens"
  )
  const winners = market.tokens.filter((token) => token.winner)
  const winner = market.closed && winners.length === 1 ? winners[0]!.token_id : null
  const open =
    market.active && !market.closed && !market.archived && market.accepting_orders && market.enable_order_book
  return {
    id: marketId(POLYMARKET, checkCondition(market.condition_id, "condition_id")),
    venue: POLYMARKET,
    venueMarketId: market.condition_id,
    slug: market.market_slug,
    question: market.question,
    category: market.tags[0] ?? null,
    tags: market.tags,
    status: open ? "open" : winner === null ? "closed" : "resolved",
    outcomes: outcomesOf(
      ids,
      market.tokens.map((token) => token.outcome),
      winner
    ),
    tickSize: tick(market.minimum_tick_size),
    minOrderSize: amount(market.minimum_order_size),
    negRisk: market.neg_risk,
    liquidity: null,
    volume24h: null,
    protocol: null,
    endTime: endTime(Option.getOrNull(market.end_date_iso))
  }
}

/** A market from the `new_market` event: what it does not say (liquidity, minimum, neg-risk) stays unknown or false. */
const listedMarket = (message: Json): Market => {
  const listed = decodeWith(NewMarketMessage)(message)
  const tickSize = Option.getOrNull(listed.order_price_min_tick_size)
  return {
    id: marketId(POLYMARKET, checkCondition(listed.market, "market")),
    venue: POLYMARKET,
    venueMarketId: listed.market,
    slug: listed.slug,
    question: listed.question,
    category: listed.tags[0] ?? null,
    tags: listed.tags,
    status: "open",
    outcomes: outcomesOf(checkTokens(listed.assets_ids, "assets_ids"), listed.outcomes, null),
    tickSize: tickSize === null ? null : tick(tickSize),
    minOrderSize: null,
    negRisk: false,
    liquidity: null,
    volume24h: null,
    protocol: null,
    endTime: null
  }
}

/** Why a market object could not be used. */
export interface Rejected {
  readonly id: string
  readonly path: string
  readonly problem: string
}

const idOf = (value: unknown): string =>
  isObject(value) ? String(value["conditionId"] ?? value["condition_id"] ?? value["id"] ?? "?").slice(0, 80) : "?"

const marketWith =
  (read: (value: unknown) => Market) =>
  (value: unknown): Either.Either<Market, Rejected> => {
    try {
      return Either.right(read(value))
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      return Either.left({ id: idOf(value), path: fault.path, problem: fault.problem })
    }
  }

/** A market of Gamma's lists, §3. */
export const gammaMarket = marketWith(fromGamma)

/** A market of the CLOB's lists, §2.2. */
export const clobMarket = marketWith(fromClob)
