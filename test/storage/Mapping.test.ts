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

  it("goes on from what the first version saved", () => {
    const { receivedTime, venueTime } = Events.change()
    const moment = (...seen: ReadonlyArray<readonly [number, ReadonlyArray<number>]>) => ({
      time: seen.length === 0 ? Number.NaN : venueTime,
      seen: new Map(seen)
    })
    const [five, six] = [Events.size("5"), Events.size("6")]
    const slot = Events.price("0.41") * 2
    const memory = {
      changes: moment([slot, [five, six]]),
      quotes: moment(),
      snapshots: moment(),
      wasLive: true,
      trouble: undefined
    }
    const saved = {
      version: 1,
      memory: { sequence: 2, instruments: new Map([[instrument, memory]]) },
      coverage: { begins: new Map(), down: new Map() },
      time: receivedTime
    }
    const changes = [five, six, five].map((size) => Events.change({ size }))
    const whole: Array<Row> = []
    Mapping.begin().map(changes, whole)
    const rest: Array<Row> = []
    const mapping = Mapping.restore(serialize(saved))
    mapping?.map(changes.slice(2), rest)
    assert.deepStrictEqual(rest, whole.slice(2))
  })

  it("gives rows the digests that are in databases already", () => {
    const rows: Array<Row> = []
    const large = 3_000_000_000_000_000 as Size
    Mapping.begin().map(
      [
        Events.change(),
        Events.change({ size: large }),
        Events.change(),
        Events.quotes(),
        Events.trade(),
        Events.trade({ tradeId: null, takerSide: null }),
        Events.snapshot()
      ],
      rows
    )
    assert.deepStrictEqual(
      rows.map((row) => row.table !== "feed_events" && [row.high, row.low]),
      [
        [-1578503122, 1936475039],
        [221754640, -1863923440],
        [-168817883, 1697357854],
        [909391629, -60883079],
        [-560478295, -1849166481],
        [605464713, 1788787919],
        [903750851, -614021238]
      ]
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
