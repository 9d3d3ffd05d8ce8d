/**
 * Reads the frames that come by the thousand from their bytes, in one pass and without `JSON.parse`: `price_change` as the
 * venue has printed it since 2025-09-15 (Polymarket reference §5.2), its keys in any order.
 *
 * What is not exactly of that shape is left to `Normalize`, which reads everything and explains what is wrong: another
 * type, a key that is unknown, missing or there twice, an escape, a byte that is not printable ASCII, a number where the
 * venue prints text, a space elsewhere than after a comma or colon. What is read here is what `Normalize` would read.
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
  bestBid: number | null
  bestAsk: number | null
}

const draft = (): Draft => ({
  instrumentId: undefined,
  side: "bid",
  price: 0,
  size: 0,
  hash: null,
  bestBid: null,
  bestAsk: null
})

const QUOTE = 34
const COMMA = 44
const POINT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const BACKSLASH = 92
const SPACE = 32
const TILDE = 126

/**
 * Bytes that are expected as they are, compared four at a time; the last four may overlap those before. None is shorter
 * than four.
 */
interface Literal {
  readonly length: number
  readonly offsets: ReadonlyArray<number>
  readonly words: ReadonlyArray<number>
}
const literal = (text: string): Literal => {
  const bytes = Buffer.from(text, "latin1")
  const offsets = Array.from({ length: Math.ceil(bytes.length / 4) }, (_, i) => Math.min(i * 4, bytes.length - 4))
  return { length: bytes.length, offsets, words: offsets.map((offset) => bytes.readInt32LE(offset)) }
}
/** A member's name and the quotes around it. */
const name = (text: string): Literal => literal(`"${text}"`)
const MARKET_NAME = name("market")
const CHANGES_NAME = name("price_changes")
const TIMESTAMP_NAME = name("timestamp")
const TYPE_NAME = name("event_type")
const ASSET_ID_NAME = name("asset_id")
const PRICE_NAME = name("price")
const SIZE_NAME = name("size")
const SIDE_NAME = name("side")
const HASH_NAME = name("hash")
const BEST_BID_NAME = name("best_bid")
const BEST_ASK_NAME = name("best_ask")
const PRICE_CHANGE = literal('price_change"')
const BUY = literal('BUY"')
const SELL = literal('SELL"')

const letter = (name: string) => name.charCodeAt(0)
const [A, B, E, H, M, P, S, T] = ["a", "b", "e", "h", "m", "p", "s", "t"].map(letter) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number
]
const OPEN = letter("{")
const CLOSE = letter("}")
const OPEN_LIST = letter("[")
const CLOSE_LIST = letter("]")

/** Members that are there, as bits. */
const ASSET_ID = 1
const PRICE = 2
const SIZE = 4
const SIDE = 8
const HASH = 16
const BEST_BID = 32
const BEST_ASK = 64
const NEEDED = ASSET_ID | PRICE | SIZE | SIDE
const MARKET = 1
const CHANGES = 2
const TIMESTAMP = 4
const TYPE = 8
const ALL = MARKET | CHANGES | TIMESTAMP | TYPE

