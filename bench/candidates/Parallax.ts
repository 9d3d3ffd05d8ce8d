/**
 * The product, put together as its composition root does: socket, feed, books, bus, and a listener that sees every best
 * bid and ask. With `storage` also the tape on disk and the writer of rows, into nothing or into a database.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeHttpClient } from "@effect/platform-node"
import {
  Chunk,
  Effect,
  Layer,
  Logger,
  LogLevel,
  ManagedRuntime,
  Option,
  Redacted,
  Stream,
  SubscriptionRef
} from "effect"
import { type Batch, Bus } from "../../src/bus/Bus.ts"
import { Books } from "../../src/collector/Books.ts"
import * as Deriving from "../../src/collector/Deriving.ts"
import type { VenueId } from "../../src/domain/Market.ts"
import { DriftLog } from "../../src/resilience/DriftLog.ts"
import * as EventLoopWatch from "../../src/resilience/EventLoopWatch.ts"
import { MemoryPressure } from "../../src/resilience/MemoryPressure.ts"
import { RateLimit } from "../../src/resilience/RateLimit.ts"
import * as Settings from "../../src/Settings.ts"
import { EventWriter, make as makeWriter } from "../../src/storage/EventWriter.ts"
import * as Sql from "../../src/storage/Sql.ts"
import { Tape, directoryIn } from "../../src/tape/Tape.ts"
import { Deriver } from "../../src/tape/Deriver.ts"
import { TapeReader } from "../../src/tape/TapeReader.ts"
import type { MakeProtocol } from "../../src/venues/Venue.ts"
import * as Venues from "../../src/venues/Venues.ts"
import { instrumentsOf } from "../workload/Listing.ts"
import { digestOf } from "../workload/Traffic.ts"
import { type Session, type Setting, run } from "./Candidate.ts"
import { nothing } from "./NullStore.ts"
import * as LoopDelay from "./LoopDelay.ts"
import * as Sockets from "./Sockets.ts"

/** What the others are given: one connection for all tokens, where the product would take several. */
const PER_CONNECTION = 500

type Storage = "none" | "rows" | "postgres" | "embedded"

interface Extra {
  readonly storage: Storage
  /** Milliseconds that the subscriber takes over each change. */
  readonly delay: number
  /** Bytes of a frame on the wire, about; to tell how much waits. */
  readonly frameBytes: number
  readonly perConnection: number
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
}

const extraOf = ({ options }: Setting): Extra => ({
  storage: "none",
  delay: 0,
  frameBytes: 0,
  perConnection: PER_CONNECTION,
  host: "127.0.0.1",
  port: 5432,
  user: "postgres",
  database: "postgres",
  ...options.extra
})

const settingsOf = (setting: Setting, extra: Extra, dataDir: string): Settings.Settings => {
  const { defaults } = Settings
  const origin = setting.url.replace(/^ws/, "http").replace("/ws/market", "")
  return {
    ...defaults,
    data_dir: dataDir,
    tape: { ...defaults.tape, enabled: extra.storage !== "none" },
    database: {
      ...defaults.database,
      driver: extra.storage === "postgres" ? "postgres" : "embedded",
      host: extra.host,
      port: extra.port,
      user: extra.user,
      name: extra.database,
      password: Redacted.make("")
    },
    platforms: {
      ...defaults.platforms,
      polymarket: {
        ...defaults.platforms.polymarket,
        clob_url: origin,
        gamma_url: `${origin}/gamma`,
        ws_url: setting.url,
        max_assets_per_connection: extra.perConnection
      },
      kalshi: { ...defaults.platforms.kalshi, enabled: false }
    }
  }
}

/** Tape and writer, as far as they are wanted. */
const storageOf = (settings: Settings.Settings, storage: Storage) => {
  const taped = Layer.merge(TapeReader.layer(directoryIn(settings.data_dir)), Deriving.layer(Venues.protocols))
  const rows = Layer.scoped(
    EventWriter,
    Effect.gen(function* () {
      const recording = { tape: yield* Tape, reader: yield* TapeReader, deriver: yield* Deriver }
      return EventWriter.of(yield* makeWriter(settings.database, nothing, recording))
    })
  )
  const writer =
    storage === "none"
      ? Layer.empty
      : storage === "rows"
        ? rows
        : EventWriter.layerTaped(settings.database).pipe(Layer.provide(Sql.layer(settings.database, settings.data_dir)))
  return writer.pipe(
    Layer.provide(taped),
    Layer.provideMerge(Bus.layer),
    Layer.provideMerge(Tape.layer(settings.tape, settings.data_dir))
  )
}

/** How often it is looked what waits. */
const LOOK_MILLIS = 5

