import { assert, describe, it } from "@effect/vitest"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import type { InstrumentId } from "../../src/domain/Market.ts"
import type { Gap, MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { BookVerifier } from "../../src/venues/Venue.ts"
import {
  change,
  connected,
  connection,
  disconnected,
  exactVerifier,
  id,
  other,
  rejected,
  rest,
  snapshot,
  subscribed,
  venue
} from "../support/Events.ts"

/** Two live books of one connection. */
const live = (verifier?: BookVerifier) => {
  const asked: Array<InstrumentId> = []
  const keeper = BookKeeper.make({ verifier: () => verifier, onResync: (one) => asked.push(one) })
  keeper.apply([connected(900), subscribed(900, { instrumentIds: [id, other] })])
  keeper.apply([id, other].map((instrumentId) => snapshot(1000, undefined, undefined, { instrumentId })))
  const shown = (of = id) => {
    const { status, statusReason, statusSince } = keeper.view(of)!
    return [status, statusReason, statusSince] as const
  }
  return { keeper, asked, shown }
}

const statuses = (events: ReadonlyArray<MarketEvent>) =>
  events.flatMap((event) =>
    event._tag === "BookStatusChanged" ? [[event.instrumentId, event.previous, event.status, event.reason]] : []
  )
const gaps = (events: ReadonlyArray<MarketEvent>) => events.filter((event): event is Gap => event._tag === "Gap")

const why = "the process stood still for 5 s"

describe("a connection that was left unread", () => {
  it("has stale books until it has caught up, and each change of status is told", () => {
    const { keeper, shown } = live()
    const began = keeper.stalled(connection, 6000, why)
    assert.deepStrictEqual(statuses(began), [
      [id, "live", "stale", why],
      [other, "live", "stale", why]
    ])
    assert.deepStrictEqual(shown(), ["stale", why, 6000])
    assert.deepStrictEqual(keeper.statuses().get(venue), { live: 0, stale: 2, suspect: 0, resyncing: 0 })
    assert.deepStrictEqual(statuses(keeper.stalled(connection, 6001, why)), [])
    const ended = keeper.caughtUp(connection, 6100)
    assert.deepStrictEqual(statuses(ended), [
      [id, "stale", "live", "caught up"],
      [other, "stale", "live", "caught up"]
    ])
    assert.deepStrictEqual(shown(), ["live", "snapshot received", 1000])
    assert.deepStrictEqual(gaps([...began, ...ended]), [], "nothing is missing")
  })

  it("goes on being applied, a proof of an older state included, which makes nothing live", () => {
    const { keeper, shown } = live(exactVerifier())
    keeper.stalled(connection, 6000, why)
    keeper.apply([change(2000, "bid", "0.42 7", { receivedTime: 6001 })])
    assert.strictEqual(shown()[0], "stale")
    assert.strictEqual(keeper.view(id)!.bids[0]?.size, 7_000_000)
    keeper.caughtUp(connection, 6100)
    assert.strictEqual(shown()[0], "live")
  })

  it("leaves other connections' books and polled books alone", () => {
    const { keeper, shown } = live()
    assert.deepStrictEqual(keeper.stalled("another", 6000, why), [])
    keeper.apply([snapshot(1500, undefined, undefined, { source: "poll" })])
    keeper.stalled(connection, 6000, why)
    assert.strictEqual(shown()[0], "live")
    assert.strictEqual(shown(other)[0], "stale")
  })

  it("may show meanwhile that a book is wrong, which stays so", () => {
    const { asked, keeper, shown } = live()
    keeper.stalled(connection, 6000, why)
    assert.deepStrictEqual(
      statuses(keeper.apply([rejected(6001)])).map(([, from, to]) => [from, to]),
      [["stale", "suspect"]]
    )
    assert.deepStrictEqual(asked, [id])
    keeper.caughtUp(connection, 6100)
    assert.strictEqual(shown()[0], "suspect")
    assert.strictEqual(shown(other)[0], "live")
  })

  it("may end meanwhile: its successor's books have nothing to catch up with", () => {
    const { keeper, shown } = live()
    keeper.stalled(connection, 6000, why)
    keeper.apply([disconnected(6001)])
    assert.deepStrictEqual(shown(), ["stale", "disconnected: cut", 6001])
    keeper.apply([connected(6002, { connection: "b" }), subscribed(6002, { connection: "b" }), snapshot(6003)])
    assert.strictEqual(shown()[0], "live")
  })
})

describe("a frozen book", () => {
  it("is suspect from then on, and its gap begins with the last data", () => {
    const { asked, keeper, shown } = live()
    keeper.apply([change(2000, "bid", "0.42 7")])
    const events = keeper.frozen(id, 30_000, "REST has another book")
    assert.deepStrictEqual(statuses(events), [[id, "live", "suspect", "frozen: REST has another book"]])
    assert.deepStrictEqual(asked, [id])
    assert.deepStrictEqual(keeper.frozen(id, 30_001, "again"), [])
    assert.strictEqual(shown(other)[0], "live")
    const [gap] = gaps(keeper.apply([snapshot(31_000)]))
    assert.deepInclude(gap, { from: 2000, to: 31_000, instrumentId: id, reason: "frozen: REST has another book" })
    assert.strictEqual(shown()[0], "live")
  })

  it("shows a book of REST, which would freeze again, but is live only with one of the socket", () => {
    const { keeper, shown } = live()
    keeper.frozen(id, 30_000, "why")
    keeper.resyncing(id, 30_001)
    keeper.apply([rest(30_002, "0.3 5", "0.6 5")])
    assert.deepStrictEqual(shown().slice(0, 2), ["suspect", "frozen: why"])
    assert.strictEqual(keeper.view(id)!.bids[0]?.size, 5_000_000)
    keeper.apply([snapshot(30_100, "0.3 5", "0.6 5")])
    assert.strictEqual(shown()[0], "live")
    keeper.apply([rejected(30_200)])
    keeper.resyncing(id, 30_201)
    keeper.apply([rest(30_202, "0.3 5", "0.6 5")])
    assert.strictEqual(shown()[0], "live", "later doubts are healed as ever")
  })

  it("is not made live by REST on another connection that does not bring it either", () => {
    const { keeper, shown } = live()
    keeper.frozen(id, 30_000, "why")
    keeper.apply([
      disconnected(31_000),
      connected(31_500, { connection: "b" }),
      subscribed(31_500, { connection: "b" })
    ])
    keeper.sweep(45_000)
    keeper.resyncing(id, 45_001)
    keeper.apply([rest(45_002)])
    assert.strictEqual(shown()[0], "suspect")
    keeper.apply([snapshot(46_000)])
    assert.strictEqual(shown()[0], "live")
  })
})
