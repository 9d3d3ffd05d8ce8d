import { deserialize, serialize } from "node:v8"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as LevelPool from "../../src/domain/LevelPool.ts"
import type { Price, Size } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import { sides } from "../support/Books.ts"
import { level, levels, nearPrice, side } from "./Arbitraries.ts"

const many = { numRuns: 300 }
const BOOKS = 6

type Operation =
  | { readonly _tag: "Change"; readonly book: number; readonly side: OrderBook.Side; readonly level: OrderBook.Level }
  | { readonly _tag: "Snapshot"; readonly book: number; readonly bids: Levels; readonly asks: Levels }
  | { readonly _tag: "Release"; readonly book: number }
  | { readonly _tag: "Restore" }
type Levels = ReadonlyArray<OrderBook.Level>

const which = fc.nat({ max: BOOKS - 1 })
const operations = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: fc.record({ _tag: fc.constant("Change" as const), book: which, side, level: level() }) },
    {
      weight: 4,
      arbitrary: fc.record({
        _tag: fc.constant("Snapshot" as const),
        book: which,
        bids: levels(nearPrice),
        asks: levels(nearPrice)
      })
    },
    { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Release" as const), book: which }) },
    { weight: 1, arbitrary: fc.constant({ _tag: "Restore" as const }) }
  ),
  { maxLength: 200, size: "max" }
)

/** No two places overlap, in use or given back, and none leaves its block. */
const assertApart = ({ pool, books }: { pool: LevelPool.LevelPool; books: ReadonlyArray<OrderBook.OrderBook> }) => {
  const taken = new Map(pool.blocks.map((block) => [block, new Set<number>()]))
  const places = [...[...pool.free.values()].flat(), ...books.flatMap(({ asks, bids }) => [bids, asks])]
  for (const { block, from, length, room } of places) {
    const slots = taken.get(block) ?? assert.fail("a block that is not the pool's")
    assert.isAtMost(length, room)
    assert.isAtMost(from + room, block.prices.length)
    for (let i = from; i < from + room; i++) {
      assert.isFalse(slots.has(i), "two places overlap")
      slots.add(i)
    }
  }
}

const begin = () => {
  const pool = LevelPool.make()
  return { pool, books: Array.from({ length: BOOKS }, () => OrderBook.empty(pool)) }
}

const change = (book: OrderBook.OrderBook, { side, level: { price, size } }: Operation & { _tag: "Change" }) =>
  OrderBook.applyChange(book, side, price, size)

describe("a pool of levels", () => {
  it("keeps many books as each would be alone, through growth, release and restoring", () => {
    fc.assert(
      fc.property(operations, (sequence) => {
        let shared = begin()
        const alone = Array.from({ length: BOOKS }, () => OrderBook.empty())
        for (const step of sequence) {
          switch (step._tag) {
            case "Change":
              assert.strictEqual(change(shared.books[step.book]!, step), change(alone[step.book]!, step))
              break
            case "Snapshot":
              OrderBook.applySnapshot(shared.books[step.book]!, step.bids, step.asks)
              OrderBook.applySnapshot(alone[step.book]!, step.bids, step.asks)
              break
            case "Release":
              OrderBook.release(shared.books[step.book]!)
              OrderBook.applySnapshot(alone[step.book]!, [], [])
              break
            case "Restore":
              shared = deserialize(serialize(shared)) as typeof shared
              LevelPool.detach(shared.pool)
          }
          assert.deepStrictEqual(shared.books.map(sides), alone.map(sides))
          assertApart(shared)
        }
      }),
      many
    )
  })

  const deep = (length: number): Levels =>
    Array.from({ length }, (_, i) => ({ price: (i + 1) as Price, size: 1 as Size }))
  const levelsOf = ({ blocks }: LevelPool.LevelPool) => blocks.reduce((sum, { prices }) => sum + prices.length, 0)

  it("holds books of any depth, one after the other in the same memory", () => {
    const pool = LevelPool.make()
    const turn = () => {
      for (const length of [0, 1, 5, 40, 999, 50_000]) {
        const book = OrderBook.empty(pool)
        OrderBook.applySnapshot(book, deep(length), deep(length).toReversed())
        assert.deepStrictEqual(sides(book), [deep(length).toReversed(), deep(length)])
        OrderBook.release(book)
        assert.deepStrictEqual(sides(book), [[], []])
      }
    }
    turn()
    const once = levelsOf(pool)
    for (let i = 0; i < 5; i++) turn()
    assert.strictEqual(levelsOf(pool), once)
  })

  it("gives a side at most a quarter more than it needs, and a shrunken one less again", () => {
    const pool = LevelPool.make()
    const book = OrderBook.empty(pool)
    for (const length of [8, 40, 41, 77, 1_000, 9_999]) {
      OrderBook.applySnapshot(book, deep(length), [])
      assert.isAtMost(book.bids.room, length * 1.25)
    }
    OrderBook.applySnapshot(book, deep(10), [])
    assert.isAtMost(book.bids.room, 20)
    OrderBook.applySnapshot(book, [], [])
    assert.strictEqual(book.bids.room, 0)
  })

  it("lets go of what it was restored from", () => {
    const pool = LevelPool.make()
    OrderBook.applySnapshot(OrderBook.empty(pool), deep(100), [])
    const restored = deserialize(serialize(pool)) as LevelPool.LevelPool
    LevelPool.detach(restored)
    for (const { prices, sizes } of restored.blocks) {
      assert.strictEqual(prices.buffer.byteLength, prices.byteLength)
      assert.strictEqual(sizes.buffer.byteLength, sizes.byteLength)
    }
  })
})
