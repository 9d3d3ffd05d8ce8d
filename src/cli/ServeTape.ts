/** The frames of a stretch of the tape on the venues' own protocols, for programs that speak them. */
import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope, Stream } from "effect"
import { type Frames, timeOf } from "../domain/Input.ts"
import * as Retold from "../simulator/Retold.ts"
import * as SimulatedVenues from "../simulator/SimulatedVenues.ts"
import type { SimulatorError } from "../simulator/SimulatorError.ts"
import { TapeError, TapeReader } from "../tape/TapeReader.ts"

export interface ServeOptions {
  /** In milliseconds since the epoch, ends included. */
  readonly from: number
  readonly to: number
  /** 1 keeps the intervals, 2 halves them, 0 sends as fast as it is read. */
  readonly speed: number
  readonly port: number
}

const attempt = <A>(work: () => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => new TapeError({ reason: "io", where: tmpdir(), detail: String(cause), cause })
  })

const folder = Effect.acquireRelease(
  attempt(() => mkdtemp(join(tmpdir(), "parallax-tape-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const everything = Effect.map(TapeReader, ({ records, runs }) =>
  Stream.unwrap(Effect.map(runs, (all) => Stream.fromIterable(all))).pipe(
    Stream.flatMap(({ run, segments }) => records(run, segments[0]?.after ?? 0)),
    Stream.map(({ input }) => input)
  )
)

/**
 * The connections whose frames belong to the stretch: those that were open at its beginning, whole, since their books
 * began before it, and those that opened within.
 */
const connectionsOf = ({ from, to }: ServeOptions) =>
  Effect.gen(function* () {
    const open = new Map<string, string>()
    const within = new Set<string>()
    yield* Stream.runForEach(yield* everything, (input) =>
      Effect.sync(() => {
        if (input._tag !== "Opened") return
        if (timeOf(input) <= from) open.set(input.slot, input.connection)
        else if (timeOf(input) <= to) within.add(input.connection)
      })
    )
    return new Set([...open.values(), ...within])
  })

const retellings: Record<SimulatedVenues.Name, () => Retold.Retelling> = {
  polymarket: Retold.polymarket,
  kalshi: Retold.kalshi
}

/** Writes the lines of each venue to a file; gives the venues that have any. */
const record = (directory: string, options: ServeOptions) =>
  Effect.gen(function* () {
    const connections = yield* connectionsOf(options)
    const files = new Map<string, (input: Frames) => Effect.Effect<void, TapeError>>()
    const found: Array<SimulatedVenues.Name> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        for (const venue of SimulatedVenues.names) {
          const file = yield* Effect.acquireRelease(
            attempt(() => open(join(directory, venue), "w")),
            (handle) => Effect.promise(() => handle.close())
          )
          const retell = retellings[venue]()
          files.set(venue, (input) => {
            const lines = retell(input)
            if (lines.length === 0) return Effect.void
            if (!found.includes(venue)) found.push(venue)
            return Effect.asVoid(attempt(() => file.appendFile(`${lines.join("\n")}\n`)))
          })
        }
        yield* Stream.runForEach(yield* everything, (input) =>
          input._tag === "Frames" && input.receivedTime <= options.to && connections.has(input.connection)
            ? (files.get(input.venue)?.(input) ?? Effect.void)
            : Effect.void
        )
      })
    )
    return found
  })

/** Serves until the scope closes; gives the URLs to configure. The frames of the stretch are kept in memory. */
export const make = (
  options: ServeOptions
): Effect.Effect<SimulatedVenues.Endpoints, TapeError | SimulatorError, TapeReader | Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* folder
    const found = yield* record(directory, options)
    const { port, speed } = options
    const served = yield* Effect.forEach(found, (venue, i) =>
      SimulatedVenues.make({
        venues: [venue],
        recording: join(directory, venue),
        recordedYesPrice: true,
        speed,
        port: port === 0 ? 0 : port + i
      })
    )
    return Object.assign({}, ...served) as SimulatedVenues.Endpoints
  })
