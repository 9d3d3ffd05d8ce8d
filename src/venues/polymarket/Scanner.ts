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
const POINT = 46
const ZERO = 48
const NINE = 57
const BACKSLASH = 92
const CLOSE_LIST = 93
const SPACE = 32
const TILDE = 126

/** By byte, whether it stands in a text as it is: printable ASCII, but for the quote and what escapes. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte <= TILDE && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0
)

/**
 * Bytes that are expected as they are, of ASCII and at least eight of them: compared eight at a time, as numbers, which no
 * ASCII makes one that is unlike itself. The last eight may overlap those before.
 */
interface Literal {
  readonly length: number
  readonly first: number
  readonly last: number
  /** What is between, of long ones. */
  readonly rest: ReadonlyArray<number>
}
const literal = (text: string): Literal => {
  const bytes = Buffer.from(text, "latin1")
  const { length } = bytes
  const rest = Array.from({ length: Math.ceil(length / 8) - 2 }, (_, i) => bytes.readDoubleLE(8 * (i + 1)))
  return { length, first: bytes.readDoubleLE(0), last: bytes.readDoubleLE(length - 8), rest }
}

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
const CHANGE_END = Buffer.from(`"}`).readUInt16LE()

/** Not of the print. Below every number that a member can stand for. */
const NONE = -2
/** A year 3000 in milliseconds has fourteen digits, and seconds have ten. */
const TIME_DIGITS = 13

export class Scanner {
  private readonly instruments: ReadonlyMap<string, Instrument>
  private readonly names = new Names()
  private readonly drafts: Array<Draft> = [draft(), draft()]
  private count = 0
  private venueTime = 0
  /** The memory that the frame lies in, often with others. */
  private buffer: ArrayBufferLike = new ArrayBuffer(0)
  private bytes: Buffer = Buffer.alloc(0)
  private view = new DataView(this.buffer)
  private at = 0
  private end = 0

  /** `instruments`: what the connection is subscribed to, by token id. */
  constructor(instruments: ReadonlyMap<string, Instrument>) {
    this.instruments = instruments
  }

  /** Whether the frame is of the print; then {@link push} gives what it says. */
  scan(frame: Buffer): boolean {
    const { buffer } = frame
    if (buffer !== this.buffer) {
      this.buffer = buffer
      this.bytes = Buffer.from(buffer)
      this.view = new DataView(buffer)
    }
    this.at = frame.byteOffset
    this.end = this.at + frame.length
    this.count = 0
    // Where it read on into what lies behind the frame, it did not end where the frame does.
    return this.message() && this.at === this.end
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
    if (!this.takes(MARKET) || !this.passText()) return false
    const print = this.bytes[this.at + 2] === SPACE ? SPACED : COMPACT
    return this.takes(print.priceChanges) && this.changes(print) && this.takes(print.timestamp) && this.time(print)
  }

  /** Takes the changes, up to the end of their list. */
  private changes(print: Print): boolean {
    const { bytes, drafts } = this
    for (;;) {
      if (this.count === drafts.length) drafts.push(draft())
      if (!this.change(print, drafts[this.count++]!)) return false
      if (bytes[this.at] === CLOSE_LIST) return true
      if (bytes[this.at] !== COMMA) return false
      this.at += print === SPACED && bytes[this.at + 1] === SPACE ? 2 : 1
    }
  }

  private change(print: Print, entry: Draft): boolean {
    if (!this.takes(print.assetId)) return false
    const id = this.text()
    if (id === undefined || !this.takes(print.price)) return false
    entry.instrumentId = this.instruments.get(id)?.id
    entry.price = this.decimal()
    if (entry.price <= 0 || entry.price >= SCALE || !this.takes(print.size)) return false
    entry.size = this.decimal()
    if (entry.size < 0 || !this.takes(print.side)) return false
    if (this.takes(print.buy)) entry.side = "bid"
    else if (this.takes(print.sell)) entry.side = "ask"
    else return false
    const from = this.at
    if (!this.passText()) return false
    entry.hash = this.at === from ? null : latin1(this.bytes, from, this.at)
    if (!this.takes(print.bestBid)) return false
    entry.bestBid = this.best()
    if (entry.bestBid === NONE || !this.takes(print.bestAsk)) return false
    entry.bestAsk = this.best()
    if (entry.bestAsk === NONE || this.at + 2 > this.end) return false
    if (this.view.getUint16(this.at, true) !== CHANGE_END) return false
    this.at += 2
    return true
  }

  /** Takes these bytes if they come next. */
  private takes({ first, last, length, rest }: Literal): boolean {
    const { at, view } = this
    if (at + length > this.end) return false
    if (view.getFloat64(at, true) !== first || view.getFloat64(at + length - 8, true) !== last) return false
    for (let i = 0; i < rest.length; i++) if (view.getFloat64(at + 8 * (i + 1), true) !== rest[i]) return false
    this.at = at + length
    return true
  }

  /** Takes a text up to its quote; ids are often the same. */
  private text(): string | undefined {
    const from = this.at
    const known = this.names.find(this.view, from, this.end)
    if (known !== undefined && this.bytes[from + known.length] === QUOTE) {
      this.at = from + known.length
      return known
    }
    return this.passText() ? this.names.add(this.bytes, from, this.at) : undefined
  }

  /** Passes over a text of printable ASCII without escapes, up to its quote. */
  private passText(): boolean {
    const { bytes, end } = this
    let { at } = this
    while (at < end && PLAIN[bytes[at]!] === 1) at++
    this.at = at
    return at < end && bytes[at] === QUOTE
  }

  /** Takes a decimal as `parseDecimal` has it, up to its quote; or {@link NONE}. */
  private decimal(): number {
    const { bytes } = this
    let { at } = this
    let value = 0
    let decimals = -1
    let digits = 0
    for (;;) {
      const byte = bytes[at]
      if (byte === undefined) return NONE
      if (byte >= ZERO && byte <= NINE) {
        digits++
        if (decimals < 0) value = value * 10 + (byte - ZERO)
        else if (decimals < 6) {
          value = value * 10 + (byte - ZERO)
          decimals++
        } else if (byte !== ZERO) return NONE
      } else if (byte === POINT && decimals < 0) decimals = 0
      else if (byte === QUOTE) break
      else return NONE
      at++
    }
    this.at = at
    if (digits === 0) return NONE
    value *= POWERS[6 - Math.max(decimals, 0)]!
    return value <= Number.MAX_SAFE_INTEGER ? value : NONE
  }

  /** The price of a best quote: −1 where the text is empty or at an end of the range. */
  private best(): number {
    if (this.bytes[this.at] === QUOTE) return -1
    const price = this.decimal()
    if (price === NONE || price > SCALE) return NONE
    return price === 0 || price === SCALE ? -1 : price
  }

  /** Takes a time in milliseconds as it is printed nowadays, and the rest of the message. */
  private time(print: Print): boolean {
    const { at, bytes } = this
    let value = 0
    for (let i = 0; i < TIME_DIGITS; i++) {
      const digit = bytes[at + i]! - ZERO
      if (!(digit >= 0 && digit <= 9)) return false
      value = value * 10 + digit
    }
    this.at = at + TIME_DIGITS
    this.venueTime = value
    return value >= 1e12 && this.takes(print.eventType)
  }
}

/** Text of bytes that are ASCII, without the detour through the names of encodings that `toString` takes. */
const latin1 = (bytes: Buffer, from: number, end: number): string =>
  (bytes as Buffer & { readonly latin1Slice: (from: number, end: number) => string }).latin1Slice(from, end)

const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const
