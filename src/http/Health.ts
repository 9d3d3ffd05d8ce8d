/** Whether the process is alive, and whether what it serves can be relied on. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Context, Effect, type Layer } from "effect"
import { Books } from "../collector/Books.ts"
import { Catalog, type CatalogInfo } from "../collector/Catalog.ts"
import { Feeds } from "../collector/Feeds.ts"
import type { VenueId } from "../domain/Market.ts"
import type { BookStatus } from "../domain/MarketEvent.ts"
import { type Drift, DriftLog } from "../resilience/DriftLog.ts"
import { MemoryPressure } from "../resilience/MemoryPressure.ts"
import { Database, type DatabaseStatus } from "../storage/Database.ts"
import { EventWriter, type EventWriterStatus } from "../storage/EventWriter.ts"
import { Tape, type TapeStatus } from "../tape/Tape.ts"
import type { BreakerInfo, ConnectionInfo } from "../venues/Venue.ts"
import { Api } from "./Api.ts"
import type { Part } from "./ApiSchemas.ts"
import * as Metrics from "./Metrics.ts"

/** The loops without which the process is of no use. Whoever runs them says which have ended; unless told, none has. */
export class MainLoops extends Context.Reference<MainLoops>()("parallax/http/MainLoops", {
  defaultValue: (): { readonly stopped: Effect.Effect<ReadonlyArray<string>> } => ({ stopped: Effect.succeed([]) })
}) {}

export const databasePart = ({ driver, error, since, state, where }: DatabaseStatus): Part => ({
  part: "database",
  venue: null,
  state,
  since,
  detail: state === "up" || error === null ? `${driver}, ${where}` : `${driver}, ${where}: ${error}`
})

/** Losing rows is down, and so is an error that no waiting mends; having lost some, or being late, is degraded. */
export const writerPart = ({ buffered, error, errorLasts, lastFlush, lost }: EventWriterStatus): Part => {
  const losses = lost === 0 ? "" : `; ${lost} rows were lost since the start`
  return {
    part: "writer",
    venue: null,
    state: error === null ? (lost === 0 ? "up" : "degraded") : lost === 0 && !errorLasts ? "degraded" : "down",
    since: lastFlush?.time ?? null,
    detail: error === null ? `${buffered} rows wait${losses}` : `${buffered} rows wait: ${error}${losses}`
  }
}

export const catalogPart = ({ lastError, markets, rejected, since, state, venue }: CatalogInfo): Part => {
  const details = [
    `${markets} markets`,
    ...(state === "cached" ? ["from the database, not confirmed since the start"] : []),
    ...(rejected === 0 ? [] : [`${rejected} could not be read`]),
    ...(state === "failing" && lastError !== null ? [lastError] : [])
  ]
  const states = {
    fresh: "up",
    cached: "degraded",
    empty: "starting",
    failing: markets > 0 ? "degraded" : "down"
  } as const
  return { part: "catalog", venue, state: states[state], since, detail: details.join("; ") }
}

export const feedPart = (venue: VenueId, connections: ReadonlyArray<ConnectionInfo>): Part => {
  const open = connections.filter((connection) => connection.venue === venue && connection.state !== "closed")
  const connected = open.filter(({ state }) => state === "connected")
  const broken = open.filter(({ state }) => state !== "connected")
  const failed = broken.some(({ attempts, state }) => state !== "connecting" || attempts > 1)
  // A connection that is up may have something to say too: that it is a poll, for want of a key.
  const reasons = new Set(open.flatMap(({ reason }) => (reason === "" ? [] : [reason])))
  const state =
    connected.length > 0 ? (broken.length === 0 ? "up" : "degraded") : open.length > 0 && failed ? "down" : "starting"
  const relevant = (broken.length > 0 ? broken : connected).map(({ since }) => since)
  return {
    part: "feed",
    venue,
    state,
    since: relevant.length === 0 ? null : Math.max(...relevant),
    detail:
      open.length === 0
        ? "no connection yet"
        : [`${connected.length} of ${open.length} connections are up`, ...[...reasons].slice(0, 3)].join("; ")
  }
}

/** Books that cannot be trusted are shown; they are no reason to refuse those that can. */
export const booksPart = (venue: VenueId, counts: Readonly<Record<BookStatus, number>> | undefined): Part => {
  const shown = Object.entries(counts ?? {}).filter(([status, count]) => count > 0 || status === "live")
  const whole = counts !== undefined && shown.every(([status]) => status === "live") && counts.live > 0
  return {
    part: "books",
    venue,
    state: whole ? "up" : "degraded",
    since: null,
    detail: shown.length === 0 ? "no books yet" : shown.map(([status, count]) => `${count} ${status}`).join(", ")
  }
}

