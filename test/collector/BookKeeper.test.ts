import { assert, describe, it } from "@effect/vitest"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import type { InstrumentId } from "../../src/domain/Market.ts"
import type { BookStatusChanged, FeedEvent, Gap, MarketEvent } from "../../src/domain/MarketEvent.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import type { BookVerifier } from "../../src/venues/Venue.ts"
import {
  change,
  connected,
  connection,
  digest,
  disconnected,
  exactVerifier,
  id,
  levels,
  other,
  price,
  quote,
  rejected,
  resolved,
  rest,
  size,
  snapshot,
  subscribed,
  tickSize,
  trade,
  unsubscribed,
  venue
} from "../support/Events.ts"

const make = (verifier?: BookVerifier, memory = BookKeeper.memory()) => {
  const asked: Array<InstrumentId> = []
  const keeper = BookKeeper.make({ verifier: () => verifier, onResync: (one) => asked.push(one) }, memory)
  return {
    ...keeper,
    asked,
    on: (...events: ReadonlyArray<FeedEvent>) => keeper.apply(events),
    status: (of = id) => keeper.view(of)?.status,
    shown: (of = id) => {
      const view = keeper.view(of)!
      const side = (all: typeof view.bids) => all.map((level) => `${level.price / 1e6} ${level.size / 1e6}`).join(", ")
      return `${side(view.bids)} | ${side(view.asks)}`
    }
  }
}

/** A keeper whose book went live at 1000 with bid 0.41 × 100 and ask 0.43 × 50. */
const live = (verifier?: BookVerifier, ids: ReadonlyArray<InstrumentId> = [id]) => {
  const keeper = make(verifier)
  keeper.on(connected(900), subscribed(900, { instrumentIds: ids }))
  for (const instrumentId of ids) keeper.on(snapshot(1000, undefined, undefined, { instrumentId }))
  assert.strictEqual(keeper.status(), "live")
  return keeper
}

/** The digest of the book with these sides at a time. */
const digestOf = (at: number, bids: string, asks: string) => {
  const book = OrderBook.empty()
  OrderBook.applySnapshot(book, levels(bids), levels(asks))
  return digest(at, book)
}

const statusChanges = (events: ReadonlyArray<MarketEvent>): Array<BookStatusChanged> =>
  events.filter((event) => event._tag === "BookStatusChanged")
const gaps = (events: ReadonlyArray<MarketEvent>): Array<Gap> => events.filter((event) => event._tag === "Gap")
const tags = (events: ReadonlyArray<MarketEvent>) => events.map((event) => event._tag)

describe("a book's beginning", () => {
  it("knows nothing of an instrument that nobody subscribed", () => {
    const keeper = make()
    assert.deepStrictEqual(keeper.on(snapshot(1), change(2, "bid", "0.4 1"), trade(3, "0.4 1")), [])
    assert.isUndefined(keeper.view(id))
    assert.strictEqual(keeper.counters.foreign, 3)
  })

  it("is stale, and says so, until its first snapshot", () => {
    const keeper = make()
    const events = keeper.on(connected(900), subscribed(900))
    assert.strictEqual(keeper.status(), "stale")
    assert.strictEqual(keeper.view(id)?.statusReason, "waiting for the first snapshot")
    assert.strictEqual(keeper.view(id)?.statusSince, 900)
    assert.deepStrictEqual(tags(events), ["Connected", "Subscribed", "BookStatusChanged"])
  })

  it("applies no change before the snapshot", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900))
    assert.deepStrictEqual(keeper.on(change(950, "bid", "0.4 7")), [])
    assert.strictEqual(keeper.shown(), " | ")
    assert.strictEqual(keeper.counters.early, 1)
  })

  it("goes live with the snapshot, which wins over changes that came before it and are not newer", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900), change(950, "bid", "0.4 7"), change(1000, "bid", "0.4 8"))
    const events = keeper.on(snapshot(1000))
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
    assert.deepStrictEqual(tags(events), ["BookSnapshot", "BestChanged", "BookStatusChanged"])
    assert.strictEqual(keeper.status(), "live")
  })

  it("takes up a change that overtook the snapshot although it is newer", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900), change(1005, "bid", "0.42 7"))
    keeper.on(snapshot(1000))
    assert.strictEqual(keeper.shown(), "0.42 7, 0.41 100 | 0.43 50")
    assert.strictEqual(keeper.view(id)?.venueTime, 1005)
  })

  it("drops changes older than the snapshot, and counts them", () => {
    const keeper = live()
    assert.deepStrictEqual(keeper.on(change(999, "bid", "0.41 0")), [])
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
    assert.strictEqual(keeper.counters.outdated, 1)
    assert.strictEqual(keeper.status(), "live")
  })

  it("that comes after the snapshot that contains it is owned up to, as history has no row of it", () => {
    const keeper = live()
    keeper.on(snapshot(1300, "0.42 5"))
    const late = keeper.on(change(1200, "bid", "0.42 5", { receivedTime: 1310 }))
    assert.deepStrictEqual(tags(late), ["Gap"])
    assert.deepInclude(gaps(late)[0], { instrumentId: id, from: 1200, to: 1300 })
    assert.strictEqual(keeper.status(), "live")
  })

  it("applies a change in the snapshot's own millisecond", () => {
    const keeper = live()
    keeper.on(change(1000, "bid", "0.42 1"))
    assert.strictEqual(keeper.shown(), "0.42 1, 0.41 100 | 0.43 50")
  })

  it("is asked for over REST when no snapshot comes for ten seconds", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900))
    assert.deepStrictEqual(keeper.sweep(10_899), [])
    assert.deepStrictEqual(keeper.asked, [])
    const [event] = statusChanges(keeper.sweep(10_900))
    assert.strictEqual(event?.status, "suspect")
    assert.deepStrictEqual(keeper.asked, [id])
    assert.deepStrictEqual(keeper.sweep(11_000), [])
  })

  it("is built from REST with every change since the subscription that is newer", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900), change(1000, "bid", "0.4 7"), change(1200, "bid", "0.42 7"))
    keeper.sweep(10_900)
    keeper.resyncing(id, 10_900)
    const events = keeper.on(rest(1100, undefined, undefined, { receivedTime: 10_950 }))
    assert.strictEqual(keeper.shown(), "0.42 7, 0.41 100 | 0.43 50")
    assert.strictEqual(keeper.status(), "live")
    const [first] = events
    assert(first?._tag === "BookSnapshot")
    assert.deepStrictEqual(
      first.bids.map((level) => level.price),
      [price("0.42"), price("0.41")],
      "what is passed on holds the replayed changes"
    )
    assert.strictEqual(first.venueTime, 1200)
  })
})

