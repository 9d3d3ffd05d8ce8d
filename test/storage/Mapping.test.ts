import { assert, describe, it } from "@effect/vitest"
import { serialize } from "node:v8"
import { FastCheck as fc } from "effect"
import { VenueId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Size } from "../../src/domain/Money.ts"
import { Mapping } from "../../src/storage/Mapping.ts"
import type { Row } from "../../src/storage/Rows.ts"
import * as Events from "./Events.ts"

const { epoch, instrument, other } = Events

/** Events of few instruments within few milliseconds, so that what is remembered matters. */
const event: fc.Arbitrary<MarketEvent> = fc
  .record({
    kind: fc.nat(7),
    instrumentId: fc.constantFrom(instrument, other),
    venueTime: fc.nat(2).map((n) => epoch + n),
    receivedTime: fc.nat(1000).map((n) => epoch + n),
    size: fc.nat(2).map((n) => (n * 1_000_000) as Size)
  })
  .map(({ kind, size, ...at }): MarketEvent => {
    const { instrumentId, receivedTime } = at
    switch (kind) {
      case 0:
        return Events.snapshot(size === 0 ? { ...at, bids: [] } : at)
      case 1:
        return Events.quotes({ ...at, bidSize: size })
      case 2:
        return Events.status({ instrumentId, receivedTime, status: "live" })
      case 3:
        return Events.status({ instrumentId, receivedTime, status: "suspect", reason: `at ${receivedTime}` })
      case 4:
        return Events.disconnected({ receivedTime })
      case 5:
        return Events.connected({ receivedTime })
      case 6:
        return {
          _tag: "Unsubscribed",
          venue: VenueId.make("polymarket"),
          connection: "",
          instrumentIds: [instrumentId],
          receivedTime
        }
      default:
        return Events.change({ ...at, size })
    }
  })

describe("a mapping", () => {
  it("goes on from where it was saved as if it had never stopped", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.nat(60), (events, cut) => {
        const whole: Array<Row> = []
        const uninterrupted = Mapping.begin()
        uninterrupted.map(events, whole)
        const parts: Array<Row> = []
        const first = Mapping.begin()
        first.map(events.slice(0, cut), parts)
        const second = Mapping.restore(first.save())
        assert(second !== undefined)
        second.map(events.slice(cut), parts)
        assert.deepStrictEqual(parts, whole)
        assert.deepStrictEqual(second.coverage, uninterrupted.coverage)
        assert.deepStrictEqual([second.sequence, second.time], [uninterrupted.sequence, uninterrupted.time])
      })
    )
  })

  it("does not take up what another version saved, or what is no state", () => {
    assert.isUndefined(Mapping.restore(serialize({ version: 0 })))
    assert.isUndefined(Mapping.restore(serialize("anything")))
    assert.isUndefined(Mapping.restore(new Uint8Array([1, 2, 3])))
  })

  it("passes over an event that it cannot map, and says so", () => {
    const rows: Array<Row> = []
    const broken = { ...Events.snapshot(), bids: null } as unknown as MarketEvent
    assert.lengthOf(Mapping.begin().map([broken, Events.trade()], rows), 1)
    assert.deepStrictEqual(
      rows.map(({ table }) => table),
      ["trades"]
    )
  })
})