/** A breaker that is not closed, and why. What it keeps from being reached has a part of its own that says how bad that is. */
export const breakerPart = (
  { lastFailure, name, nextAttempt, since, state }: BreakerInfo,
  venue: VenueId | null
): Part => ({
  part: "breaker",
  venue,
  state: "degraded",
  since,
  detail: [
    `${name} is ${state}`,
    ...(nextAttempt === null ? [] : [`next attempt at ${new Date(nextAttempt).toISOString()}`]),
    lastFailure
  ].join("; ")
})

/** Messages that changed are told, not held against the service: what cannot be used shows in the books. */
export const driftPart = (drift: ReadonlyArray<Drift>): Part => ({
  part: "drift",
  venue: null,
  state: "up",
  since: drift.length === 0 ? null : Math.max(...drift.map(({ firstSeen }) => firstSeen)),
  detail:
    drift.length === 0
      ? "messages are what the protocols say"
      : `${drift.length} ${drift.length === 1 ? "kind" : "kinds"} of drift; see /api/v1/drift`
})

/** What the disk does not take cannot be repeated; collecting goes on. */
export const tapePart = (
  { error, lost, segments, waiting }: TapeStatus,
  { lag, mode }: Pick<EventWriterStatus, "lag" | "mode">
): Part => ({
  part: "tape",
  venue: null,
  state: error === null && lost === 0 ? "up" : "degraded",
  since: null,
  detail: [
    `${segments} segments`,
    ...(error === null ? [] : [`${waiting} bytes wait: ${error}`]),
    ...(lost === 0 ? [] : [`${lost} records were lost since the start`]),
    ...(mode === "live" ? [] : [`the writer is ${mode}, ${lag} records to go`])
  ].join("; ")
})

/** Nothing is read from the sockets for want of memory. */
export const memoryPart = (reason: string): Part => ({
  part: "memory",
  venue: null,
  state: "degraded",
  since: null,
  detail: reason
})

export type Readiness = "ready" | "degraded" | "unready"

export const readiness = (parts: ReadonlyArray<Part>): Readiness =>
  parts.some(({ state }) => state === "down" || state === "starting")
    ? "unready"
    : parts.some(({ state }) => state === "degraded")
      ? "degraded"
      : "ready"

/** Every part as it is now. */
export const parts: Effect.Effect<
  ReadonlyArray<Part>,
  never,
  Books | Catalog | Feeds | Database | EventWriter | Tape
> = Effect.gen(function* () {
  const books = yield* Books
  const catalog = yield* Catalog
  const database = yield* Database
  const writer = yield* EventWriter
  const feeds = yield* Feeds
  const connections = yield* feeds.connections
  const ofDatabase = { ...(yield* database.breaker), venue: null }
  const breakers = [ofDatabase, ...(yield* feeds.breakers)]
  const statuses = books.statuses()
  const tape = yield* Tape
  const pressure = (yield* MemoryPressure).reason()
  return [
    databasePart(yield* database.status),
    writerPart(yield* writer.status),
    ...catalog
      .info()
      .flatMap((info) => [
        catalogPart(info),
        feedPart(info.venue, connections),
        booksPart(info.venue, statuses.get(info.venue))
      ]),
    ...breakers.filter(({ state }) => state !== "closed").map((breaker) => breakerPart(breaker, breaker.venue)),
    driftPart((yield* DriftLog).list()),
    ...(tape.directory === null ? [] : [tapePart(yield* tape.status, yield* writer.status)]),
    ...(pressure === undefined ? [] : [memoryPart(pressure)])
  ]
})

export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"parallax", "health">,
  never,
  Books | Catalog | Feeds | Database | EventWriter | Tape
> = HttpApiBuilder.group(Api, "health", (handlers) =>
  Effect.gen(function* () {
    const loops = yield* MainLoops
    const { scrape } = yield* Metrics.make
    return handlers
      .handle("live", () =>
        Effect.flatMap(loops.stopped, (stopped) =>
          stopped.length === 0
            ? Effect.succeed({ status: "alive" as const })
            : Effect.fail({ status: "dead" as const, stopped })
        )
      )
      .handle("ready", () =>
        Effect.flatMap(parts, (parts) => {
          const status = readiness(parts)
          return status === "unready" ? Effect.fail({ status, parts }) : Effect.succeed({ status, parts })
        })
      )
      .handle("metrics", () => scrape)
  })
)
