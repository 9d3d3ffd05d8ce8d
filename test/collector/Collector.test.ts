import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Stream, SubscriptionRef, TestClock } from "effect"
import { Bus } from "../../src/bus/Bus.ts"
import { Books } from "../../src/collector/Books.ts"
import { Catalog } from "../../src/collector/Catalog.ts"
import * as Collector from "../../src/collector/Collector.ts"
import { Feeds } from "../../src/collector/Feeds.ts"
import type { Instrument } from "../../src/domain/Market.ts"
import { type FeedInput, told } from "../../src/domain/Input.ts"
import { Tape } from "../../src/tape/Tape.ts"
import type { BreakerInfo, ConnectionInfo, Feed } from "../../src/venues/Venue.ts"
import { id, instrument, market, snapshot, venue } from "../support/Events.ts"
import * as StubVenue from "../support/StubVenue.ts"

const setUp = (feed: Feed, breakers: ReadonlyArray<BreakerInfo> = []) => {
  const stub = StubVenue.make({ feed, breakers: Effect.succeed(breakers) })
  return Collector.layer([stub]).pipe(
    Layer.provideMerge(Books.layer(new Map([[stub.id, stub.protocol]]))),
    Layer.provide(
      Layer.effect(
        Catalog,
        Effect.map(SubscriptionRef.make<ReadonlyArray<Instrument>>([instrument(market("m"))]), (desired) =>
          Catalog.of({
            markets: () => [],
            market: () => undefined,
            instrument: () => undefined,
            desired: (of) => (of === venue ? desired : undefined),
            info: () => [],
            refresh: () => Effect.void
          })
        )
      )
    ),
    Layer.provide(Bus.layer),
    Layer.provide(Tape.layerNone),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )
}

const about = { venue, connection: "test-1-a" }

const dump = (at: number): ReadonlyArray<FeedInput> => [
  { _tag: "Opened", slot: "test-1", terms: {}, ...about, receivedTime: at },
  { _tag: "Wanted", instruments: [instrument(market("m"))], ...about, receivedTime: at },
  told(snapshot(at))
]

describe("Collector", () => {
  it.scoped("knows every circuit breaker, each once however many connections share it", () => {
    const breaker = (name: string): BreakerInfo => ({
      name,
      state: "closed",
      since: 0,
      nextAttempt: null,
      lastFailure: ""
    })
    const connection = (slot: string, shared: BreakerInfo): ConnectionInfo => ({
      venue,
      slot,
      connection: slot,
      state: "connected",
      since: 0,
      breaker: shared,
      attempts: 0,
      reason: "",
      subscribed: 0,
      frames: 0,
      bytes: 0,
      lastDataTime: null,
      messages: {},
      errors: {}
    })
    const feed: Feed = {
      events: () => Stream.never,
      inputs: () => Stream.never,
      connections: Effect.succeed([connection("a", breaker("feed")), connection("b", breaker("feed"))])
    }
    return Effect.gen(function* () {
      const breakers = yield* (yield* Feeds).breakers
      assert.deepStrictEqual(
        breakers.map((one) => [one.venue, one.name]),
        [
          [venue, "feed"],
          [venue, "rest"]
        ]
      )
    }).pipe(Effect.provide(setUp(feed, [breaker("rest")])))
  })

  it.scoped("feeds the books with what the venue says of the watched instruments", () => {
    const feed: Feed = {
      events: () => Stream.die("not read here"),
      inputs: (desired) =>
        desired.changes.pipe(
          Stream.take(1),
          Stream.mapConcat((all) => (all.length === 1 ? dump(1) : [])),
          Stream.concat(Stream.never)
        ),
      connections: Effect.succeed([])
    }
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Books).view(id)?.status, "live")
      assert.deepStrictEqual(yield* (yield* Feeds).connections, [])
    }).pipe(Effect.provide(setUp(feed)))
  })

  it.scoped("starts a feed again that broke, and no book is live in between", () => {
    let started = 0
    const feed: Feed = {
      events: () => Stream.die("not read here"),
      inputs: () =>
        Stream.suspend(() =>
          Stream.concat(
            Stream.fromIterable(dump(++started)),
            started === 1 ? Stream.dieMessage("a defect") : Stream.never
          )
        ),
      connections: Effect.succeed([])
    }
    return Effect.gen(function* () {
      const books = yield* Books
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(books.view(id)?.status, "stale")
      assert.strictEqual(books.view(id)?.statusReason, "disconnected: the feed broke")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(started, 2)
      assert.strictEqual(books.view(id)?.status, "live")
    }).pipe(Effect.provide(setUp(feed)))
  })

  it.scoped("stops the feed with its scope", () => {
    let closed = 0
    const feed: Feed = {
      events: () => Stream.die("not read here"),
      inputs: () =>
        Stream.ensuring(
          Stream.never,
          Effect.sync(() => closed++)
        ),
      connections: Effect.succeed([])
    }
    return Effect.gen(function* () {
      yield* Effect.scoped(Effect.zipRight(Layer.build(setUp(feed)), TestClock.adjust("1 millis")))
      assert.strictEqual(closed, 1)
    })
  })
})