const connect = async (setting: Setting): Promise<Session> => {
  const loop = LoopDelay.watch()
  const begin = { loopP99: 0, loopMax: 0, readyMillis: 0 }
  const extra = extraOf(setting)
  if (extra.delay > 0) Sockets.watch()
  const { applied, options } = setting
  const timed = options.timed > 0
  const dataDir = mkdtempSync(join(tmpdir(), "parallax-bench-"))
  process.on("exit", () => rmSync(dataDir, { recursive: true, force: true }))
  const settings = settingsOf(setting, extra, dataDir)
  let updates = 0
  let bests = 0
  let lastBest = 0
  const backlog = { bytes: 0, pauses: 0, resident: 0 }
  let disconnects = 0
  let why = ""

  const collecting = Layer.unwrapScoped(
    Effect.map(Venues.make(settings.platforms), (watches) => {
      const [{ venue }] = watches as [(typeof watches)[number]]
      const protocols: ReadonlyMap<VenueId, MakeProtocol> = new Map([[venue.id, venue.protocol]])
      const reading = Layer.scopedDiscard(
        Effect.gen(function* () {
          const books = yield* Books
          const bus = yield* Bus
          const desired = yield* SubscriptionRef.make(instrumentsOf(options.listing))
          const see = ({ events }: Batch): void => {
            for (const event of events) {
              if (event._tag === "BookChange") {
                updates++
                if (timed) applied(event.venueTime)
              } else if (event._tag === "BestChanged") {
                bests++
                lastBest = event.bid
              } else if (event._tag === "Disconnected") {
                disconnects++
                why = event.reason
              }
            }
          }
          if (extra.delay === 0) yield* bus.listen("the benchmark", see)
          else {
            yield* Stream.runForEach(yield* bus.subscribe, (batch) => {
              const before = updates
              see(batch)
              return Effect.sleep(extra.delay * (updates - before))
            }).pipe(Effect.forkScoped)
          }
          yield* Stream.runForEachChunk(venue.feed.inputs(desired), (inputs) =>
            books.receive(Chunk.toReadonlyArray(inputs))
          ).pipe(Effect.forkScoped)
        })
      )
      return reading.pipe(Layer.provideMerge(Books.layer(protocols)))
    })
  ).pipe(
    Layer.provideMerge(storageOf(settings, extra.storage)),
    Layer.provide([RateLimit.layer, NodeHttpClient.layerUndici, MemoryPressure.layer]),
    Layer.provideMerge(Layer.merge(EventLoopWatch.layer, DriftLog.layer)),
    Layer.provide(Logger.minimumLogLevel(LogLevel.Warning))
  )
  const runtime = ManagedRuntime.make(collecting)
  const { books, tape, writer } = await runtime.runPromise(
    Effect.gen(function* () {
      return { books: yield* Books, tape: yield* Tape, writer: yield* Effect.serviceOption(EventWriter) }
    })
  )
  const settle = () =>
    runtime.runPromise(
      Effect.zipRight(tape.flush, Option.match(writer, { onNone: () => Effect.void, onSome: ({ flush }) => flush }))
    )
  if (extra.delay > 0) {
    // What was read and that the subscriber has not seen; the dump was read before.
    let base = 0
    let resident = 0
    setInterval(() => {
      if (updates === 0) {
        base = Sockets.bytesRead()
        resident = process.memoryUsage.rss()
        return
      }
      backlog.bytes = Math.max(backlog.bytes, Sockets.bytesRead() - base - updates * extra.frameBytes)
      backlog.resident = Math.max(backlog.resident, process.memoryUsage.rss() - resident)
      if (Sockets.isPaused()) backlog.pauses++
    }, LOOK_MILLIS).unref()
  }
  const live = () => [...books.statuses().values()].reduce((sum, { live }) => sum + live, 0)
  return {
    updates: () => updates,
    ready: live,
    onReady: () => {
      Object.assign(begin, loop(), { readyMillis: performance.now() })
    },
    books: () =>
      new Map(
        Array.from(books.ids(), (id) => {
          const { asks = [], bids = [] } = books.view(id) ?? {}
          const side = (levels: typeof bids) => levels.map(({ price, size }) => [price / 1e6, size / 1e6] as const)
          return [id.slice(id.indexOf(":") + 1), digestOf(side(bids), side(asks))]
        })
      ),
    ...(extra.storage === "none" ? {} : { settle }),
    facts: async () => {
      const { mismatches, unverifiable, verified } = books.counters
      const status = Option.isNone(writer) ? undefined : await runtime.runPromise(writer.value.status)
      const stored = Object.values(status?.stored ?? {}).reduce((sum, rows) => sum + rows, 0)
      return {
        bests,
        lastBest,
        mismatches,
        unverifiable,
        verified,
        live: live(),
        stored,
        lost: status?.lost ?? 0,
        backlogBytes: backlog.bytes,
        backlogPauses: backlog.pauses,
        backlogResident: backlog.resident,
        disconnects,
        why,
        ...begin
      }
    },
    close: () => runtime.dispose()
  }
}

await run(connect)
