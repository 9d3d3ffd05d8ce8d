import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { type Price, type Size, parsePrice, parseSize } from "../../src/domain/Money.ts"
import type { LevelChange, OutcomeIndex } from "../../src/simulator/MatchingBook.ts"
import * as Book from "../../src/simulator/PolymarketBook.ts"
import * as Events from "../../src/simulator/PolymarketEvents.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import type { MarketInfo } from "../../src/simulator/PolymarketMarket.ts"

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url))
const samples = `${shared}venues/samples/polymarket/`
const captured = existsSync(samples)
const sample = (name: string) => readFileSync(`${samples}${name}`, "utf8")

interface WireLevel {
  readonly price: string
  readonly size: string
}
interface WireBook {
  readonly market: string
  readonly asset_id: string
  readonly timestamp: string
  readonly hash: string
  readonly bids: ReadonlyArray<WireLevel>
  readonly asks: ReadonlyArray<WireLevel>
  readonly tick_size?: string
  readonly last_trade_price?: string
  readonly min_order_size?: string
  readonly neg_risk?: boolean
  readonly version?: "v1" | "v2"
}
interface WireChanges {
  readonly market: string
  readonly timestamp: string
  readonly price_changes: ReadonlyArray<{
    readonly asset_id: string
    readonly price: string
    readonly size: string
    readonly side: "BUY" | "SELL"
    readonly hash: string
  }>
}

const parse = (text: string): unknown => JSON.parse(text)
const levels = (wire: ReadonlyArray<WireLevel>) => wire.map(({ price, size }) => Frames.level(price, size)).join(",")

/** A captured book as our printers see it, without the captured hash: that is what they have to reproduce. */
const stateOf = (wire: WireBook, known: Partial<Frames.BookState> = {}): Frames.BookState =>
  Frames.hashed({
    market: wire.market,
    asset: wire.asset_id,
    timestamp: wire.timestamp,
    bids: levels(wire.bids),
    asks: levels(wire.asks),
    minOrderSize: wire.min_order_size ?? "5",
    tickSize: wire.tick_size ?? "0.01",
    negRisk: wire.neg_risk ?? false,
    lastTradePrice: wire.last_trade_price ?? "",
    version: wire.version ?? "v1",
    ...known
  })

/** The books of both tokens, filled from the first token's captured book alone. */
const booksOf = (wire: WireBook, tokens: readonly [string, string]): Book.PolymarketBook => {
  const identity = { condition: wire.market, tokens, minOrderSize: "5", negRisk: false, version: "v1" } as const
  const books = Book.make(identity, 10_000 as Price, Number(wire.timestamp))
  const outcome = tokens.indexOf(wire.asset_id) as OutcomeIndex
  const fill = (side: "buy" | "sell", wire: ReadonlyArray<WireLevel>) => {
    for (const { price, size } of wire) {
      books.apply({ outcome, side, price: parsePrice(price) as Price, size: parseSize(size) as Size })
    }
  }
  fill("buy", wire.bids)
  fill("sell", wire.asks)
  return books
}

const session = (): ReadonlyArray<string> =>
  sample("ws-market-session-2026-09-30.jsonl")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (parse(line) as { readonly payloadUtf8: string }).payloadUtf8)
    .filter((text) => text !== "PONG")

const changeOf = (frame: WireChanges, tokens: readonly [string, string]): LevelChange => {
  const [own] = frame.price_changes
  return {
    outcome: tokens.indexOf(own!.asset_id) as OutcomeIndex,
    side: own!.side === "BUY" ? "buy" : "sell",
    price: parsePrice(own!.price) as Price,
    size: parseSize(own!.size) as Size
  }
}

