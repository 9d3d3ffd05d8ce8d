/** A collector with everything around it: simulated venues, a database, proxies in between, and what watches over it. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Prng from "../../src/simulator/Prng.ts"
import type * as Postgres from "../support/Postgres.ts"
import * as Collector from "./Collector.ts"
import * as FaultProxy from "./FaultProxy.ts"
import * as Invariants from "./Invariants.ts"
import * as RestProxy from "./RestProxy.ts"
import * as Simulators from "./Simulators.ts"
import * as Storage from "./Storage.ts"
import * as Truth from "./Truth.ts"
import { sleep, until } from "./Waiting.ts"

export interface WorldOptions extends Partial<
  Pick<Collector.CollectorOptions, "heap" | "preload" | "prefix" | "host">
> {
  readonly venues?: ReadonlyArray<Simulators.VenueName>
  readonly markets?: number
  readonly rate?: number
  /** Keys of the configuration as their variables, without the prefix. */
  readonly settings?: Collector.CollectorOptions["settings"]
  /** Where proxies listen, and the name by which the collector reaches them, if it is another. */
  readonly proxyHost?: string
  readonly proxyName?: string
  readonly tls?: () => { readonly key: string; readonly cert: string }
  readonly env?: Readonly<Record<string, string>>
  /** Whether to wait until all books are live. */
  readonly awaitLive?: boolean
  /** What is to be in force when the collector starts. */
  readonly prepare?: (rest: World["rest"]) => void
}

/** A row of the table of what happened to the feeds. */
export interface FeedEvent {
  readonly kind: string
  readonly venue: string
  readonly instrumentId: string | null
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly to: number | null
  readonly lost: number | null
  readonly reason: string
}

export interface World {
  readonly seed: number
  readonly prng: Prng.Prng
  readonly simulators: Readonly<Record<Simulators.VenueName, Simulators.Simulator>>
  /** Between the collector and each venue's sockets. */
  readonly proxies: Readonly<Record<Simulators.VenueName, FaultProxy.FaultProxy>>
  /** Between the collector and each venue's REST. */
  readonly rest: Readonly<Record<Simulators.VenueName, RestProxy.RestProxy>>
  readonly databaseProxy: FaultProxy.FaultProxy
  readonly database: string
  readonly postgres: Postgres.Postgres
  readonly truth: Truth.Truth
  readonly invariants: Invariants.Invariants
  readonly dataDir: string
  /** The collector that runs now, or ran last. */
  readonly collector: Collector.Collector
  /** Starts a collector in place of one that has ended. */
  readonly restart: () => Promise<Collector.Collector>
  /** Waits until all books of markets that are open are live; what it took, if it came to that. */
  readonly allLive: (within: number) => Promise<number | undefined>
  /** Books that are kept of markets that are over. */
  readonly leftOver: () => Promise<ReadonlyArray<Collector.BookSummary>>
  readonly sql: <A>(use: (query: Storage.Query) => Promise<A>) => Promise<A>
  /** What was recorded of the feeds from a time on. */
  readonly events: (since: number) => Promise<ReadonlyArray<FeedEvent>>
  /** Waits until no more rows wait to be stored than a moment brings, or than told. */
  readonly stored: (within?: number, rows?: number) => Promise<number | undefined>
  /** Stops trading, waits until all is stored, and compares the database with what was said; trading goes on after. */
  readonly audit: (until?: number) => Promise<Storage.Audit>
  readonly dispose: () => Promise<void>
}

const portIn = (text: string, port: number, host: string): string => {
  const url = new URL(text)
  url.port = String(port)
  url.hostname = host
  return url.href.replace(/\/$/, "")
}

let databases = 0

