/**
 * The socket's frames as events, synchronously and in order (Kalshi reference §7). A frame is used whole or rejected
 * whole; its number counts either way.
 */
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import type { BestQuote, FeedEvent, MarketListed } from "../../domain/MarketEvent.ts"
import { complement } from "../../domain/Money.ts"
import type { Watch } from "../../resilience/DriftLog.ts"
import { decodeWith, Fault, isObject, type Json, object } from "../../resilience/Reading.ts"
import { count, type Tally } from "../../resilience/Slot.ts"
import type * as Lifecycle from "./Lifecycle.ts"
import { KALSHI, levelsOf, type NoPrices, takerSide } from "./Normalize.ts"
import * as Quotes from "./Quotes.ts"
import { integer, levelPrice, optionalText, price, signed, size, stamp, text } from "./Reading.ts"
import * as Sequence from "./Sequence.ts"
import { consequence, describe } from "./SocketErrors.ts"
import { type Channel, ErrorMessage, LifecycleMessage, SubscribedMessage } from "./Wire.ts"

/** What the venue says about subscriptions rather than markets. */
export type Control =
  | { readonly _tag: "Acknowledged"; readonly channel: string; readonly sid: number }
  /** A subscription ended without our doing. */
  | { readonly _tag: "Ended"; readonly channel: Channel; readonly reason: string }
  | {
      readonly _tag: "Refused"
      /** The command that failed, or `undefined` for a failure of the channel `sid`. */
      readonly id: number | undefined
      readonly sid: number | undefined
      readonly code: number
      readonly text: string | undefined
      /** The markets that it names. */
      readonly tickers: ReadonlyArray<string>
    }

/** What a decoder remembers of its connection: plain data, kept in place. */
export interface Memory {
  /** The last number of each subscription. */
  readonly numbers: Map<number, number>
  readonly channels: Map<number, Channel>
  /** Subscriptions that ended: what still comes of them is old. */
  readonly dropped: Set<number>
  /** A snapshot bears the time of its sending; no change after it may seem older. */
  readonly snapshotTimes: Map<InstrumentId, number>
  readonly quotes: Map<InstrumentId, BestQuote>
}

export const memory = (): Memory => ({
  numbers: new Map(),
  channels: new Map(),
  dropped: new Set(),
  snapshotTimes: new Map(),
  quotes: new Map()
})

export interface DecoderContext {
  /** The connection, to name in events. */
  readonly connection: string
  /** What this connection is subscribed to, by ticker. */
  readonly instrument: (ticker: string) => Instrument | undefined
  /** All of it. */
  readonly instruments: () => Iterable<Instrument>
  /** Reads the life of markets. */
  readonly lifecycle: ReturnType<typeof Lifecycle.make>
  /** Whether a new market without a category is to be looked up before it counts as listed. */
  readonly looksUpListings: boolean
  /** As the subscription asked; the messages do not say. */
  readonly noPrices: NoPrices
  readonly tally: Tally
  /** Told of each fault: a sample for the log. */
  readonly onFault: (kind: string, detail: string, sample: string) => void
  readonly onControl: (control: Control) => void
  /** A new market that is to be looked up. */
  readonly onListing: (listed: MarketListed) => void
  /** Told of each message that has a type, used or not. */
  readonly onMessage?: Watch["message"]
}

export interface Decoder {
  /** Reads one frame into `out`. Never throws. */
  readonly read: (frame: string, receivedTime: number, out: Array<FeedEvent>) => void
  /** Emits the best quotes that have stood unchanged long enough to be compared with the book. */
  readonly settle: (now: number, out: Array<FeedEvent>) => void
}

const TICKER = /"market_ticker"\s*:\s*"([^"]{1,200})"/g
const SAMPLE = 300

const IGNORED = new Set(["event_lifecycle", "event_fee_update", "multivariate_market_lifecycle"])

