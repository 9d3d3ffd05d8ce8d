/**
 * Texts by their bytes: an id that comes again is the very string that it was before, which costs no memory and is found
 * in a map without being hashed anew.
 */

/** Names come from outside: more are forgotten together. */
const MAX_NAMES = 8_192
/** Shorter texts are not kept: they are compared by words of four bytes, and told apart by two of them. */
const SHORTEST = 8

interface Name {
  readonly text: string
  /** Its bytes by fours; the last four may overlap those before. */
  readonly words: Int32Array
}

/** Where the words of a text of so many bytes lie, one after the other, and the last at its end. */
const offsetOf = (word: number, length: number): number => Math.min(word * 4, length - 4)

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
    for (let i = 2; i < last; i++) if (view.getInt32(at + i * 4, true) !== words[i]) return undefined
    return view.getInt32(at + length - 4, true) === words[last] && isBegun(view, at, words) ? text : undefined
  }

  /** The text of these bytes of ASCII. */
  add(bytes: Buffer, from: number, end: number): string {
    const text = bytes.toString("latin1", from, end)
    if (text.length < SHORTEST) return text
    if (this.names.size >= MAX_NAMES) this.names.clear()
    const words = Int32Array.from({ length: Math.ceil(text.length / 4) }, (_, i) =>
      bytes.readInt32LE(from + offsetOf(i, text.length))
    )
    this.names.set(keyOf(words[0]!, bytes.readInt32LE(from + 4)), { text, words })
    return text
  }
}

/** Keys of different beginnings may agree. */
const isBegun = (view: DataView, at: number, words: Int32Array): boolean =>
  view.getInt32(at, true) === words[0] && view.getInt32(at + 4, true) === words[1]
