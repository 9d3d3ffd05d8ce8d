/** A running collector seen from outside: everything that the live view, the log and the summary tell of it. */
import { Clock, Effect, type Scope } from "effect"
import type { BookStatus } from "../domain/MarketEvent.ts"
import {
  type App,
  type BookKeeper,
  Books,
  Bus,
  Catalog,
  Database,
  type DatabaseStatus,
  EventWriter,
  type EventWriterStatus,
  Feeds,
  type Venue
} from "../Parallax.ts"
import * as Activity from "./Activity.ts"

/** The state of everything at one moment. Counters run since the start. */
export interface Observation {
  /** Milliseconds since the epoch, and since the observer began. */
  readonly time: number
  readonly elapsed: number
  readonly connections: ReadonlyArray<Venue.ConnectionInfo>
  readonly opened: number
  readonly drops: number
  readonly gaps: number
  /** Snapshots, changes and trades that held. */
  readonly updates: number
  readonly markets: number
  readonly books: Readonly<Record<BookStatus, number>>
  readonly counters: Readonly<BookKeeper.BookCounters>
  readonly writer: EventWriterStatus
  readonly database: DatabaseStatus
  /** Bytes that the process holds now, and held at most. */
  readonly memory: number
  readonly peakMemory: number
}

export interface Observer {
  readonly observe: Effect.Effect<Observation>
  readonly activity: Activity.Activity
}

const noBooks: Readonly<Record<BookStatus, number>> = { live: 0, stale: 0, suspect: 0, resyncing: 0 }

/** Counts from now on until the scope closes. */
export const make: Effect.Effect<Observer, never, App.Services | Scope.Scope> = Effect.gen(function* () {
  const books = yield* Books
  const bus = yield* Bus
  const catalog = yield* Catalog
  const database = yield* Database
  const feeds = yield* Feeds
  const writer = yield* EventWriter
  const start = yield* Clock.currentTimeMillis
  const activity = Activity.make()
  yield* bus.listen("the live view", ({ events }) => activity.see(events))
  // Those that were faster than this observer.
  const early = new Set(
    (yield* feeds.connections).filter(({ state }) => state === "connected").map(({ connection }) => connection)
  )
  const observe = Effect.gen(function* () {
    const time = yield* Clock.currentTimeMillis
    const statuses = { ...noBooks }
    for (const counts of books.statuses().values()) {
      for (const [status, count] of Object.entries(counts)) statuses[status as BookStatus] += count
    }
    return {
      time,
      elapsed: time - start,
      connections: yield* feeds.connections,
      opened: new Set([...early, ...activity.connections]).size,
      drops: activity.drops(),
      gaps: activity.gaps(),
      updates: activity.updates(),
      markets: catalog.info().reduce((sum, { markets }) => sum + markets, 0),
      books: statuses,
      counters: { ...books.counters },
      writer: yield* writer.status,
      database: yield* database.status,
      memory: process.memoryUsage.rss(),
      peakMemory: process.resourceUsage().maxRSS * 1024
    }
  })
  return { observe, activity }
})