/** Not of the shape. Below every number that a member can stand for. */
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

  /** Whether the frame is of the shape; then {@link push} gives what it says. */
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
        bestBid: bestBid as Price | -1 | null,
        bestAsk: bestAsk as Price | -1 | null
      }
      out.push(event)
    }
  }

  private message(): boolean {
    let seen = 0
    if (!this.takes(OPEN)) return false
    do {
      const member = this.messageMember()
      if (member === 0 || (seen & member) !== 0) return false
      seen |= member
    } while (this.continues())
    return seen === ALL && this.takes(CLOSE)
  }

  private messageMember(): number {
    switch (this.bytes[this.at + 1]) {
      case M:
        return this.isText(MARKET_NAME) && this.text() !== undefined ? MARKET : 0
      case P:
        return this.isMember(CHANGES_NAME) && this.changes() ? CHANGES : 0
      case T:
        return this.isText(TIMESTAMP_NAME) && this.time() ? TIMESTAMP : 0
      case E:
        return this.isText(TYPE_NAME) && this.matches(PRICE_CHANGE) ? TYPE : 0
      default:
        return 0
    }
  }

  private changes(): boolean {
    if (!this.takes(OPEN_LIST)) return false
    do {
      if (this.count === this.drafts.length) this.drafts.push(draft())
      if (!this.change(this.drafts[this.count++]!)) return false
    } while (this.continues())
    return this.takes(CLOSE_LIST)
  }

  private change(entry: Draft): boolean {
    entry.hash = null
    entry.bestBid = null
    entry.bestAsk = null
    let seen = 0
    if (!this.takes(OPEN)) return false
    do {
      const member = this.changeMember(entry)
      if (member === 0 || (seen & member) !== 0) return false
      seen |= member
    } while (this.continues())
    return (seen & NEEDED) === NEEDED && this.takes(CLOSE)
  }

  private changeMember(entry: Draft): number {
    const { bytes } = this
    switch (bytes[this.at + 1]) {
      case A: {
        if (!this.isText(ASSET_ID_NAME)) return 0
        const id = this.text()
        if (id === undefined) return 0
        entry.instrumentId = this.instruments.get(id)?.id
        return ASSET_ID
      }
      case P:
        if (!this.isText(PRICE_NAME)) return 0
        entry.price = this.decimal()
        return entry.price > 0 && entry.price < SCALE ? PRICE : 0
      case S:
        if (this.isText(SIZE_NAME)) {
          entry.size = this.decimal()
          return entry.size >= 0 ? SIZE : 0
        }
        if (!this.isText(SIDE_NAME)) return 0
        if (this.matches(BUY)) entry.side = "bid"
        else if (this.matches(SELL)) entry.side = "ask"
        else return 0
        return SIDE
      case H: {
        if (!this.isText(HASH_NAME)) return 0
        const from = this.at
        const end = this.textEnd()
        if (end === NONE) return 0
        entry.hash = end === from ? null : latin1(bytes, from, end)
        return HASH
      }
      case B: {
        const isBid = this.isText(BEST_BID_NAME)
        if (!isBid && !this.isText(BEST_ASK_NAME)) return 0
        const price = this.best()
        if (price === NONE) return 0
        if (isBid) entry.bestBid = price
        else entry.bestAsk = price
        return isBid ? BEST_BID : BEST_ASK
      }
      default:
        return 0
    }
  }

  /** Takes one byte if it comes next. */
  private takes(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false
    this.at++
    return true
  }

  /** Takes a comma, and a space after it. */
  private continues(): boolean {
    if (this.bytes[this.at] !== COMMA) return false
    this.at++
    this.space()
    return true
  }

  private space(): void {
    if (this.bytes[this.at] === SPACE) this.at++
  }

  /** Takes these bytes if they come next. */
  private matches({ length, offsets, words }: Literal): boolean {
    const { at, view } = this
    if (at + length > this.end) return false
    for (let i = 0; i < words.length; i++) if (view.getInt32(at + offsets[i]!, true) !== words[i]) return false
    this.at = at + length
    return true
  }

  /** Takes a name and what stands between it and its value. */
  private isMember(name: Literal): boolean {
    const from = this.at
    if (!this.matches(name) || !this.takes(COLON)) {
      this.at = from
      return false
    }
    this.space()
    return true
  }

  /** The same with the quote that begins a text. */
  private isText(name: Literal): boolean {
    return this.isMember(name) && this.takes(QUOTE)
  }

  /** Takes the rest of a text that is often the same, as ids are. */
  private text(): string | undefined {
    const from = this.at
    const known = this.names.find(this.view, from, this.end)
    if (known !== undefined && this.bytes[from + known.length] === QUOTE) {
      this.at = from + known.length + 1
      return known
    }
    const end = this.textEnd()
    return end === NONE ? undefined : this.names.add(this.bytes, from, end)
  }

  /** Takes the rest of a text of printable ASCII without escapes, and its quote. Gives where it ends, or {@link NONE}. */
  private textEnd(): number {
    const { bytes, end } = this
    for (let at = this.at; at < end; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE) {
        this.at = at + 1
        return at
      }
      if (byte < SPACE || byte > TILDE || byte === BACKSLASH) return NONE
    }
    return NONE
  }

  /** Takes the rest of a text that is a decimal, as `parseDecimal` has it, and its quote; or {@link NONE}. */
  private decimal(): number {
    const { bytes } = this
    let { at } = this
    let value = 0
    let decimals = -1
    let digits = 0
    for (;;) {
      const byte = bytes[at++]
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
    }
    this.at = at
    if (digits === 0) return NONE
    value *= POWERS[6 - Math.max(decimals, 0)]!
    return value <= Number.MAX_SAFE_INTEGER ? value : NONE
  }

  /** The price of a best quote: −1 where the text is empty or at an end of the range. */
  private best(): number {
    if (this.takes(QUOTE)) return -1
    const price = this.decimal()
    if (price === NONE || price > SCALE) return NONE
    return price === 0 || price === SCALE ? -1 : price
  }

  /** A time in milliseconds as it is printed nowadays. */
  private time(): boolean {
    const { at, bytes } = this
    let value = 0
    for (let i = 0; i < TIME_DIGITS; i++) {
      const digit = bytes[at + i]! - ZERO
      if (!(digit >= 0 && digit <= 9)) return false
      value = value * 10 + digit
    }
    this.at = at + TIME_DIGITS
    this.venueTime = value
    return value >= 1e12 && this.takes(QUOTE)
  }
}

/** Text of bytes that are ASCII, without the detour through the names of encodings that `toString` takes. */
const latin1 = (bytes: Buffer, from: number, end: number): string =>
  (bytes as Buffer & { readonly latin1Slice: (from: number, end: number) => string }).latin1Slice(from, end)

const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const
