import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { deserialize, serialize } from "node:v8"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import * as Quarantine from "../../src/collector/Quarantine.ts"
import type { InstrumentId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import {
  connected,
  disconnected,
  id,
  other,
  rejected,
  resolved,
  rest,
  snapshot,
  subscribed,
  unsubscribed
} from "../support/Events.ts"

const SECOND = 1_000
/** Fewer than in earnest, so that histories are short. */
const rule = { turns: 3, within: 60 * SECOND, lasting: 0, quiet: 60 * SECOND }

describe("a quarantine", () => {
  /** What the rule says, by looking at all that ever happened: the turns that brought a rejected message. */
  const expected = (turns: ReadonlyArray<number>, now: number): boolean => {
    let since = 0
    let on = false
    for (const [i, turn] of turns.entries()) {
      if (i > 0 && turn - turns[i - 1]! >= 60 * SECOND) {
        on = false
        since = i
      }
      if (i - since >= 2 && turn - turns[i - 2]! <= 60 * SECOND) on = true
    }
    return on && now - turns.at(-1)! < 60 * SECOND
  }

  it.prop(
    "is on from the third rejected message of a minute until a minute without, whatever the times and restarts",
    [fc.array(fc.tuple(fc.constantFrom(0, 0, 1, 15_000, 29_999, 30_001, 59_999, 60_000, 60_001), fc.boolean()))],
    ([steps]) => {
      let memory = Quarantine.memory()
      let quarantine = Quarantine.make(memory, rule)
      const turns: Array<number> = []
      let now = SECOND
      let begun = 0
      for (const [wait, isRejected] of steps) {
        now += wait
        const before = quarantine.reason(id) !== undefined
        const ended = quarantine.expire(now)
        assert.strictEqual(quarantine.reason(id) !== undefined, expected(turns, now))
        assert.deepStrictEqual(ended, before && quarantine.reason(id) === undefined ? [id] : [])
        if (isRejected) {
          if (quarantine.rejected(id, "bad", now)) begun++
          if (turns.at(-1) !== now) turns.push(now)
        }
        assert.strictEqual(quarantine.reason(id) !== undefined, expected(turns, now))
        assert.strictEqual(quarantine.reason(other), undefined)
        memory = deserialize(serialize(memory)) as Quarantine.Memory
        quarantine = Quarantine.make(memory, rule)
      }
      assert.isAtMost(begun, turns.length / 3)
    }
  )

  it("takes ten such turns within a minute, in earnest", () => {
    const quarantine = Quarantine.make(Quarantine.memory())
    for (let i = 1; i <= 9; i++) assert.isFalse(quarantine.rejected(id, "bad", i * 3 * SECOND))
    assert.isTrue(quarantine.rejected(id, "bad", 30 * SECOND))
  })

  it("is not begun by a burst, however many its messages", () => {
    const quarantine = Quarantine.make(Quarantine.memory())
    for (let i = 0; i < 190; i++) assert.isFalse(quarantine.rejected(id, "bad", SECOND + i * 100))
    assert.isTrue(quarantine.rejected(id, "bad", 22 * SECOND), "it goes on")
  })

  it("counts a turn once, however many of its messages are rejected", () => {
    const quarantine = Quarantine.make(Quarantine.memory(), rule)
    for (let i = 0; i < 10; i++) assert.isFalse(quarantine.rejected(id, "bad", SECOND))
    assert.isFalse(quarantine.rejected(id, "bad", 2 * SECOND))
    assert.isTrue(quarantine.rejected(id, "worse", 3 * SECOND))
    assert.strictEqual(quarantine.reason(id), "quarantined: messages keep being rejected: worse")
  })
})

const WHY = "quarantined: messages keep being rejected: bad"

const make = (memory = BookKeeper.memory()) => {
  const asked: Array<InstrumentId> = []
  const keeper = BookKeeper.make(
    { verifier: () => undefined, onResync: (one) => asked.push(one), quarantine: rule },
    memory
  )
  return {
    ...keeper,
    asked,
    status: () => {
      const { quarantined, status, statusReason } = keeper.view(id)!
      return [status, statusReason, quarantined]
    },
    reject: (now: number) => keeper.apply([rejected(now, { instrumentIds: [id], reason: "bad" })]),
    /** As the resync does it, over REST. */
    resync: (now: number) => [
      ...keeper.resyncing(id, now),
      ...keeper.apply([rest(now, undefined, undefined, { receivedTime: now })])
    ]
  }
}

/** A live book, and then three times a message that is rejected and a snapshot that heals. */
const quarantined = () => {
  const memory = BookKeeper.memory()
  const keeper = make(memory)
  keeper.apply([connected(0), subscribed(0, { instrumentIds: [id] }), snapshot(SECOND)])
  for (const now of [2, 4]) {
    keeper.reject(now * SECOND)
    assert.strictEqual(keeper.view(id)!.statusReason, "a message was rejected: bad")
    keeper.resync((now + 1) * SECOND)
    assert.strictEqual(keeper.view(id)!.status, "live")
  }
  keeper.reject(6 * SECOND)
  return Object.assign(keeper, { memory })
}

const changes = (events: ReadonlyArray<MarketEvent>) =>
  events.flatMap((event) => (event._tag === "BookStatusChanged" ? [`${event.status}: ${event.reason}`] : []))

describe("a book whose messages keep being rejected", () => {
  it("is quarantined at the third, and asks for no snapshot", () => {
    const keeper = quarantined()
    assert.deepStrictEqual(keeper.status(), ["suspect", WHY, true])
    assert.strictEqual(keeper.asked.length, 2)
    assert.strictEqual(keeper.counters.quarantines, 1)
  })

  it("is healed by no snapshot, and does not flap, until 60 s went by without another", () => {
    const keeper = quarantined()
    const events: Array<MarketEvent> = []
    for (let now = 7; now < 126; now++) {
      if (now % 20 === 0 && now <= 60) events.push(...keeper.reject(now * SECOND))
      if (now < 119) events.push(...keeper.resync(now * SECOND))
      events.push(...keeper.sweep(now * SECOND))
      assert.strictEqual(keeper.view(id)!.quarantined, now < 120)
    }
    assert.deepStrictEqual(changes(events), ["suspect: the quarantine is over; a fresh snapshot is due"])
    assert.strictEqual(keeper.asked.length, 3)
    assert.deepStrictEqual(changes(keeper.resync(126 * SECOND)), [
      "resyncing: the quarantine is over; a fresh snapshot is due",
      "live: resynced over REST"
    ])
    assert.strictEqual(keeper.counters.quarantines, 1)
  })

  it("stays in quarantine over a new connection", () => {
    const keeper = quarantined()
    keeper.apply([disconnected(7 * SECOND)])
    assert.strictEqual(keeper.view(id)!.status, "stale")
    const again = { connection: "polymarket-1-b" }
    keeper.apply([
      connected(8 * SECOND, again),
      subscribed(8 * SECOND, { ...again, instrumentIds: [id] }),
      snapshot(9 * SECOND)
    ])
    assert.deepStrictEqual(keeper.status(), ["suspect", WHY, true])
    keeper.sweep(66 * SECOND)
    assert.strictEqual(keeper.asked.length, 3)
    keeper.resync(67 * SECOND)
    assert.strictEqual(keeper.view(id)!.status, "live")
  })

  it("can be one that never was built", () => {
    const keeper = make()
    keeper.apply([connected(0), subscribed(0, { instrumentIds: [id] })])
    for (const now of [1, 2, 3]) keeper.reject(now * SECOND)
    assert.deepStrictEqual(keeper.status(), ["suspect", WHY, true])
    keeper.sweep(20 * SECOND)
    assert.deepStrictEqual(keeper.asked, [])
    keeper.sweep(63 * SECOND)
    assert.deepStrictEqual(keeper.asked, [id])
    keeper.resync(64 * SECOND)
    assert.strictEqual(keeper.view(id)!.status, "live")
  })

  it("is forgotten when its market ends or is given up", () => {
    const over = quarantined()
    over.apply([resolved(7 * SECOND, { instrumentIds: [id] })])
    assert.deepStrictEqual(over.status(), ["stale", "the market is resolved", false])
    over.reject(8 * SECOND)
    assert.deepStrictEqual(over.status(), ["stale", "the market is resolved", false])
    const gone = quarantined()
    gone.apply([unsubscribed(7 * SECOND, { instrumentIds: [id] }), subscribed(8 * SECOND, { instrumentIds: [id] })])
    gone.apply([snapshot(9 * SECOND)])
    assert.strictEqual(gone.view(id)!.status, "live")
    assert.deepStrictEqual([gone.memory.quarantine.size, over.memory.quarantine.size], [0, 0])
  })

  it("is still quarantined for whoever continues from its memory", () => {
    const { memory } = quarantined()
    const keeper = make(deserialize(serialize(memory)) as BookKeeper.Memory)
    assert.deepStrictEqual(keeper.status(), ["suspect", WHY, true])
    keeper.sweep(66 * SECOND)
    assert.deepStrictEqual(keeper.asked, [id])
  })

  it("says in history that it was not whole, from when it was last right", () => {
    const keeper = quarantined()
    keeper.sweep(66 * SECOND)
    const gaps = keeper.resync(70 * SECOND).filter((event) => event._tag === "Gap")
    assert.deepStrictEqual(
      gaps.map(({ from, instrumentId, to }) => [instrumentId, from, to]),
      [[id, 5 * SECOND, 70 * SECOND]]
    )
  })
})
