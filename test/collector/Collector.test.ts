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
import type { Feed } from "../../src/venues/Venue.ts"
import { id, instrument, market, snapshot, venue } from "../support/Events.ts"
import * as StubVenue from "../support/StubVenue.ts"

const setUp = (feed: Feed, stub = StubVenue.make({ feed })) =>
  Collector.layer([stub]).pipe(
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

const about = { venue, connection: "test-1-a" }

const dump = (at: number): ReadonlyArray<FeedInput> => [
  { _tag: "Opened", slot: "test-1", terms: {}, ...about, receivedTime: at },
  { _tag: "Wanted", instruments: [instrument(market("m"))], ...about, receivedTime: at },
  told(snapshot(at))
]

describe("Collector", () => {
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
