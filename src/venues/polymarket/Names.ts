/**
 * Texts by their bytes: an id that comes again is the very string that it was before, which costs no memory and is found
 * in a map without being hashed anew.
 */

/** Names come from outside: more are forgotten together. */
const MAX_NAMES = 8_192
/** Shorter texts are not kept: they are compared eight bytes at a time, and told apart by the first of them. */
const SHORTEST = 8

interface Name {
  readonly text: string
  /** Its bytes by eights, as numbers: no ASCII makes one that is unlike itself. The last eight may overlap those before. */
  readonly words: Float64Array
}

/** Where the words of a text of so many bytes lie, one after the other, and the last at its end. */
const offsetOf = (word: number, length: number): number => Math.min(word * 8, length - 8)

/** Ids differ in their first bytes as much as anywhere. */
const keyOf = (first: number, second: number): number => (first ^ Math.imul(second, 0x9e37_79b1)) | 0

export class Names {
  private readonly names = new Map<number, Name>()

  /** The text that was added and that these bytes begin with, if one does. */
  find(view: DataView, at: number, end: number): string | undefined {
    if (at + SHORTEST > end) return undefined
    const found = this.names.get(keyOf(view.getInt32(at, true), view.getInt32(at + 4, true)))
    if (found === undefined) return undefined
    const { text, words } = found
    const { length } = text
    if (at + length > end) return undefined
    const last = words.length - 1
    for (let i = 0; i < last; i++) if (view.getFloat64(at + i * 8, true) !== words[i]) return undefined
    return view.getFloat64(at + length - 8, true) === words[last] ? text : undefined
  }

  /** The text of these bytes of ASCII. */
  add(bytes: Buffer, from: number, end: number): string {
    const text = bytes.toString("latin1", from, end)
    if (text.length < SHORTEST) return text
    if (this.names.size >= MAX_NAMES) this.names.clear()
    const words = Float64Array.from({ length: Math.ceil(text.length / 8) }, (_, i) =>
      bytes.readDoubleLE(from + offsetOf(i, text.length))
    )
    this.names.set(keyOf(bytes.readInt32LE(from), bytes.readInt32LE(from + 4)), { text, words })
    return text
  }
}
