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
import { Digest, type Moment, moment as noMoment, occurrence } from "./NaturalKey.ts"
import { type FeedEventRow, plain, type Row, venueOf } from "./Rows.ts"

const bestFirst = (levels: ReadonlyArray<Level>, sign: 1 | -1): ReadonlyArray<Level> =>
  levels.filter(({ size }) => size > 0).sort((a, b) => sign * (a.price - b.price))

/** What is remembered of an instrument. */
interface InstrumentMemory {
  readonly changes: Moment
  readonly quotes: Moment
  readonly snapshots: Moment
  wasLive: boolean
  /** Since when it is not live, and why. */
  trouble: { readonly from: number; readonly reason: string } | undefined
}

/** Everything that the next rows depend on, as plain data. */
export interface Memory {
  /** The number of the last row. */
  sequence: number
  readonly instruments: Map<InstrumentId, InstrumentMemory>
}

interface FirstMoment {
  readonly time: number
  readonly seen: Map<number, Array<number>>
}

/** A memory as the first version of the program saved it. */
export interface FirstMemory {
  readonly sequence: number
  readonly instruments: ReadonlyMap<
    InstrumentId,
    Omit<InstrumentMemory, "changes" | "quotes" | "snapshots"> &
      Readonly<Record<"changes" | "quotes" | "snapshots", FirstMoment>>
  >
}

export const ofFirst = ({ instruments, sequence }: FirstMemory): Memory => ({
  sequence,
  instruments: new Map(
    Array.from(instruments, ([id, { changes, quotes, snapshots, trouble, wasLive }]) => {
      const moments = {
        changes: ofFirstMoment(changes),
        quotes: ofFirstMoment(quotes),
        snapshots: ofFirstMoment(snapshots)
      }
      return [id, { ...moments, wasLive, trouble }]
    })
  )
})

const ofFirstMoment = ({ seen, time }: FirstMoment): Moment => ({ ...noMoment(), time, seen })

export const noMemory = (): Memory => ({ sequence: 0, instruments: new Map() })

/** Appends the rows of an event. */
export type RowMapper = (event: MarketEvent, rows: Array<Row>) => void

/** Maps from a memory on, which it keeps up to date. */
export const make = (memory: Memory = noMemory()): RowMapper => {
  const memoryOf = (id: InstrumentId): InstrumentMemory => {
    let known = memory.instruments.get(id)
    if (known === undefined) {
      const moments = { changes: noMoment(), quotes: noMoment(), snapshots: noMoment() }
      known = { ...moments, wasLive: false, trouble: undefined }
      memory.instruments.set(id, known)
    }
    return known
  }

  const digest = new Digest()
  /** Completes the digest of a content that replaces the whole of what was before. */
  const count = (moment: Moment, time: number): void => {
    const again = occurrence(moment, time, 0, digest.high * 0x10_0000 + (digest.low >>> 12))
    digest.number(again)
  }
  const moment = (
    event: { readonly receivedTime: number; readonly venue: string; readonly connection?: string },
    kind: FeedEventRow["kind"],
    instrumentId: InstrumentId | null,
    reason: string
  ): FeedEventRow => ({
    table: "feed_events",
    sequence: ++memory.sequence,
    venue: event.venue,
    connection: event.connection ?? "",
    kind,
    instrumentId,
    from: event.receivedTime,
    to: null,
    receivedTime: event.receivedTime,
    lost: null,
    reason: plain(reason)
  })

  const snapshot = (event: BookSnapshot): Row => {
    const bids = bestFirst(event.bids, -1)
    const asks = bestFirst(event.asks, 1)
    digest.start().number(bids.length)
    for (const { price, size } of bids) digest.number(price).number(size)
    for (const { price, size } of asks) digest.number(price).number(size)
    count(memoryOf(event.instrumentId).snapshots, event.venueTime)
    return {
      table: "book_snapshots",
      sequence: ++memory.sequence,
      instrumentId: event.instrumentId,
      venueTime: event.venueTime,
      receivedTime: event.receivedTime,
      high: digest.high,
      low: digest.low,
      source: event.source,
      hash: event.hash,
      bids,
      asks
    }
  }
  const change = (event: BookChange): Row => {
    const { side, price, size } = event
    const level = price * 2 + (side === "bid" ? 0 : 1)
    const again = occurrence(memoryOf(event.instrumentId).changes, event.venueTime, level, size)
    digest.start().number(level).number(size).number(again)
    return {
      table: "book_changes",
      sequence: ++memory.sequence,
      instrumentId: event.instrumentId,
      venueTime: event.venueTime,
      receivedTime: event.receivedTime,
      high: digest.high,
      low: digest.low,
      side,
      price,
      size,
      bestBid: event.bestBid,
      bestAsk: event.bestAsk,
      hash: event.hash
    }
  }
  // Two fills of one settlement that agree in everything cannot be told from one that was sent twice.
  const trade = (event: Trade): Row => {
    const { price, size, takerSide, tradeId } = event
    digest.start().number(price).number(size).text(takerSide).text(tradeId)
    return {
      table: "trades",
      sequence: ++memory.sequence,
      instrumentId: event.instrumentId,
      venueTime: event.venueTime,
      receivedTime: event.receivedTime,
      high: digest.high,
      low: digest.low,
      price,
      size,
      takerSide,
      tradeId
    }
  }
  const quote = (event: BestChanged): Row => {
    const { bid, bidSize, ask, askSize } = event
    digest.start().number(bid).number(bidSize).number(ask).number(askSize)
    count(memoryOf(event.instrumentId).quotes, event.venueTime)
    return {
      table: "best_quotes",
      sequence: ++memory.sequence,
      instrumentId: event.instrumentId,
      venueTime: event.venueTime,
      receivedTime: event.receivedTime,
      high: digest.high,
      low: digest.low,
      bid,
      bidSize,
      ask,
      askSize
    }
  }
  /** That a book which was never live is stale goes without saying. */
  const status = (event: BookStatusChanged): FeedEventRow | undefined => {
    const known = memoryOf(event.instrumentId)
    if (event.status === "live") {
      known.wasLive = true
      if (known.trouble === undefined) return undefined
      const { from, reason } = known.trouble
      known.trouble = undefined
      return { ...moment(event, "live", event.instrumentId, reason), from, to: event.receivedTime }
    }
    if (event.status === "stale" && !known.wasLive) return undefined
    known.trouble ??= { from: event.receivedTime, reason: plain(event.reason) }
    return moment(event, event.status, event.instrumentId, event.reason)
  }

  return (event, rows) => {
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
          memory.instruments.delete(id)
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
}
