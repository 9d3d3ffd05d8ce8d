import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Price, SCALE, Size, complement, parsePrice } from "../../src/domain/Money.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import { sides } from "../support/Books.ts"
import { level, levels, nearPrice, price, side, size } from "./Arbitraries.ts"

const many = { fastCheck: { numRuns: 500 } }

/** A book as nobody can get it wrong: a map for each side, sorted whenever it is read. */
class Model {
  readonly bid = new Map<number, number>()
  readonly ask = new Map<number, number>()

  change(at: OrderBook.Side, price: number, size: number): void {
    if (size === 0) this[at].delete(price)
    else this[at].set(price, size)
  }

  snapshot(bids: ReadonlyArray<OrderBook.Level>, asks: ReadonlyArray<OrderBook.Level>): void {
    this.bid.clear()
    this.ask.clear()
    for (const { price, size } of bids) this.change("bid", price, size)
    for (const { price, size } of asks) this.change("ask", price, size)
  }

  /** Best first. */
  levels(at: OrderBook.Side): Array<{ price: number; size: number }> {
    return [...this[at]]
      .map(([price, size]) => ({ price, size }))
      .sort((a, b) => (at === "bid" ? b.price - a.price : a.price - b.price))
  }
}

type Operation =
  | { readonly _tag: "Change"; readonly side: OrderBook.Side; readonly price: Price; readonly size: Size }
  | {
      readonly _tag: "Snapshot"
      readonly bids: ReadonlyArray<OrderBook.Level>
      readonly asks: ReadonlyArray<OrderBook.Level>
    }

const operation = (prices: fc.Arbitrary<Price>): fc.Arbitrary<Operation> =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({ _tag: fc.constant("Change" as const), side, price: prices, size })
    },
    {
      weight: 1,
      arbitrary: fc.record({ _tag: fc.constant("Snapshot" as const), bids: levels(prices), asks: levels(prices) })
    }
  )

const operations = fc.oneof(
  fc.array(operation(nearPrice), { maxLength: 60, size: "max" }),
  fc.array(operation(price), { maxLength: 60, size: "max" })
)

const bookOf = (bids: ReadonlyArray<OrderBook.Level>, asks: ReadonlyArray<OrderBook.Level>): OrderBook.OrderBook => {
  const book = OrderBook.empty()
  OrderBook.applySnapshot(book, bids, asks)
  return book
}

const book: fc.Arbitrary<OrderBook.OrderBook> = fc.tuple(levels(), levels()).map(([bids, asks]) => bookOf(bids, asks))

const bothSides = ["bid", "ask"] as const

/** What every book must look like, whatever happened to it. */
const assertLawful = (subject: OrderBook.OrderBook): void => {
  for (const at of bothSides) {
    const all = OrderBook.levels(subject, at)
    for (const [index, { price, size }] of all.entries()) {
      assert.isTrue(Price.is(price), `${at} ${price} is no price`)
      assert.isTrue(Size.is(size) && size !== 0, `${at} ${price} holds ${size}`)
      if (index > 0) {
        const before = all[index - 1]!.price
        assert.isTrue(at === "bid" ? before > price : before < price, `${at} ${before} before ${price}`)
      }
    }
  }
}

const assertSame = (subject: OrderBook.OrderBook, expected: OrderBook.OrderBook): void =>
  assert.deepStrictEqual(sides(subject), sides(expected))

