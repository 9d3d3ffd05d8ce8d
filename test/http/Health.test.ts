import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { VenueId } from "../../src/domain/Market.ts"
import { MainLoops } from "../../src/http/Health.ts"
import * as Http from "../../src/http/Http.ts"
import { closedBreaker } from "../support/StubDatabase.ts"
import {
  ask,
  book,
  breaker,
  catalogInfo,
  connection,
  database,
  healthy,
  options,
  served,
  services,
  T,
  type World,
  writer
} from "./World.ts"

interface Part {
  readonly part: string
  readonly venue: string | null
  readonly state: string
  readonly since: string | null
  readonly detail: string
}

const ready = Effect.map(ask("/health/ready"), ({ json, status }) => ({
  code: status,
  status: json.status as string,
  parts: json.parts as ReadonlyArray<Part>
}))

const cases: ReadonlyArray<
  readonly [what: string, change: (world: World) => void, code: number, status: string, part: string, detail: string]
> = [
  [
    "a database that is being reached",
    (world) => (world.database = database({ state: "starting", error: "refused" })),
    503,
    "unready",
    "database starting",
    "refused"
  ],
  [
    "a database that is down",
    (world) => (world.database = database({ state: "down", error: "connection reset" })),
    503,
    "unready",
    "database down",
    "connection reset"
  ],
  [
    "a writer that is late",
    (world) => (world.writer = writer({ error: "the database is away" })),
    200,
    "degraded",
    "writer degraded",
    "the database is away"
  ],
  [
    "a writer whose table lacks a column",
    (world) => (world.writer = writer({ error: "column side does not exist (42703)", errorLasts: true })),
    503,
    "unready",
    "writer down",
    "column side does not exist (42703)"
  ],
  [
    "a writer that loses rows",
    (world) => (world.writer = writer({ error: "away", lost: 5 })),
    503,
    "unready",
    "writer down",
    "5 rows were lost"
  ],
  [
    "a writer that has lost rows",
    (world) => (world.writer = writer({ lost: 5 })),
    200,
    "degraded",
    "writer degraded",
    "5 rows were lost"
  ],
  [
    "a market list that is not there yet",
    (world) => (world.catalogs = [catalogInfo({ state: "empty", markets: 0 })]),
    503,
    "unready",
    "catalog starting",
    "0 markets"
  ],
  [
    "a market list from the cache",
    (world) => (world.catalogs = [catalogInfo({ state: "cached" })]),
    200,
    "degraded",
    "catalog degraded",
    "not confirmed"
  ],
  [
    "a market list that cannot be had",
    (world) => (world.catalogs = [catalogInfo({ state: "failing", markets: 0, lastError: "gamma: unreachable" })]),
    503,
    "unready",
    "catalog down",
    "gamma: unreachable"
  ],
  [
    "a market list that cannot be renewed",
    (world) => (world.catalogs = [catalogInfo({ state: "failing", lastError: "timeout" })]),
    200,
    "degraded",
    "catalog degraded",
    "timeout"
  ],
  [
    "a breaker that is open",
    (world) =>
      (world.breakers = [
        breaker(),
        breaker({ name: "polymarket clob", state: "open", nextAttempt: T, lastFailure: "GET /book: 500 down" })
      ]),
    200,
    "degraded",
    "breaker degraded",
    "polymarket clob is open; next attempt at 2026-11-22T10:15:00.123Z; GET /book: 500 down"
  ],
  [
    "the database's breaker that is open",
    (world) =>
      (world.databaseBreaker = { ...closedBreaker, state: "open", nextAttempt: T, lastFailure: "ECONNREFUSED" }),
    200,
    "degraded",
    "breaker degraded",
    "database is open; next attempt at 2026-11-22T10:15:00.123Z; ECONNREFUSED"
  ],
  [
    "a breaker that is being tried",
    (world) => (world.breakers = [breaker({ state: "half-open", lastFailure: "timeout" })]),
    200,
    "degraded",
    "breaker degraded",
    "polymarket feed is half-open; timeout"
  ],
  ["no connection", (world) => (world.connections = []), 503, "unready", "feed starting", "no connection yet"],
  [
    "a first attempt to connect",
    (world) => (world.connections = [connection({ state: "connecting" })]),
    503,
    "unready",
    "feed starting",
    "0 of 1"
  ],
  [
    "a venue that cannot be reached",
    (world) => (world.connections = [connection({ state: "waiting", attempts: 4, reason: "refused: ECONNREFUSED" })]),
    503,
    "unready",
    "feed down",
    "ECONNREFUSED"
  ],
  [
    "a connection that polls",
    (world) => (world.connections = [connection({ reason: "no API key: books are polled every 15s" })]),
    200,
    "ready",
    "feed up",
    "1 of 1 connections are up; no API key: books are polled every 15s"
  ],
  [
    "one connection of two",
    (world) => (world.connections = [connection(), connection({ state: "halted", reason: "401" })]),
    200,
    "degraded",
    "feed degraded",
    "1 of 2 connections are up; 401"
  ],
  [
    "a connection that was given up beside one that is up",
    (world) => (world.connections = [connection(), connection({ state: "closed" })]),
    200,
    "ready",
    "feed up",
    "1 of 1"
  ],
  [
    "books in doubt",
    (world) => (world.books = [book("a-yes"), book("a-no", { status: "suspect" })]),
    200,
    "degraded",
    "books degraded",
    "1 live, 1 suspect"
  ],
  ["no books", (world) => (world.books = []), 200, "degraded", "books degraded", "no books yet"]
]

