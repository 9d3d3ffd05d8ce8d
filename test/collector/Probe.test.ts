import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Queue, TestClock } from "effect"
import { Bus, unrecorded } from "../../src/bus/Bus.ts"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import { Books, type ResyncRequest } from "../../src/collector/Books.ts"
import { Catalog } from "../../src/collector/Catalog.ts"
import * as Probe from "../../src/collector/Probe.ts"
import type { Answer } from "../../src/domain/Input.ts"
import { type Instrument, type InstrumentId, instrumentId } from "../../src/domain/Market.ts"
import type { BookSnapshot, FeedEvent, MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { VenueError } from "../../src/venues/Venue.ts"
import { change, connected, instrument, market, rest, snapshot, subscribed, venue } from "../support/Events.ts"
import * as StubVenue from "../support/StubVenue.ts"

const tokenOf = (n: number) => String(1_000 + n)
const idOf = (n: number): InstrumentId => instrumentId(venue, tokenOf(n))

/** Books that nobody sweeps, which publish: the clock of a test would stop ten times a second for the others. */
const quietBooks = Layer.effect(
  Books,
  Effect.gen(function* () {
    const bus = yield* Bus
    const requests = yield* Queue.unbounded<ResyncRequest>()
    const keeper = BookKeeper.make({ verifier: () => undefined, onResync: () => {} })
    const publish = (run: (now: number) => ReadonlyArray<MarketEvent>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => bus.publish(unrecorded(run(now))))
    return Books.of({
      ...keeper,
      receive: () => Effect.void,
      ingest: (events) => publish(() => keeper.apply(events)),
      chain: () => ({ digest: "", events: 0 }),
      resyncRequests: requests,
      resyncing: (one) => publish((now) => keeper.resyncing(one, now)),
      resyncFailed: (one, reason, final) => publish((now) => keeper.resyncFailed(one, now, reason, final)),
      frozen: (one, reason) => publish((now) => keeper.frozen(one, now, reason))
    })
  })
)

interface Options {
  readonly books?: number
  readonly together?: number
  readonly requestsPerSecond?: number
  /** The venue's book; `undefined` where it keeps none. */
  readonly answer?: (id: InstrumentId, now: number) => BookSnapshot | undefined
  readonly failure?: Effect.Effect<never, VenueError>
  /** What a renewal takes besides. */
  readonly renewal?: Effect.Effect<void>
}

/** A probe over books that a test feeds. */
const start = ({ answer, books: count = 1, failure, renewal, requestsPerSecond = 10, together = 1 }: Options) =>
  Effect.gen(function* () {
    const listed = Array.from({ length: count }, (_, n) => instrument(market(`m${n}`, {}, [tokenOf(n)])))
    const byId = new Map(listed.map((one) => [one.id, one]))
    const asked: Array<readonly [time: number, id: InstrumentId]> = []
    const requests: Array<number> = []
    const renewed: Array<readonly [time: number, ids: ReadonlyArray<InstrumentId>]> = []
    const answerOf = (one: Instrument, now: number): ReadonlyArray<Answer> => {
      asked.push([now, one.id])
      const body = answer?.(one.id, now)
      if (body === undefined) return []
      const about = { venue, instrumentId: one.id, of: "book", source: "rest" } as const
      return [{ _tag: "Answer", ...about, body, receivedTime: now }]
    }
    const stub = StubVenue.make({
      comparison: {
        together,
        requestsPerSecond,
        snapshots: (instruments) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            requests.push(now)
            return failure ?? Effect.succeed(instruments.flatMap((one) => answerOf(one, now)))
          })
      },
      feed: {
        ...StubVenue.make().feed,
        renew: (ids) =>
          Effect.zipRight(
            Effect.map(Clock.currentTimeMillis, (now) => void renewed.push([now, ids])),
            renewal ?? Effect.void
          )
      }
    })
    const catalog = Layer.succeed(Catalog, {
      markets: () => [],
      market: () => undefined,
      instrument: (id) => byId.get(id),
      desired: () => undefined,
      info: () => [],
      refresh: () => Effect.void
    })
    const context = yield* Layer.build(
      Probe.layer(new Map([[venue, stub]])).pipe(
        Layer.provideMerge(quietBooks),
        Layer.provideMerge(Bus.layer),
        Layer.provideMerge(catalog)
      )
    )
    const books = yield* Effect.provide(Books, context)
    yield* books.ingest([connected(0), subscribed(0, { instrumentIds: [...byId.keys()] })])
    yield* books.ingest([...byId.keys()].map((instrumentId) => snapshot(0, "0.4 1", "0.5 1", { instrumentId })))
    let size = 1
    /** A change of these books now. */
    const tick = (...ids: ReadonlyArray<InstrumentId>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        size++
        return books.ingest(ids.map((instrumentId): FeedEvent => change(now, "bid", `0.4 ${size}`, { instrumentId })))
      })
    /** A change each second, for so many seconds. */
    const trade = (seconds: number, ...ids: ReadonlyArray<InstrumentId>) =>
      Effect.repeatN(Effect.zipRight(TestClock.adjust("1 seconds"), tick(...ids)), seconds - 1)
    return { asked, requests, renewed, books, tick, trade, status: (n = 0) => books.view(idOf(n), 0)?.status }
  })

