/**
 * A chain of digests over everything that was derived: each link covers the events of one input and the link before it,
 * and now and then a whole book, so that two runs with the same last link went the same way.
 */
import { createHash } from "node:crypto"
import type { InstrumentId } from "../domain/Market.ts"
import type { MarketEvent } from "../domain/MarketEvent.ts"
import type { Level, Side } from "../domain/OrderBook.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { Entry } from "./BookEntry.ts"

/** How far the chain has come. */
export interface Link {
  /** SHA-256, in hexadecimal. */
  readonly digest: string
  /** Events that it covers. */
  readonly events: number
}

/** Plain data, kept in place. */
export interface Memory {
  digest: Uint8Array
  events: number
  /** Which book is looked at next. */
  turn: number
}

export const memory = (): Memory => ({ digest: new Uint8Array(32), events: 0, turn: 0 })

export interface EventChain {
  readonly add: (events: ReadonlyArray<MarketEvent>) => void
  /** Adds the whole of one book, another one each time. */
  readonly inspect: (entries: ReadonlyMap<InstrumentId, Entry>) => void
  readonly link: () => Link
}

/** The longest text whose bytes are written; ids and reasons are far shorter. */
const MAX_TEXT = 1_000

/** Bytes that grow as needed and are used again. */
class Scratch {
  private bytes = Buffer.alloc(64 * 1024)
  private length = 0

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
  clear(): this {
    this.length = 0
    return this
  }
  number(value: number | null): this {
    this.room(8)
    this.length = this.bytes.writeDoubleLE(value ?? Number.NaN, this.length)
    return this
  }
  text(value: string | null): this {
    if (value === null) return this.number(-1)
    this.room(8 + 3 * MAX_TEXT)
    this.number(value.length)
    this.length += this.bytes.write(value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value, this.length, "utf8")
    return this
  }
  levels(levels: ReadonlyArray<Level>): this {
    this.number(levels.length)
    for (const { price, size } of levels) this.number(price).number(size)
    return this
  }
  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.alloc(this.bytes.length * 2)
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}

const sideNumber = (side: Side): number => (side === "bid" ? 0 : 1)

/** What is rare is written as JSON; a time of the market list counts by its milliseconds, whatever holds it. */
const asJson = (event: MarketEvent): string =>
  JSON.stringify(
    event._tag === "MarketListed"
      ? { ...event, market: { ...event.market, endTime: event.market.endTime?.epochMillis ?? null } }
      : event
  )

const write = (out: Scratch, event: MarketEvent): void => {
  switch (event._tag) {
    case "BookChange":
      out.number(1).text(event.instrumentId).number(sideNumber(event.side)).number(event.price).number(event.size)
      out.number(event.venueTime).number(event.receivedTime).number(event.sequence).text(event.hash)
      out.number(event.bestBid).number(event.bestAsk)
      return
    case "BestChanged":
      out.number(2).text(event.instrumentId).number(event.bid).number(event.bidSize)
      out.number(event.ask).number(event.askSize).number(event.venueTime).number(event.receivedTime)
      return
    case "BookSnapshot":
      out.number(3).text(event.instrumentId).levels(event.bids).levels(event.asks).text(event.source)
      out.number(event.venueTime).number(event.receivedTime).number(event.sequence).text(event.hash)
      return
    default: {
      const json = asJson(event)
      out.number(4)
      for (let at = 0; at < json.length; at += MAX_TEXT) out.text(json.slice(at, at + MAX_TEXT))
    }
  }
}

export const make = (remembered: Memory = memory()): EventChain => {
  const scratch = new Scratch()
  const seal = (): void => {
    remembered.digest = createHash("sha256").update(remembered.digest).update(scratch.written).digest()
  }
  return {
    add: (events) => {
      if (events.length === 0) return
      scratch.clear()
      for (const event of events) write(scratch, event)
      remembered.events += events.length
      seal()
    },
    inspect: (entries) => {
      if (entries.size === 0) return
      remembered.turn = (remembered.turn + 1) % entries.size
      let at = 0
      for (const { book, id, status } of entries.values()) {
        if (at++ < remembered.turn) continue
        scratch.clear().text(id).text(status)
        scratch.levels(OrderBook.levels(book, "bid")).levels(OrderBook.levels(book, "ask"))
        return seal()
      }
    },
    link: () => ({ digest: Buffer.from(remembered.digest).toString("hex"), events: remembered.events })
  }
}
