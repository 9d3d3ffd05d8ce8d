/**
 * The venue's book hash: SHA-1 over the compact JSON of the whole book with an empty `hash`, keys in the server's
 * order, levels in wire order (Polymarket reference §5.3).
 */
import { hash } from "node:crypto"
import { SCALE } from "../../domain/Money.ts"
import type { BookSide, OrderBook } from "../../domain/OrderBook.ts"

/** What the hash covers besides the levels. Texts are the venue's own lexemes. */
export interface HashContext {
  readonly market: string
  readonly assetId: string
  readonly minOrderSize: string
  readonly tickSize: string
  readonly negRisk: boolean
  /** `v2` on Protocol V2 markets, which alone print it; otherwise `null`. */
  readonly version: string | null
}

/**
 * `current`: the recipe of 2025 and later. `legacy`: the one of 2024, which ends after the asks. `unknown`: none
 * reproduced the venue's own snapshot, so that its hashes cannot be used.
 */
export type Recipe = "current" | "legacy" | "unknown"

const quote = JSON.stringify
/** What stands in JSON as it is, of ASCII. */
const PLAIN = /^[ !#-[\]-~]*$/

const QUOTE = 34
const COMMA = 44
const POINT = 46
const ZERO = 48

/** A level takes 22 bytes, a price of at most 8 and a size of at most 17, a comma, and what four bytes at once spill. */
const LEVEL_BYTES = 56

/** The digits of 0 to 999, three bytes each in one number, the first digit lowest. */
const THREE_DIGITS = Uint32Array.from(
  { length: 1000 },
  (_, n) => (ZERO + Math.floor(n / 100)) | ((ZERO + (Math.floor(n / 10) % 10)) << 8) | ((ZERO + (n % 10)) << 16)
)

/** The bytes of four characters as a little-endian number. */
const four = (text: string): number => Buffer.from(text, "latin1").readUInt32LE(0)
const PRICE_KEY = [four('{"pr'), four('ice"'), four(':"  ')] as const
const SIZE_KEY = [four('","s'), four('ize"'), four(':"  ')] as const
const LEVEL_END = four('"}  ')

/**
 * Hashes one book after the other in the same memory. What does not depend on the last trade is written once, so that
 * several guesses at it cost one serialisation.
 */
export class BookHasher {
  private bytes = Buffer.alloc(16 * 1024)
  private view = viewOf(this.bytes)
  private at = 0
  private tail = "}"
  private isLegacy = false

  /** Takes the book as it is now. Our sides are sorted best last, which is the wire's order. */
  write(recipe: Recipe, context: HashContext, timestamp: number, { asks, bids }: OrderBook): this {
    this.at = 0
    this.text('{"market":').quoted(context.market).text(',"asset_id":').quoted(context.assetId)
    this.text(',"timestamp":"').text(String(timestamp)).text('","hash":"","bids":[')
    this.levels(bids)
    this.text('],"asks":[')
    this.levels(asks)
    this.isLegacy = recipe === "legacy"
    if (this.isLegacy) this.text("]}")
    else {
      this.text('],"min_order_size":').quoted(context.minOrderSize).text(',"tick_size":').quoted(context.tickSize)
      this.text(context.negRisk ? ',"neg_risk":true' : ',"neg_risk":false').text(',"last_trade_price":')
      this.tail = context.version === null ? "}" : `,"version":${quote(context.version)}}`
    }
    return this
  }

  /** The hash of what was written with the last trade price as the venue prints it, `""` before the first trade. */
  digest(lastTradePrice: string): string {
    const end = this.at
    if (!this.isLegacy) this.quoted(lastTradePrice).text(this.tail)
    const digest = hash("sha1", this.bytes.subarray(0, this.at))
    this.at = end
    return digest
  }

  /** What was written, for people. */
  toString(): string {
    return this.bytes.toString("utf8", 0, this.at)
  }

  private text(text: string): this {
    this.room(text.length * 3)
    const { bytes } = this
    let at = this.at
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7e) {
        at = this.at + bytes.write(text, this.at, "utf8")
        break
      }
      bytes[at++] = code
    }
    this.at = at
    return this
  }

  /** As JSON. */
  private quoted(text: string): this {
    if (!PLAIN.test(text)) return this.text(quote(text))
    this.room(text.length + 2)
    const { at, bytes } = this
    bytes[at] = QUOTE
    const end = at + 1 + bytes.write(text, at + 1, "latin1")
    bytes[end] = QUOTE
    this.at = end + 1
    return this
  }

  private room(more: number): void {
    if (this.at + more <= this.bytes.length) return
    const larger = Buffer.alloc(Math.max(this.bytes.length * 2, this.at + more))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
    this.view = viewOf(larger)
  }

  private levels({ block, from, length }: BookSide): void {
    const { prices, sizes } = block
    this.room(length * LEVEL_BYTES)
    const { bytes, view } = this
    let at = this.at
    for (let i = from; i < from + length; i++) {
      if (i > from) bytes[at++] = COMMA
      view.setUint32(at, PRICE_KEY[0], true)
      view.setUint32(at + 4, PRICE_KEY[1], true)
      view.setUint32(at + 8, PRICE_KEY[2], true)
      at = decimal(view, at + 10, prices[i]!)
      view.setUint32(at, SIZE_KEY[0], true)
      view.setUint32(at + 4, SIZE_KEY[1], true)
      view.setUint32(at + 8, SIZE_KEY[2], true)
      at = decimal(view, at + 10, sizes[i]!)
      view.setUint32(at, LEVEL_END, true)
      at += 2
    }
    this.at = at
  }
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** Writes the shortest decimal of a number of millionths, as `formatDecimal` has it, and says where it ends. */
const decimal = (view: DataView, at: number, millionths: number): number => {
  if (millionths < SCALE) {
    view.setUint8(at, ZERO)
    return fraction(view, at + 1, millionths | 0)
  }
  const whole = Math.floor(millionths / SCALE)
  const end = whole < SCALE ? integer(view, at, whole | 0) : digits(view, at, String(whole))
  return fraction(view, end, (millionths - whole * SCALE) | 0)
}

const fraction = (view: DataView, at: number, millionths: number): number => {
  if (millionths === 0) return at
  view.setUint8(at, POINT)
  const high = (millionths / 1000) | 0
  const low = millionths - high * 1000
  view.setUint32(at + 1, THREE_DIGITS[high]!, true)
  if (low === 0) return at + 4 - trailingZeros(high)
  view.setUint32(at + 4, THREE_DIGITS[low]!, true)
  return at + 7 - trailingZeros(low)
}

/** Of 1 to 999, written with three digits. */
const trailingZeros = (n: number): number => (n % 100 === 0 ? 2 : n % 10 === 0 ? 1 : 0)

/** Writes a whole number of 1 to 999 999. */
const integer = (view: DataView, at: number, value: number): number => {
  if (value < 1000) return upToThree(view, at, value)
  const thousands = (value / 1000) | 0
  const end = upToThree(view, at, thousands)
  view.setUint32(end, THREE_DIGITS[value - thousands * 1000]!, true)
  return end + 3
}

const upToThree = (view: DataView, at: number, value: number): number => {
  const count = value >= 100 ? 3 : value >= 10 ? 2 : 1
  view.setUint32(at, THREE_DIGITS[value]! >>> (8 * (3 - count)), true)
  return at + count
}

const digits = (view: DataView, at: number, text: string): number => {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i))
  return at + text.length
}