describe("a change", () => {
  it("is passed on with the best quotes that it led to", () => {
    const keeper = live()
    const events = keeper.on(change(1100, "bid", "0.42 5"), change(1100, "bid", "0.3 5"))
    assert.deepStrictEqual(tags(events), ["BookChange", "BestChanged", "BookChange"])
    const best = events[1]
    assert(best?._tag === "BestChanged")
    assert.deepInclude(best, { bid: price("0.42"), bidSize: size("5"), ask: price("0.43"), askSize: size("50") })
  })

  it("that changes nothing is counted and not passed on", () => {
    const keeper = live()
    assert.deepStrictEqual(keeper.on(change(1100, "bid", "0.41 100"), change(1100, "ask", "0.9 0")), [])
    assert.strictEqual(keeper.counters.duplicates, 2)
  })

  it("that crosses or locks the book makes it suspect, and a fresh snapshot is asked for once", () => {
    for (const crossing of ["0.43 1", "0.44 1"]) {
      const keeper = live()
      const events = keeper.on(change(1100, "bid", crossing), change(1101, "bid", "0.45 1"))
      assert.deepStrictEqual(
        statusChanges(events).map((event) => event.status),
        ["suspect"]
      )
      assert.deepStrictEqual(keeper.asked, [id])
    }
  })

  it("is exact: the levels are those of the events, to the millionth", () => {
    const keeper = live()
    keeper.on(change(1100, "ask", "0.4299 0.000001"))
    assert.deepStrictEqual(keeper.view(id)?.asks[0], { price: price("0.4299"), size: size("0.000001") })
  })

  it("of one instrument touches no other", () => {
    const keeper = live(undefined, [id, other])
    keeper.on(change(1100, "bid", "0.42 5"), rejected(1100))
    assert.strictEqual(keeper.shown(other), "0.41 100 | 0.43 50")
    assert.strictEqual(keeper.status(other), "live")
  })
})

describe("best quotes as the venue states them", () => {
  it("may contradict the book while one operation's frames come in", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.42 5", { bestBid: price("0.42"), bestAsk: price("0.44") }))
    keeper.on(change(1100, "ask", "0.43 0", { bestBid: price("0.42"), bestAsk: -1 }))
    assert.deepStrictEqual(keeper.sweep(2000), [])
    assert.strictEqual(keeper.status(), "live")
    assert.strictEqual(keeper.view(id)?.verifiedBy, "quotes")
  })

  it("make the book suspect when a later change still contradicts it", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.3 5", { bestBid: price("0.42") }))
    assert.strictEqual(keeper.status(), "live")
    keeper.on(change(1101, "bid", "0.3 6", { bestBid: price("0.42") }))
    assert.strictEqual(keeper.status(), "suspect")
    assert.strictEqual(keeper.counters.mismatches, 1)
  })

  it("make the book suspect when nothing settles them within 250 ms", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.3 5", { bestAsk: -1 }))
    assert.deepStrictEqual(keeper.sweep(1349), [])
    assert.strictEqual(statusChanges(keeper.sweep(1350))[0]?.status, "suspect")
  })

  it("count also when they come by themselves, and are not passed on", () => {
    const keeper = live()
    assert.deepStrictEqual(keeper.on(quote(1100, "0.42", "0.43")), [])
    assert.strictEqual(keeper.on(quote(1200, "0.42", "0.43"))[0]?._tag, "BookStatusChanged")
    assert.strictEqual(keeper.status(), "suspect")
  })
})

