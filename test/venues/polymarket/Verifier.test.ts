import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { InstrumentId } from "../../../src/domain/Market.ts"
import { complement, formatDecimal } from "../../../src/domain/Money.ts"
import * as OrderBook from "../../../src/domain/OrderBook.ts"
import type { SnapshotProof } from "../../../src/venues/polymarket/SnapshotProof.ts"
import * as Verifier from "../../../src/venues/polymarket/Verifier.ts"
import type { Verdict } from "../../../src/venues/Venue.ts"
import { change, id, levels, other, snapshot, tickSize, trade } from "../../support/Events.ts"

/** One market of the venue as it is: both tokens' books, the last trade, and the hashes that it prints. */
const makeMarket = (options: { readonly recipe?: "current" | "legacy" | "other"; readonly version?: "v2" } = {}) => {
  const recipe = options.recipe ?? "current"
  let lastTrade = ""
  let tick = "0.01"
  const books = new Map<InstrumentId, OrderBook.OrderBook>([
    [id, OrderBook.empty()],
    [other, OrderBook.empty()]
  ])
  OrderBook.applySnapshot(books.get(id)!, levels("0.4 10, 0.41 20"), levels("0.43 30, 0.45 40"))
  const follow = () => {
    const mirrored = OrderBook.mirror(books.get(id)!)
    OrderBook.applySnapshot(books.get(other)!, OrderBook.levels(mirrored, "bid"), OrderBook.levels(mirrored, "ask"))
  }
  follow()
  const hash = (of: InstrumentId, time: number): string => {
    const side = (which: OrderBook.Side) =>
      OrderBook.levels(books.get(of)!, which)
        .toReversed()
        .map(({ price, size }) => ({ price: formatDecimal(price), size: formatDecimal(size) }))
    const book = {
      market: "0xm",
      asset_id: of === id ? "111" : "222",
      timestamp: String(time),
      hash: "",
      bids: side("bid"),
      asks: side("ask")
    }
    const rest = { min_order_size: "5", tick_size: tick, neg_risk: true, last_trade_price: lastTrade }
    const whole = recipe === "legacy" ? book : { ...book, ...rest, ...(options.version ? { version: "v2" } : {}) }
    const salt = recipe === "other" ? "nobody knows" : ""
    return createHash("sha1")
      .update(JSON.stringify(whole) + salt)
      .digest("hex")
  }
  return {
    hash,
    /** Changes a level of the first token, and its mirror. */
    set: (side: OrderBook.Side, level: string) => {
      const { price, size } = levels(level)[0]!
      OrderBook.applyChange(books.get(id)!, side, price, size)
      follow()
    },
    setLastTrade: (price: string) => (lastTrade = price),
    setTick: (to: string) => (tick = to),
    /** A snapshot as the dump, a trade or REST prints it. */
    snapshot: (of: InstrumentId, time: number, kind: "dump" | "trade" | "rest" = "dump") => ({
      ...snapshot(time, "", "", {
        instrumentId: of,
        hash: hash(of, time),
        source: kind === "rest" ? "rest" : "socket"
      }),
      bids: OrderBook.levels(books.get(of)!, "bid"),
      asks: OrderBook.levels(books.get(of)!, "ask"),
      proof: {
        market: "0xm",
        assetId: of === id ? "111" : "222",
        tickSize: kind === "trade" ? null : tick,
        lastTradePrice: kind === "trade" || recipe === "legacy" ? null : lastTrade,
        minOrderSizes: kind === "rest" ? ["5"] : ["15", "5"],
        negRisks: kind === "rest" ? [true] : [false, true],
        version: kind === "trade" ? null : (options.version ?? null)
      } satisfies SnapshotProof
    })
  }
}

