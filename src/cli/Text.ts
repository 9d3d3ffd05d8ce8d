/**
 * Text from anywhere, made fit for a cell of a terminal: no signs that steer it, and as wide as it is said to be. Where
 * terminals differ about a width, the sign is removed, replaced, or counted as the wider of the two.
 */

/** More than any screen shows. */
const LONGEST = 2000

/** Controls, joiners, selectors, direction marks, private use, halves of pairs: all that is not a sign by itself. */
const INVISIBLE = /\p{C}|\p{Me}|\p{Default_Ignorable_Code_Point}|\p{Emoji_Modifier}/gu
const BLANKS = /[\p{Z}\t\r\n\v\f\u2800]/gu
/** Flags are pairs of these; some terminals draw a flag, others letters. */
const FLAG_LETTER = /[\u{1F1E6}-\u{1F1FF}]/gu
/** Accents piled on one letter. */
const PILED = /(\p{Mn}{2})\p{Mn}+/gu
/** An accent with nothing to stand on. */
const LONE = /(^| )\p{Mn}+/gu

/** One line of visible signs. */
export const clean = (text: string): string =>
  text
    .slice(0, LONGEST)
    .replace(BLANKS, " ")
    .replace(FLAG_LETTER, (sign) => String.fromCharCode(sign.codePointAt(0)! - 0x1f1e6 + 65))
    .replace(INVISIBLE, "")
    .normalize("NFC")
    .replace(PILED, "$1")
    .replace(LONE, "$1")
    .replace(/ +/g, " ")
    .trim()

/** Beginnings and ends of what takes two columns. */
const WIDE: ReadonlyArray<readonly [number, number]> = [
  [0x1100, 0x11ff],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4dc0, 0x4dff],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7ff],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe1f],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1d300, 0x1d37f],
  [0x1f000, 0x1faff],
  [0x20000, 0x3fffd]
]
const PICTURE = /^\p{Emoji_Presentation}$/u
const MARK = /^\p{Mn}$/u

const columnsOf = (sign: string): number => {
  const code = sign.codePointAt(0)!
  if (code < 0x300) return 1
  if (MARK.test(sign)) return 0
  return WIDE.some(([from, to]) => code >= from && code <= to) || PICTURE.test(sign) ? 2 : 1
}

/** The columns that cleaned text takes. */
export const width = (text: string): number => {
  let columns = 0
  for (const sign of text) columns += columnsOf(sign)
  return columns
}

/** Cleaned text in at most so many columns, with an ellipsis where something is left out. */
export const cut = (text: string, columns: number): string => {
  if (columns <= 0) return ""
  if (width(text) <= columns) return text
  let out = ""
  let used = 0
  for (const sign of text) {
    used += columnsOf(sign)
    if (used > columns - 1) break
    out += sign
  }
  return `${out.trimEnd()}…`
}

/**
 * Cleaned text in at most so many columns, with an ellipsis in its second half where something is left out: questions
 * of one family begin alike and end differently.
 */
export const cutMiddle = (text: string, columns: number): string => {
  if (columns < 8 || width(text) <= columns) return cut(text, columns)
  const signs = [...text]
  let tail = ""
  let used = 0
  while (signs.length > 0) {
    const sign = signs.pop()!
    used += columnsOf(sign)
    if (used > Math.floor(columns * 0.45)) break
    tail = sign + tail
  }
  const end = tail.replace(LONE, "$1").trimStart()
  return cut(text, columns - width(end)) + end
}
