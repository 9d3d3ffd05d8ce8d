import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, ConfigProvider } from "effect"
import * as Screen from "../../src/cli/Screen.ts"

/** A terminal that knows as much as the picture needs: going to a row, clearing it, and text. */
const shown = (rows: ReadonlyArray<string>, written: string): ReadonlyArray<string> => {
  const screen = [...rows]
  let row = 0
  for (const piece of written.split("\u001b[").slice(1)) {
    if (piece.endsWith(";1H")) row = Number(piece.slice(0, -3)) - 1
    else if (piece.startsWith("K")) screen[row] = piece.slice(1)
    else assert.strictEqual(piece, "0m")
  }
  return screen
}

const picture = fc.array(fc.constantFrom("", "a", "bb", "ccc"), { maxLength: 6 })

describe("Screen", () => {
  it.prop("turns any picture into any other", [picture, picture], ([before, after]) => {
    const rows = 6
    const full = (lines: ReadonlyArray<string>) => Array.from({ length: rows }, (_, i) => lines[i] ?? "")
    assert.deepStrictEqual(shown(full(before), Screen.difference(before, after, rows)), full(after))
  })

  it("writes nothing where nothing changed, and never below the last row", () => {
    assert.strictEqual(Screen.difference(["a", "b"], ["a", "b"], 24), "")
    assert.strictEqual(Screen.difference([], ["a", "b", "c"], 1), "\u001b[1;1H\u001b[0m\u001b[Ka")
  })

  it.effect("is no terminal where the output is piped", () =>
    Effect.gen(function* () {
      const output = yield* Screen.output
      assert.deepStrictEqual(output, { isTerminal: false, colors: false })
    }).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["TERM", "dumb"]]))))
  )
})
