import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { type Price, SCALE, type Size } from "../../src/domain/Money.ts"
import { isCrossed, levels, mirror } from "../../src/domain/OrderBook.ts"
import * as MatchingBook from "../../src/simulator/MatchingBook.ts"
import type { OrderRequest } from "../../src/simulator/MatchingBook.ts"
import { sides } from "../support/Books.ts"

const request: fc.Arbitrary<OrderRequest> = fc.record({
  owner: fc.integer({ min: 0, max: 3 }),
  outcome: fc.constantFrom(0 as const, 1 as const),
  side: fc.constantFrom("buy" as const, "sell" as const),
  price: fc.integer({ min: 1, max: 99 }).map((cents) => (cents * 10_000) as Price),
  size: fc.integer({ min: 1, max: 50_000_000 }).map((size) => size as Size)
})

/** Takes what crosses and rests what is left, as an ordinary limit order does. */
const submit = (matching: MatchingBook.MatchingBook, order: OrderRequest) => {
  const fills = MatchingBook.take(matching, order)
  const filled = fills.reduce((sum, fill) => sum + fill.size, 0)
  if (filled < order.size) MatchingBook.rest(matching, { ...order, size: (order.size - filled) as Size })
  return { fills, filled }
}

const resting = (matching: MatchingBook.MatchingBook) => matching.orders.reduce((sum, order) => sum + order.left, 0)

describe("MatchingBook", () => {
  it("keeps every law through any sequence of orders and cancellations", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(request, fc.nat(200))), (steps) => {
        const matching = MatchingBook.make()
        for (const [order, cancels] of steps) {
          const before = resting(matching)
          const { filled } = submit(matching, order)
          assert.strictEqual(resting(matching), before - filled + (order.size - filled), "nothing made, nothing lost")
          if (cancels > 150 && matching.orders.length > 0) {
            MatchingBook.cancel(matching, matching.orders[cancels % matching.orders.length]!)
          }
          assert.isFalse(isCrossed(matching.book), "never crossed")
          for (const side of ["bid", "ask"] as const) {
            const rested = new Map<number, number>()
            for (const order of matching.orders) {
              if (order.rests === side) rested.set(order.limit, (rested.get(order.limit) ?? 0) + order.left)
            }
            assert.deepStrictEqual(
              levels(matching.book, side).map(({ price, size }): ReadonlyArray<number> => [price, size]),
              [...rested].sort((a, b) => (side === "bid" ? b[0] - a[0] : a[0] - b[0])),
              "levels are the orders that rest on them, none empty"
            )
          }
          assert.deepStrictEqual(sides(mirror(mirror(matching.book))), sides(matching.book))
        }
      })
    )
  })

  it("fills the best price first and at one price the oldest first, each at the maker's price", () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 40 }), request, (makers, taker) => {
        const matching = MatchingBook.make()
        const order = new Map<MatchingBook.RestingOrder, number>()
        for (const maker of makers) {
          if (!MatchingBook.crosses(matching, maker)) order.set(MatchingBook.rest(matching, maker), order.size)
        }
        const yes = MatchingBook.toYes(taker.outcome, taker.price)
        const buysYes = MatchingBook.restingSide(taker.outcome, taker.side) === "bid"
        const { fills } = submit(matching, taker)
        for (const [index, fill] of fills.entries()) {
          assert.isTrue(buysYes ? fill.maker.limit <= yes : fill.maker.limit >= yes, "within the taker's limit")
          assert.strictEqual(MatchingBook.toYes(taker.outcome, fill.price), fill.maker.limit)
          assert.strictEqual(fill.makerPrice, fill.maker.price)
          const earlier = fills[index - 1]?.maker
          if (earlier === undefined) continue
          const worse = buysYes ? fill.maker.limit > earlier.limit : fill.maker.limit < earlier.limit
          assert.isTrue(worse || (fill.maker.limit === earlier.limit && order.get(earlier)! < order.get(fill.maker)!))
        }
      })
    )
  })

  it("fills a buyer of YES from a buyer of NO at the complementary price", () => {
    const matching = MatchingBook.make()
    const size = (10 * SCALE) as Size
    MatchingBook.rest(matching, { owner: 1, outcome: 1, side: "buy", price: 490_000 as Price, size })
    const [fill] = MatchingBook.take(matching, {
      owner: 2,
      outcome: 0,
      side: "buy",
      price: 600_000 as Price,
      size: (4 * SCALE) as Size
    })
    assert.strictEqual(fill?.price, 510_000)
    assert.strictEqual(fill?.makerPrice, 490_000)
    assert.deepStrictEqual(levels(matching.book, "ask"), [{ price: 510_000 as Price, size: (6 * SCALE) as Size }])
  })
})
