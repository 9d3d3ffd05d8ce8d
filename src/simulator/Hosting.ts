/** What a simulated venue needs around its server: options, the files that they name, and time that passes. */
import { readFile } from "node:fs/promises"
import { Effect, Schedule, type Scope } from "effect"
import type { Fault } from "./Faults.ts"
import * as FaultsFile from "./FaultsFile.ts"
import type { ScheduledFault } from "./FaultsFile.ts"
import { SimulatorError } from "./SimulatorError.ts"
import type { Address, Stats, VenueServer } from "./VenueServer.ts"

export interface HostingOptions {
  /** Decides everything that happens; another venue's simulator with the same one trades the same questions. */
  readonly seed: number
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Open markets. */
  readonly markets: number
  /** Operations of the engine a second, over all markets; most are one change of a book each. */
  readonly rate: number
  /** Milliseconds from one market's resolution, and the listing of another, to the next; 0 for none. */
  readonly turnover: number
  /** A file of frames to serve instead of the exchange, one a line. */
  readonly recording?: string | undefined
  /** How a recording is played: 1 keeps its intervals, 2 halves them, 0 sends as fast as sockets take it. */
  readonly speed: number
  /** A file of faults and when each happens. */
  readonly faults?: string | undefined
}

/** What the demo runs on. */
export const defaults: HostingOptions = {
  seed: 1,
  host: "127.0.0.1",
  port: 0,
  markets: 60,
  rate: 300,
  turnover: 20_000,
  speed: 0
}

/** How often the exchange moves on. */
const STEP = "10 millis"

/** A server that runs. */
export interface Hosted {
  readonly port: number
  readonly inject: (fault: Fault) => Effect.Effect<void>
  readonly stats: Effect.Effect<Stats>
}

/** How a client names the host and the port that the server listens on. */
export const authorityOf = ({ host, port }: Address): string => {
  if (host === "0.0.0.0" || host === "::") return `127.0.0.1:${port}`
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}

const read = (path: string, reason: "faults" | "recording"): Effect.Effect<string, SimulatorError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => new SimulatorError({ reason, where: path, detail: (cause as Error).message })
  })

/** The faults of a file, of none when there is no file. */
export const readFaults = (path: string | undefined): Effect.Effect<ReadonlyArray<ScheduledFault>, SimulatorError> =>
  Effect.gen(function* () {
    if (path === undefined) return []
    const faults = FaultsFile.parse(yield* read(path, "faults"))
    if (!("problems" in faults)) return faults
    return yield* new SimulatorError({ reason: "faults", where: path, detail: FaultsFile.format(faults.problems) })
  })

/** The frames of a file, one at least. */
export const readRecording = <Frame>(
  path: string,
  parse: (text: string) => ReadonlyArray<Frame>
): Effect.Effect<ReadonlyArray<Frame>, SimulatorError> =>
  Effect.gen(function* () {
    const frames = parse(yield* read(path, "recording"))
    if (frames.length > 0) return frames
    return yield* new SimulatorError({ reason: "recording", where: path, detail: "no frames in it" })
  })

/** Lets a server's time pass until the scope closes, with faults counted from `startedAt`; the log calls it `name`. */
export const run = (
  server: VenueServer,
  faults: ReadonlyArray<ScheduledFault>,
  startedAt: number,
  name: string
): Effect.Effect<Hosted, never, Scope.Scope> =>
  Effect.gen(function* () {
    for (const { at, fault } of faults) server.schedule(startedAt + at, fault)
    yield* Effect.sync(server.tick).pipe(
      Effect.repeat(Schedule.spaced(STEP)),
      Effect.tapErrorCause((cause) => Effect.logError(`${name} stopped`, cause)),
      Effect.forkScoped
    )
    return {
      port: server.port,
      inject: (fault) => Effect.sync(() => server.inject(fault)),
      stats: Effect.sync(server.stats)
    }
  })
