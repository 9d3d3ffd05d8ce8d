import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Queue, Stream, TestClock } from "effect"
import { Tape } from "../../src/tape/Tape.ts"
import { Bus } from "../../src/bus/Bus.ts"
import { Books } from "../../src/collector/Books.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Protocol } from "../../src/venues/Venue.ts"
import {
  change,
  connected,
  exactVerifier,
  id,
  other,
  price,
  rejected,
  snapshot,
  subscribed,
  trade,
  venue
} from "../support/Events.ts"

const layer = Books.layer(new Map()).pipe(Layer.provideMerge(Bus.layer), Layer.provide(Tape.layerNone))

/** Everything that is published from now on, and a way to look at it. */
const published = Effect.gen(function* () {
  const bus = yield* Bus
  const events: Array<MarketEvent> = []
  const stream = yield* bus.subscribe
  yield* Effect.forkScoped(Stream.runForEach(stream, (batch) => Effect.sync(() => events.push(...batch.events))))
  return events
})

const start = [connected(0), subscribed(0, { instrumentIds: [id, other] }), snapshot(1)]

describe("Books", () => {
  it.scoped("publishes what was applied and what follows from it, in one batch and in order", () =>
    Effect.gen(function* () {
      const books = yield* Books
      const bus = yield* Bus
      const stream = yield* bus.subscribe
      yield* books.ingest([...start, change(2, "bid", "0.42 1"), trade(3, "0.43 1")])
      const [batch] = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(stream, 1)))
      assert.deepStrictEqual(
        batch?.events.map((event) => event._tag),
        [
          "Connected",
          "Subscribed",
          "BookStatusChanged",
          "BookStatusChanged",
          "BookSnapshot",
          "BestChanged",
          "BookStatusChanged",
          "BookChange",
          "BestChanged",
          "Trade"
        ]
      )
      assert.strictEqual(books.view(id)?.status, "live")
      assert.deepStrictEqual(books.statuses().get(venue), { live: 1, stale: 1, suspect: 0, resyncing: 0 })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("judges by itself what only time can judge", () =>
    Effect.gen(function* () {
      const books = yield* Books
      const events = yield* published
      yield* books.ingest([...start, change(2, "bid", "0.3 1", { bestBid: price("0.4") })])
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(books.view(id)?.status, "live")
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(books.view(id)?.status, "suspect")
      assert.strictEqual(events.at(-1)?._tag, "BookStatusChanged")
      assert.deepStrictEqual(yield* Queue.take(books.resyncRequests), { instrumentId: id, venue })
    }).pipe(Effect.provide(layer))
  )

  it.scoped("sweeps ten times a second, and fifty times while digests are put off", () => {
    let sweeps = 0
    let behind = false
    const verifier = {
      ...exactVerifier(),
      expire: () => {
        sweeps++
        return []
      },
      isBehind: () => behind
    }
    const protocol: Protocol = {
      read: (input, out) => void (input._tag === "Told" && out.push(input.event)),
      verifier,
      state: undefined
    }
    return Effect.gen(function* () {
      const books = yield* Books
      yield* books.ingest(start)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(sweeps, 10)
      behind = true
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(sweeps, 11, "the next sweep is when it was due")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(sweeps, 61)
      behind = false
      yield* TestClock.adjust("1020 millis")
      assert.strictEqual(sweeps, 71)
    }).pipe(
      Effect.provide(
        Books.layer(new Map([[venue, () => protocol]])).pipe(
          Layer.provideMerge(Bus.layer),
          Layer.provide(Tape.layerNone)
        )
      )
    )
  })

  it.scoped("asks for fresh snapshots in the order in which books lost trust, once each", () =>
    Effect.gen(function* () {
      const books = yield* Books
      const second = snapshot(1, undefined, undefined, { instrumentId: other })
      yield* books.ingest([...start, second, rejected(2, { instrumentIds: [other] })])
      yield* books.ingest([rejected(3), rejected(4, { instrumentIds: [other, id] })])
      const asked = Chunk.toReadonlyArray(yield* Queue.takeAll(books.resyncRequests))
      assert.deepStrictEqual(
        asked.map((one) => one.instrumentId),
        [other, id]
      )
    }).pipe(Effect.provide(layer))
  )

  it.scoped("waits while a subscriber is far behind, and publishes in the order of application", () =>
    Effect.gen(function* () {
      const books = yield* Books
      const bus = yield* Bus
      const stream = yield* bus.subscribe
      yield* books.ingest(start)
      const count = 1500
      const feeder = yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: count }, (_, i) => i + 1),
          (i) => books.ingest([change(i + 1, "bid", `0.4 ${i}`)]),
          { discard: true }
        )
      )
      yield* TestClock.adjust("1 seconds")
      assert.isNull(feeder.unsafePoll(), "it waits")
      assert.strictEqual(books.view(id)?.status, "live")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(books.view(id)?.status, "stale", "for too long: nothing can be passed on")
      assert.match(books.view(id)?.statusReason ?? "", /stood still/)
      const sizes = yield* stream.pipe(
        Stream.mapConcat((batch) => batch.events),
        Stream.filter((event) => event._tag === "BookChange"),
        Stream.take(count),
        Stream.runFold([] as Array<number>, (all, event) => [...all, event.size / 1_000_000])
      )
      assert.deepStrictEqual(
        sizes,
        Array.from({ length: count }, (_, i) => i + 1)
      )
      yield* Fiber.join(feeder)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(books.view(id)?.status, "stale", "the sockets may not have said yet what they left unread")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  )

  it.scoped("publishes the course of a resync", () =>
    Effect.gen(function* () {
      const books = yield* Books
      const events = yield* published
      yield* books.ingest([...start, rejected(2)])
      yield* books.resyncing(id)
      yield* books.resyncFailed(id, "503", false)
      yield* books.resyncing(id)
      yield* TestClock.adjust("1 millis")
      const statuses = events.flatMap((event) => (event._tag === "BookStatusChanged" ? [event.status] : []))
      assert.deepStrictEqual(statuses, ["stale", "stale", "live", "suspect", "resyncing", "suspect", "resyncing"])
    }).pipe(Effect.provide(layer))
  )
})