describe("the venue's digest", () => {
  it("proves the book", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.41 100, 0.42 5", "0.43 50") }))
    assert.strictEqual(keeper.view(id)?.verifiedBy, "digest")
    assert.strictEqual(keeper.view(id)?.verifiedTime, 1100)
    assert.strictEqual(keeper.counters.verified, 1)
  })

  it("that contradicts the book makes it suspect at once", () => {
    const keeper = live(exactVerifier())
    const events = keeper.on(change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.42 5", "0.43 50") }))
    assert.strictEqual(statusChanges(events)[0]?.reason, "the venue's digest does not match the book")
    assert.deepStrictEqual(keeper.asked, [id])
  })

  it("that matches again heals the book without a snapshot, and the doubtful time becomes a gap", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.42 5", { hash: "wrong" }))
    const events = keeper.on(change(1200, "bid", "0.42 6", { hash: digestOf(1200, "0.41 100, 0.42 6", "0.43 50") }))
    assert.strictEqual(keeper.status(), "live")
    assert.deepInclude(gaps(events)[0], { instrumentId: id, from: 1000, to: 1200 })
  })

  it("does not heal a book that is crossed", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.44 5", { hash: digestOf(1100, "0.41 100, 0.44 5", "0.43 50") }))
    keeper.on(change(1200, "bid", "0.45 5", { hash: digestOf(1200, "0.41 100, 0.44 5, 0.45 5", "0.43 50") }))
    assert.strictEqual(keeper.status(), "suspect")
  })

  it("heals a book for which the venue had no snapshot", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.42 5", { hash: "wrong" }))
    keeper.resyncing(id, 1100)
    keeper.resyncFailed(id, 1200, "the venue keeps no book for it", true)
    assert.strictEqual(keeper.status(), "stale")
    keeper.on(change(1300, "bid", "0.42 6", { hash: digestOf(1300, "0.41 100, 0.42 6", "0.43 50") }))
    assert.strictEqual(keeper.status(), "live")
  })

  it("puts in doubt a book that is newer than a snapshot which comes after it", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.41 100, 0.42 5", "0.43 50") }))
    keeper.on(snapshot(1050, "0.41 100"))
    assert.strictEqual(keeper.status(), "suspect")
    assert.strictEqual(keeper.shown(), "0.42 5, 0.41 100 | 0.43 50")
  })

  it("cannot heal what has no connection", () => {
    const keeper = live(exactVerifier())
    keeper.on(disconnected(1050))
    keeper.on(change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.41 100, 0.42 5", "0.43 50") }))
    assert.strictEqual(keeper.status(), "stale")
  })

  it("is judged by the sweep when no later message settles it", () => {
    let overdue = false
    const keeper = live({
      check: () => "pending",
      expire: () => (overdue ? [{ instrumentId: id, why: "never settled" }] : []),
      isBehind: () => false,
      forget: () => {}
    })
    assert.deepStrictEqual(keeper.sweep(1100), [])
    overdue = true
    assert.strictEqual(statusChanges(keeper.sweep(1200))[0]?.reason, "never settled")
  })

  it("of a change that comes after a later one proves no more than what the book was", () => {
    const keeper = live(exactVerifier())
    const first = change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.41 100, 0.42 5", "0.43 50") })
    const second = change(1110, "bid", "0.42 0", { hash: digestOf(1110, "0.41 100", "0.43 50"), receivedTime: 1120 })
    keeper.on(second)
    assert.strictEqual(keeper.status(), "live")
    const late = keeper.on({ ...first, receivedTime: 1130 })
    assert.strictEqual(keeper.status(), "suspect")
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
    assert.deepInclude(gaps(late)[0], { from: 1100, to: 1110 })
  })
})