/** A verifier with the books that a collector would have. */
const makeWatcher = (options?: Verifier.VerifierOptions) => {
  const verifier = Verifier.make(Verifier.memory(), options)
  const books = new Map([
    [id, OrderBook.empty()],
    [other, OrderBook.empty()]
  ])
  return {
    books,
    expire: (now: number) => verifier.expire(now).flatMap((one) => (one.why === undefined ? [] : [one.instrumentId])),
    proved: (now: number) => verifier.expire(now).flatMap((one) => (one.why === undefined ? [one.instrumentId] : [])),
    judge: verifier.expire,
    forget: verifier.forget,
    see: (event: Parameters<typeof verifier.check>[0], isUrgent?: boolean): Verdict => {
      const book = books.get("instrumentId" in event ? event.instrumentId : id)!
      if (event._tag === "BookSnapshot") OrderBook.applySnapshot(book, event.bids, event.asks)
      if (event._tag === "BookChange") OrderBook.applyChange(book, event.side, event.price, event.size)
      return verifier.check(event, book, isUrgent)
    }
  }
}

/** The venue's market and a watcher that got its dump at 1000. */
const start = (options: Parameters<typeof makeMarket>[0] = {}, budget?: Verifier.VerifierOptions) => {
  const market = makeMarket(options)
  const watcher = makeWatcher(budget)
  const verdicts = [id, other].map((one) => watcher.see(market.snapshot(one, 1000)))
  /** Changes a level at a time and says what the venue prints of it for the first token. */
  const sent = (time: number, side: OrderBook.Side, level: string, hash?: string) => {
    market.set(side, level)
    return change(time, side, level, { hash: hash ?? market.hash(id, time) })
  }
  return { market, watcher, verdicts, sent, see: watcher.see }
}

describe("a snapshot", () => {
  it("of the dump is proved by its hash, with what the dump leaves out tried", () => {
    assert.deepStrictEqual(start().verdicts, ["verified", "verified"])
    assert.deepStrictEqual(start({ version: "v2" }).verdicts, ["verified", "verified"])
  })

  it("of REST is proved by its hash", () => {
    const market = makeMarket()
    market.setLastTrade("0.410")
    assert.strictEqual(makeWatcher().see(market.snapshot(id, 1000, "rest")), "verified")
  })

  it("of 2024 is proved by the hash of then, and so are later books, but not its changes of unprinted time", () => {
    const { market, see, sent, verdicts } = start({ recipe: "legacy" })
    assert.deepStrictEqual(verdicts, ["verified", "verified"])
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "verified")
    assert.strictEqual(see(market.snapshot(id, 1200)), "verified")
  })

  it("whose hash is of an unknown recipe proves nothing, nor is anything held against it", () => {
    const { see, sent, verdicts, watcher } = start({ recipe: "other" })
    assert.deepStrictEqual(verdicts, ["unverifiable", "unverifiable"])
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "unverifiable")
    assert.strictEqual(see(sent(1200, "bid", "0.4 6", "nonsense")), "unverifiable")
    assert.deepStrictEqual(watcher.expire(100_000), [])
  })

  it("without a hash proves nothing", () => {
    const { market, see } = start()
    assert.strictEqual(see({ ...market.snapshot(id, 1100), hash: null }), "unverifiable")
  })
})

describe("a change", () => {
  it("is proved by the hash of the whole book after it", () => {
    const { see, sent } = start()
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "verified")
    assert.strictEqual(see(sent(1101, "ask", "0.44 5")), "verified")
    assert.strictEqual(see(sent(1101, "ask", "0.44 0")), "verified", "several operations share a millisecond")
  })

  it("that is not printed is missed at the next operation's second message, or by the clock", () => {
    const { market, see, sent, watcher } = start()
    market.set("bid", "0.39 5")
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "pending")
    assert.strictEqual(see(sent(1101, "bid", "0.4 6")), "mismatch")
    const second = start()
    second.market.set("bid", "0.39 5")
    assert.strictEqual(second.see(second.sent(1100, "bid", "0.4 5")), "pending")
    assert.deepStrictEqual(second.watcher.expire(1349), [])
    assert.deepStrictEqual(second.watcher.expire(1350), [id])
    assert.deepStrictEqual(second.watcher.expire(1351), [], "it is said once")
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("that was lost with another hash of the same millisecond is missed too", () => {
    const { market, see, sent } = start()
    market.set("bid", "0.39 5")
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "pending")
    assert.strictEqual(see(sent(1100, "bid", "0.4 6")), "mismatch")
  })

  it("without a hash is not judged", () => {
    const { see } = start()
    assert.strictEqual(see(change(1100, "bid", "0.4 5")), "unverifiable")
  })

  it("of an unknown instrument is not judged", () => {
    const watcher = makeWatcher()
    assert.strictEqual(watcher.see(change(1100, "bid", "0.4 5", { hash: "x" })), "unverifiable")
  })
})