describe("PolymarketFrames", () => {
  it("hashes a book as the venue's own clients do", () => {
    const hash = Frames.bookHash({
      market: "0xaabbcc",
      asset: "100",
      timestamp: "123456789",
      bids: levels([
        { price: "0.3", size: "100" },
        { price: "0.4", size: "100" }
      ]),
      asks: levels([
        { price: "0.6", size: "100" },
        { price: "0.7", size: "100" }
      ]),
      minOrderSize: "100",
      tickSize: "0.01",
      negRisk: false,
      lastTradePrice: "0.5",
      version: "v1"
    })
    assert.strictEqual(hash, "0458ea5755c9f73d64a14636fa5c36ed460ec394")
  })

  it("prints frames in the venue's spacing", () => {
    const state = Frames.hashed({
      market: "0x01",
      asset: "7",
      timestamp: "1790766966313",
      bids: "",
      asks: levels([{ price: "0.9", size: "5.25" }]),
      minOrderSize: "5",
      tickSize: "0.01",
      negRisk: false,
      lastTradePrice: "",
      version: "v2"
    })
    assert.strictEqual(
      Frames.dump([state]),
      `[{"market":"0x01","asset_id":"7","timestamp":"1790766966313","hash":"${state.hash}","bids":[],` +
        `"asks":[{"price":"0.9","size":"5.25"}],"tick_size":"0.01","event_type":"book","last_trade_price":"",` +
        `"version":"v2"}]\n`
    )
    assert.strictEqual(Frames.spaced({ a: [1, "x", { b: true }], c: null }), `{"a":[1, "x", {"b":true}], "c":null}`)
    assert.strictEqual(
      Frames.tickSizeChange("0x01", "7", "0.01", "0.001", "1"),
      `{"market":"0x01", "asset_id":"7", "old_tick_size":"0.01", "new_tick_size":"0.001", "timestamp":"1", ` +
        `"event_type":"tick_size_change"}`
    )
  })

  it.skipIf(!captured)("prints the captured dumps byte for byte", () => {
    for (const name of ["ws-market-initial-dump.frame.json", "ws-market-initial-dump-protocol-v2.frame.json"]) {
      const text = sample(name)
      const books = parse(text) as ReadonlyArray<WireBook>
      assert.strictEqual(Frames.dump(books.map((book) => stateOf(book))), text)
    }
  })

  it.skipIf(!captured)("prints the captured REST books byte for byte", () => {
    for (const name of ["rest-book-v1.json", "rest-book-protocol-v2.json"]) {
      const text = sample(name).trimEnd()
      assert.strictEqual(Frames.restBook(stateOf(parse(text) as WireBook)), text)
    }
  })

  it.skipIf(!captured)(
    "prints the captured books after trades byte for byte, the last price already in the hash",
    () => {
      const books = session().filter((text) => text.includes(`"event_type":"book"`) && text.startsWith("{"))
      const prices = ["0.490", "0.490", "0.500"]
      assert.strictEqual(books.length, prices.length)
      books.forEach((text, index) => {
        const state = stateOf(parse(text) as WireBook, { lastTradePrice: prices[index]! })
        assert.strictEqual(Frames.book(state), text)
      })
      assert.strictEqual(sample("ws-market-book-after-trade.frame.json").trimEnd(), books[0])
    }
  )

  it.skipIf(!captured)("prints the captured trade byte for byte", () => {
    const text = sample("ws-market-last-trade-price.frame.json").trimEnd()
    const wire = parse(text) as Record<string, string>
    const printed = Frames.lastTradePrice({
      market: wire["market"]!,
      asset: wire["asset_id"]!,
      price: wire["price"]!,
      size: wire["size"]!,
      side: "BUY",
      timestamp: wire["timestamp"]!,
      transactionHash: wire["transaction_hash"]!
    })
    assert.strictEqual(printed, text)
  })

  it.skipIf(!captured)("replays the captured session: every frame, both entries and every hash from one book", () => {
    const [dump, ...frames] = session()
    const [first, second] = parse(dump!) as readonly [WireBook, WireBook]
    const tokens = [first.asset_id, second.asset_id] as const
    const books = booksOf(first, tokens)
    assert.strictEqual(
      Frames.dump([books.state(0), books.state(1)]),
      dump,
      "the second book is the mirror of the first"
    )

    const subject = { books, info: books.identity as MarketInfo }
    const changes = frames.filter((text) => text.includes(`"event_type":"price_change"`))
    const hashOf = (text: string) =>
      (parse(text) as WireChanges).price_changes.find((change) => change.asset_id === tokens[0])!.hash
    const printed: Array<string> = []
    for (let start = 0; start < changes.length;) {
      // Frames that repeat a hash are the levels of one operation; all show the state at its end.
      let end = start + 1
      while (end < changes.length && hashOf(changes[end]!) === hashOf(changes[start]!)) end++
      const operation = changes.slice(start, end).map((text) => parse(text) as WireChanges)
      for (const frame of operation) books.apply(changeOf(frame, tokens))
      books.stamp(Number(operation[0]!.timestamp))
      for (const frame of operation) {
        printed.push(Events.priceChange(subject, changeOf(frame, tokens), Number(frame.timestamp)).text)
      }
      start = end
    }
    assert.strictEqual(printed.length, 20)
    assert.deepStrictEqual(printed, changes)
  })
})
