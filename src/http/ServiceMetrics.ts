/** What the services say of themselves when the metrics are read. */
import { Clock, Effect, Metric, Queue } from "effect"
import { Books } from "../collector/Books.ts"
import { Catalog } from "../collector/Catalog.ts"
import { Feeds } from "../collector/Feeds.ts"
import { DriftLog } from "../resilience/DriftLog.ts"
import { Database } from "../storage/Database.ts"
import type { Tape } from "../tape/Tape.ts"
import { EventWriter } from "../storage/EventWriter.ts"
import type { ConnectionInfo, ConnectionState } from "../venues/Venue.ts"
import type { MetricFamily, Sample } from "./MetricFamily.ts"

export type Services = Books | Catalog | Feeds | Database | EventWriter | Tape

const sample = (value: number, labels: Sample["labels"] = {}): Sample => ({ labels, value })

const gauge = (name: string, help: string, values: ReadonlyArray<Sample>): MetricFamily => ({
  name,
  help,
  type: "gauge",
  values
})
const counter = (name: string, help: string, values: ReadonlyArray<Sample>): MetricFamily => ({
  name,
  help,
  type: "counter",
  values
})

/** Sums over the connections of each venue, by one more label. */
const summed = (
  connections: ReadonlyArray<ConnectionInfo>,
  label: string,
  counts: (connection: ConnectionInfo) => Readonly<Record<string, number>>
): ReadonlyArray<Sample> => {
  const byVenue = new Map<string, Map<string, number>>()
  for (const connection of connections) {
    const sums = byVenue.get(connection.venue) ?? new Map<string, number>()
    byVenue.set(connection.venue, sums)
    for (const [key, count] of Object.entries(counts(connection))) sums.set(key, (sums.get(key) ?? 0) + count)
  }
  return [...byVenue].flatMap(([venue, sums]) => [...sums].map(([key, sum]) => sample(sum, { venue, [label]: key })))
}

const connectionStates: ReadonlyArray<ConnectionState> = ["connecting", "connected", "waiting", "halted", "closed"]

const ofConnections = (connections: ReadonlyArray<ConnectionInfo>, now: number): ReadonlyArray<MetricFamily> => {
  const venues = [...new Set(connections.map(({ venue }) => venue))]
  const total = (count: (connection: ConnectionInfo) => number) =>
    venues.map((venue) => {
      const own = connections.filter((connection) => connection.venue === venue)
      return sample(
        own.reduce((sum, connection) => sum + count(connection), 0),
        { venue }
      )
    })
  return [
    gauge(
      "parallax_connections",
      "Connections, by state",
      connectionStates.flatMap((state) =>
        total((connection) => (connection.state === state ? 1 : 0)).map(({ labels, value }) =>
          sample(value, { ...labels, state })
        )
      )
    ),
    gauge(
      "parallax_connection_up",
      "1 while the connection is up",
      connections.map(({ slot, state, venue }) => sample(state === "connected" ? 1 : 0, { venue, slot }))
    ),
    gauge(
      "parallax_connection_attempts",
      "Attempts since the connection last carried data",
      connections.map(({ attempts, slot, venue }) => sample(attempts, { venue, slot }))
    ),
    gauge(
      "parallax_connection_data_age_seconds",
      "How long ago the connection last carried data",
      connections.flatMap(({ lastDataTime, slot, venue }) =>
        lastDataTime === null ? [] : [sample(Math.max(0, now - lastDataTime) / 1000, { venue, slot })]
      )
    ),
    gauge(
      "parallax_subscribed_books",
      "Books that the connections carry",
      total(({ subscribed }) => subscribed)
    ),
    counter(
      "parallax_frames_total",
      "Frames received",
      total(({ frames }) => frames)
    ),
    counter(
      "parallax_received_bytes_total",
      "Bytes received in frames",
      total(({ bytes }) => bytes)
    ),
    counter(
      "parallax_messages_total",
      "Messages processed, by type",
      summed(connections, "type", ({ messages }) => messages)
    ),
    counter(
      "parallax_feed_errors_total",
      "What went wrong on connections, by kind",
      summed(connections, "kind", ({ errors }) => errors)
    )
  ]
}

/** Everything as it is now. */
export const families: Effect.Effect<ReadonlyArray<MetricFamily>, never, Services> = Effect.gen(function* () {
  const books = yield* Books
  const catalogs = (yield* Catalog).info()
  const connections = yield* (yield* Feeds).connections
  const database = yield* (yield* Database).status
  const writer = yield* (yield* EventWriter).status
  // A size below zero counts those who wait for something to come.
  const resyncs = Math.max(0, yield* Queue.size(books.resyncRequests))
  const fibers = yield* Metric.value(Metric.fiberActive)
  const drift = (yield* DriftLog).list()
  const now = yield* Clock.currentTimeMillis
  const { checkedByDigest, checkedByQuotes, checkedLater, mismatches, unchecked, unverifiable, verified, ...applied } =
    books.counters
  return [
    ...ofConnections(connections, now),
    gauge(
      "parallax_books",
      "Books, by how far they can be trusted",
      [...books.statuses()].flatMap(([venue, counts]) =>
        Object.entries(counts).map(([status, count]) => sample(count, { venue, status }))
      )
    ),
    counter("parallax_book_checks_total", "Books compared with what the venue says of them, by outcome", [
      sample(verified, { outcome: "verified" }),
      sample(mismatches, { outcome: "mismatch" }),
      sample(unverifiable, { outcome: "unverifiable" })
    ]),
    counter("parallax_book_changes_checked_total", "Changes of books, by how the book was compared after each", [
      sample(checkedByDigest, { by: "digest" }),
      sample(checkedLater, { by: "later_digest" }),
      sample(checkedByQuotes, { by: "quotes" }),
      sample(unchecked, { by: "nothing" })
    ]),
    counter(
      "parallax_book_events_total",
      "Events that reached the books, by what became of them",
      Object.entries(applied).map(([kind, count]) => sample(count, { kind }))
    ),
    counter(
      "parallax_drift_total",
      "Deviations of messages from what is known of them, in those that were compared",
      drift.map(({ channel, count, kind, path, venue }) => sample(count, { venue, channel, path, kind }))
    ),
    gauge("parallax_fibers", "Fibers that are alive", [sample(Number(fibers.count))]),
    gauge("parallax_resync_queue", "Books that wait for a fresh snapshot", [sample(resyncs)]),
    gauge(
      "parallax_markets",
      "Markets known",
      catalogs.map(({ markets, venue }) => sample(markets, { venue }))
    ),
    counter(
      "parallax_catalog_rejected_total",
      "Markets in the venue's list that could not be read",
      catalogs.map(({ rejected, venue }) => sample(rejected, { venue }))
    ),
    gauge(
      "parallax_catalog_age_seconds",
      "How long ago the market list was last fetched",
      catalogs.flatMap(({ lastRefresh, venue }) =>
        lastRefresh === null ? [] : [sample(Math.max(0, now - lastRefresh) / 1000, { venue })]
      )
    ),
    gauge("parallax_database_up", "1 while the database answers", [sample(database.state === "up" ? 1 : 0)]),
    gauge("parallax_writer_queue_rows", "Rows in memory that are not known to be stored", [sample(writer.buffered)]),
    gauge("parallax_writer_queue_batches", "How many batches they make", [sample(writer.batches)]),
    gauge(
      "parallax_writer_last_flush_seconds",
      "How long the last batch took to store",
      writer.lastFlush === null ? [] : [sample(writer.lastFlush.milliseconds / 1000)]
    )
  ]
})