describe("readiness", () => {
  it.live("shows every part", () =>
    served(
      () => {},
      Effect.gen(function* () {
        const { code, parts, status } = yield* ready
        assert.strictEqual(code, 200)
        assert.strictEqual(status, "ready")
        assert.deepStrictEqual(
          parts.map(({ part, state, venue }) => [part, venue, state]),
          [
            ["database", null, "up"],
            ["writer", null, "up"],
            ["catalog", "polymarket", "up"],
            ["feed", "polymarket", "up"],
            ["books", "polymarket", "up"],
            ["drift", null, "up"]
          ]
        )
        assert.strictEqual(parts[0]?.since, "2026-11-22T10:15:00.123Z")
        assert.strictEqual(parts[4]?.detail, "4 live")
      })
    )
  )

  it.live.each(cases)("with %s", ([_, change, code, status, named, detail]) =>
    served(
      change,
      Effect.gen(function* () {
        const answer = yield* ready
        assert.deepStrictEqual([answer.code, answer.status], [code, status])
        const [part, state] = named.split(" ")
        const found = answer.parts.find((one) => one.part === part)
        assert.strictEqual(found?.state, state)
        assert.include(found?.detail, detail)
      })
    )
  )

  it.live("asks for every venue", () =>
    served(
      (world) => {
        world.catalogs = [catalogInfo(), catalogInfo({ venue: VenueId.make("kalshi") })]
      },
      Effect.gen(function* () {
        const { code, parts } = yield* ready
        assert.strictEqual(code, 503)
        const kalshi = parts.filter(({ venue }) => venue === "kalshi")
        assert.deepStrictEqual(
          kalshi.map(({ part, state }) => `${part} ${state}`),
          ["catalog up", "feed starting", "books degraded"]
        )
      })
    )
  )
})

describe("liveness", () => {
  it.live("is not troubled by a part that is down", () =>
    served(
      (world) => {
        world.database = database({ state: "down" })
        world.connections = []
      },
      Effect.gen(function* () {
        const { json, status } = yield* ask("/health/live")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, { status: "alive" })
      })
    )
  )

  it.live("ends with a main loop", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/health/live")
      assert.strictEqual(status, 503)
      assert.deepStrictEqual(json, { status: "dead", stopped: ["collector"] })
    }).pipe(
      Effect.provide(
        Http.layer(options).pipe(
          Layer.provide(services(healthy())),
          Layer.provide(Logger.remove(Logger.defaultLogger)),
          Layer.provide(Layer.succeed(MainLoops, { stopped: Effect.succeed(["collector"]) }))
        )
      )
    )
  )
})