describe("a digest that is put off", () => {
  const off = () => {
    let proved: ReadonlyArray<InstrumentId> = []
    const urgent: Array<boolean | undefined> = []
    const keeper = live({
      check: (event, _, isUrgent) => {
        if (event._tag === "BookChange") urgent.push(isUrgent)
        return event._tag === "BookSnapshot" ? "verified" : isUrgent === true ? "pending" : "deferred"
      },
      expire: () => proved.map((instrumentId) => ({ instrumentId, why: undefined })),
      isBehind: () => proved.length > 0,
      forget: () => {}
    })
    return { ...keeper, urgent, prove: (now: number) => ((proved = [id]), keeper.sweep(now)) }
  }
  const quotes = { hash: "h", bestBid: price("0.42"), bestAsk: price("0.43") }

  it("leaves the book to its quotes, until a later state is proved", () => {
    const { on, prove, view } = off()
    on(change(1100, "bid", "0.42 1", quotes))
    assert.deepInclude(view(id), { status: "live", verifiedBy: "quotes", verifiedTime: 1100 })
    assert.deepStrictEqual(prove(1150), [])
    assert.deepInclude(view(id), { status: "live", verifiedBy: "digest", verifiedTime: 1150 })
  })

  it("is not put off where the quotes contradict the book, or it is not trusted", () => {
    const { on, urgent } = off()
    on(change(1100, "bid", "0.42 1", quotes), change(1110, "bid", "0.42 2", { ...quotes, bestBid: price("0.41") }))
    on(rejected(1120), change(1130, "bid", "0.42 3", quotes))
    assert.deepStrictEqual(urgent, [false, true, true])
  })

  it("heals nothing: it may be older than what ended the trust", () => {
    const { on, prove, status } = off()
    on(change(1100, "bid", "0.42 1", quotes), rejected(1120))
    assert.deepStrictEqual(prove(1150), [])
    assert.strictEqual(status(), "suspect")
  })

  it("is counted apart", () => {
    const { counters, on } = off()
    on(change(1100, "bid", "0.42 1", quotes), change(1110, "bid", "0.42 2", { ...quotes, bestBid: price("0.41") }))
    assert.deepInclude(counters, { checkedLater: 1, checkedByDigest: 1, checkedByQuotes: 0, unchecked: 0 })
  })
})

