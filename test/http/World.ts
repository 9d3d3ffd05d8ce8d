/** Services that say what a test wants them to say, and a server over them. */
import { connect } from "node:net"
import { HttpServer } from "@effect/platform"
import { DateTime, Effect, Layer, Logger, LogLevel, Queue, Redacted, SubscriptionRef } from "effect"
import type { BookCounters, BookView } from "../../src/collector/BookKeeper.ts"
import { Books } from "../../src/collector/Books.ts"
import { Catalog, type CatalogInfo } from "../../src/collector/Catalog.ts"
import { Feeds } from "../../src/collector/Feeds.ts"
import { type Instrument, instrumentId, type Market, marketId, VenueId } from "../../src/domain/Market.ts"
import type { BookStatus } from "../../src/domain/MarketEvent.ts"
import { Price, Size } from "../../src/domain/Money.ts"
import * as Http from "../../src/http/Http.ts"
import type { ListenError } from "../../src/http/Listener.ts"
import type { Snapshot } from "../../src/resilience/CircuitBreaker.ts"
import { Database, type DatabaseStatus } from "../../src/storage/Database.ts"
import { EventWriter, type EventWriterStatus } from "../../src/storage/EventWriter.ts"
import { Tape, type TapeStatus } from "../../src/tape/Tape.ts"
import type { BreakerInfo, ConnectionInfo } from "../../src/venues/Venue.ts"
import { gridOf } from "../support/Events.ts"
import { closedBreaker } from "../support/StubDatabase.ts"

export const venue = VenueId.make("polymarket")

/** 2026-11-22T10:15:00.123Z */
export const T = 1_795_342_500_123

export const market = (name: string, more: Partial<Market> = {}): Market => ({
  id: marketId(venue, name),
  venue,
  venueMarketId: name,
  slug: `slug-${name}`,
  question: `Will ${name} happen?`,
  category: "Politics",
  tags: ["US Election"],
  status: "open",
  outcomes: ["Yes", "No"].map((outcome) => ({
    instrumentId: instrumentId(venue, `${name}-${outcome.toLowerCase()}`),
    venueInstrumentId: `${name}-${outcome.toLowerCase()}`,
    name: outcome,
    winner: null
  })),
  tickSize: Price(1000),
  priceBands: gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"], ["0.9", "1", "0.001"]),
  minOrderSize: Size(5_000_000),
  negRisk: false,
  liquidity: Size(12_345_670_000),
  volume24h: null,
  protocol: null,
  endTime: DateTime.unsafeMake(T),
  ...more
})

export const book = (id: string, more: Partial<BookView> = {}): BookView => ({
  instrumentId: instrumentId(venue, id),
  venue,
  connection: "polymarket-1-abc",
  status: "live",
  statusSince: T,
  statusReason: "snapshot",
  quarantined: false,
  bids: [
    { price: Price(410_000), size: Size(270_000_000) },
    { price: Price(400_000), size: Size(1_363_560_000) }
  ],
  asks: [{ price: Price(420_500), size: Size(1) }],
  venueTime: T,
  receivedTime: T + 5,
  fedBy: "stream",
  verifiedBy: "digest",
  verifiedTime: T,
  ...more
})

export const breaker = (more: Partial<BreakerInfo> = {}): BreakerInfo => ({
  name: "polymarket feed",
  state: "closed",
  since: T,
  nextAttempt: null,
  lastFailure: "",
  ...more
})

export const connection = (more: Partial<ConnectionInfo> = {}): ConnectionInfo => ({
  venue,
  slot: "polymarket-1",
  connection: "polymarket-1-abc",
  state: "connected",
  since: T,
  breaker: breaker(),
  attempts: 0,
  reason: "",
  subscribed: 2,
  frames: 10,
  bytes: 1234,
  lastDataTime: T,
  messages: { book: 3, price_change: 4 },
  errors: {},
  ...more
})

