import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, FastCheck as fc, Layer, Queue, TestClock } from "effect"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import { Books, type ResyncRequest } from "../../src/collector/Books.ts"
import { Catalog } from "../../src/collector/Catalog.ts"
import * as Resync from "../../src/collector/Resync.ts"
import type { Instrument } from "../../src/domain/Market.ts"
import type { Answer } from "../../src/domain/Input.ts"
import type { BookSnapshot } from "../../src/domain/MarketEvent.ts"
import type { VenueError } from "../../src/venues/Venue.ts"
import {
  connected,
  id,
  instrument,
  market,
  other,
  rejected,
  rest,
  snapshot,
  subscribed,
  tickSize,
  venue
} from "../support/Events.ts"
import * as StubVenue from "../support/StubVenue.ts"

const known = market("m")
const byId = new Map(known.outcomes.map((outcome, i) => [outcome.instrumentId, instrument(known, i)]))

/** Books that nobody sweeps: the clock of a test would stop ten times a second for it. */
const quietBooks = Layer.effect(
  Books,
  Effect.map(Queue.unbounded<ResyncRequest>(), (requests) => {
    const keeper = BookKeeper.make({
      verifier: () => undefined,
      onResync: (instrumentId, venue) => requests.unsafeOffer({ instrumentId, venue })
    })
    const at = (run: (now: number) => unknown) => Effect.map(Clock.currentTimeMillis, (now) => void run(now))
    return Books.of({
      ...keeper,
      receive: (inputs) =>
        at(() => keeper.apply(inputs.flatMap((one) => (one._tag === "Answer" ? [one.body as BookSnapshot] : [])))),
      ingest: (events) => at(() => keeper.apply(events)),
      chain: () => ({ digest: "", events: 0 }),
      resyncRequests: requests,
      resyncing: (one) => at((now) => keeper.resyncing(one, now)),
      resyncFailed: (one, reason, final) => at((now) => keeper.resyncFailed(one, now, reason, final)),
      frozen: (one, reason) => at((now) => keeper.frozen(one, now, reason))
    })
  })
)

const catalog = (instruments: ReadonlyMap<string, Instrument>) =>
  Layer.succeed(Catalog, {
    markets: () => [known],
    market: () => known,
    instrument: (one) => instruments.get(one),
    desired: () => undefined,
    info: () => [],
    refresh: () => Effect.void
  })

/** Everything around the resync, over a venue that answers as `snapshot` says; collects when it was asked for what. */
const make = (
  answer: (instrument: Instrument, now: number) => Effect.Effect<BookSnapshot, VenueError>,
  instruments: ReadonlyMap<string, Instrument> = byId
) => {
  const asked: Array<readonly [time: number, token: string]> = []
  const stub = StubVenue.make({
    snapshot: (one) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        asked.push([now, one.venueInstrumentId])
        return Effect.map(answer(one, now), (body): Answer => {
          const about = { venue, instrumentId: one.id, of: "book", source: "rest" } as const
          return { _tag: "Answer", ...about, body, receivedTime: now }
        })
      })
  })
  const layer = Resync.layer(new Map([[venue, stub]])).pipe(
    Layer.provideMerge(quietBooks),
    Layer.provideMerge(catalog(instruments))
  )
  return { asked, layer, times: () => asked.map(([time]) => time) }
}

/** Makes both books live, then doubtful. */
const doubt = (...ids: ReadonlyArray<typeof id>) =>
  Effect.gen(function* () {
    const books = yield* Books
    const now = yield* Clock.currentTimeMillis
    if (books.view(id) === undefined) {
      yield* books.ingest([connected(now), subscribed(now, { instrumentIds: [id, other] })])
    }
    yield* books.ingest(ids.map((instrumentId) => snapshot(now, undefined, undefined, { instrumentId })))
    yield* books.ingest(ids.map((instrumentId) => tickSize(now, "0.001", { instrumentId })))
    return books
  })

const good = ({ id }: Instrument, now: number) => Effect.succeed(rest(now, "0.42 9", undefined, { instrumentId: id }))
const crossed = ({ id }: Instrument, now: number) =>
  Effect.succeed(rest(now, "0.44 9", undefined, { instrumentId: id }))