describe("an operation on several levels", () => {
  const operation = () => {
    const started = start()
    const { market } = started
    for (const level of ["0.4 1", "0.39 2", "0.38 3"]) market.set("bid", level)
    const hash = market.hash(id, 1100)
    return { ...started, frames: ["0.4 1", "0.39 2", "0.38 3"].map((one) => change(1100, "bid", one, { hash })) }
  }

  it("is proved by its last frame", () => {
    const { frames, see, watcher } = operation()
    assert.deepStrictEqual(
      frames.map((one) => see(one)),
      ["pending", "pending", "verified"]
    )
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("of which a frame is lost is found by the clock, counted from its first frame", () => {
    const { frames, see, watcher } = operation()
    assert.strictEqual(see(frames[0]!), "pending")
    assert.strictEqual(see({ ...frames[2]!, receivedTime: 1300 }), "pending")
    assert.deepStrictEqual(watcher.expire(1349), [])
    assert.deepStrictEqual(watcher.expire(1350), [id])
  })

  it("of which the last frame is lost is found by the next operation", () => {
    const { frames, see, sent } = operation()
    see(frames[0]!)
    see(frames[1]!)
    assert.strictEqual(see(sent(1200, "bid", "0.4 9")), "mismatch")
  })
})

describe("a change in the snapshot's own millisecond", () => {
  it("may be one that the snapshot contains, so that the frames which follow bring the state back", () => {
    const market = makeMarket()
    const watcher = makeWatcher()
    market.set("bid", "0.4 7")
    const first = change(1000, "bid", "0.4 7", { hash: market.hash(id, 1000) })
    market.set("bid", "0.4 8")
    const second = change(1000, "bid", "0.4 8", { hash: market.hash(id, 1000) })
    assert.strictEqual(watcher.see(market.snapshot(id, 1000)), "verified")
    assert.strictEqual(watcher.see(first), "verified", "the state of then")
    assert.strictEqual(watcher.see(second), "verified")
  })

  it("does not contradict the book at once when its state is not the one of then", () => {
    const market = makeMarket()
    const watcher = makeWatcher()
    market.set("bid", "0.4 7")
    const first = change(1000, "bid", "0.4 7", { hash: market.hash(id, 1000) })
    market.set("bid", "0.39 1")
    const second = change(1000, "bid", "0.39 1", { hash: market.hash(id, 1000) })
    market.set("bid", "0.4 9")
    const third = change(1000, "bid", "0.4 9", { hash: market.hash(id, 1000) })
    assert.strictEqual(watcher.see(market.snapshot(id, 1000)), "verified")
    assert.strictEqual(watcher.see(first), "pending")
    assert.strictEqual(watcher.see(second), "verified", "which the snapshot had gone through as well")
    assert.strictEqual(watcher.see(third), "verified")
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("may be one of several such, each of another operation", () => {
    const market = makeMarket()
    const watcher = makeWatcher()
    const frames = ["0.4 7", "0.39 1", "0.4 9", "0.38 2"].map((level) => {
      market.set("bid", level)
      return change(1000, "bid", level, { hash: market.hash(id, 1000) })
    })
    watcher.see(market.snapshot(id, 1000))
    assert.deepStrictEqual(
      frames.map((frame) => watcher.see(frame)),
      ["pending", "pending", "pending", "verified"]
    )
  })

  it("is held against the book when nothing brings it back", () => {
    const market = makeMarket()
    const watcher = makeWatcher()
    market.set("bid", "0.4 7")
    const first = change(1000, "bid", "0.4 7", { hash: market.hash(id, 1000) })
    market.set("bid", "0.4 9")
    market.set("bid", "0.39 1")
    watcher.see(market.snapshot(id, 1000))
    watcher.see(first)
    assert.deepStrictEqual(watcher.expire(1249), [])
    assert.deepStrictEqual(watcher.expire(1250), [id])
  })
})

describe("a trade", () => {
  for (const [side, price, lastTrade] of [
    ["ask", "0.43", "0.430"],
    ["bid", "0.41", "0.410"],
    ["ask", "0.43", "0.570"],
    ["bid", "0.41", "0.590"]
  ] as const) {
    it(`that takes ${side}s at ${price} is proved by its books although its print (${lastTrade}) comes later`, () => {
      const { market, see, sent, watcher } = start()
      market.set(side, `${price} 0`)
      market.setLastTrade(lastTrade)
      assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "verified")
      assert.strictEqual(see(market.snapshot(other, 1100, "trade")), "verified")
      assert.strictEqual(see(sent(1120, "bid", "0.4 1")), "verified")
      see(trade(1140, `${price} 20`))
      assert.strictEqual(see(sent(1150, "bid", "0.4 2")), "verified")
      assert.deepStrictEqual(watcher.expire(9999), [])
    })
  }

  it("that sweeps several levels prints a trade for each, of which the hash holds one", () => {
    const { market, see, sent, watcher } = start()
    market.set("ask", "0.43 0")
    market.set("ask", "0.45 0")
    market.setLastTrade("0.440")
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "pending")
    assert.strictEqual(see(market.snapshot(other, 1100, "trade")), "pending")
    for (const level of ["0.43 30", "0.44 7", "0.45 40"]) see(trade(1140, level))
    assert.strictEqual(see(sent(1150, "bid", "0.4 2")), "verified")
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("deep in the book waits for its print, and so does what comes in between", () => {
    const { market, see, sent, watcher } = start()
    market.set("ask", "0.43 0")
    market.set("ask", "0.45 1")
    market.setLastTrade("0.440")
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "pending")
    assert.strictEqual(see(market.snapshot(other, 1100, "trade")), "pending")
    assert.strictEqual(see(sent(1120, "bid", "0.4 1")), "pending")
    assert.deepStrictEqual(watcher.expire(1600), [])
    assert.strictEqual(see(trade(1140, "0.44 20")), "unverifiable")
    assert.strictEqual(see(sent(1150, "bid", "0.4 2")), "verified")
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("printed in the other token's price settles what waits for it as well", () => {
    const { market, see, sent, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "pending")
    see(trade(1140, "0.56 20", { instrumentId: other, price: complement(levels("0.44 1")[0]!.price) }))
    assert.strictEqual(see(sent(1150, "bid", "0.4 2")), "verified")
    see(market.snapshot(other, 1150))
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("whose print never comes is held against the book after two seconds", () => {
    const { market, see, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    see(market.snapshot(id, 1100, "trade"))
    see(market.snapshot(other, 1100, "trade"))
    assert.deepStrictEqual(watcher.expire(3099), [])
    assert.sameMembers(watcher.expire(3100), [id, other])
  })

  it("whose print does not explain the book is held against it all the same", () => {
    const { market, see, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    see(market.snapshot(id, 1100, "trade"))
    see(market.snapshot(other, 1100, "trade"))
    see(trade(1140, "0.3 20"))
    assert.deepStrictEqual(watcher.expire(3099), [])
    assert.sameMembers(watcher.expire(3100), [id, other])
  })

  it("is over with its print, so that what is lost afterwards is found as soon as ever", () => {
    const { market, see, sent, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    see(market.snapshot(id, 1100, "trade"))
    see(market.snapshot(other, 1100, "trade"))
    see(trade(1140, "0.44 20"))
    market.set("bid", "0.39 5")
    assert.strictEqual(see(sent(1150, "bid", "0.4 5")), "pending")
    assert.deepStrictEqual(watcher.expire(1400), [id])
  })

  it("of a Protocol V2 market keeps the version that only the dump printed", () => {
    const { market, see, sent } = start({ version: "v2" })
    market.set("ask", "0.43 0")
    market.setLastTrade("0.430")
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "verified")
    assert.strictEqual(see(sent(1120, "bid", "0.4 1")), "verified")
  })

  it("is not answered by a message about the other token that is older", () => {
    const { market, see, watcher } = start()
    market.set("ask", "0.5 1")
    const older = change(1090, "bid", "0.5 1", { instrumentId: other, hash: market.hash(other, 1090) })
    market.set("ask", "0.43 0")
    market.setLastTrade("0.430")
    see(market.snapshot(id, 1100, "trade"))
    assert.strictEqual(see(older), "verified")
    assert.deepStrictEqual(watcher.expire(3100), [other])
  })

  it("that brings a new book of one token only puts the other in doubt after two seconds", () => {
    const { market, see, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.430")
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "verified")
    assert.deepStrictEqual(watcher.expire(3099), [])
    assert.deepStrictEqual(watcher.expire(3100), [other])
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("after which the other token's book came with a change is nothing to doubt", () => {
    const { market, see, sent, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.430")
    see(market.snapshot(id, 1100, "trade"))
    see(market.snapshot(other, 1100, "trade"))
    see(sent(1200, "bid", "0.4 1"))
    assert.deepStrictEqual(watcher.expire(9999), [])
  })

  it("leaves the other token in doubt however many trades follow", () => {
    const { market, see, watcher } = start()
    const doubted: Array<InstrumentId> = []
    market.setLastTrade("0.430")
    for (let time = 1100; time < 6000; time += 500) {
      market.set("ask", `0.43 ${time}`)
      see(market.snapshot(id, time, "trade"))
      doubted.push(...watcher.expire(time))
    }
    assert.deepStrictEqual([...new Set(doubted)], [other])
  })

  it("is forgotten with its instruments", () => {
    const { market, see, watcher } = start()
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    see(market.snapshot(id, 1100, "trade"))
    watcher.forget(id)
    watcher.forget(other)
    assert.deepStrictEqual(watcher.expire(9999), [])
  })
})

describe("a fresh book", () => {
  it("over REST starts the judgement anew, with the last trade that it names", () => {
    const { market, see, sent, watcher } = start()
    market.set("bid", "0.39 5")
    market.setLastTrade("0.123")
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "pending")
    assert.strictEqual(see(market.snapshot(id, 1100, "rest")), "verified")
    assert.deepStrictEqual(watcher.expire(9999), [])
    assert.strictEqual(see(sent(1200, "bid", "0.4 6")), "verified")
  })

  it("after a change of the tick size is proved with the new one", () => {
    const { market, see, sent } = start()
    market.setTick("0.001")
    see(tickSize(1100, "0.001"))
    see(tickSize(1100, "0.001", { instrumentId: other }))
    assert.strictEqual(see(market.snapshot(id, 1100, "trade")), "verified")
    assert.strictEqual(see(sent(1150, "bid", "0.411 2")), "verified")
  })
})

/** No book is hashed at once, unless there is cause. */
const broke = { levelsPerMilli: 0, mostLevels: 0 }

describe("beyond the budget", () => {
  it("a change is put off, and the sweep proves the book as it is by then", () => {
    const { see, sent, watcher } = start({}, broke)
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "deferred")
    assert.strictEqual(see(sent(1101, "bid", "0.4 6")), "deferred")
    assert.deepStrictEqual(watcher.judge(1150), [{ instrumentId: id, why: undefined }])
    assert.deepStrictEqual(watcher.judge(1250), [], "once")
  })

  it("changes are judged at once again when time has passed", () => {
    const { see, sent } = start({}, { levelsPerMilli: 1, mostLevels: 20 })
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "verified")
    assert.strictEqual(see(sent(1105, "bid", "0.4 6")), "deferred")
    assert.strictEqual(see(sent(1120, "bid", "0.4 7")), "verified")
  })

  it("what is urgent is judged all the same", () => {
    const { market, see, sent } = start({}, broke)
    assert.strictEqual(see(sent(1100, "bid", "0.4 5"), true), "verified")
    market.set("bid", "0.39 5")
    assert.strictEqual(see(sent(1101, "bid", "0.4 6"), true), "pending")
    assert.strictEqual(see(sent(1102, "bid", "0.4 7")), "mismatch", "and then there is cause")
  })

  it("a change that was not printed is found after the sweep, by the next operation or by the clock", () => {
    const lose = () => {
      const started = start({}, broke)
      started.market.set("bid", "0.39 5")
      assert.strictEqual(started.see(started.sent(1100, "bid", "0.4 5")), "deferred")
      assert.deepStrictEqual(started.watcher.judge(1150), [])
      return started
    }
    const { see, sent } = lose()
    assert.strictEqual(see(sent(1200, "bid", "0.4 6")), "mismatch")
    const { watcher } = lose()
    assert.deepStrictEqual(watcher.expire(1349), [])
    assert.deepStrictEqual(watcher.expire(1350), [id])
  })

  it("an operation that a sweep cuts in two is innocent", () => {
    const { market, see, watcher } = start({}, broke)
    for (const level of ["0.4 1", "0.39 2"]) market.set("bid", level)
    const hash = market.hash(id, 1100)
    assert.strictEqual(see(change(1100, "bid", "0.4 1", { hash })), "deferred")
    assert.deepStrictEqual(watcher.judge(1150), [])
    assert.strictEqual(see(change(1100, "bid", "0.39 2", { hash })), "verified")
    assert.deepStrictEqual(watcher.judge(9999), [])
  })

  it("a sweep hashes a part of them, those first that wait longest, and the next ones the others", () => {
    const { market, see, sent, watcher } = start({}, { ...broke, sweepLevels: 1 })
    assert.strictEqual(see(sent(1100, "bid", "0.4 5")), "deferred")
    const mirrored = { instrumentId: other, hash: market.hash(other, 1100) }
    assert.strictEqual(see(change(1100, "ask", "0.6 5", mirrored)), "deferred")
    assert.strictEqual(see(sent(1101, "bid", "0.4 6")), "deferred")
    assert.deepStrictEqual(watcher.proved(1150), [id])
    // The other token was not told of the last change.
    assert.deepStrictEqual(watcher.proved(1250), [other])
  })

  it("a book that goes on changing while no sweep gets to it is hashed every second", () => {
    const { see, sent } = start({}, broke)
    const verdicts = [1100, 1500, 2099, 2100, 2101].map((time) => see(sent(time, "bid", `0.4 ${time}`)))
    assert.deepStrictEqual(verdicts, ["deferred", "deferred", "deferred", "verified", "deferred"])
  })

  it("a trade does not put in doubt what was put off before it", () => {
    const { market, see, sent, watcher } = start({}, broke)
    see(sent(1100, "bid", "0.4 5"))
    market.set("ask", "0.43 0")
    market.setLastTrade("0.440")
    assert.strictEqual(see(market.snapshot(other, 1200, "trade")), "pending")
    for (const level of ["0.44 1", "0.45 1", "0.46 1", "0.47 1", "0.48 1", "0.3 1"]) see(trade(1240, level))
    assert.deepStrictEqual(watcher.expire(1250), [])
    assert.deepStrictEqual(watcher.expire(1500), [])
  })

  it("nor does a change of the tick size", () => {
    const { market, see, sent, watcher } = start({}, broke)
    see(sent(1100, "bid", "0.4 5"))
    market.setTick("0.001")
    see(tickSize(1150, "0.001"))
    assert.deepStrictEqual(watcher.expire(9999), [])
    assert.strictEqual(see(sent(10_000, "bid", "0.411 2"), true), "verified")
  })

  it("a fresh book ends what was put off, and so does the end of its subscription", () => {
    const { market, see, sent, watcher } = start({}, broke)
    see(sent(1100, "bid", "0.4 5", "nonsense"))
    see(market.snapshot(id, 1100, "rest"))
    assert.deepStrictEqual(watcher.judge(9999), [])
    see(sent(1200, "bid", "0.4 6"))
    watcher.forget(id)
    assert.deepStrictEqual(watcher.judge(9999), [])
  })
})

/** What the venue does next: an operation on so many levels, a trade, or nothing; and what of it is lost. */
const step = fc.record({
  what: fc.constantFrom("operation", "operation", "operation", "trade", "pause"),
  wait: fc.constantFrom(0, 1, 7, 60, 200),
  prices: fc.array(fc.integer({ min: 20, max: 40 }), { minLength: 1, maxLength: 4 }),
  size: fc.integer({ min: 0, max: 50 }),
  isLost: fc.boolean()
})

describe("over any history, whatever the budget", () => {
  const budget = fc.record({
    levelsPerMilli: fc.constantFrom(0, 1, 4),
    mostLevels: fc.constantFrom(0, 40),
    sweepLevels: fc.constantFrom(1, 1_000)
  })
  type Step = typeof step extends fc.Arbitrary<infer A> ? A : never
  const play = (steps: ReadonlyArray<Step>, loses: boolean, of: Verifier.VerifierOptions) => {
    const { market, see, watcher } = start({}, of)
    const judged: Array<InstrumentId> = []
    const contradicted: Array<Verdict> = []
    const truth = OrderBook.empty()
    OrderBook.applySnapshot(truth, levels("0.4 10, 0.41 20"), levels("0.43 30, 0.45 40"))
    const text = (book: OrderBook.OrderBook) =>
      JSON.stringify([OrderBook.levels(book, "bid"), OrderBook.levels(book, "ask")])
    /** The venue's book as of the last message that came. */
    let said = text(truth)
    const isTrue = () => said === text(watcher.books.get(id)!)
    let now = 1_100
    let swept = now
    const look = (verdict: Verdict) => {
      if (verdict === "mismatch") contradicted.push(verdict)
      if (verdict === "verified") assert.isTrue(isTrue(), "no book is called proved that is not the venue's")
    }
    const sweep = () => {
      for (; swept + 100 <= now; swept += 100) {
        for (const { instrumentId, why } of watcher.judge(swept + 100)) {
          if (why !== undefined) judged.push(instrumentId)
          else if (instrumentId === id) assert.isTrue(isTrue(), "nor by a sweep")
        }
      }
    }
    for (const { isLost, prices, size, wait, what } of steps) {
      now += wait
      sweep()
      if (what === "trade") {
        OrderBook.applyChange(truth, "ask", levels("0.43 1")[0]!.price, 0 as never)
        market.set("ask", "0.43 0")
        market.setLastTrade("0.430")
        said = text(truth)
        look(see(market.snapshot(id, ++now, "trade")))
        look(see(market.snapshot(other, now, "trade")))
        see(trade(now, "0.43 1", { receivedTime: now }))
        now++
      } else if (what === "operation") {
        now++
        const texts = [...new Set(prices)].map((price, i) => `0.${price} ${size === 0 ? 0 : size + i}`)
        for (const one of texts) {
          const [level] = levels(one)
          OrderBook.applyChange(truth, "bid", level!.price, level!.size)
          market.set("bid", one)
        }
        const hash = market.hash(id, now)
        texts.forEach((one, i) => {
          if (loses && isLost && i === 0) return
          said = text(truth)
          look(see(change(now, "bid", one, { hash, receivedTime: now })))
        })
      }
    }
    for (let i = 0; i < 40; i++) {
      now += 100
      sweep()
    }
    return { judged, contradicted, isTrue }
  }

  it("nothing is held against books of which nothing was lost", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), budget, (steps, of) => {
        const { contradicted, isTrue, judged } = play(steps, false, of)
        assert.deepStrictEqual([...judged, ...contradicted], [])
        assert.isTrue(isTrue())
      })
    )
  })

  it("a book that is not the venue's any more and of which a message came since is found out", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), budget, (steps, of) => {
        const last = { what: "operation", wait: 300, prices: [21], size: 99, isLost: false }
        const { contradicted, isTrue, judged } = play([...steps, last], true, of)
        if (!isTrue()) assert.isAbove(judged.length + contradicted.length, 0)
      })
    )
  })
})