export const catalogInfo = (more: Partial<CatalogInfo> = {}): CatalogInfo => ({
  venue,
  state: "fresh",
  since: T,
  markets: 2,
  lastRefresh: T,
  lastError: null,
  rejected: 0,
  ...more
})

export const database = (more: Partial<DatabaseStatus> = {}): DatabaseStatus => ({
  driver: "embedded",
  where: "data/db",
  state: "up",
  since: T,
  error: null,
  ...more
})

export const writer = (more: Partial<EventWriterStatus> = {}): EventWriterStatus => ({
  mode: "live",
  position: null,
  lag: 0,
  stored: {} as EventWriterStatus["stored"],
  buffered: 7,
  batches: 1,
  lost: 0,
  lastFlush: { time: T, milliseconds: 12, rows: 100 },
  error: null,
  errorLasts: false,
  ...more
})

export interface World {
  markets: ReadonlyArray<Market>
  books: ReadonlyArray<BookView>
  connections: ReadonlyArray<ConnectionInfo>
  breakers: ReadonlyArray<BreakerInfo>
  catalogs: ReadonlyArray<CatalogInfo>
  database: DatabaseStatus
  databaseBreaker: Snapshot
  writer: EventWriterStatus
  /** `null`: nothing is recorded. */
  tape: TapeStatus | null
  counters: Partial<BookCounters>
  /** Runs before the connections are told: a request for them takes as long. */
  before: Effect.Effect<void>
}

export const healthy = (): World => ({
  markets: [market("a"), market("b")],
  books: ["a-yes", "a-no", "b-yes", "b-no"].map((id) => book(id)),
  connections: [connection()],
  breakers: [breaker()],
  catalogs: [catalogInfo()],
  database: database(),
  databaseBreaker: closedBreaker,
  writer: writer(),
  tape: null,
  counters: { verified: 3, mismatches: 1, unverifiable: 2, checkedByDigest: 5, checkedLater: 4, applied: 10 },
  before: Effect.void
})

const noTape: TapeStatus = {
  run: 0,
  appended: 0,
  written: 0,
  bytes: 0,
  segments: 0,
  waiting: 0,
  lost: 0,
  error: null
}

const noCounters: BookCounters = {
  applied: 0,
  snapshots: 0,
  verified: 0,
  mismatches: 0,
  unverifiable: 0,
  checkedByDigest: 0,
  checkedLater: 0,
  checkedByQuotes: 0,
  unchecked: 0,
  duplicates: 0,
  outdated: 0,
  early: 0,
  foreign: 0,
  resyncs: 0,
  quarantines: 0
}

const statusesOf = (books: ReadonlyArray<BookView>): ReadonlyMap<VenueId, Readonly<Record<BookStatus, number>>> => {
  const counts = new Map<VenueId, Record<BookStatus, number>>()
  for (const { status, venue } of books) {
    const own = counts.get(venue) ?? { live: 0, stale: 0, suspect: 0, resyncing: 0 }
    own[status]++
    counts.set(venue, own)
  }
  return counts
}

const limited = (view: BookView, limit = Number.POSITIVE_INFINITY): BookView => ({
  ...view,
  bids: view.bids.slice(0, limit),
  asks: view.asks.slice(0, limit)
})

const instrumentOf = (world: World, id: string): Instrument | undefined => {
  for (const market of world.markets) {
    const outcome = market.outcomes.find(({ instrumentId }) => instrumentId === id)
    if (outcome !== undefined) {
      return { id: outcome.instrumentId, venueInstrumentId: outcome.venueInstrumentId, market }
    }
  }
  return undefined
}

const unasked = Effect.dieMessage("nobody who only reads has a reason for this")

