/**
 * A place in a frame's bytes, and what can be taken from there: the venue's texts and decimals as it prints them, and what
 * stands between them. Whoever reads by bytes reads one print and leaves all else to `Normalize`.
 */

/** Not of the print. Below every number that a member can stand for. */
export const NONE = -2
/** A year 3000 in milliseconds has fourteen digits, and seconds have ten. */
const TIME_DIGITS = 13

const QUOTE = 34
const POINT = 46
const ZERO = 48
const NINE = 57
const BACKSLASH = 92
const SPACE = 32
const TILDE = 126
const QUOTE_BRACE = Buffer.from(`"}`).readUInt16LE()

/** By byte, whether it stands in a text as it is: printable ASCII, but for the quote and what escapes. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte <= TILDE && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0
)

/**
 * Bytes that are expected as they are, of ASCII and at least eight of them: compared eight at a time, as numbers, which no
 * ASCII makes one that is unlike itself. The last eight may overlap those before.
 */
export interface Literal {
  readonly length: number
  readonly first: number
  readonly last: number
  /** What is between, of long ones. */
  readonly rest: ReadonlyArray<number>
}
export const literal = (text: string): Literal => {
  const bytes = Buffer.from(text, "latin1")
  const { length } = bytes
  const rest = Array.from({ length: Math.ceil(length / 8) - 2 }, (_, i) => bytes.readDoubleLE(8 * (i + 1)))
  return { length, first: bytes.readDoubleLE(0), last: bytes.readDoubleLE(length - 8), rest }
}

const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const

export class Cursor {
  /** The memory that the frame lies in, often with others. */
  private buffer: ArrayBufferLike = new ArrayBuffer(0)
  bytes: Buffer = Buffer.alloc(0)
  view = new DataView(this.buffer)
  at = 0
  /** Where the frame ends. What is read beyond it is not the frame's, so that it has to be looked whether it was. */
  end = 0

  /** Begins at the frame's first byte. */
  open(frame: Buffer): void {
    const { buffer } = frame
    if (buffer !== this.buffer) {
      this.buffer = buffer
      this.bytes = Buffer.from(buffer)
      this.view = new DataView(buffer)
    }
    this.at = frame.byteOffset
    this.end = this.at + frame.length
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }

  /** Takes these bytes if they come next. */
  takes({ first, last, length, rest }: Literal): boolean {
    const { at, view } = this
    if (at + length > this.end) return false
    if (view.getFloat64(at, true) !== first || view.getFloat64(at + length - 8, true) !== last) return false
    for (let i = 0; i < rest.length; i++) if (view.getFloat64(at + 8 * (i + 1), true) !== rest[i]) return false
    this.at = at + length
    return true
  }

  /** Takes one byte if it comes next. */
  takesByte(byte: number): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false
    this.at++
    return true
  }

  /** Takes the end of an object whose last value is a text. */
  takesObjectEnd(): boolean {
    if (this.at + 2 > this.end || this.view.getUint16(this.at, true) !== QUOTE_BRACE) return false
    this.at += 2
    return true
  }

  /** Passes over a text of printable ASCII without escapes, up to its quote. */
  passText(): boolean {
    const { bytes, end } = this
    let { at } = this
    while (at < end && PLAIN[bytes[at]!] === 1) at++
    this.at = at
    return at < end && bytes[at] === QUOTE
  }

  /** Takes such a text. */
  text(): string | undefined {
    const from = this.at
    return this.passText() ? this.since(from) : undefined
  }

  /** The text from a place up to here; it is ASCII, which spares the detour through names of encodings that `toString` takes. */
  since(from: number): string {
    return (this.bytes as Buffer & { readonly latin1Slice: (from: number, end: number) => string }).latin1Slice(
      from,
      this.at
    )
  }

  /** Takes a decimal as `parseDecimal` has it, in millionths, up to its quote; or {@link NONE}. */
  decimal(): number {
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

  /** Takes a time in milliseconds as it is printed nowadays; or {@link NONE}. */
  time(): number {
    const { at, bytes } = this
    let value = 0
    for (let i = 0; i < TIME_DIGITS; i++) {
      const digit = bytes[at + i]! - ZERO
      if (!(digit >= 0 && digit <= 9)) return NONE
      value = value * 10 + digit
    }
    this.at = at + TIME_DIGITS
    return value >= 1e12 ? value : NONE
  }
}
