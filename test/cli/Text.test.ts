import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { clean, cut, cutMiddle, width } from "../../src/cli/Text.ts"
import { anyText } from "./Texts.ts"

const many = { fastCheck: { numRuns: 500 } }

describe("Text", () => {
  it.each([
    ["a\u001b[31mred\u0007\nb", "a[31mred b"],
    ["\u202Eevil\u2066 text\u200F", "evil text"],
    ["Zo\u0308e", "Zöe"],
    ["👨‍👩‍👧 family 👍🏽", "👨👩👧 family 👍"],
    ["🇺🇸 vs. 🇫🇷", "US vs. FR"],
    ["z̷̧̛̙̮̥a", "z̷̧a"],
    ["❤️ \uD83D lone", "❤ lone"],
    ["\u3164\u00ad  blank\u2003\u3000 ", "blank"],
    ["\u0301start", "start"]
  ])("cleans %j", (text, expected) => {
    assert.strictEqual(clean(text), expected)
  })

  it.each([
    ["", 0],
    ["plain", 5],
    ["日本語", 6],
    ["한국", 4],
    ["é", 1],
    ["❤", 1],
    ["👍 ok", 5],
    ["אבג", 3],
    ["▁▂█ ✓ ● … ▲", 11]
  ])("knows that %j takes %d columns", (text, columns) => {
    assert.strictEqual(width(clean(text)), columns)
  })

  it.prop(
    "leaves nothing that steers a terminal, and has nothing left to clean",
    [anyText],
    ([text]) => {
      const cleaned = clean(text)
      assert.notMatch(cleaned, /[\p{C}\p{Zl}\p{Zp}]/u)
      assert.strictEqual(clean(cleaned), cleaned)
    },
    many
  )

  it.prop(
    "cuts to the width, and only where it must",
    [anyText, fc.nat({ max: 60 })],
    ([text, columns]) => {
      const cleaned = clean(text)
      for (const short of [cut(cleaned, columns), cutMiddle(cleaned, columns)]) {
        assert.isAtMost(width(short), columns)
        if (width(cleaned) <= columns) assert.strictEqual(short, cleaned)
      }
    },
    many
  )

  it("cuts questions where they differ least", () => {
    const question = "Will the highest temperature in London be 14°C on November 27?"
    assert.strictEqual(cut(question, 30), "Will the highest temperature…")
    assert.strictEqual(cutMiddle(question, 30), "Will the highest…November 27?")
    assert.strictEqual(cutMiddle(question, 6), "Will…")
  })
})
