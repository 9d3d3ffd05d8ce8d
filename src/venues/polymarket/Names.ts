/**
 * Texts by their bytes: an id that comes again is the very string that it was before, which costs no memory and is found
 * in a map without being hashed anew.
 */

/** Names come from outside: more are forgotten together. */
const MAX_NAMES = 8_192
/** Shorter texts are not kept: they are compared eight bytes at a time, and told apart by the first of them. Nor longer ones. */
const SHORTEST = 8
const WORDS = 10
const LONGEST = WORDS * 8

/** Where the words of a text of so many bytes lie, one after the other, and the last at its end. */
const offsetOf = (word: number, length: number): number => Math.min(word * 8, length - 8)

/** Ids differ in their first bytes as much as anywhere. */
const keyOf = (first: number, second: number): number => (first ^ Math.imul(second, 0x9e37_79b1)) | 0

export class Names {
  /** The places of names, by their first bytes. */
  private readonly places = new Map<number, number>()
  private readonly texts: Array<string> = []
  private readonly lengths: Array<number> = []
  /**
   * The bytes of each name by eights, as numbers: no ASCII makes one that is unlike itself. The last eight may overlap those
   * before.
   */
  private words = new Float64Array(64 * WORDS)

  /** The text that was added and that these bytes begin with, if one does. */
  find(view: DataView, at: number, end: number): string | undefined {
    if (at + SHORTEST > end) return undefined
    const place = this.places.get(keyOf(view.getInt32(at, true), view.getInt32(at + 4, true)))
    if (place === undefined) return undefined
    const length = this.lengths[place]!
    if (at + length > end) return undefined
    const { words } = this
    const first = place * WORDS
    const last = (length - 1) >> 3
    for (let i = 0; i < last; i++) if (view.getFloat64(at + i * 8, true) !== words[first + i]) return undefined
    return view.getFloat64(at + length - 8, true) === words[first + last] ? this.texts[place] : undefined
  }

  /** The text of these bytes of ASCII. */
  add(bytes: Buffer, from: number, end: number): string {
    const text = bytes.toString("latin1", from, end)
    const { length } = text
    if (length < SHORTEST || length > LONGEST) return text
    if (this.texts.length >= MAX_NAMES) {
      this.places.clear()
      this.texts.length = 0
      this.lengths.length = 0
    }
    const place = this.texts.length
    if ((place + 1) * WORDS > this.words.length) {
      const more = new Float64Array(this.words.length * 2)
      more.set(this.words)
      this.words = more
    }
    this.texts.push(text)
    this.lengths.push(length)
    for (let i = 0; i * 8 < length; i++) this.words[place * WORDS + i] = bytes.readDoubleLE(from + offsetOf(i, length))
    this.places.set(keyOf(bytes.readInt32LE(from), bytes.readInt32LE(from + 4)), place)
    return text
  }
}