describe("a fresh snapshot over REST", () => {
  const doubtful = (verifier?: BookVerifier) => {
    const keeper = live(verifier)
    keeper.on(rejected(1100))
    keeper.resyncing(id, 1100)
    assert.strictEqual(keeper.status(), "resyncing")
    return keeper
  }

  it("heals a suspect book, and the doubtful time becomes a gap", () => {
    const keeper = doubtful()
    const events = keeper.on(rest(1150, "0.42 9"))
    assert.strictEqual(keeper.shown(), "0.42 9 | 0.43 50")
    assert.strictEqual(keeper.status(), "live")
    assert.deepStrictEqual(tags(events), ["BookSnapshot", "BestChanged", "Gap", "BookStatusChanged"])
    assert.deepInclude(gaps(events)[0], { instrumentId: id, from: 1000, to: 1150 })
  })

  it("leaves the gap from when the last sure change happened, not from when it came", () => {
    const keeper = live()
    keeper.on(change(1020, "bid", "0.42 1", { receivedTime: 1300 }), rejected(1310))
    keeper.resyncing(id, 1310)
    assert.deepInclude(gaps(keeper.on(rest(1350, "0.42 9")))[0], { instrumentId: id, from: 1020, to: 1350 })
  })

  it("leaves the gap from when the last sure snapshot was made, not from when it came", () => {
    const keeper = live()
    keeper.on(snapshot(1020, undefined, undefined, { receivedTime: 1300 }), rejected(1310))
    keeper.resyncing(id, 1310)
    assert.deepInclude(gaps(keeper.on(rest(1350, "0.42 9")))[0], { instrumentId: id, from: 1020, to: 1350 })
  })

  it("is ignored while the book is live", () => {
    const keeper = live()
    assert.deepStrictEqual(keeper.on(rest(1150, "0.42 9")), [])
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
  })

  it("that is older than changes which came meanwhile gets them replayed", () => {
    const keeper = doubtful()
    keeper.on(change(1120, "bid", "0.4 1"), change(1160, "bid", "0.42 7"))
    keeper.on(rest(1150, "0.41 90", undefined, { receivedTime: 1200 }))
    assert.strictEqual(keeper.shown(), "0.42 7, 0.41 90 | 0.43 50")
    assert.strictEqual(keeper.view(id)?.venueTime, 1160)
  })

  it("contains the changes up to the one that carries its digest", () => {
    const keeper = doubtful()
    keeper.on(change(1150, "bid", "0.42 7", { hash: "before" }), change(1150, "bid", "0.42 8", { hash: "same" }))
    keeper.on(change(1150, "bid", "0.4 3", { hash: "after" }))
    keeper.on(rest(1150, "0.42 8", undefined, { hash: "same", receivedTime: 1200 }))
    assert.strictEqual(keeper.shown(), "0.42 8, 0.4 3 | 0.43 50")
  })

  it("that is older than what the book was built from is refused", () => {
    const keeper = doubtful()
    assert.deepStrictEqual(keeper.on(rest(990, "0.1 1", undefined, { receivedTime: 1200 })), [])
    assert.strictEqual(keeper.status(), "resyncing")
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
  })

  it("never takes a book back behind a change that the digest had proved", () => {
    const keeper = live(exactVerifier())
    keeper.on(change(1100, "bid", "0.42 5", { hash: digestOf(1100, "0.41 100, 0.42 5", "0.43 50") }))
    keeper.on(rejected(1200))
    keeper.resyncing(id, 90_000)
    keeper.on(rest(1050, "0.41 100", undefined, { receivedTime: 90_010 }))
    assert.strictEqual(keeper.status(), "resyncing")
    assert.strictEqual(keeper.shown(), "0.42 5, 0.41 100 | 0.43 50")
  })

  it("that was asked for right after a change and does not know it yet is refused", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.42 5"), rejected(1110))
    keeper.resyncing(id, 1110)
    keeper.on(rest(1050, "0.41 100", undefined, { receivedTime: 1150 }))
    assert.strictEqual(keeper.status(), "resyncing")
  })

  it("that long after a change still does not know it proves that the change never happened", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.44 5"))
    assert.strictEqual(keeper.status(), "suspect")
    keeper.resyncing(id, 1100)
    keeper.on(rest(1000, "0.41 100", undefined, { receivedTime: 1150 }))
    assert.notStrictEqual(keeper.status(), "live", "the crossing change is replayed, for REST may lag")
    keeper.resyncing(id, 5_000)
    keeper.on(rest(1000, "0.41 100", undefined, { receivedTime: 5_050 }))
    assert.strictEqual(keeper.status(), "live")
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
  })

  it("that was asked for before another message was lost is refused", () => {
    const keeper = doubtful()
    keeper.on(rejected(1150))
    keeper.on(rest(1120, "0.1 1", undefined, { receivedTime: 1200 }))
    assert.strictEqual(keeper.status(), "resyncing")
    keeper.resyncing(id, 1210)
    keeper.on(rest(1160, "0.42 9", undefined, { receivedTime: 1250 }))
    assert.strictEqual(keeper.status(), "live")
  })

  it("is refused when more changes came meanwhile than are kept", () => {
    const keeper = doubtful()
    for (let i = 0; i < 2_100; i++) keeper.on(change(1200 + i, "bid", `0.4 ${i + 1}`))
    keeper.on(rest(1150, "0.41 1", undefined, { receivedTime: 3300 }))
    assert.strictEqual(keeper.status(), "resyncing")
    keeper.resyncing(id, 3300)
    keeper.on(rest(3299, "0.41 2, 0.4 2100", undefined, { receivedTime: 3350 }))
    assert.strictEqual(keeper.status(), "live")
  })

  it("that is crossed itself heals nothing", () => {
    const keeper = doubtful()
    const events = keeper.on(rest(1150, "0.44 9"))
    assert.deepInclude(statusChanges(events)[0], { previous: "resyncing", status: "suspect" })
  })

  it("whose replayed changes contradict the digest heals nothing", () => {
    const keeper = doubtful(exactVerifier())
    keeper.on(change(1160, "bid", "0.42 7", { hash: "wrong" }))
    const events = keeper.on(rest(1150, "0.41 90", undefined, { receivedTime: 1200 }))
    assert.deepInclude(statusChanges(events)[0], { previous: "resyncing", status: "suspect" })
    assert.strictEqual(keeper.status(), "suspect")
  })

  it("that comes after the connection is gone leaves the book stale", () => {
    const keeper = doubtful()
    keeper.on(disconnected(1120))
    assert.deepStrictEqual(keeper.on(rest(1150, "0.42 9")), [])
    assert.strictEqual(keeper.status(), "stale")
  })

  it("that fails after the connection is gone leaves the book stale", () => {
    const keeper = doubtful()
    keeper.on(disconnected(1120))
    assert.deepStrictEqual(keeper.resyncFailed(id, 1150, "503", false), [])
    assert.deepStrictEqual(keeper.resyncing(id, 1150), [])
    assert.strictEqual(keeper.status(), "stale")
  })

  it("that comes while the next connection's dump is awaited changes nothing", () => {
    const keeper = doubtful()
    keeper.on(disconnected(1120), connected(1130, { connection: "b" }), subscribed(1130, { connection: "b" }))
    assert.deepStrictEqual(keeper.on(rest(1150, "0.42 9")), [])
    assert.strictEqual(keeper.status(), "stale")
  })

  it("that fails makes the book suspect again, or stale when there is none to have", () => {
    const keeper = doubtful()
    assert.deepInclude(statusChanges(keeper.resyncFailed(id, 1200, "503", false))[0], { status: "suspect" })
    keeper.resyncing(id, 1300)
    assert.deepInclude(statusChanges(keeper.resyncFailed(id, 1400, "404", true))[0], { status: "stale" })
  })

  it("that the venue does not have tells at once what may be missing, and later what came after", () => {
    const keeper = doubtful()
    const reason = "the venue keeps no book for it"
    const known = gaps(keeper.resyncFailed(id, 1200, reason, true))
    assert.strictEqual(known.length, 1)
    assert.deepInclude(known[0], { instrumentId: id, to: 1200 })
    const later = gaps(keeper.on(disconnected(1500)))
    assert.deepInclude(later[0], { instrumentId: id, from: 1200, to: 1500, reason })
  })

  it("is asked for again when the venue had none and then a change of the book comes", () => {
    const keeper = doubtful()
    keeper.resyncFailed(id, 1200, "the venue keeps no book for it", true)
    assert.deepStrictEqual(keeper.asked, [id])
    keeper.on(trade(1250, "0.42 1"), change(1300, "bid", "0.4 1"), change(1301, "bid", "0.4 2"))
    assert.deepStrictEqual(keeper.asked, [id, id])
    assert.strictEqual(keeper.status(), "suspect")
  })

  it("is not needed when a snapshot came on the socket meanwhile", () => {
    const keeper = doubtful()
    keeper.on(snapshot(1140, "0.42 1"))
    assert.strictEqual(keeper.status(), "live")
    assert.deepStrictEqual(keeper.on(rest(1150, "0.1 9")), [])
    assert.strictEqual(keeper.shown(), "0.42 1 | 0.43 50")
  })
})

