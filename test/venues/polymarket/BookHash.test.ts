import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { formatDecimal } from "../../../src/domain/Money.ts"
import * as OrderBook from "../../../src/domain/OrderBook.ts"
import * as BookHash from "../../../src/venues/polymarket/BookHash.ts"
import * as Arbitraries from "../../domain/Arbitraries.ts"
import { levels } from "../../support/Events.ts"
import { haveRecordings, json } from "../../support/Recordings.ts"

const bookOf = (bids: string, asks: string): OrderBook.OrderBook => {
  const book = OrderBook.empty()
  OrderBook.applySnapshot(book, levels(bids), levels(asks))
  return book
}

/** A side in an order that is not ours. */
const inOrder = (levels: ReadonlyArray<OrderBook.Level>): OrderBook.BookSide => ({
  block: {
    prices: Int32Array.from(levels, ({ price }) => price),
    sizes: Float64Array.from(levels, ({ size }) => size)
  },
  from: 0,
  room: levels.length,
  length: levels.length
})

const hasher = new BookHash.BookHasher()

const hash = (
  recipe: BookHash.Recipe,
  context: BookHash.HashContext,
  time: number,
  book: OrderBook.OrderBook,
  lastTrade: string
) => hasher.write(recipe, context, time, book).digest(lastTrade)

const context: BookHash.HashContext = {
  market: "0xaabbcc",
  assetId: "100",
  minOrderSize: "100",
  tickSize: "0.01",
  negRisk: false,
  version: null
}

const sha1 = (text: string) => createHash("sha1").update(text, "utf8").digest("hex")

describe("the hash of a book", () => {
  it("is the one of the official client's test", () => {
    const book = bookOf("0.3 100, 0.4 100", "0.6 100, 0.7 100")
    // The client's test has its asks in the other order than the wire, so that its text is spelled out here.
    const ours = String(hasher.write("current", context, 123_456_789, book))
    assert.strictEqual(
      `${ours}"0.5"}`,
      '{"market":"0xaabbcc","asset_id":"100","timestamp":"123456789","hash":"",' +
        '"bids":[{"price":"0.3","size":"100"},{"price":"0.4","size":"100"}],' +
        '"asks":[{"price":"0.7","size":"100"},{"price":"0.6","size":"100"}],' +
        '"min_order_size":"100","tick_size":"0.01","neg_risk":false,"last_trade_price":"0.5"}'
    )
    const reversed = { ...book, asks: inOrder(OrderBook.levels(book, "ask")) }
    assert.strictEqual(
      hash("current", context, 123_456_789, reversed, "0.5"),
      "0458ea5755c9f73d64a14636fa5c36ed460ec394"
    )
  })

  it("is the venue's own of an empty Protocol V2 book, which names its version", () => {
    const v2: BookHash.HashContext = {
      market: "0x017791f201d5a788e0039e511fc1900e5f000000000000000000000000000000",
      assetId: "663574927012476832975694178961957910328055987427402067619466963999000625152",
      minOrderSize: "5",
      tickSize: "0.01",
      negRisk: false,
      version: "v2"
    }
    const book = OrderBook.empty()
    assert.strictEqual(hash("current", v2, 1_791_238_858_575, book, ""), "fc3846cab0c35a0977b6e5f605a4e5ff0d0b2277")
    assert.notStrictEqual(
      hash("current", { ...v2, version: null }, 1_791_238_858_575, book, ""),
      "fc3846cab0c35a0977b6e5f605a4e5ff0d0b2277"
    )
  })

  it("of 2024 ends after the asks, whatever else is known", () => {
    const expected = sha1('{"market":"0xaabbcc","asset_id":"100","timestamp":"5","hash":"","bids":[],"asks":[]}')
    assert.strictEqual(hash("legacy", context, 5, OrderBook.empty(), "0.490"), expected)
  })

  it("depends on everything that the venue prints", () => {
    const book = bookOf("0.3 100", "0.6 100")
    const of = (changed: Partial<BookHash.HashContext>, time = 5, one = book, lastTrade = "0.5") =>
      hash("current", { ...context, ...changed }, time, one, lastTrade)
    const all = [
      of({}),
      of({ market: "0xaabbcd" }),
      of({ assetId: "101" }),
      of({ minOrderSize: "5" }),
      of({ tickSize: "0.001" }),
      of({ negRisk: true }),
      of({ version: "v2" }),
      of({}, 6),
      of({}, 5, bookOf("0.3 100.5", "0.6 100")),
      of({}, 5, bookOf("0.3 100", "")),
      of({}, 5, book, "0.500"),
      of({}, 5, book, "")
    ]
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("is taken of what JSON would print", () => {
    fc.assert(
      fc.property(Arbitraries.levels(), Arbitraries.levels(), fc.boolean(), (bids, asks, negRisk) => {
        const book = OrderBook.empty()
        OrderBook.applySnapshot(book, bids, asks)
        const wire = (side: OrderBook.Side) =>
          OrderBook.levels(book, side)
            .toReversed()
            .map(({ price, size }) => ({ price: formatDecimal(price), size: formatDecimal(size) }))
        const text = JSON.stringify({
          market: "0xaabbcc",
          asset_id: "100",
          timestamp: "7",
          hash: "",
          bids: wire("bid"),
          asks: wire("ask"),
          min_order_size: "100",
          tick_size: "0.01",
          neg_risk: negRisk,
          last_trade_price: "0.490"
        })
        assert.strictEqual(hash("current", { ...context, negRisk }, 7, book, "0.490"), sha1(text))
      })
    )
  })
})

interface Vector {
  readonly algorithm: string
  readonly canonical_order_reproduces?: boolean
  readonly expected: string
  readonly fields: {
    readonly market: string
    readonly asset_id: string
    readonly timestamp: string
    readonly bids: ReadonlyArray<{ readonly price: string; readonly size: string }>
    readonly asks: ReadonlyArray<{ readonly price: string; readonly size: string }>
    readonly min_order_size: string
    readonly tick_size: string
    readonly neg_risk: boolean
    readonly last_trade_price: string
  }
}

describe.skipIf(!haveRecordings)("published test vectors", () => {
  it("in the server's order of keys all reproduce", () => {
    const { book_hash: vectors } = json("captures/polymarket_ws/hash_vectors.json") as {
      readonly book_hash: ReadonlyArray<Vector>
    }
    const usable = vectors.filter((one) => one.canonical_order_reproduces === true)
    assert.strictEqual(usable.length, 2)
    for (const { expected, fields } of usable) {
      const side = (all: Vector["fields"]["bids"]) =>
        inOrder(all.map(({ price, size }) => levels(`${price} ${size}`)[0]!))
      const known = {
        market: fields.market,
        assetId: fields.asset_id,
        minOrderSize: fields.min_order_size,
        tickSize: fields.tick_size,
        negRisk: fields.neg_risk,
        version: null
      }
      const time = fields.timestamp === "" ? ("" as unknown as number) : Number(fields.timestamp)
      const book = { ...OrderBook.empty(), bids: side(fields.bids), asks: side(fields.asks) }
      assert.strictEqual(hash("current", known, time, book, fields.last_trade_price), expected)
    }
  })
})