export const start = async (postgres: Postgres.Postgres, seed: number, options: WorldOptions = {}): Promise<World> => {
  const { awaitLive = true, markets = 10, rate = 100, tls, venues = ["polymarket"] } = options
  const { proxyHost = "127.0.0.1", proxyName = proxyHost } = options
  const prng = Prng.make(seed, "faults")
  const dataDir = await mkdtemp(join(tmpdir(), "parallax-faults-"))
  const cleanups: Array<() => Promise<unknown>> = [() => rm(dataDir, { recursive: true, force: true })]
  const dispose = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch(() => {})
  }
  try {
    const simulators: Partial<Record<Simulators.VenueName, Simulators.Simulator>> = {}
    const proxies: Partial<Record<Simulators.VenueName, FaultProxy.FaultProxy>> = {}
    const rest: Partial<Record<Simulators.VenueName, RestProxy.RestProxy>> = {}
    const settings: Record<string, string | number | boolean> = {
      PLATFORMS_POLYMARKET_ENABLED: venues.includes("polymarket"),
      PLATFORMS_KALSHI_ENABLED: venues.includes("kalshi"),
      PLATFORMS_POLYMARKET_MIN_LIQUIDITY: 0,
      PLATFORMS_KALSHI_MIN_VOLUME_24H: 0
    }
    for (const venue of venues) {
      const simulator = await Simulators.start({ venue, seed, markets, rate })
      cleanups.push(simulator.dispose)
      const target = { host: "127.0.0.1", port: simulator.port }
      const proxy = await FaultProxy.start({ target, prng, host: proxyHost, ...(tls === undefined ? {} : { tls }) })
      cleanups.push(proxy.close)
      const restProxy = await RestProxy.start(target, proxyHost)
      cleanups.push(restProxy.close)
      simulators[venue] = simulator
      proxies[venue] = proxy
      rest[venue] = restProxy
      for (const [key, value] of Object.entries(simulator.endpoints)) {
        const name = `PLATFORMS_${venue.toUpperCase()}_${key.toUpperCase()}`
        const isSocket = key === "ws_url"
        const isUrl = key.endsWith("_url")
        const reached = isUrl ? portIn(value, isSocket ? proxy.port : restProxy.port, proxyName) : value
        settings[name] = isSocket && tls !== undefined ? reached.replace(/^ws:/, "wss:") : reached
      }
    }
    const database = `faults_${process.pid}_${++databases}`
    await postgres.createDatabase(database)
    const databaseProxy = await FaultProxy.start({ target: postgres, prng, host: proxyHost })
    cleanups.push(databaseProxy.close)
    Object.assign(settings, {
      DATABASE_DRIVER: "postgres",
      DATABASE_HOST: proxyHost,
      DATABASE_PORT: databaseProxy.port,
      DATABASE_NAME: database,
      DATABASE_USER: postgres.user,
      ...options.settings
    })
    options.prepare?.(rest as World["rest"])
    const truth = await Truth.make(Object.values(simulators))
    const launch = async () => {
      const next = await Collector.start({ ...options, settings, dataDir })
      cleanups.push(next.dispose)
      return next
    }
    let collector = await launch()
    const invariants = Invariants.make(collector, truth, prng)
    cleanups.push(invariants.stop)
    await collector.answering()
    /** The ids of all books of markets that are open. */
    const open = async (): Promise<ReadonlySet<string>> => {
      const ids = await Promise.all(
        Object.values(simulators).map(async ({ books, venue }) =>
          Object.entries((await books()).books).flatMap(([id, { status = "active" }]) =>
            status === "active" ? [`${venue}:${id}`] : []
          )
        )
      )
      return new Set(ids.flat())
    }
    const allLive = (within: number) =>
      until(async () => {
        const books = await collector.books().catch(() => [])
        const live = books.filter(({ status }) => status === "live")
        // A venue whose list has not come yet has no books at all.
        const isThere = (venue: string) => live.some(({ instrumentId }) => instrumentId.startsWith(`${venue}:`))
        if (!Object.values(simulators).every(({ venue }) => isThere(venue))) return false
        if (live.length === books.length) return true
        const wanted = await open()
        return books.every(({ instrumentId, status }) => status === "live" || !wanted.has(instrumentId))
      }, within)
    if (awaitLive) {
      const live = await allLive(45_000)
      if (live === undefined) throw new Error(`books did not become live:\n${collector.lines.slice(-10).join("\n")}`)
    }

    const sql = <A>(use: (query: Storage.Query) => Promise<A>) =>
      Storage.connected({ host: postgres.host, port: postgres.port, user: postgres.user, database }, use)
    const stored = async (within = 30_000, rows = 2_000) => {
      // What came just now is in no queue yet, or waits for company.
      await sleep(400)
      const waiting = () => collector.metric("parallax_writer_queue_rows").catch(() => undefined)
      return until(async () => ((await waiting()) ?? Number.POSITIVE_INFINITY) <= rows, within)
    }
    const trade = (on: boolean) => Promise.all(Object.values(simulators).map((simulator) => simulator.trade(on)))

    invariants.reset()
    const world: World = {
      seed,
      prng,
      simulators: simulators as World["simulators"],
      proxies: proxies as World["proxies"],
      rest: rest as World["rest"],
      databaseProxy,
      database,
      postgres,
      truth,
      invariants,
      dataDir,
      get collector() {
        return collector
      },
      restart: async () => {
        collector = await launch()
        invariants.watch(collector)
        return collector
      },
      allLive,
      leftOver: async () => {
        const wanted = await open()
        return (await collector.books()).filter(({ instrumentId }) => !wanted.has(instrumentId))
      },
      sql,
      events: (since) =>
        sql((query) =>
          query<FeedEvent>(`
            SELECT kind, f.venue, instrument_id AS "instrumentId", reason, lost::float8 AS lost,
              (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"
            FROM feed_events f LEFT JOIN outcomes USING (no)
            WHERE coalesce(to_time, from_time) >= to_timestamp(${since / 1000}) ORDER BY position`)
        ),
      stored,
      audit: async (until) => {
        await trade(false)
        await sleep(600)
        if (collector.exit() === undefined) await stored(60_000, 0)
        await truth.follow()
        const compare = () => sql((query) => Storage.audit(query, truth.items, until))
        let result = await compare()
        // On a busy machine the last of it may still be on its way.
        for (let more = 0; more < 3 && result.lost > 0 && collector.exit() === undefined; more++) {
          await sleep(1_000)
          result = await compare()
        }
        await trade(true)
        return result
      },
      dispose
    }
    return world
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Waits until a book, or any, is not live, or the feed's records say that it was not. */
export const troubled = (world: World, since: number, within: number, about?: string): Promise<number | undefined> =>
  until(async () => {
    const isAbout = (one: { readonly instrumentId: string | null }) => about === undefined || one.instrumentId === about
    const books = await world.collector.books().catch(() => [])
    if (books.some((book) => isAbout(book) && book.status !== "live")) return true
    const events = await world.events(since).catch(() => [])
    return events.some((event) => isAbout(event) && event.from >= since && TROUBLES.has(event.kind))
  }, within)

export const TROUBLES: ReadonlySet<string> = new Set(["stale", "suspect", "resyncing", "disconnected"])