/** The venue's book is another one than ours, of this very moment. */
const ahead = (instrumentId: InstrumentId, now: number) => rest(now - 1, "0.3 7", "0.5 1", { instrumentId })

describe("a book that froze", () => {
  it.scoped("was busy, and is suspect within 22 s: two looks differ, and the subscription is renewed", () =>
    Effect.gen(function* () {
      const { asked, books, renewed, status, trade } = yield* start({ answer: ahead })
      yield* trade(30, idOf(0))
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual(asked, [], "a pause that its rhythm explains")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(status(), "live", "one look proves nothing")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(status(), "suspect")
      assert.match(books.view(idOf(0))!.statusReason, /^frozen: the venue has another book over REST.* for 2\d s$/)
      assert.deepStrictEqual(
        renewed.map(([, ids]) => ids),
        [[idOf(0)]]
      )
    })
  )

  it.scoped("is suspect where the venue keeps no book for it any more, as when its market is over", () =>
    Effect.gen(function* () {
      const { books, renewed, trade } = yield* start({ answer: () => undefined })
      yield* trade(30, idOf(0))
      yield* TestClock.adjust("22 seconds")
      assert.match(books.view(idOf(0))!.statusReason, /^frozen: the venue keeps no book for it over REST.* for 2\d s$/)
      assert.lengthOf(renewed, 1)
    })
  )

  it.scoped("is found although the renewal of another one never ends", () =>
    Effect.gen(function* () {
      const { renewed, status, trade } = yield* start({
        books: 2,
        answer: ahead,
        renewal: Effect.uninterruptible(Effect.never)
      })
      yield* trade(20, idOf(0), idOf(1))
      yield* trade(23, idOf(1))
      assert.deepStrictEqual([status(0), status(1)], ["suspect", "live"])
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(status(1), "suspect")
      assert.deepInclude(
        renewed.map(([, ids]) => ids),
        [idOf(1)]
      )
    })
  )

  it.scoped("was quiet for long, and is found within a minute of the first change that did not come", () =>
    Effect.gen(function* () {
      let moved = Number.POSITIVE_INFINITY
      const { asked, status } = yield* start({
        answer: (id, now) => (now < moved ? rest(0, "0.4 1", "0.5 1", { instrumentId: id }) : ahead(id, now))
      })
      yield* TestClock.adjust("8 minutes")
      assert.strictEqual(status(), "live")
      assert.isAtMost(asked.length, (8 * 60) / 45 + 1)
      moved = yield* Clock.currentTimeMillis
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(status(), "suspect")
    })
  )

  it.scoped("is not made whole by REST, but by what the socket brings", () =>
    Effect.gen(function* () {
      const { books, status, trade } = yield* start({ answer: ahead })
      yield* trade(30, idOf(0))
      yield* TestClock.adjust("30 seconds")
      yield* books.resyncing(idOf(0))
      const now = yield* Clock.currentTimeMillis
      yield* books.ingest([rest(now, "0.3 7", "0.5 1", { instrumentId: idOf(0) })])
      assert.strictEqual(status(), "suspect")
      assert.match(books.view(idOf(0))!.statusReason, /^frozen/)
      yield* books.ingest([snapshot(now + 1, "0.3 7", "0.5 1", { instrumentId: idOf(0) })])
      assert.strictEqual(status(), "live")
    })
  )

  it.scoped("and stays silent after the renewal is renewed again after 5 s, then each minute", () =>
    Effect.gen(function* () {
      const { renewed, trade } = yield* start({ answer: ahead })
      yield* trade(30, idOf(0))
      yield* TestClock.adjust("3 minutes")
      const [first = 0, ...later] = renewed.map(([time]) => time)
      assert.deepStrictEqual(
        later.map((time) => Math.round((time - first) / 1_000)),
        [5, 65, 125]
      )
    })
  )

  it.scoped("again is found within 12 s, since it is looked at every few seconds for a minute", () =>
    Effect.gen(function* () {
      const { books, renewed, status, trade } = yield* start({ answer: ahead })
      yield* trade(30, idOf(0))
      yield* TestClock.adjust("22 seconds")
      assert.strictEqual(status(), "suspect")
      yield* books.ingest([snapshot(60_000, "0.4 1", "0.5 1", { instrumentId: idOf(0) })])
      assert.strictEqual(status(), "live")
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual(status(), "suspect")
      assert.strictEqual(renewed.length, 2)
    })
  )
})