describe("a lost connection", () => {
  it("makes every book that it fed stale at once, and no other", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900), snapshot(1000))
    keeper.on(
      connected(900, { slot: "polymarket-2", connection: "b" }),
      subscribed(900, { connection: "b", instrumentIds: [other] }),
      snapshot(1000, undefined, undefined, { instrumentId: other })
    )
    const events = keeper.on(disconnected(1100))
    assert.deepStrictEqual(
      statusChanges(events).map(({ instrumentId, previous, status }) => ({ instrumentId, previous, status })),
      [{ instrumentId: id, previous: "live", status: "stale" }]
    )
    assert.strictEqual(keeper.status(other), "live")
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50", "the old levels stay to look at")
  })

  it("leaves a gap from the last data to the next connection's snapshot, once", () => {
    const keeper = live(undefined, [id, other])
    keeper.on(change(1100, "bid", "0.42 1"), disconnected(1500))
    keeper.on(connected(2000, { connection: "b" }), subscribed(2000, { connection: "b", instrumentIds: [id, other] }))
    const first = keeper.on(snapshot(2100))
    const second = keeper.on(snapshot(2150, undefined, undefined, { instrumentId: other }))
    const all = gaps([...first, ...second, ...keeper.sweep(4000)])
    assert.strictEqual(all.length, 1)
    assert.deepInclude(all[0], { instrumentId: null, connection: "b", from: 1100, to: 2150, reason: "cut" })
  })

  it.each([
    ["when the last data happened, which came late", 1800, 1800],
    ["when the last data came, if the venue's clock is ahead of ours", 2500, 2000],
    ["a minute before the last data came, if the venue's clock is far behind ours", -500_000, -58_000]
  ])("leaves a gap from %s", (_, venueTime, from) => {
    const keeper = live()
    keeper.on(trade(2000, "0.42 1", { venueTime }), disconnected(2600))
    keeper.on(connected(3000, { connection: "b" }), subscribed(3000, { connection: "b" }))
    assert.deepInclude(gaps(keeper.on(snapshot(3100)))[0], { instrumentId: null, from, to: 3100 })
  })

  it("leaves a gap from the last data of the socket, whatever was fetched after it", () => {
    const keeper = live()
    keeper.on(trade(1100, "0.42 1"), rejected(1200))
    keeper.resyncing(id, 1200)
    keeper.on(rest(1300, "0.42 9"), disconnected(1500))
    keeper.on(connected(2000, { connection: "b" }), subscribed(2000, { connection: "b" }))
    assert.deepInclude(gaps(keeper.on(snapshot(2100)))[0], { from: 1100, to: 2100 })
  })

  it("leaves the shared gap of lost messages from when the last data happened", () => {
    const keeper = live(undefined, [id, other])
    keeper.on(change(1050, "bid", "0.42 1", { receivedTime: 1300 }))
    keeper.on({
      _tag: "SequenceGap",
      venue,
      connection,
      instrumentIds: [id, other],
      expected: 2,
      received: 4,
      receivedTime: 1400
    })
    keeper.on(snapshot(1500))
    const all = gaps(keeper.on(snapshot(1550, undefined, undefined, { instrumentId: other })))
    assert.deepInclude(all[0], { instrumentId: null, from: 1050, to: 1550 })
  })

  it("leaves a gap of its own to a book whose snapshot comes much later than the others'", () => {
    const keeper = live(undefined, [id, other])
    keeper.on(disconnected(1500))
    keeper.on(connected(2000, { connection: "b" }), subscribed(2000, { connection: "b", instrumentIds: [id, other] }))
    const common = gaps([...keeper.on(snapshot(2100)), ...keeper.sweep(3200)])
    assert.deepInclude(common[0], { instrumentId: null, from: 1000, to: 2100 })
    const late = gaps(keeper.on(snapshot(5000, undefined, undefined, { instrumentId: other })))
    assert.deepInclude(late[0], { instrumentId: other, from: 1000, to: 5000 })
  })

  it.each([
    ["is cut once more", disconnected(5000, { connection: "b" })],
    ["is asked to feed it no longer", unsubscribed(5000, { connection: "b", instrumentIds: [other] })],
    ["says that its market is resolved", resolved(5000, { instrumentIds: [other] })]
  ])("leaves a gap of its own to a book whose snapshot never came, when the connection %s", (_, end) => {
    const keeper = live(undefined, [id, other])
    keeper.on(disconnected(1500))
    keeper.on(connected(2000, { connection: "b" }), subscribed(2000, { connection: "b", instrumentIds: [id, other] }))
    keeper.on(snapshot(2100))
    keeper.sweep(3200)
    const own = gaps(keeper.on(end))
    assert.deepInclude(own[0], { instrumentId: other, from: 1000, to: 5000, reason: "its snapshot did not come" })
    assert.lengthOf(own, 1)
  })

  it("that failed again before any snapshot leaves one gap from the first loss on", () => {
    const keeper = live()
    keeper.on(disconnected(1500))
    keeper.on(connected(2000, { connection: "b" }), subscribed(2000, { connection: "b" }))
    keeper.on(disconnected(2500, { connection: "b", reason: "cut again" }))
    keeper.on(connected(3000, { connection: "c" }), subscribed(3000, { connection: "c" }))
    assert.deepInclude(gaps(keeper.on(snapshot(3100)))[0], { from: 1000, to: 3100 })
  })

  it("keeps apart the time in which a book was doubtful before", () => {
    const keeper = live()
    keeper.on(trade(1100, "0.42 1"), rejected(1200), trade(1300, "0.42 1"))
    assert.deepInclude(gaps(keeper.on(disconnected(1500)))[0], { instrumentId: id, from: 1000, to: 1500 })
  })

  it("has no live book before the next snapshot, whatever else comes", () => {
    const keeper = live()
    keeper.on(disconnected(1100))
    keeper.on(change(1150, "bid", "0.42 1"), rest(1160, "0.42 9"), quote(1170, "0.41", "0.43"))
    assert.strictEqual(keeper.status(), "stale")
    keeper.on(connected(1200, { connection: "b" }), subscribed(1200, { connection: "b" }))
    keeper.on(change(1250, "bid", "0.42 1"))
    assert.strictEqual(keeper.status(), "stale")
    keeper.on(snapshot(1300))
    assert.strictEqual(keeper.status(), "live")
  })

  it("is not mourned twice by a book that another connection feeds by now", () => {
    const keeper = live()
    keeper.on(connected(1100, { slot: "polymarket-2", connection: "b" }), subscribed(1100, { connection: "b" }))
    keeper.on(snapshot(1200), disconnected(1300))
    assert.strictEqual(keeper.status(), "live")
  })
})

