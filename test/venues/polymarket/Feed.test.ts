/** The whole way from the venue's sockets to the books, and what the venue may do to it on the way. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Clock, Effect, Fiber, Schedule } from "effect"
import type { ConnectionInfo } from "../../../src/venues/Venue.ts"
import * as WorldOf from "./World.ts"
import { World } from "./World.ts"

/**
 * How long a live book may differ from the venue's: what takes until the frames of one operation are in, until the next
 * sweep, and what a busy machine takes for the way.
 */
const GRACE = 250 + 100 + 400
/** The same for a connection that may be silent for a second, which is looked at every second. */
const SILENCE_GRACE = GRACE + 2_500

const well = Effect.flatMap(World, (world) =>
  world.until("every book is live and true", world.becomesWell(), "25 seconds")
)

/** Whether a book was doubted since now. */
const doubtedFrom = (world: World["Type"]) => {
  const from = world.events.length
  return () =>
    world.events.slice(from).some((event) => event._tag === "BookStatusChanged" && event.status === "suspect")
}

const connections = (what: string, hold: (all: ReadonlyArray<ConnectionInfo>) => boolean) =>
  Effect.gen(function* () {
    const world = yield* World
    let now: ReadonlyArray<ConnectionInfo> = []
    const look = Effect.map(world.feeds.connections, (all) => (now = all))
    yield* Effect.forkScoped(Effect.repeat(Effect.delay(look, "10 millis"), { until: hold }))
    yield* world.until(what, () => hold(now))
    return now
  }).pipe(Effect.scoped)

describe.concurrent("a connection", () => {
  for (const [name, fault, grace] of [
    ["is cut", { fault: "drop" }, GRACE],
    ["is reset in the middle of a frame", { fault: "reset" }, GRACE],
    ["is closed in order (1000)", { fault: "close", code: 1000 }, GRACE],
    ["is closed by a restart (1012)", { fault: "close", code: 1012 }, GRACE],
    ["is closed for overload (1013)", { fault: "close", code: 1013 }, GRACE],
    ["falls silent although pings are answered", { fault: "stall" }, SILENCE_GRACE],
    ["falls silent while REST stands still", { fault: "stall", rest: true }, SILENCE_GRACE],
    ["says nothing at all any more", { fault: "silent" }, SILENCE_GRACE]
  ] as const) {
    it.scopedLive(`that ${name} is replaced, its books are back soon, and the loss is recorded`, () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        // Silence proves something only after a while of talk.
        const talk = grace === GRACE ? 100 : 1200
        yield* world.until("trading", () => world.books.counters.applied > talk, "25 seconds")
        world.worst()
        const from = world.events.length
        const since = () => world.events.slice(from)
        yield* world.inject(fault)
        yield* world.until("new connections", () => world.server.stats().opened >= 6, "25 seconds")
        yield* world.inject({ fault: "heal" })
        yield* well
        const gaps = () => since().filter((event) => event._tag === "Gap" && event.instrumentId === null)
        yield* world.until("the gaps are told", () => gaps().length >= 3)
        for (const gap of gaps()) assert(gap._tag === "Gap" && gap.from <= gap.to)
        const lost = since().flatMap((event) => (event._tag === "Disconnected" ? [event.slot] : []))
        assert.deepStrictEqual([...new Set(lost)].sort(), ["polymarket-1", "polymarket-2", "polymarket-3"])
        assert.isAtMost(world.worst(), grace)
        assert.strictEqual(world.books.counters.mismatches, 0)
      }).pipe(Effect.provide(WorldOf.layer({ markets: 8, rate: 200 })))
    )
  }

  it.scopedLive("that is cut leaves the others alone", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* well
      const from = world.events.length
      yield* world.inject({ fault: "drop", sockets: 1 })
      yield* world.until("a new connection", () => world.server.stats().opened === 4)
      yield* well
      const stale = world.events
        .slice(from)
        .flatMap((event) =>
          event._tag === "BookStatusChanged" && event.status === "stale" ? [event.instrumentId] : []
        )
      assert.isAtMost(new Set(stale).size, 6)
      assert.isAtLeast(new Set(stale).size, 4)
    }).pipe(Effect.provide(WorldOf.layer({ markets: 8, rate: 200 })))
  )

  it.scopedLive("that is refused for what it did (1008) is not made again for long; the others go on", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* well
      yield* world.inject({ fault: "close", code: 1008, reason: "policy", sockets: 1 })
      yield* connections("one is halted", (all) => all.some((one) => one.state === "halted"))
      yield* Effect.sleep("1 seconds")
      assert.strictEqual(world.server.stats().opened, 3)
      yield* connections("the others", (all) => all.filter((one) => one.state === "connected").length === 2)
    }).pipe(Effect.provide(WorldOf.layer({ markets: 8, rate: 200 })))
  )

  it.scopedLive("that repeats old changes after the dump has them dropped", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* well
      const before = world.books.counters.outdated
      yield* world.inject({ fault: "stale", count: 6 })
      yield* world.inject({ fault: "drop" })
      yield* world.until("old changes", () => world.books.counters.outdated > before)
      yield* well
      assert.isAtMost(world.worst(), GRACE)
    }).pipe(Effect.provide(WorldOf.layer({ markets: 8, rate: 200 })))
  )
})