/** The services as the world says at the time they are asked. Whatever would change something dies. */
export const services = (world: World): Layer.Layer<Books | Catalog | Feeds | Database | EventWriter | Tape> =>
  Layer.mergeAll(
    Layer.scoped(
      Books,
      Effect.map(Queue.unbounded<never>(), (resyncRequests) =>
        Books.of({
          receive: () => unasked,
          ingest: () => unasked,
          chain: () => ({ digest: "", events: 0 }),
          view: (id, limit) => {
            const view = world.books.find(({ instrumentId }) => instrumentId === id)
            return view === undefined ? undefined : limited(view, limit)
          },
          ids: () => world.books.map(({ instrumentId }) => instrumentId),
          statuses: () => statusesOf(world.books),
          get counters() {
            return { ...noCounters, ...world.counters }
          },
          resyncRequests,
          resyncing: () => unasked,
          resyncFailed: () => unasked,
          frozen: () => unasked
        })
      )
    ),
    Layer.effect(
      Catalog,
      Effect.map(SubscriptionRef.make<ReadonlyArray<Instrument>>([]), (desired) =>
        Catalog.of({
          markets: () => world.markets,
          market: (id) => world.markets.find((market) => market.id === id),
          instrument: (id) => instrumentOf(world, id),
          desired: () => desired,
          info: () => world.catalogs,
          refresh: () => unasked
        })
      )
    ),
    Layer.succeed(Feeds, {
      connections: Effect.suspend(() => Effect.as(world.before, world.connections)),
      breakers: Effect.sync(() => world.breakers.map((one) => ({ ...one, venue })))
    }),
    Layer.mock(Database, {
      status: Effect.sync(() => world.database),
      breaker: Effect.sync(() => world.databaseBreaker),
      query: () => () => unasked,
      transaction: () => () => unasked
    }),
    Layer.mock(EventWriter, { status: Effect.sync(() => world.writer) }),
    Layer.mock(Tape, {
      directory: world.tape === null ? null : "/tape",
      run: 0,
      append: () => 0,
      last: () => 0,
      written: () => 0,
      isRotationDue: () => false,
      requestRotation: () => {},
      rotate: () => {},
      saveRowState: () => {},
      noteStored: () => unasked,
      status: Effect.sync(() => world.tape ?? noTape)
    })
  )

/** Any port of loopback, and no token. */
export const options: Http.HttpOptions = { host: "127.0.0.1", port: 0, token: Redacted.make("") }

/** The server on a port of its own; its log goes nowhere unless a logger is given. */
export const serving = (
  world: World,
  logger: Logger.Logger<unknown, void> = Logger.none,
  more: Partial<Http.HttpOptions> = {}
): Layer.Layer<HttpServer.HttpServer, ListenError> =>
  Http.layer({ ...options, ...more }).pipe(
    Layer.provide(services(world)),
    Layer.provide([Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All)])
  )

/** Runs a test against a server over a healthy world with some changes. */
export const served = <A, E>(
  change: (world: World) => void,
  test: Effect.Effect<A, E, HttpServer.HttpServer>,
  logger?: Logger.Logger<unknown, void>,
  more?: Partial<Http.HttpOptions>
): Effect.Effect<A, E | ListenError> => {
  const world = healthy()
  change(world)
  return Effect.provide(test, serving(world, logger, more))
}

/** Sends bytes as they are and gives what comes back until the other side ends, or nothing more comes. */
export const sendRaw = (bytes: string | Uint8Array): Effect.Effect<string, never, HttpServer.HttpServer> =>
  HttpServer.addressWith((address) =>
    Effect.async<string>((resume) => {
      if (address._tag !== "TcpAddress") throw new Error("a port is expected")
      let answer = ""
      const socket = connect(address.port, "127.0.0.1", () => socket.write(bytes))
      socket.setTimeout(2000, () => socket.destroy())
      socket.on("data", (data) => {
        answer += data.toString()
      })
      socket.on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(answer)))
    })
  )

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body where it is JSON. */
  readonly json: ReturnType<typeof JSON.parse>
}

/** Asks the server in the context, as any caller from outside would. */
export const ask = (path: string, init: RequestInit = {}): Effect.Effect<Answer, never, HttpServer.HttpServer> =>
  HttpServer.addressFormattedWith((base) =>
    Effect.promise(async () => {
      const response = await fetch(`${base}${path}`, init)
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.includes("json") === true && text !== ""
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined
      }
    })
  )
