/** What a venue does when something is. */
import { assert } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { instruments } from "../../src/domain/Market.ts"
import {
  type Adapter,
  collect,
  collectAll,
  type Declare,
  eventually,
  events,
  ids,
  listed,
  type Running
} from "./Stage.ts"

export const faultCases = <F, E>({ faults, market, supports }: Adapter<F, E>, test: Declare<F>): void => {
  const closings: ReadonlyArray<readonly [code: number, fault: F]> = [
    [1000, faults.close(1000)],
    [1006, faults.drop],
    [1012, faults.close(1012)],
    [1013, faults.close(1013)]
  ]

  for (const [code, fault] of closings) {
    test(`connects again after ${code}: one gap, and books that are whole`, (running) =>
      Effect.gen(function* () {
        const { all, equalsTruth, live, log } = yield* collectAll(running)
        const before = log.length
        yield* running.inject(fault)
        yield* eventually("an end", () => events(log, "Disconnected", before).length === 1)
        yield* eventually("a beginning", () => events(log, "Connected", before).length === 1)
        yield* live(all)
        yield* eventually("the end of the gap", () => events(log, "Gap", before).length > 0)
        yield* equalsTruth(all)
        const [ended] = events(log, "Disconnected", before)
        const [begun] = events(log, "Connected", before)
        assert.include(ended?.reason, String(code))
        assert.strictEqual(ended?.slot, begun?.slot)
        assert.notStrictEqual(ended?.connection, begun?.connection)
        const stale = events(log, "BookStatusChanged", before).filter(({ status }) => status === "stale")
        assert.sameMembers([...new Set(stale.map(({ instrumentId }) => instrumentId))], ids(all))
        const gaps = events(log, "Gap", before)
        assert.deepStrictEqual(
          gaps.map(({ instrumentId }) => instrumentId),
          [null]
        )
        assert.isTrue(gaps.every(({ from, to }) => from <= to))
        assert.strictEqual(yield* running.sockets, 1)
      }))
  }

  test("notices a message that is lost, and mends what it was about", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, live, log } = yield* collectAll(running)
      const before = log.length
      const suspects = () => {
        const changes = events(log, "BookStatusChanged", before).filter(({ status }) => status === "suspect")
        return new Set(changes.map(({ instrumentId }) => instrumentId))
      }
      // A whole book that happens to come next makes good what was lost before anybody can tell.
      yield* Effect.raceFirst(
        eventually("a doubt", () => suspects().size > 0, "25 seconds"),
        Effect.repeat(running.inject(faults.lost), Schedule.spaced("2500 millis"))
      )
      yield* live(all)
      yield* equalsTruth(all)
      if (supports.loss === "numbered") {
        assert.sameMembers([...suspects()], ids(all))
        assert.strictEqual(events(log, "Gap", before).length, 1)
      } else {
        assert.isBelow(suspects().size, all.length)
        const gaps = events(log, "Gap", before).map(({ instrumentId }) => instrumentId)
        assert.sameMembers([...new Set(gaps)], [...suspects()])
      }
      assert.deepStrictEqual(events(log, "Disconnected"), [])
    }))

  test("counts a message that it does not know, and goes on as if nothing had come", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, errors, log } = yield* collectAll(running)
      yield* equalsTruth(all)
      const before = log.length
      const counted = yield* errors
      yield* running.inject(faults.unknown)
      yield* eventually(
        "a count",
        Effect.map(errors, (now) => now > counted)
      )
      yield* equalsTruth(all)
      assert.deepStrictEqual(log.slice(before), [])
      yield* running.trade(true)
      yield* eventually("changes", () => events(log, "BookChange", before).length >= 20)
      yield* equalsTruth(all)
      assert.deepStrictEqual(events(log, "BookStatusChanged", before), [])
    }))

  test("rejects a number that is none, and fetches the one book that it was for", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, errors, live, log } = yield* collectAll(running)
      const hit = all[0]!
      const counted = yield* errors
      const before = log.length
      yield* running.inject(faults.badNumber(hit))
      yield* eventually("a rejection", () => events(log, "MessageRejected", before).length > 0)
      yield* live(all)
      yield* eventually("the end of the gap", () => events(log, "Gap", before).length > 0)
      yield* equalsTruth(all)
      assert.isAbove(yield* errors, counted)
      // A venue may speak of all outcomes of a market in one message.
      const about = events(log, "MessageRejected", before).flatMap(({ instrumentIds }) => instrumentIds)
      assert.include(about, hit.id)
      assert.includeMembers(ids(instruments(hit.market)), about)
      const touched = events(log, "BookStatusChanged", before).map(({ instrumentId }) => instrumentId)
      assert.sameMembers([...new Set(touched)], about)
      assert.deepStrictEqual(events(log, "Disconnected"), [])
    }))

  const silences: ReadonlyArray<
    readonly [what: string, seconds: number, fault: (running: Running<F>) => Effect.Effect<void>]
  > = [
    ["through which nothing comes any more, nor goes", 15, ({ strand }) => strand],
    ["that brings no data, although it answers", 35, ({ inject }) => inject(faults.stall)]
  ]
  for (const [what, seconds, silence] of silences) {
    test(`replaces within ${seconds} s a connection ${what}`, (running) =>
      Effect.gen(function* () {
        const { all, equalsTruth, live, log } = yield* collectAll(running)
        const before = log.length
        yield* silence(running)
        const began = yield* Clock.currentTimeMillis
        yield* eventually("an end", () => events(log, "Disconnected", before).length > 0, `${seconds} seconds`)
        const [ended] = events(log, "Disconnected", before)
        assert.match(ended!.reason, /^frozen/)
        assert.isAtMost(ended!.receivedTime - began, seconds * 1_000)
        const stale = events(log, "BookStatusChanged", before).filter(({ status }) => status === "stale")
        assert.includeMembers(
          stale.map(({ instrumentId }) => instrumentId),
          [...ids(all)]
        )
        yield* live(all)
        yield* equalsTruth(all)
        assert.strictEqual(events(log, "Disconnected", before).length, 1)
        assert.isAtLeast(events(log, "Gap", before).length, 1)
      }))
  }

  test("finds a book that froze alone within a minute, and subscribes it again", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, live, log } = yield* collectAll(running)
      const hit = all[0]!
      const before = log.length
      const doubted = () => events(log, "BookStatusChanged", before).filter(({ status }) => status === "suspect")
      yield* running.inject(faults.freeze(hit, true))
      yield* eventually("a doubt", () => doubted().some(({ instrumentId }) => instrumentId === hit.id), "55 seconds")
      yield* live(all)
      yield* eventually("changes", () => {
        const gap = log.findIndex((event, i) => i >= before && event._tag === "Gap" && event.instrumentId === hit.id)
        return gap !== -1 && events(log, "BookChange", gap).some(({ instrumentId }) => instrumentId === hit.id)
      })
      yield* equalsTruth(all)
      assert.isTrue(doubted().every(({ reason }) => reason.startsWith("frozen: the venue has another book over REST")))
      // A venue may speak of all outcomes of a market in one message.
      const about = new Set(doubted().map(({ instrumentId }) => instrumentId))
      assert.includeMembers(ids(instruments(hit.market)), [...about])
      const gaps = events(log, "Gap", before)
      assert.sameMembers([...new Set(gaps.map(({ instrumentId }) => instrumentId))], [...about])
      assert.isTrue(gaps.every(({ reason }) => reason.startsWith("frozen: ")))
      assert.deepStrictEqual(events(log, "Disconnected"), [])
    }))

  test("replaces the connection when the book freezes again although it was subscribed again", (running) =>
    Effect.gen(function* () {
      const { all, equalsTruth, live, log } = yield* collectAll(running)
      const before = log.length
      yield* running.inject(faults.freeze(all[0]!, false))
      yield* eventually("another connection", () => events(log, "Connected", before).length > 0, "55 seconds")
      yield* running.inject(faults.heal)
      yield* live(all)
      yield* equalsTruth(all)
      const [ended] = events(log, "Disconnected", before)
      assert.match(ended?.reason ?? "", /frozen: .* is frozen although it was subscribed again/)
    }))

  test(
    "makes no storm of a refusal: one attempt in all when it is for good, few when it may pass",
    (running) =>
      Effect.gen(function* () {
        const all = (yield* listed(running.venue)).flatMap(instruments)
        yield* running.inject(faults.refuse(503))
        const { live } = yield* collect(running, all)
        yield* eventually(
          "a second attempt",
          Effect.map(running.handshakes, (count) => count >= 2)
        )
        yield* Effect.sleep("1500 millis")
        assert.isAtMost(yield* running.handshakes, 5)
        yield* running.inject(faults.heal)
        yield* live(all)
        const sockets = yield* running.sockets
        assert.isAbove(sockets, 1)
        const before = yield* running.handshakes
        yield* running.inject(faults.refuse(401))
        yield* running.inject(faults.drop)
        yield* eventually(
          "an attempt",
          Effect.map(running.handshakes, (count) => count > before)
        )
        yield* Effect.sleep("1500 millis")
        assert.strictEqual(yield* running.handshakes, before + 1)
        const states = (yield* running.venue.feed.connections).map(({ state }) => state)
        assert.include(states, "halted")
      }),
    market.few
  )
}
