/**
 * Polymarket's frames as domain events. Pure and synchronous, one pass for each frame; a frame is used whole or rejected
 * whole, with the path of the fault (Polymarket reference §5.2).
 */
import { Either } from "effect"
import { instrumentId, type Instrument, type InstrumentId, marketId } from "../../domain/Market.ts"
import type { BookChange, BookSnapshot, FeedEvent } from "../../domain/MarketEvent.ts"
import type { Watch } from "../../resilience/DriftLog.ts"
import { array, decodeWith, Fault, isObject, type Json, object } from "../../resilience/Reading.ts"
import { count, type Tally } from "../../resilience/Slot.ts"
import { gridOf, listedMarket } from "./Markets.ts"
import {
  best,
  bookSide,
  hashOf,
  levelPrice,
  levels,
  optionalText,
  POLYMARKET,
  price,
  size,
  text,
  time
} from "./Reading.ts"
import { proofOf, type SnapshotProof } from "./SnapshotProof.ts"
import { MarketResolvedMessage, type RestBook } from "./Wire.ts"

/** What the verifier needs. */
const proof = (message: Json, instrument: Instrument): SnapshotProof =>
  proofOf(
    {
      market: text(message["market"], "market"),
      assetId: text(message["asset_id"], "asset_id"),
      tickSize: optionalText(message["tick_size"]),
      lastTradePrice: optionalText(message["last_trade_price"]),
      minOrderSize: optionalText(message["min_order_size"]),
      negRisk: typeof message["neg_risk"] === "boolean" ? message["neg_risk"] : null,
      version: optionalText(message["version"]),
      isDump: message["last_trade_price"] !== undefined
    },
    instrument
  )

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
  proof: proof(message, instrument)
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

export interface DecoderContext {
  /** The connection, to name in events. */
  readonly connection: string
  /** What this connection is subscribed to, by token id. */
  readonly instrument: (assetId: string) => Instrument | undefined
  readonly instruments: () => Iterable<Instrument>
  readonly tally: Tally
  /** Told once for each kind of fault: a sample for the log. */
  readonly onFault: (kind: string, detail: string, sample: string) => void
  /** Told of each message that has a type, used or not. */
  readonly onMessage?: Watch["message"]
}

/** Reads one frame into `out`, in the order in which its messages stand. Never throws. */
export type Decoder = (frame: string, receivedTime: number, out: Array<FeedEvent>) => void

const NAMES = /"(?:market|asset_?id)":\s?"?(0x[0-9a-fA-F]+|\d+)(?=[",}\s])/g
const SAMPLE = 300

export const makeDecoder = (context: DecoderContext): Decoder => {
  const { connection, instrument, onFault, onMessage, tally } = context

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
    const event = {
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
    return known === undefined ? undefined : { _tag: "BookChange", instrumentId: known.id, ...event }
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
        const priceBands = gridOf(tickSize)
        if (priceBands === null) throw new Fault("new_tick_size", "a tick of at most one half expected")
        const venueTime = time(message["timestamp"], "timestamp")
        return subject === undefined
          ? []
          : [{ _tag: "TickSizeChange", instrumentId: subject.id, tickSize, priceBands, venueTime, receivedTime }]
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
      onMessage?.(kind, value, receivedTime)
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
      onMessage?.(kind, value, receivedTime, true)
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