describe("delays between attempts", () => {
  it("start at nothing, double from a quarter of a second, and stay at half a minute", () => {
    const delays = Array.from({ length: 12 }, (_, n) => Duration.toMillis(Resync.delayBefore(n)))
    assert.deepStrictEqual(delays, [0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
    fc.assert(
      fc.property(fc.nat(), (n) => {
        const delay = Duration.toMillis(Resync.delayBefore(n))
        return delay >= 0 && delay <= 30_000
      })
    )
  })
})

describe("a suspect book", () => {
  it.scoped("is healed at once, and no other is asked for", () => {
    const { asked, layer } = make(good)
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(books.view(id)?.status, "live")
      assert.deepStrictEqual(asked, [[0, "111"]])
    }).pipe(Effect.provide(layer))
  })

  it.scoped("is asked for again, with patience, until a snapshot holds", () => {
    const { layer, times } = make((one, now) => (now < 3_000 ? crossed(one, now) : good(one, now)))
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 minutes")
      assert.deepStrictEqual(times(), [0, 250, 750, 1750, 3750])
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("does not make a storm when it stays bad: few requests in a minute, two in each minute after", () => {
    const { layer, times } = make(crossed)
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 minutes")
      assert.isAtMost(times().length, 9)
      const before = times().length
      yield* TestClock.adjust("10 minutes")
      assert.isAtMost(times().length - before, 20)
      assert.isAtLeast(times().length - before, 19, "it does not give up either")
      assert.notStrictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("is tried again after failures of the venue", () => {
    const { layer } = make((one, now) => (now < 1_000 ? StubVenue.failure("unavailable") : good(one, now)))
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(books.view(id)?.status, "suspect")
      assert.match(books.view(id)!.statusReason, /no fresh snapshot: .*made up/)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("is given up when the venue keeps no book for it", () => {
    const { asked, layer } = make(() => StubVenue.failure("not-found"))
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(books.view(id)?.status, "stale")
      assert.strictEqual(books.view(id)?.statusReason, "the venue keeps no book for it")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("is given up when it is in the market list no longer", () => {
    const { asked, layer } = make(good, new Map())
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(asked.length, 0)
      assert.strictEqual(books.view(id)?.status, "stale")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("that heals by itself during the wait is left alone", () => {
    const { layer, times } = make(crossed)
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("800 millis")
      assert.deepStrictEqual(times(), [0, 250, 750])
      yield* books.ingest([snapshot(900)])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(times().length, 3)
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("that falls back into doubt soon goes on with the delays where they were", () => {
    const { layer, times } = make(good)
    return Effect.gen(function* () {
      yield* doubt(id)
      yield* TestClock.adjust("10 millis")
      yield* doubt(id)
      yield* TestClock.adjust("1 seconds")
      yield* doubt(id)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(times(), [0, 260, 1510])
      yield* TestClock.adjust("61 seconds")
      yield* doubt(id)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(times().length, 4, "a minute later everything is forgiven")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("heals although an answer broke our own code", () => {
    const { layer } = make((one, now) => (now < 100 ? Effect.dieMessage("a defect") : good(one, now)))
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("does not wait for another one whose snapshot is slow", () => {
    const { layer } = make((one, now) =>
      one.id === other ? Effect.delay(good(one, now), "20 seconds") : good(one, now)
    )
    return Effect.gen(function* () {
      const books = yield* doubt(other, id)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(books.view(id)?.status, "live")
      assert.strictEqual(books.view(other)?.status, "resyncing")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(books.view(other)?.status, "live")
    }).pipe(Effect.provide(layer))
  })

  it.scoped("is asked for with one request at a time", () => {
    const { asked, layer } = make((one, now) => Effect.delay(crossed(one, now), "5 seconds"))
    return Effect.gen(function* () {
      const books = yield* doubt(id)
      yield* TestClock.adjust("1 seconds")
      yield* books.ingest([snapshot(1000), rejected(1000), snapshot(1000), rejected(1000)])
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(asked.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.scoped("that is quarantined is left alone until that is over", () => {
    const { layer, times } = make((_, now) => Effect.succeed(rest(now, undefined, undefined, { receivedTime: now })))
    return Effect.gen(function* () {
      const books = yield* Books
      yield* books.ingest([connected(0), subscribed(0, { instrumentIds: [id] }), snapshot(0)])
      for (let second = 1; second <= 21; second++) {
        yield* books.ingest([rejected(second * 1_000, { instrumentIds: [id] })])
        yield* TestClock.adjust("1 seconds")
      }
      const before = times().length
      assert.isAtMost(before, 20)
      assert.isTrue(books.view(id)!.quarantined)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(times().length, before)
      assert.strictEqual(books.view(id)!.status, "suspect")
    }).pipe(Effect.provide(layer))
  })
})