export const make = (context: DecoderContext, remembered: Memory = memory()): Decoder => {
  const { connection, instrument, noPrices, onControl, onFault, onMessage, tally } = context
  const { channels, dropped, snapshotTimes } = remembered
  const sequence = Sequence.make(remembered.numbers)
  const quotes = Quotes.make(remembered.quotes)

  const fault = (kind: string, detail: string, frame: string): void => {
    count(tally.errors, kind)
    onFault(kind, detail, frame.slice(0, SAMPLE))
  }

  const rejected = (
    instrumentIds: ReadonlyArray<InstrumentId>,
    reason: string,
    receivedTime: number,
    out: Array<FeedEvent>
  ) => {
    out.push({ _tag: "MessageRejected", venue: KALSHI, connection, instrumentIds, reason, receivedTime })
  }

  /** The subscribed markets that a text names, whatever else is wrong with it. */
  const mentioned = (frame: string): ReadonlyArray<InstrumentId> => {
    const ids = new Set<InstrumentId>()
    for (const match of frame.matchAll(TICKER)) {
      const known = instrument(match[1]!)
      if (known !== undefined) ids.add(known.id)
    }
    return [...ids]
  }

  const lost = (sid: number, expected: number, received: number, receivedTime: number, out: Array<FeedEvent>): void => {
    count(tally.errors, "gap")
    const channel = channels.get(sid)
    if (channel === "orderbook_delta") {
      const instrumentIds = Array.from(context.instruments(), ({ id }) => id)
      out.push({ _tag: "SequenceGap", venue: KALSHI, connection, instrumentIds, expected, received, receivedTime })
    } else if (channel !== "ticker") {
      // Books do not depend on it, but whoever reads the trades later must know.
      rejected(
        [],
        `messages of ${channel ?? "a channel"} are missing: ${received} came where ${expected} was due`,
        receivedTime,
        out
      )
    }
  }

  /** A subscription has ended: what it would have brought is lost. The next one counts from 1. */
  const end = (sid: number, channel: Channel, reason: string, receivedTime: number, out: Array<FeedEvent>): void => {
    lost(sid, sequence.due(sid), 1, receivedTime, out)
    dropped.add(sid)
    channels.delete(sid)
    sequence.forget(sid)
    onControl({ _tag: "Ended", channel, reason })
  }

  /** Whether the message is to be used, by the number that it bears. */
  const inSequence = (
    message: Json,
    kind: string,
    frame: string,
    receivedTime: number,
    out: Array<FeedEvent>
  ): boolean => {
    const { seq, sid } = message
    if (typeof sid !== "number") return true
    if (dropped.has(sid)) {
      count(tally.errors, "ended-subscription")
      return false
    }
    // An acknowledgement used to come after the first data of its subscription.
    if (kind.startsWith("orderbook_") && !channels.has(sid)) channels.set(sid, "orderbook_delta")
    if (seq === undefined) return true
    if (!Number.isSafeInteger(seq)) {
      fault("malformed", `${kind}: seq: a whole number expected`, frame)
      return true
    }
    const expected = sequence.due(sid)
    const place = sequence.place(sid, seq as number)
    if (place === "duplicate") count(tally.errors, "duplicate")
    else if (place === "gap") lost(sid, expected, seq as number, receivedTime, out)
    return place !== "duplicate"
  }

  const sequenceOf = (message: Json): number | null => (typeof message["seq"] === "number" ? message["seq"] : null)

  const isListing = (event: FeedEvent): event is MarketListed =>
    context.looksUpListings && event._tag === "MarketListed" && event.market.category === null

  const decode = (
    message: Json,
    kind: string,
    receivedTime: number,
    out: Array<FeedEvent>
  ): ReadonlyArray<FeedEvent> | undefined => {
    switch (kind) {
      case "orderbook_delta": {
        const msg = object(message["msg"], "msg")
        const subject = instrument(text(msg["market_ticker"], "msg.market_ticker"))
        const side = text(msg["side"], "msg.side")
        if (side !== "yes" && side !== "no") throw new Fault("msg.side", "yes or no expected")
        const at = levelPrice(msg["price_dollars"], "msg.price_dollars")
        const delta = signed(msg["delta_fp"], "msg.delta_fp")
        if (subject === undefined) return []
        quotes.forget(subject.id)
        return [
          {
            _tag: "BookDelta",
            instrumentId: subject.id,
            side: side === "yes" ? "bid" : "ask",
            price: side === "no" && noPrices === "no" ? complement(at) : at,
            delta,
            venueTime: Math.max(stamp(msg) ?? receivedTime, snapshotTimes.get(subject.id) ?? 0),
            receivedTime,
            sequence: sequenceOf(message)
          }
        ]
      }
      case "orderbook_snapshot": {
        const msg = object(message["msg"], "msg")
        const subject = instrument(text(msg["market_ticker"], "msg.market_ticker"))
        const bids = levelsOf(msg["yes_dollars_fp"], "msg.yes_dollars_fp", false)
        const asks = levelsOf(msg["no_dollars_fp"], "msg.no_dollars_fp", noPrices === "no")
        if (subject === undefined) return []
        const sent = message["sending_ts_ms"]
        const venueTime = sent === undefined ? receivedTime : integer(sent, "sending_ts_ms")
        snapshotTimes.set(subject.id, venueTime)
        quotes.forget(subject.id)
        return [
          {
            _tag: "BookSnapshot",
            instrumentId: subject.id,
            bids,
            asks,
            venueTime,
            receivedTime,
            sequence: sequenceOf(message),
            hash: null,
            source: "socket",
            proof: null
          }
        ]
      }
      case "trade": {
        const msg = object(message["msg"], "msg")
        const subject = instrument(text(msg["market_ticker"], "msg.market_ticker"))
        const event = {
          _tag: "Trade" as const,
          price: price(msg["yes_price_dollars"], "msg.yes_price_dollars"),
          size: size(msg["count_fp"], "msg.count_fp"),
          takerSide: takerSide(msg["taker_outcome_side"] ?? msg["taker_side"]),
          venueTime: stamp(msg) ?? receivedTime,
          receivedTime,
          sequence: sequenceOf(message),
          tradeId: optionalText(msg["trade_id"])
        }
        return subject === undefined ? [] : [{ ...event, instrumentId: subject.id }]
      }
      case "ticker": {
        const msg = object(message["msg"], "msg")
        const subject = instrument(text(msg["market_ticker"], "msg.market_ticker"))
        const stated = Quotes.read(msg)
        if (subject !== undefined) {
          quotes.note({
            _tag: "BestQuote",
            instrumentId: subject.id,
            ...stated,
            venueTime: stamp(msg) ?? receivedTime,
            receivedTime
          })
        }
        return []
      }
      case "market_lifecycle_v2": {
        const events = context.lifecycle(decodeWith(LifecycleMessage)(message["msg"]), receivedTime)
        for (const event of events) if (isListing(event)) context.onListing(event)
        return events.filter((event) => !isListing(event))
      }
      case "subscribed": {
        const { msg } = decodeWith(SubscribedMessage)(message)
        channels.set(msg.sid, msg.channel as Channel)
        onControl({ _tag: "Acknowledged", channel: msg.channel, sid: msg.sid })
        return []
      }
      case "error": {
        const { id, msg, sid } = decodeWith(ErrorMessage)(message)
        count(tally.errors, `venue-error-${msg.code}`)
        const channel = sid === undefined ? undefined : channels.get(sid)
        if (channel !== undefined && consequence(msg.code) === "terminal") {
          end(sid!, channel, describe(msg.code, msg.msg), receivedTime, out)
          return []
        }
        const tickers = [...(msg.market_tickers ?? []), ...(msg.market_ticker === undefined ? [] : [msg.market_ticker])]
        onControl({ _tag: "Refused", id, sid, code: msg.code, text: msg.msg, tickers })
        return []
      }
      case "ok":
      case "unsubscribed":
        return []
      default:
        return IGNORED.has(kind) ? [] : undefined
    }
  }

  return {
    read: (frame, receivedTime, out) => {
      let message: unknown
      try {
        message = JSON.parse(frame)
      } catch {
        fault("not-json", "a frame that is not JSON", frame)
        const ids = mentioned(frame)
        if (ids.length > 0) rejected(ids, "a frame that is not JSON", receivedTime, out)
        return
      }
      const kind = isObject(message) && typeof message["type"] === "string" ? message["type"] : undefined
      if (!isObject(message) || kind === undefined) return fault("untyped", "a message without type", frame)
      try {
        if (!inSequence(message, kind, frame, receivedTime, out)) return
        const events = decode(message, kind, receivedTime, out)
        onMessage?.(kind, message, receivedTime)
        if (events === undefined) {
          count(tally.errors, "unknown-type")
          onFault(`unknown-type ${kind.slice(0, 40)}`, "a type that the protocol does not name", frame.slice(0, SAMPLE))
          return
        }
        count(tally.messages, kind)
        for (const event of events) out.push(event)
      } catch (problem) {
        if (!(problem instanceof Fault)) throw problem
        onMessage?.(kind, message, receivedTime, true)
        const reason = `${kind}: ${problem.path}: ${problem.problem}`
        fault("malformed", reason, frame)
        if (kind === "trade") rejected([], reason, receivedTime, out)
        const ids = kind.startsWith("orderbook_") ? mentioned(frame) : []
        if (ids.length > 0) rejected(ids, reason, receivedTime, out)
      }
    },
    settle: quotes.settle
  }
}
