/** Titles as a hostile venue might send them. */
import { FastCheck as fc } from "effect"

const sign = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 4 }) },
  fc.string({ unit: "grapheme", maxLength: 3 }),
  fc.string({ unit: "binary", maxLength: 3 }),
  fc.constantFrom(
    "\u001b[2J",
    "\u001b]0;title\u0007",
    "\u009b31m",
    "\r",
    "\n",
    "\t",
    "\b",
    "\u202E",
    "\u200D",
    "\uFE0F",
    "\u0300\u0301\u0302\u0303",
    "\uD83D",
    "👨‍👩‍👧",
    "🇺🇸",
    "日本",
    "ｆｕｌｌ",
    "العربية",
    "ᄒ\u1161\u11AB",
    "\u{E0041}",
    "\uFFFE"
  )
)

export const anyText: fc.Arbitrary<string> = fc.array(sign, { maxLength: 20 }).map((signs) => signs.join(""))