describe("subscriptions", () => {
  it("end a book", () => {
    const forgotten: Array<InstrumentId> = []
    const keeper = live({ ...exactVerifier(), forget: (one) => forgotten.push(one) })
    keeper.on(unsubscribed(1100))
    assert.isUndefined(keeper.view(id))
    assert.deepStrictEqual([...keeper.ids()], [])
    assert.deepStrictEqual(forgotten, [id])
    assert.deepStrictEqual(keeper.on(change(1200, "bid", "0.4 1")), [])
  })

  it("that end on one connection do not end a book that another one feeds by now", () => {
    const keeper = live()
    keeper.on(connected(1100, { slot: "polymarket-2", connection: "b" }), subscribed(1100, { connection: "b" }))
    keeper.on(snapshot(1200), unsubscribed(1300))
    assert.strictEqual(keeper.status(), "live")
  })

  it("that end while a book is doubtful leave the gap", () => {
    const keeper = live()
    keeper.on(rejected(1100))
    assert.deepInclude(gaps(keeper.on(unsubscribed(1200)))[0], { instrumentId: id, from: 1000, to: 1200 })
  })

  it("that begin again leave a gap from when the book was right before", () => {
    const keeper = live()
    keeper.on(resolved(1100), unsubscribed(1200), subscribed(9000))
    const told = gaps(keeper.on(snapshot(9100)))
    assert.deepInclude(told[0], { instrumentId: id, from: 1000, to: 9100, reason: "it was not subscribed" })
    assert.lengthOf(told, 1)
  })

  it("that begin with a book nobody trusts leave a gap from there", () => {
    const keeper = make()
    keeper.on(connected(900), subscribed(900), snapshot(1000, "0.5 1", "0.4 1"))
    assert.strictEqual(keeper.status(), "suspect")
    keeper.resyncing(id, 1050)
    assert.deepInclude(gaps(keeper.on(rest(1100)))[0], { instrumentId: id, from: 1000, to: 1100 })
  })
})

