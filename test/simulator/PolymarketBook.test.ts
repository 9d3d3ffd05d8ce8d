import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { type Price, SCALE, type Size, parseDecimal } from "../../src/domain/Money.ts"
import type { LevelChange } from "../../src/simulator/MatchingBook.ts"
import * as Book from "../../src/simulator/PolymarketBook.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"

const identity = { condition: "0xc0", tokens: ["1", "2"], minOrderSize: "5", negRisk: true, version: "v1" } as const

const change: fc.Arbitrary<LevelChange> = fc.record({
  outcome: fc.constantFrom(0 as const, 1 as const),
  side: fc.constantFrom("buy" as const, "sell" as const),
  price: fc.integer({ min: 1, max: 99 }).map((cents) => (cents * 10_000) as Price),
  size: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e9 })).map((size) => size as Size)
})

interface WireBook {
  readonly hash: string
  readonly bids: ReadonlyArray<{ readonly price: string; readonly size: string }>
  readonly asks: ReadonlyArray<{ readonly price: string; readonly size: string }>
}
const read = (state: Frames.BookState): WireBook => JSON.parse(Frames.restBook(state)) as WireBook
const flip = (levels: WireBook["bids"]) =>
  levels.map(({ price, size }) => ({ price: Book.priceLexeme(SCALE - parseDecimal(price)), size }))

describe("PolymarketBook", () => {
  it("shows two mirrored books in wire order whose hashes are those of their own text", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.integer({ min: 1, max: 99 }), (changes, cents) => {
        const books = Book.make(identity, 10_000 as Price, 1)
        for (const [index, one] of changes.entries()) {
          books.apply(one)
          books.stamp(index)
        }
        books.setLastTrade((cents * 10_000) as Price)
        const [yes, no] = [read(books.state(0)), read(books.state(1))]
        assert.deepStrictEqual(flip(yes.asks), no.bids)
        assert.deepStrictEqual(flip(yes.bids), no.asks)
        const prices = yes.bids.map(({ price }) => parseDecimal(price))
        assert.deepStrictEqual(
          prices,
          [...prices].sort((a, b) => a - b),
          "bids ascend"
        )
        for (const book of [yes, no]) {
          assert.isTrue([...book.bids, ...book.asks].every(({ size }) => parseDecimal(size) > 0))
          const text = JSON.stringify({ ...book, hash: "" })
          assert.strictEqual(createHash("sha1").update(text).digest("hex"), book.hash)
        }
      })
    )
  })

  it("states an empty side as 0 and 1", () => {
    const books = Book.make(identity, 10_000 as Price, 1)
    assert.deepStrictEqual(books.best(0), { bid: "0", ask: "1", spread: "1" })
    books.apply({ outcome: 1, side: "buy", price: 400_000 as Price, size: 1 as Size })
    assert.deepStrictEqual(books.best(0), { bid: "0", ask: "0.6", spread: "0.6" })
    assert.deepStrictEqual(books.best(1), { bid: "0.4", ask: "1", spread: "0.6" })
  })

  it("imagines a change without keeping it", () => {
    const books = Book.make(identity, 10_000 as Price, 1)
    books.apply({ outcome: 0, side: "sell", price: 500_000 as Price, size: 5 as Size })
    const before = books.state(0)
    const bid: LevelChange = { outcome: 0, side: "buy", price: 510_000 as Price, size: 1 as Size }
    const seen = books.imagine(bid, { ...bid, size: 0 as Size }, 9, () => books.state(0))
    assert.include(seen.bids, "0.51")
    assert.strictEqual(seen.timestamp, "9")
    assert.notStrictEqual(seen.hash, before.hash)
    assert.deepStrictEqual(books.state(0), before)
  })
})
