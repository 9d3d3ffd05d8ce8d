/** The composition root: every Layer is wired here and nowhere else. */
import { NodeHttpClient } from "@effect/platform-node"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Layer } from "effect"
import { Bus } from "./bus/Bus.ts"
import { stage } from "./cli/Shutdown.ts"
import { Books } from "./collector/Books.ts"
import { Catalog } from "./collector/Catalog.ts"
import * as Collector from "./collector/Collector.ts"
import * as Deriving from "./collector/Deriving.ts"
import type { Feeds } from "./collector/Feeds.ts"
import * as Probe from "./collector/Probe.ts"
import * as Resync from "./collector/Resync.ts"
import * as Unreachable from "./collector/Unreachable.ts"
import * as Http from "./http/Http.ts"
import type { ListenError } from "./http/Listener.ts"
import { DriftLog } from "./resilience/DriftLog.ts"
import * as EventLoopWatch from "./resilience/EventLoopWatch.ts"
import { MemoryPressure } from "./resilience/MemoryPressure.ts"
import { RateLimit } from "./resilience/RateLimit.ts"
import type { Settings } from "./Settings.ts"
import type { Database } from "./storage/Database.ts"
import type { DirectoryLocked, DirectoryUnusable } from "./resilience/DirectoryLock.ts"
import { EventWriter } from "./storage/EventWriter.ts"
import type { MarketStore } from "./storage/MarketStore.ts"
import * as Retention from "./storage/Retention.ts"
import * as Sql from "./storage/Sql.ts"
import * as SqlMarketStore from "./storage/SqlMarketStore.ts"
import type { Deriver } from "./tape/Deriver.ts"
import { Tape, type TapeStartError, directoryIn } from "./tape/Tape.ts"
import { TapeReader } from "./tape/TapeReader.ts"
import * as Venues from "./venues/Venues.ts"

/** What runs in a collector, for whoever looks at it: HTTP, the live view, a REPL. */
export type Services =
  Books | Bus | Catalog | Database | DriftLog | EventWriter | Feeds | MarketStore | SqlClient | Tape

export type StartError = SqlError | DirectoryLocked | DirectoryUnusable | TapeStartError

/** What lies on the tape of these settings. */
const tapeReader = (settings: Settings) => TapeReader.layer(directoryIn(settings.data_dir))

/**
 * Collects from the venues that the settings enable. Built from the inside out and closed from the outside in: sockets
 * first, then what they brought is written, then the database.
 */
export const collector = (settings: Settings): Layer.Layer<Services, StartError> =>
  Layer.unwrapScoped(
    Effect.map(Venues.make(settings.platforms), (watches) => {
      const venues = watches.map(({ venue }) => venue)
      const byId = new Map(venues.map((venue) => [venue.id, venue]))
      const protocols = new Map(venues.map(({ id, protocol }) => [id, protocol]))
      const storage = Layer.provideMerge(SqlMarketStore.layer, Sql.layer(settings.database, settings.data_dir))
      return Collector.layer(venues).pipe(
        stage("sockets"),
        Layer.provideMerge(Resync.layer(byId)),
        Layer.provideMerge(Probe.layer(byId)),
        Layer.provideMerge(Catalog.layer(watches)),
        Layer.provideMerge(Books.layer(protocols)),
        Layer.provideMerge(stage("storage writer")(EventWriter.layerTaped(settings.database))),
        Layer.provide(Layer.merge(tapeReader(settings), Deriving.layer(Venues.protocols))),
        Layer.provideMerge(Bus.layer),
        Layer.provideMerge(Retention.layer(settings.database)),
        Layer.provideMerge(stage("tape")(Tape.layer(settings.tape, settings.data_dir))),
        Layer.provideMerge(stage("database")(storage))
      )
    })
  ).pipe(
    Layer.provide([RateLimit.layer, NodeHttpClient.layerUndici, MemoryPressure.layer]),
    Layer.provideMerge(Layer.merge(EventLoopWatch.layer, DriftLog.layer))
  )

/** What a replay of this tape runs on: the database of the settings, the writer and the bus, and no venue. */
export const replaying = (
  settings: Settings,
  tape: string
): Layer.Layer<Bus | EventWriter | TapeReader | Deriver, StartError> =>
  EventWriter.layer(settings.database).pipe(
    Layer.provideMerge(Bus.layer),
    Layer.provide(Tape.layerNone),
    Layer.provideMerge(Layer.merge(TapeReader.layer(tape), Deriving.layer(Venues.protocols))),
    Layer.provide(Sql.layer(settings.database, settings.data_dir))
  )

/** The collector with its HTTP interface: the whole program. */
export const layer = (settings: Settings): Layer.Layer<Services, StartError | ListenError> =>
  Layer.mergeAll(Layer.discard(stage("http server")(Http.layer(settings.http))), Unreachable.layer).pipe(
    Layer.provideMerge(collector(settings))
  )