describe("OrderBook", () => {
  describe("against a map", () => {
    it.prop(
      "holds the same levels after any sequence of changes and snapshots",
      [operations],
      ([sequence]) => {
        const subject = OrderBook.empty()
        const model = new Model()
        for (const step of sequence) {
          if (step._tag === "Snapshot") {
            OrderBook.applySnapshot(subject, step.bids, step.asks)
            model.snapshot(step.bids, step.asks)
          } else {
            const before = model[step.side].get(step.price) ?? 0
            assert.strictEqual(OrderBook.applyChange(subject, step.side, step.price, step.size), before)
            model.change(step.side, step.price, step.size)
          }
          assertLawful(subject)
          for (const at of bothSides) assert.deepStrictEqual(OrderBook.levels(subject, at), model.levels(at) as never)
        }
      },
      many
    )

    it.prop(
      "answers every question as the map does",
      [levels(), levels(), nearPrice],
      ([bids, asks, at]) => {
        const subject = bookOf(bids, asks)
        const model = new Model()
        model.snapshot(bids, asks)
        for (const which of bothSides) {
          const sorted = model.levels(which)
          const [first] = sorted
          assert.deepStrictEqual(OrderBook.best(subject, which), first as never)
          assert.strictEqual(OrderBook.bestPrice(subject, which), first === undefined ? -1 : first.price)
          assert.strictEqual(OrderBook.bestSize(subject, which), first === undefined ? 0 : first.size)
          assert.strictEqual(OrderBook.sizeAt(subject, which, at), model[which].get(at) ?? 0)
          const within = sorted.filter((one) => (which === "bid" ? one.price >= at : one.price <= at))
          assert.strictEqual(
            OrderBook.depth(subject, which, at),
            within.reduce((sum, one) => sum + BigInt(one.size), 0n)
          )
        }
        const crossed = [...model.bid.keys()].some((bid) => [...model.ask.keys()].some((ask) => bid >= ask))
        assert.strictEqual(OrderBook.isCrossed(subject), crossed)
      },
      many
    )
  })

  describe("a change", () => {
    it.prop(
      "applied twice is applied once",
      [book, side, level()],
      ([subject, at, { price, size }]) => {
        OrderBook.applyChange(subject, at, price, size)
        const once = OrderBook.copy(subject)
        assert.strictEqual(OrderBook.applyChange(subject, at, price, size), size)
        assertSame(subject, once)
      },
      many
    )

    it.prop(
      "sets one level and touches no other",
      [book, side, level()],
      ([subject, at, { price, size }]) => {
        const before = OrderBook.copy(subject)
        OrderBook.applyChange(subject, at, price, size)
        for (const which of bothSides) {
          const others = (of: OrderBook.OrderBook) =>
            OrderBook.levels(of, which).filter((one) => which !== at || one.price !== price)
          assert.deepStrictEqual(others(subject), others(before))
        }
        assert.strictEqual(OrderBook.sizeAt(subject, at, price), size)
      },
      many
    )

    it.prop(
      "undone by the size that it returned leaves no trace",
      [book, side, level()],
      ([subject, at, one]) => {
        const before = OrderBook.copy(subject)
        const was = OrderBook.applyChange(subject, at, one.price, one.size)
        OrderBook.applyChange(subject, at, one.price, was)
        assertSame(subject, before)
      },
      many
    )

    it("of size zero removes the level, and of an absent level does nothing", () => {
      const subject = bookOf([{ price: Price(410_000), size: Size(5) }], [])
      assert.strictEqual(OrderBook.applyChange(subject, "bid", Price(400_000), Size(0)), 0)
      assert.deepStrictEqual(OrderBook.levels(subject, "bid"), [{ price: Price(410_000), size: Size(5) }])
      assert.strictEqual(OrderBook.applyChange(subject, "bid", Price(410_000), Size(0)), 5)
      assertSame(subject, OrderBook.empty())
    })

    it("lands on one level however its price is spelled", () => {
      const subject = OrderBook.empty()
      for (const [index, text] of [".41", "0.41", "0.4100", "00.41"].entries()) {
        const at = parsePrice(text)
        assert.notStrictEqual(at, -1)
        OrderBook.applyChange(subject, "ask", at as Price, Size(index + 1))
      }
      assert.deepStrictEqual(OrderBook.levels(subject, "ask"), [{ price: Price(410_000), size: Size(4) }])
    })
  })

  describe("a snapshot", () => {
    it.prop(
      "replaces all that was there",
      [book, levels(), levels()],
      ([subject, bids, asks]) => {
        OrderBook.applySnapshot(subject, bids, asks)
        assertSame(subject, bookOf(bids, asks))
      },
      many
    )

    const distinct = fc.uniqueArray(level(price), { selector: (one) => one.price, maxLength: 12 })

    it.prop(
      "means the same in any order of its levels",
      [distinct.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))],
      ([[ordered, shuffled]]) => {
        assertSame(bookOf(shuffled, shuffled), bookOf(ordered, ordered))
      }
    )

    it.prop("of what a book holds is that book", [book], ([subject]) => {
      assertSame(bookOf(OrderBook.levels(subject, "bid"), OrderBook.levels(subject, "ask")), subject)
    })

    it.prop("is copied: what became of its list later is nothing to the book", [levels()], ([bids]) => {
      const given = structuredClone(bids)
      const subject = bookOf(given, [])
      given.length = 0
      assertSame(subject, bookOf(bids, []))
    })
  })

  describe("levels", () => {
    it.prop(
      "come best first, at most as many as asked for",
      [book, side, fc.nat({ max: 9 })],
      ([subject, at, limit]) => {
        const all = OrderBook.levels(subject, at)
        assert.deepStrictEqual(OrderBook.levels(subject, at, limit), all.slice(0, limit))
        for (let i = 1; i < all.length; i++) {
          const better = all[i - 1]!.price - all[i]!.price
          assert.isTrue(at === "bid" ? better > 0 : better < 0)
        }
      }
    )

    it.prop("are a copy that later changes do not reach", [book, side, level()], ([subject, at, one]) => {
      const handed = OrderBook.levels(subject, at)
      const remembered = structuredClone(handed)
      OrderBook.applyChange(subject, at, one.price, one.size)
      assert.deepStrictEqual(handed, remembered)
    })
  })

  describe("cost to fill", () => {
    const small = fc.integer({ min: 0, max: 5 }).map((n) => Size(n))

    it.prop(
      "is what buying one by one would cost",
      [levels(nearPrice, small), side, fc.nat({ max: 40 })],
      ([resting, at, wanted]) => {
        const subject = bookOf(at === "bid" ? resting : [], at === "ask" ? resting : [])
        const units = OrderBook.levels(subject, at).flatMap((one) => Array<number>(one.size).fill(one.price))
        const taken = units.slice(0, wanted)
        assert.deepStrictEqual(OrderBook.costToFill(subject, at, Size(wanted)), {
          filled: Size(taken.length),
          cost: BigInt(taken.reduce((sum, one) => sum + one, 0)),
          worst: (taken.at(-1) ?? -1) as Price | -1
        })
      },
      many
    )

    it.prop(
      "is exact at any size",
      [book, side, size],
      ([subject, at, wanted]) => {
        let left = BigInt(wanted)
        let cost = 0n
        for (const one of OrderBook.levels(subject, at)) {
          const take = left < BigInt(one.size) ? left : BigInt(one.size)
          cost += BigInt(one.price) * take
          left -= take
        }
        const fill = OrderBook.costToFill(subject, at, wanted)
        assert.strictEqual(fill.cost, cost)
        assert.strictEqual(BigInt(fill.filled), BigInt(wanted) - left)
      },
      many
    )

    it.prop(
      "fills all that rests at the worst price or better, and no more",
      [book, side, size],
      ([subject, at, wanted]) => {
        const fill = OrderBook.costToFill(subject, at, wanted)
        const available = OrderBook.depth(subject, at, Price(at === "bid" ? 0 : SCALE))
        assert.strictEqual(BigInt(fill.filled), BigInt(wanted) < available ? BigInt(wanted) : available)
        if (fill.worst !== -1) assert.isTrue(BigInt(fill.filled) <= OrderBook.depth(subject, at, fill.worst))
        else assert.strictEqual(fill.filled, 0)
      },
      many
    )

    it.prop("leaves the book as it is", [book, side, size], ([subject, at, wanted]) => {
      const before = OrderBook.copy(subject)
      OrderBook.costToFill(subject, at, wanted)
      assertSame(subject, before)
    })
  })

  describe("the mirror", () => {
    it.prop(
      "of the mirror is the book itself",
      [book],
      ([subject]) => {
        assertSame(OrderBook.mirror(OrderBook.mirror(subject)), subject)
      },
      many
    )

    it.prop(
      "is a lawful book with the sides exchanged and every price complemented",
      [book],
      ([subject]) => {
        const mirrored = OrderBook.mirror(subject)
        assertLawful(mirrored)
        const flipped = (at: OrderBook.Side) =>
          OrderBook.levels(subject, at).map((one) => ({ price: complement(one.price), size: one.size }))
        assert.deepStrictEqual(OrderBook.levels(mirrored, "bid"), flipped("ask"))
        assert.deepStrictEqual(OrderBook.levels(mirrored, "ask"), flipped("bid"))
        assert.strictEqual(OrderBook.isCrossed(mirrored), OrderBook.isCrossed(subject))
      },
      many
    )

    it.prop(
      "of a changed book is the mirror changed on the other side",
      [book, side, level()],
      ([subject, at, one]) => {
        const mirrored = OrderBook.mirror(subject)
        OrderBook.applyChange(mirrored, at === "bid" ? "ask" : "bid", complement(one.price), one.size)
        OrderBook.applyChange(subject, at, one.price, one.size)
        assertSame(mirrored, OrderBook.mirror(subject))
      },
      many
    )

    it.prop("is a book of its own: neither sees the other's changes", [book, side, level()], ([subject, at, one]) => {
      const before = OrderBook.copy(subject)
      OrderBook.applyChange(OrderBook.mirror(subject), at, one.price, one.size)
      assertSame(subject, before)
    })

    it.prop(
      "costs the other part of the dollar to fill",
      [book, side, size],
      ([subject, at, wanted]) => {
        const fill = OrderBook.costToFill(subject, at, wanted)
        const other = OrderBook.costToFill(OrderBook.mirror(subject), at === "bid" ? "ask" : "bid", wanted)
        assert.strictEqual(other.filled, fill.filled)
        assert.strictEqual(fill.cost + other.cost, BigInt(SCALE) * BigInt(fill.filled))
      },
      many
    )
  })

  it("starts empty, and says so", () => {
    const subject = OrderBook.empty()
    for (const at of bothSides) {
      assert.deepStrictEqual(OrderBook.levels(subject, at), [])
      assert.isUndefined(OrderBook.best(subject, at))
      assert.strictEqual(OrderBook.bestPrice(subject, at), -1)
      assert.strictEqual(OrderBook.bestSize(subject, at), 0)
      assert.strictEqual(OrderBook.depth(subject, at, Price(SCALE / 2)), 0n)
      assert.deepStrictEqual(OrderBook.costToFill(subject, at, Size(1)), {
        filled: Size(0),
        cost: 0n,
        worst: -1 as const
      })
    }
    assert.isFalse(OrderBook.isCrossed(subject))
  })
})
