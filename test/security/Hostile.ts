/** What an ill-meaning venue or caller may send. */
import { FastCheck as fc } from "effect"
import { anyText } from "../cli/Texts.ts"

/** Names that every object has, and which are taken for its members where an object serves as a map. */
export const inherited = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "__defineGetter__",
  "toJSON"
]

/** Titles that were chosen to break something. */
export const titles = [
  `<img src=x onerror="alert(1)">`,
  `</script><script>alert(1)</script><!--`,
  `"><svg/onload=alert(1)>`,
  "javascript:alert(1)",
  "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
  "\u202Egnp.exe\u202C \u2066left\u2069 \u061C",
  "\u001b]0;title\u0007\u001b[2J\u009b31m",
  `a"b\\c\nd\re\tf`,
  `evil"} 1\nparallax_up{x="`,
  "nul\u0000nul",
  "half \ud83d a pair \ude00",
  "\u2028\u2029\uFEFF\u200B",
  "'; DROP TABLE markets; --",
  "100% _sure_ [a-z]*?",
  "x".repeat(65_536),
  "🏴".repeat(16_384),
  "\u202E".repeat(65_536)
]

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  anyText,
  fc.constantFrom(...titles, ...inherited),
  fc.string({ unit: "binary", maxLength: 300 }),
  // Code units by themselves: halves of pairs among them.
  fc.array(fc.nat({ max: 0xffff }), { maxLength: 100 }).map((units) => String.fromCharCode(...units))
)

/** What objects and lists inherit, to be compared with what they inherit afterwards. */
export const inheritedNow = (): unknown =>
  [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((prototype) =>
    Reflect.ownKeys(prototype).map((key) => [key, Object.getOwnPropertyDescriptor(prototype, key)])
  )
