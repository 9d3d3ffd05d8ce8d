/**
 * What is stored of what flows on the bus. Synchronous, and the same events in the same order give the same rows.
 *
 * Not stored: `Subscribed` (a book begins with its snapshot), `BestQuote` (the venue's word for what `best_quotes` holds
 * of the book itself) and `MarketListed` (the market store's business).
 */
import type { InstrumentId } from "../domain/Market.ts"
import type {
  BestChanged,
  BookChange,
  BookSnapshot,
  BookStatusChanged,
  MarketEvent,
  Trade
} from "../domain/MarketEvent.ts"
import { formatDecimal } from "../domain/Money.ts"
import type { Level } from "../domain/OrderBook.ts"
import { Digest, Moment } from "./NaturalKey.ts"
import { type FeedEventRow, type Row, venueOf } from "./Rows.ts"

/** Enough of a reason for a person; and text that a database takes. */
const REASON_LENGTH = 500
const plain = (text: string): string => text.slice(0, REASON_LENGTH).replaceAll("\0", " ")

const bestFirst = (levels: ReadonlyArray<Level>, sign: 1 | -1): ReadonlyArray<Level> =>
  levels.filter(({ size }) => size > 0).sort((a, b) => sign * (a.price - b.price))

/** What is remembered of an instrument. */
interface Memory {
  readonly changes: Moment
  readonly quotes: Moment
  readonly snapshots: Moment
  wasLive: boolean
  /** Since when it is not live, and why. */
  trouble: { readonly from: number; readonly reason: string } | undefined
}

export interface RowMapper {
  /** Appends the rows of an event. */
  readonly map: (event: MarketEvent, rows: Array<Row>) => void
  /** A row of our own about the feed. */
  readonly feedEvent: (row: Omit<FeedEventRow, "table" | "sequence">) => FeedEventRow
}

export const make = (): RowMapper => {
  let sequence = 0
  const memories = new Map<InstrumentId, Memory>()
  const memoryOf = (id: InstrumentId): Memory => {
    let memory = memories.get(id)
    if (memory === undefined) {
      const moments = { changes: new Moment(), quotes: new Moment(), snapshots: new Moment() }
      memory = { ...moments, wasLive: false, trouble: undefined }
      memories.set(id, memory)
    }
    return memory
  }

  const digest = new Digest()
  /** Completes the digest of a content that replaces the whole of what was before. */
  const count = (moment: Moment, time: number): void => {
    const again = moment.occurrence(time, 0, digest.high * 0x10_0000 + (digest.low >>> 12))
    digest.number(again)
  }
  const tick = (event: BookSnapshot | BookChange | Trade | BestChanged) => ({
    sequence: ++sequence,
    instrumentId: event.instrumentId,
    venueTime: event.venueTime,
    receivedTime: event.receivedTime,
    high: digest.high,
    low: digest.low
  })
  const feedEvent: RowMapper["feedEvent"] = (row) => ({
    ...row,
    table: "feed_events",
    sequence: ++sequence,
    reason: plain(row.reason)
  })
  const moment = (
    event: { readonly receivedTime: number; readonly venue: string; readonly connection?: string },
    kind: FeedEventRow["kind"],
    instrumentId: InstrumentId | null,
    reason: string
  ): FeedEventRow =>
    feedEvent({
      venue: event.venue,
      connection: event.connection ?? "",
      kind,
      instrumentId,
      from: event.receivedTime,
      to: null,
      receivedTime: event.receivedTime,
      lost: null,
      reason
    })

  const snapshot = (event: BookSnapshot): Row => {
    const bids = bestFirst(event.bids, -1)
    const asks = bestFirst(event.asks, 1)
    digest.start().number(bids.length)
    for (const { price, size } of bids) digest.number(price).number(size)
    for (const { price, size } of asks) digest.number(price).number(size)
    count(memoryOf(event.instrumentId).snapshots, event.venueTime)
    return { table: "book_snapshots", ...tick(event), source: event.source, hash: event.hash, bids, asks }
  }
  const change = (event: BookChange): Row => {
    const { side, price, size, bestBid, bestAsk, hash } = event
    const level = price * 2 + (side === "bid" ? 0 : 1)
    const again = memoryOf(event.instrumentId).changes.occurrence(event.venueTime, level, size)
    digest.start().number(level).number(size).number(again)
    return { table: "book_changes", ...tick(event), side, price, size, bestBid, bestAsk, hash }
  }
  // Two fills of one settlement that agree in everything cannot be told from one that was sent twice.
  const trade = (event: Trade): Row => {
    const { price, size, takerSide, tradeId } = event
    digest.start().number(price).number(size).text(takerSide).text(tradeId)
    return { table: "trades", ...tick(event), price, size, takerSide, tradeId }
  }
  const quote = (event: BestChanged): Row => {
    const { bid, bidSize, ask, askSize } = event
    digest.start().number(bid).number(bidSize).number(ask).number(askSize)
    count(memoryOf(event.instrumentId).quotes, event.venueTime)
    return { table: "best_quotes", ...tick(event), bid, bidSize, ask, askSize }
  }
  /** That a book which was never live is stale goes without saying. */
  const status = (event: BookStatusChanged): FeedEventRow | undefined => {
    const memory = memoryOf(event.instrumentId)
    if (event.status === "live") {
      memory.wasLive = true
      if (memory.trouble === undefined) return undefined
      const { from, reason } = memory.trouble
      memory.trouble = undefined
      return { ...moment(event, "live", event.instrumentId, reason), from, to: event.receivedTime }
    }
    if (event.status === "stale" && !memory.wasLive) return undefined
    memory.trouble ??= { from: event.receivedTime, reason: plain(event.reason) }
    return moment(event, event.status, event.instrumentId, event.reason)
  }

  const map: RowMapper["map"] = (event, rows) => {
    switch (event._tag) {
      case "BookSnapshot":
        rows.push(snapshot(event))
        return
      case "BookChange":
        rows.push(change(event))
        return
      case "Trade":
        rows.push(trade(event))
        return
      case "BestChanged":
        rows.push(quote(event))
        return
      case "BookStatusChanged": {
        const row = status(event)
        if (row !== undefined) rows.push(row)
        return
      }
      case "Connected":
        rows.push(moment(event, "connected", null, event.slot))
        return
      case "Disconnected":
        rows.push(moment(event, "disconnected", null, event.reason))
        return
      case "Gap":
        rows.push({ ...moment(event, "gap", event.instrumentId, event.reason), from: event.from, to: event.to })
        return
      case "MessageRejected":
        if (event.instrumentIds.length === 0) rows.push(moment(event, "rejected", null, event.reason))
        for (const id of event.instrumentIds) rows.push(moment(event, "rejected", id, event.reason))
        return
      case "Unsubscribed":
        for (const id of event.instrumentIds) {
          rows.push(moment(event, "unsubscribed", id, ""))
          memories.delete(id)
        }
        return
      case "TickSizeChange": {
        const venue = venueOf(event.instrumentId)
        rows.push(moment({ ...event, venue }, "tick_size", event.instrumentId, formatDecimal(event.tickSize)))
        return
      }
      case "MarketResolved":
        for (const id of event.instrumentIds) {
          const outcome = event.winner === null ? "no single winner" : event.winner === id ? "won" : "lost"
          rows.push({ ...moment({ ...event, venue: venueOf(id) }, "resolved", id, outcome), from: event.venueTime })
        }
        return
      case "Subscribed":
      case "BestQuote":
      case "MarketListed":
        return
    }
  }
  return { map, feedEvent }
}