describe("no alarm", () => {
  const steady = (title: string, options: Options) =>
    it.scoped(title, () =>
      Effect.gen(function* () {
        const { asked, renewed, requests, status, trade } = yield* start({ books: 3, ...options })
        yield* trade(30, idOf(0), idOf(1))
        yield* TestClock.adjust("6 minutes")
        assert.isAtLeast(requests.length, 18)
        assert.deepStrictEqual([status(0), status(1), status(2)], ["live", "live", "live"])
        assert.deepStrictEqual(renewed, [])
        assert.isAtLeast(requests.length, asked.length)
      })
    )

  steady("where REST agrees", {
    answer: (id, now) => rest(now - 1, id === idOf(2) ? "0.4 1" : "0.4 31", "0.5 1", { instrumentId: id })
  })
  steady("where REST is older than our book", {
    answer: (id, now) => rest(-1, "0.3 7", "0.5 1", { instrumentId: id, receivedTime: now })
  })
  steady("where REST fails", { failure: StubVenue.failure("unavailable") })

  it.scoped("where the venue keeps no book and ours has no levels", () =>
    Effect.gen(function* () {
      const { asked, books, status } = yield* start({ answer: () => undefined })
      yield* books.ingest([snapshot(0, "", "", { instrumentId: idOf(0) })])
      yield* TestClock.adjust("6 minutes")
      assert.isAtLeast(asked.length, 6)
      assert.strictEqual(status(), "live")
    })
  )

  it.scoped("where the socket speaks between two looks", () =>
    Effect.gen(function* () {
      const { asked, status, tick, trade } = yield* start({ answer: ahead })
      for (let i = 0; i < 6; i++) {
        yield* trade(10, idOf(0))
        yield* TestClock.adjust("18 seconds")
        yield* tick(idOf(0))
      }
      assert.isAtLeast(asked.length, 4)
      assert.strictEqual(status(), "live")
    })
  )

  it.scoped("is looked for while books trade, nor in books that are not live", () =>
    Effect.gen(function* () {
      const { asked, books, trade } = yield* start({ answer: ahead })
      yield* trade(60, idOf(0))
      assert.deepStrictEqual(asked, [])
      yield* books.frozen(idOf(0), "a test")
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(asked, [])
    })
  )
})

describe("the budget", () => {
  const agrees = (instrumentId: InstrumentId) => rest(0, "0.4 1", "0.5 1", { instrumentId })

  it.scoped("is kept by any number of silent books, and each has its turn", () =>
    Effect.gen(function* () {
      const { asked, requests } = yield* start({ books: 300, requestsPerSecond: 2, answer: agrees })
      yield* TestClock.adjust("5 minutes")
      const seconds = new Map<number, number>()
      for (const at of requests) seconds.set(Math.floor(at / 1_000), (seconds.get(Math.floor(at / 1_000)) ?? 0) + 1)
      assert.isAtMost(Math.max(...seconds.values()), 2)
      assert.strictEqual(new Set(asked.map(([, id]) => id)).size, 300)
    })
  )

  it.scoped("goes first to the book that was busiest before its silence", () =>
    Effect.gen(function* () {
      const { asked, trade } = yield* start({ books: 200, requestsPerSecond: 1, answer: agrees })
      yield* TestClock.adjust("6 minutes")
      yield* trade(30, idOf(7))
      const from = yield* Clock.currentTimeMillis
      yield* TestClock.adjust("17 seconds")
      const looks = asked.filter(([time, id]) => id === idOf(7) && time > from)
      assert.strictEqual(looks.length, 1)
    })
  )

  it.scoped("is in requests, of which one may ask for many books", () =>
    Effect.gen(function* () {
      const { asked, requests } = yield* start({ books: 500, requestsPerSecond: 2, together: 100, answer: agrees })
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(new Set(asked.map(([, id]) => id)).size, 500)
      assert.strictEqual(requests.length, 5)
    })
  )
})