layer(WorldOf.layer({ markets: 8, rate: 200 }), { excludeTestServices: true, timeout: "60 seconds" })(
  "a venue that trades",
  (it) => {
    it.effect("has all its books live, true and proved by their hashes", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        const before = world.books.counters.verified
        yield* world.until("500 changes are proved", () => world.books.counters.verified > before + 500)
        const all = yield* world.feeds.connections
        assert.deepStrictEqual(
          all.map(({ state, subscribed }) => [state, subscribed]),
          [
            ["connected", 6],
            ["connected", 6],
            ["connected", 4]
          ]
        )
        assert.strictEqual(world.books.counters.mismatches, 0)
        assert.strictEqual(world.books.counters.unverifiable, 0)
        for (const token of world.tokens()) assert.strictEqual(world.view(token)?.verifiedBy, "digest")
        assert.isAtMost(world.worst(), GRACE)
      })
    )

    for (const [name, fault, grace] of [
      // What is lost shows with the next message about the same market.
      ["loses a change", { fault: "lost", count: 1 }, GRACE + 2_000],
      ["loses many changes", { fault: "lost", count: 25 }, GRACE + 2_000],
      ["loses the book of a trade", { fault: "lost", type: "book", count: 1 }, GRACE + 2_000],
      ["cuts messages in half", { fault: "truncated", count: 3 }, GRACE],
      ["sends a crossed book", { fault: "crossed" }, GRACE],
      ["sends a crossed book that heals at once", { fault: "crossed", heals: true }, GRACE]
    ] as const) {
      it.effect(`but ${name} has no wrong book live, and heals`, () =>
        Effect.gen(function* () {
          const world = yield* World
          yield* well
          world.worst()
          const doubted = doubtedFrom(world)
          // Once may not be enough: what was lost is made good by the book of a trade that happens to follow.
          const again = yield* Effect.fork(Effect.repeat(world.inject(fault), Schedule.spaced("300 millis")))
          yield* world.until("a book is doubted", doubted)
          yield* Fiber.interrupt(again)
          yield* world.inject({ fault: "heal" })
          yield* well
          assert.isAtMost(world.worst(), grace)
          assert.strictEqual(world.server.stats().opened, 3)
        })
      )
    }

    it.effect("and repeats itself changes nothing by that", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        const before = { ...world.books.counters }
        yield* world.inject({ fault: "duplicate", count: 40, type: "price_change" })
        yield* world.until("40 repetitions", () => world.books.counters.duplicates >= before.duplicates + 40)
        yield* well
        assert.strictEqual(world.books.counters.mismatches, before.mismatches)
        assert.isAtMost(world.worst(), GRACE)
      })
    )

    it.effect("and says what nobody knows is counted, and no more", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        const before = { ...world.books.counters }
        yield* world.inject({ fault: "unknown_event" })
        yield* world.inject({ fault: "malformed", text: "NO NEW ASSETS" })
        yield* world.inject({ fault: "malformed", text: `{"event_type":"__proto__","asset_id":"constructor"}` })
        yield* connections("all is counted", (all) =>
          all.every(({ errors }) => errors["unknown-type"] === 2 && errors["untyped"] === 3 && errors["not-json"] === 1)
        )
        yield* well
        assert.strictEqual(world.books.counters.mismatches, before.mismatches)
        assert.isAtMost(world.worst(), GRACE)
      })
    )

    it.effect("whose REST fails meanwhile is waited for", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        yield* world.inject({ fault: "unavailable", durationMs: 1_000 })
        const doubted = doubtedFrom(world)
        yield* world.inject({ fault: "truncated", count: 2 })
        yield* world.until("a book is doubted", doubted)
        yield* well
        assert.isAtMost(world.worst(), GRACE)
      })
    )

    it.effect("whose REST is slow has newer changes put on top of its books", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        yield* world.inject({ fault: "slow", restMs: 400, durationMs: 3_000 })
        const doubted = doubtedFrom(world)
        yield* world.inject({ fault: "truncated", count: 4 })
        yield* world.until("a book is doubted", doubted)
        yield* well
        assert.isAtMost(world.worst(), GRACE)
        yield* world.inject({ fault: "heal" })
      })
    )

    it.effect("and resolves a market has its books forgotten, and the new one's watched", () =>
      Effect.gen(function* () {
        const world = yield* World
        yield* well
        const before = new Set(world.tokens())
        const [token = ""] = before
        yield* world.inject({ fault: "resolve", tokenId: token })
        yield* world.until("the book is gone", () => world.view(token) === undefined)
        const after = world.tokens().filter((one) => !before.has(one))
        assert.strictEqual(after.length, 2)
        yield* world.until("the new books", () => after.every((one) => world.view(one) !== undefined))
        yield* well
        assert.isAtMost(world.worst(), GRACE)
      })
    )
  }
)

