/**
 * Reads the frames that come by the thousand from their bytes, in one pass and without `JSON.parse`: `price_change` as the
 * venue has printed it since 2025-09-15 (Polymarket reference §5.2), member by member.
 *
 * What is not exactly of that print is left to `Normalize`, which reads everything and explains what is wrong: another
 * type, another order of the members, one that is unknown or missing, an escape, a byte that is not printable ASCII, a
 * number where the venue prints text, a space elsewhere than after every comma. What is read here is what `Normalize` would
 * read.
 */
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import type { BookChange, FeedEvent } from "../../domain/MarketEvent.ts"
import { type Price, SCALE, type Size } from "../../domain/Money.ts"
import type { Side } from "../../domain/OrderBook.ts"
import { Cursor, type Literal, literal, NONE } from "./Cursor.ts"
import { Names } from "./Names.ts"

/** One entry of `price_changes`, used again for the next frame. */
interface Draft {
  instrumentId: InstrumentId | undefined
  side: Side
  price: number
  size: number
  hash: string | null
  bestBid: number
  bestAsk: number
}

const draft = (): Draft => ({
  instrumentId: undefined,
  side: "bid",
  price: 0,
  size: 0,
  hash: null,
  bestBid: 0,
  bestAsk: 0
})

const QUOTE = 34
const COMMA = 44
const CLOSE_LIST = 93
const SPACE = 32

/** What stands between the values, by what stands after a comma. */
interface Print {
  readonly priceChanges: Literal
  readonly assetId: Literal
  readonly price: Literal
  readonly size: Literal
  readonly side: Literal
  readonly buy: Literal
  readonly sell: Literal
  readonly bestBid: Literal
  readonly bestAsk: Literal
  readonly timestamp: Literal
  readonly eventType: Literal
}
const print = (space: string): Print => ({
  priceChanges: literal(`",${space}"price_changes":[`),
  assetId: literal(`{"asset_id":"`),
  price: literal(`",${space}"price":"`),
  size: literal(`",${space}"size":"`),
  side: literal(`",${space}"side":"`),
  buy: literal(`BUY",${space}"hash":"`),
  sell: literal(`SELL",${space}"hash":"`),
  bestBid: literal(`",${space}"best_bid":"`),
  bestAsk: literal(`",${space}"best_ask":"`),
  timestamp: literal(`],${space}"timestamp":"`),
  eventType: literal(`",${space}"event_type":"price_change"}`)
})
const MARKET = literal(`{"market":"`)
const SPACED = print(" ")
const COMPACT = print("")

export class ChangeScanner {
  private readonly instruments: ReadonlyMap<string, Instrument>
  private readonly names = new Names()
  private readonly drafts: Array<Draft> = [draft(), draft()]
  private readonly cursor = new Cursor()
  private count = 0
  private venueTime = 0

  /** `instruments`: what the connection is subscribed to, by token id. */
  constructor(instruments: ReadonlyMap<string, Instrument>) {
    this.instruments = instruments
  }

  /** Whether the frame is of the print; then {@link push} gives what it says. */
  scan(frame: Buffer): boolean {
    const { cursor } = this
    cursor.open(frame)
    this.count = 0
    return this.message() && cursor.isAtEnd
  }

  /** Appends the changes of the frame that was scanned last. */
  push(receivedTime: number, out: Array<FeedEvent>): void {
    const { count, drafts, venueTime } = this
    for (let i = 0; i < count; i++) {
      const { bestAsk, bestBid, hash, instrumentId, price, side, size } = drafts[i]!
      if (instrumentId === undefined) continue
      const event: BookChange = {
        _tag: "BookChange",
        instrumentId,
        side,
        price: price as Price,
        size: size as Size,
        venueTime,
        receivedTime,
        sequence: null,
        hash,
        bestBid: bestBid as Price | -1,
        bestAsk: bestAsk as Price | -1
      }
      out.push(event)
    }
  }

  private message(): boolean {
    const { cursor } = this
    if (!cursor.takes(MARKET) || !cursor.passText()) return false
    const print = cursor.bytes[cursor.at + 2] === SPACE ? SPACED : COMPACT
    if (!cursor.takes(print.priceChanges) || !this.changes(print) || !cursor.takes(print.timestamp)) return false
    this.venueTime = cursor.time()
    return this.venueTime !== NONE && cursor.takes(print.eventType)
  }

  /** Takes the changes, up to the end of their list. */
  private changes(print: Print): boolean {
    const { cursor, drafts } = this
    const { bytes } = cursor
    for (;;) {
      if (this.count === drafts.length) drafts.push(draft())
      if (!this.change(print, drafts[this.count++]!)) return false
      if (bytes[cursor.at] === CLOSE_LIST) return true
      if (bytes[cursor.at] !== COMMA) return false
      cursor.at += print === SPACED && bytes[cursor.at + 1] === SPACE ? 2 : 1
    }
  }

  private change(print: Print, entry: Draft): boolean {
    const { cursor } = this
    if (!cursor.takes(print.assetId)) return false
    const id = this.id()
    if (id === undefined || !cursor.takes(print.price)) return false
    entry.instrumentId = this.instruments.get(id)?.id
    entry.price = cursor.decimal()
    if (entry.price <= 0 || entry.price >= SCALE || !cursor.takes(print.size)) return false
    entry.size = cursor.decimal()
    if (entry.size < 0 || !cursor.takes(print.side)) return false
    if (cursor.takes(print.buy)) entry.side = "bid"
    else if (cursor.takes(print.sell)) entry.side = "ask"
    else return false
    const from = cursor.at
    if (!cursor.passText()) return false
    entry.hash = cursor.at === from ? null : cursor.since(from)
    if (!cursor.takes(print.bestBid)) return false
    entry.bestBid = this.best()
    if (entry.bestBid === NONE || !cursor.takes(print.bestAsk)) return false
    entry.bestAsk = this.best()
    return entry.bestAsk !== NONE && cursor.takesObjectEnd()
  }

  /** Takes a token's id, which is often the same as one before. */
  private id(): string | undefined {
    const { cursor, names } = this
    const from = cursor.at
    const known = names.find(cursor.view, from, cursor.end)
    if (known !== undefined && cursor.bytes[from + known.length] === QUOTE) {
      cursor.at = from + known.length
      return known
    }
    return cursor.passText() ? names.add(cursor.bytes, from, cursor.at) : undefined
  }

  /** The price of a best quote: −1 where the text is empty or at an end of the range. */
  private best(): number {
    const { cursor } = this
    if (cursor.bytes[cursor.at] === QUOTE) return -1
    const price = cursor.decimal()
    if (price === NONE || price > SCALE) return NONE
    return price === 0 || price === SCALE ? -1 : price
  }
}