describe("a book that is given up", () => {
  it("leaves its memory to those that come after it, and its levels to nobody", () => {
    const memory = BookKeeper.memory()
    const keeper = make(undefined, memory)
    const instrumentIds = [id, other]
    const turn = (at: number) => {
      keeper.on(subscribed(at, { instrumentIds }))
      keeper.on(snapshot(at + 1), snapshot(at + 1, "0.3 7, 0.31 8", "0.7 9", { instrumentId: other }))
      assert.deepStrictEqual([keeper.shown(id), keeper.shown(other)], ["0.41 100 | 0.43 50", "0.31 8, 0.3 7 | 0.7 9"])
      keeper.on(unsubscribed(at + 2, { instrumentIds: [id] }))
      assert.strictEqual(keeper.shown(other), "0.31 8, 0.3 7 | 0.7 9")
      keeper.on(unsubscribed(at + 3, { instrumentIds: [other] }))
    }
    keeper.on(connected(900))
    turn(1_000)
    const { used } = memory.levels
    for (let at = 2_000; at < 9_000; at += 10) turn(at)
    assert.strictEqual(memory.levels.used, used)
    assert.strictEqual(memory.levels.blocks.length, 1)
  })
})

describe("what the venue announces", () => {
  it("of a rejected message puts only the books that it names in doubt, and only while they are live", () => {
    const keeper = live(undefined, [id, other])
    assert.deepStrictEqual(tags(keeper.on(rejected(1100))), ["MessageRejected", "BookStatusChanged"])
    assert.strictEqual(keeper.status(other), "live")
    assert.deepStrictEqual(tags(keeper.on(rejected(1200))), ["MessageRejected"])
    assert.deepStrictEqual(keeper.asked, [id])
  })

  it("of another tick size asks for a fresh book", () => {
    const keeper = live()
    assert.deepStrictEqual(tags(keeper.on(tickSize(1100, "0.001"))), ["TickSizeChange", "BookStatusChanged"])
    assert.strictEqual(keeper.status(), "suspect")
    keeper.on(snapshot(1101, "0.411 5"))
    assert.strictEqual(keeper.shown(), "0.411 5 | 0.43 50")
    assert.strictEqual(keeper.status(), "live")
  })

  it("of a market's end closes its books for good", () => {
    const keeper = live()
    keeper.on(resolved(1100))
    assert.strictEqual(keeper.status(), "stale")
    assert.strictEqual(keeper.view(id)?.statusReason, "the market is resolved")
    keeper.on(snapshot(1200), change(1300, "bid", "0.42 1"))
    keeper.sweep(60_000)
    assert.strictEqual(keeper.status(), "stale")
    assert.deepStrictEqual(keeper.asked, [])
  })

  it("of a trade is passed on and changes no level", () => {
    const keeper = live()
    assert.deepStrictEqual(tags(keeper.on(trade(1100, "0.43 5"))), ["Trade"])
    assert.strictEqual(keeper.shown(), "0.41 100 | 0.43 50")
  })
})

describe("views", () => {
  it("are copies, best first, cut at the limit", () => {
    const keeper = live()
    keeper.on(change(1100, "bid", "0.4 1"), change(1100, "bid", "0.39 1"))
    const view = keeper.view(id, 2)!
    assert.deepStrictEqual(
      view.bids.map((level) => level.price),
      [price("0.41"), price("0.4")]
    )
    keeper.on(change(1200, "bid", "0.41 0"))
    assert.strictEqual(view.bids[0]?.price, price("0.41"))
    assert.strictEqual(keeper.view(id, 0)?.bids.length, 0)
  })

  it("are counted by venue and status", () => {
    const keeper = live(undefined, [id, other])
    keeper.on(rejected(1100))
    assert.deepStrictEqual(keeper.statuses().get(venue), { live: 1, stale: 0, suspect: 1, resyncing: 0 })
  })
})
