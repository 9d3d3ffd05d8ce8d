import { assert, describe, it } from "@effect/vitest"
import * as Activity from "../../src/cli/Activity.ts"
import { instrumentId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import { Price, Size } from "../../src/domain/Money.ts"
import { venue } from "./Fixtures.ts"

const id = instrumentId(venue, "1")
const about = { venue, connection: "c1", receivedTime: 1 }
const change: MarketEvent = {
  _tag: "BookChange",
  instrumentId: id,
  side: "bid",
  price: Price(410_000),
  size: Size(0),
  venueTime: 1,
  receivedTime: 1,
  sequence: null,
  hash: null,
  bestBid: null,
  bestAsk: null
}
const trade: MarketEvent = {
  _tag: "Trade",
  instrumentId: id,
  price: Price(420_000),
  size: Size(1),
  takerSide: "sell",
  venueTime: 1,
  receivedTime: 1,
  sequence: null,
  tradeId: null
}

describe("Activity", () => {
  it("counts what changed a book, and knows its last trade", () => {
    const activity = Activity.make()
    assert.isUndefined(activity.book(id))
    activity.see([change, change, trade])
    activity.see([change])
    assert.deepStrictEqual(activity.book(id), {
      updates: 4,
      lastTrade: { price: Price(420_000), takerSide: "sell" }
    })
    assert.strictEqual(activity.updates(), 4)
  })

  it("forgets a book that ended, and not that it had been", () => {
    const activity = Activity.make()
    activity.see([change, { _tag: "Unsubscribed", ...about, instrumentIds: [id] }])
    assert.isUndefined(activity.book(id))
    assert.strictEqual(activity.updates(), 1)
  })

  it("counts connections, drops and gaps", () => {
    const activity = Activity.make()
    activity.see([
      { _tag: "Connected", ...about, slot: "s" },
      { _tag: "Disconnected", ...about, slot: "s", reason: "cut" },
      { _tag: "Connected", ...about, slot: "s", connection: "c2" },
      { _tag: "Gap", ...about, instrumentId: null, from: 0, to: 1, reason: "cut" }
    ])
    assert.deepStrictEqual([...activity.connections], ["c1", "c2"])
    assert.strictEqual(activity.drops(), 1)
    assert.strictEqual(activity.gaps(), 1)
    assert.strictEqual(activity.updates(), 0)
  })
})
