/**
 * A chain of digests over everything that was derived: each link covers the link before it and what came since, which is
 * every event and now and then a whole book, so that two runs with the same last link went the same way. A link is made
 * when so many bytes have come; what is shown covers the bytes that are not in one yet as well.
 */
import { createHash } from "node:crypto"
import type { InstrumentId } from "../domain/Market.ts"
import type { MarketEvent } from "../domain/MarketEvent.ts"
import type { Level } from "../domain/OrderBook.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { Entry } from "./BookEntry.ts"

/** How far the chain has come. */
export interface Link {
  /** SHA-256, in hexadecimal. */
  readonly digest: string
  /** Events that it covers. */
  readonly events: number
}

/** Plain data, kept in place; complete after {@link EventChain.keep}. */
export interface Memory {
  digest: Uint8Array
  /** What is in no link yet. */
  rest: Uint8Array
  events: number
  /** Which book is looked at next. */
  turn: number
  /** Instruments by the numbers that stand for them, given out as they come. */
  readonly numbers: Map<InstrumentId, number>
  lastNumber: number
}

export const memory = (): Memory => ({
  digest: new Uint8Array(32),
  rest: new Uint8Array(0),
  events: 0,
  turn: 0,
  numbers: new Map(),
  lastNumber: 0
})

export interface EventChain {
  readonly add: (events: ReadonlyArray<MarketEvent>) => void
  /** Adds the whole of one book, another one each time. */
  readonly inspect: (entries: ReadonlyMap<InstrumentId, Entry>) => void
  readonly link: () => Link
  /** Completes the memory, to be saved. */
  readonly keep: () => void
}

/** The longest text whose bytes are written; ids and reasons are far shorter. */
const MAX_TEXT = 1_000
/** Bytes from which on a link is made. */
const LINK_BYTES = 32 * 1024
const LAST_ASCII = 0x7f
/** More than any event takes besides its texts and levels. */
const EVENT_BYTES = 128
const LEVEL_BYTES = 12

/** Bytes that grow as needed and are used again; there must be {@link room} for what is written. */
class Scratch {
  private bytes = Buffer.alloc(2 * LINK_BYTES)
  private view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  length = 0

  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
  clear(): void {
    this.length = 0
  }
  room(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.alloc(Math.max(this.bytes.length * 2, this.length + more))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
    this.view = new DataView(larger.buffer, larger.byteOffset, larger.length)
  }
  byte(value: number): this {
    this.bytes[this.length++] = value
    return this
  }
  /** A price, a count, or −1 for none. */
  int(value: number): this {
    this.view.setInt32(this.length, value, true)
    this.length += 4
    return this
  }
  number(value: number | null): this {
    this.view.setFloat64(this.length, value ?? Number.NaN, true)
    this.length += 8
    return this
  }
  /** Makes room itself, and for another event behind it. */
  text(value: string | null): this {
    this.room(3 * MAX_TEXT + EVENT_BYTES)
    if (value === null) return this.int(-1)
    this.int(value.length)
    if (value.length > MAX_TEXT) return this.encoded(value.slice(0, MAX_TEXT))
    const { bytes, length } = this
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > LAST_ASCII) return this.encoded(value)
      bytes[length + i] = code
    }
    this.length = length + value.length
    return this
  }
  /** Makes room itself, and for another event behind it. */
  levels(levels: ReadonlyArray<Level>): this {
    this.room(levels.length * LEVEL_BYTES + EVENT_BYTES)
    this.int(levels.length)
    for (const { price, size } of levels) this.int(price).number(size)
    return this
  }
  append(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }
  private encoded(value: string): this {
    this.length += this.bytes.write(value, this.length, "utf8")
    return this
  }
}

/** What begins each piece; of a change also its side. */
const NUMBERED = 0
const BID_CHANGE = 1
const ASK_CHANGE = 2
const BEST = 3
const SNAPSHOT = 4
const OTHER = 5
const BOOK = 6
/** Stands for a best quote that the venue did not state. */
const UNSTATED = -2

/** What is rare is written as JSON; a time of the market list counts by its milliseconds, whatever holds it. */
const asJson = (event: MarketEvent): string =>
  JSON.stringify(
    event._tag === "MarketListed"
      ? { ...event, market: { ...event.market, endTime: event.market.endTime?.epochMillis ?? null } }
      : event
  )

export const make = (remembered: Memory = memory()): EventChain => {
  const { numbers } = remembered
  const out = new Scratch()
  out.append(remembered.rest)

  const digest = () => createHash("sha256").update(remembered.digest).update(out.written).digest()
  const close = (): void => {
    if (out.length < LINK_BYTES) return
    remembered.digest = digest()
    out.clear()
  }
  /** Writes the number that stands for an instrument; at first what it stands for. */
  const instrument = (kind: number, id: InstrumentId): void => {
    let number = numbers.get(id)
    if (number === undefined) {
      number = ++remembered.lastNumber
      numbers.set(id, number)
      out.byte(NUMBERED).text(id)
    }
    out.byte(kind).int(number)
  }
  const write = (event: MarketEvent): void => {
    out.room(EVENT_BYTES)
    switch (event._tag) {
      case "BookChange":
        instrument(event.side === "bid" ? BID_CHANGE : ASK_CHANGE, event.instrumentId)
        out.int(event.price).number(event.size).number(event.venueTime).number(event.receivedTime)
        out.int(event.bestBid ?? UNSTATED).int(event.bestAsk ?? UNSTATED)
        out.number(event.sequence).text(event.hash)
        return
      case "BestChanged":
        instrument(BEST, event.instrumentId)
        out.int(event.bid).number(event.bidSize).int(event.ask).number(event.askSize)
        out.number(event.venueTime).number(event.receivedTime)
        return
      case "BookSnapshot":
        instrument(SNAPSHOT, event.instrumentId)
        out.number(event.venueTime).number(event.receivedTime).number(event.sequence)
        out.levels(event.bids).levels(event.asks).text(event.source).text(event.hash)
        return
      default: {
        const json = asJson(event)
        out.byte(OTHER)
        for (let at = 0; at < json.length; at += MAX_TEXT) out.text(json.slice(at, at + MAX_TEXT))
        if (event._tag === "Unsubscribed") for (const id of event.instrumentIds) numbers.delete(id)
      }
    }
  }

  return {
    add: (events) => {
      for (const event of events) write(event)
      remembered.events += events.length
      close()
    },
    inspect: (entries) => {
      if (entries.size === 0) return
      remembered.turn = (remembered.turn + 1) % entries.size
      let at = 0
      for (const { book, id, status } of entries.values()) {
        if (at++ < remembered.turn) continue
        out.room(EVENT_BYTES)
        out.byte(BOOK).text(id).text(status)
        out.levels(OrderBook.levels(book, "bid")).levels(OrderBook.levels(book, "ask"))
        return close()
      }
    },
    link: () => ({ digest: digest().toString("hex"), events: remembered.events }),
    keep: () => {
      remembered.rest = Uint8Array.from(out.written)
    }
  }
}