describe.concurrent("a venue that refuses", () => {
  const small = { markets: 2, rate: 50 }

  it.scopedLive("who we are (401) is not asked again soon", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* connections("the slot is halted", ([one]) => one?.state === "halted")
      yield* Effect.sleep("1500 millis")
      const [one] = yield* world.feeds.connections
      assert.deepInclude(one, { attempts: 1, state: "halted" })
      assert.strictEqual(world.server.stats().opened, 0)
      for (const token of world.tokens()) assert.notStrictEqual(world.view(token)?.status, "live")
    }).pipe(Effect.provide(WorldOf.layer({ ...small, before: [{ fault: "refuse", status: 401 }] })))
  )

  it.scopedLive("for now (429) is not asked before the time that it names", () =>
    Effect.gen(function* () {
      const world = yield* World
      const began = yield* Clock.currentTimeMillis
      yield* connections("a refusal", ([one]) => one?.attempts === 1)
      yield* world.inject({ fault: "heal" })
      yield* well
      assert.isAtLeast((yield* Clock.currentTimeMillis) - began, 1_800)
      assert.strictEqual((yield* world.feeds.connections)[0]?.attempts, 1)
    }).pipe(
      Effect.provide(
        WorldOf.layer({ ...small, before: [{ fault: "rate_limited", on: "upgrade", retryAfter: 2, body: "html" }] })
      )
    )
  )

  it.scopedLive("while it is down (503) is asked ever more seldom, and then serves", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* Effect.sleep("2500 millis")
      const attempts = (yield* world.feeds.connections)[0]?.attempts ?? 0
      assert.isAtLeast(attempts, 2)
      assert.isAtMost(attempts, 6)
      yield* world.inject({ fault: "heal" })
      yield* well
    }).pipe(Effect.provide(WorldOf.layer({ ...small, before: [{ fault: "refuse", status: 503 }] })))
  )
})

describe.concurrent("a venue that is quiet", () => {
  it.scopedLive("is compared over REST and not cut off", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* well
      yield* world.until("REST is asked", () => (world.server.stats().requests["GET /book"] ?? 0) >= 6, "25 seconds")
      assert.strictEqual(world.server.stats().opened, 1)
      assert.isTrue(world.isWell())
    }).pipe(Effect.provide(WorldOf.layer({ markets: 2, rate: 0 })))
  )
})
