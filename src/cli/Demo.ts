/** The collector against a simulated venue in the same process: the whole path, no keys, no internet. */
import { join } from "node:path"
import { Console, type Duration, Effect, type Layer, Option, Redacted, Ref, Schedule } from "effect"
import * as App from "../App.ts"
import { EventWriter } from "../Parallax.ts"
import type { Settings } from "../Settings.ts"
import * as SimulatedVenues from "../simulator/SimulatedVenues.ts"
import type { SimulatorError } from "../simulator/SimulatorError.ts"
import * as LiveView from "./LiveView.ts"
import * as Logging from "./Logging.ts"
import * as LogPane from "./LogPane.ts"
import * as Observer from "./Observer.ts"
import * as Screen from "./Screen.ts"
import * as Summary from "./Summary.ts"

export interface DemoOptions {
  readonly settings: Settings
  /** When to end; never, if it is not said. */
  readonly for: Option.Option<Duration.DurationInput>
  readonly seed: number
  /** Simulated markets that are open at a time. */
  readonly markets: number
  /** Operations of the simulated exchange a second. */
  readonly rate: number
}

/** Why a demo cannot run. */
export type DemoError = Layer.Layer.Error<ReturnType<typeof App.layer>> | SimulatorError

/** How often the totals are logged where there is no terminal. */
const LOG_EVERY = "5 seconds"
/** How long the end may wait for books whose first snapshot is due. */
const PATIENCE = "2 seconds"

/**
 * The settings of a demo: the simulated venues in place of the real ones, filters that take every simulated market, and
 * a directory of its own, so that simulated prices do not mix with real ones.
 */
export const settingsFor = (settings: Settings, { kalshi, polymarket }: SimulatedVenues.Endpoints): Settings => {
  const unfiltered = { categories: [], markets: [] }
  return {
    ...settings,
    data_dir: join(settings.data_dir, "demo"),
    platforms: {
      polymarket: {
        ...settings.platforms.polymarket,
        ...unfiltered,
        min_liquidity: 0,
        ...(polymarket ?? { enabled: false })
      },
      kalshi: {
        ...settings.platforms.kalshi,
        ...unfiltered,
        min_volume_24h: 0,
        private_key_path: "",
        ...(kalshi === undefined ? { enabled: false } : { ...kalshi, private_key: Redacted.make(kalshi.private_key) })
      }
    }
  }
}

/** Where a browser finds what the settings serve; nothing when the port is left to the system. */
export const urlOf = ({ host, port }: Settings["http"]): string | undefined => {
  if (port === 0) return undefined
  const local = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  return `http://${local.includes(":") ? `[${local}]` : local}:${port}`
}

const logTotals = (observer: Observer.Observer): Effect.Effect<never> =>
  Effect.flatMap(observer.observe, (observation) =>
    Effect.annotateLogs(Effect.logInfo("collecting"), { ...Summary.totals(observation) })
  ).pipe(Effect.delay(LOG_EVERY), Effect.forever)

/** What the run came to, once no book waits for its first snapshot, as far as patience goes. */
const conclude = (observer: Observer.Observer): Effect.Effect<Observer.Observation> =>
  Effect.repeat(observer.observe, {
    schedule: Schedule.spaced("50 millis"),
    until: ({ books }) => books.stale === 0
  }).pipe(Effect.interruptible, Effect.timeoutOption(PATIENCE), Effect.zipRight(observer.observe))

/**
 * Runs until the time is up or it is interrupted, and prints a summary either way, after everything is closed. On a
 * terminal there is a live view meanwhile, elsewhere the log.
 */
export const run = (options: DemoOptions): Effect.Effect<void, DemoError> =>
  Effect.gen(function* () {
    const output = yield* Screen.output
    const log = yield* LogPane.make
    const end = yield* Ref.make<Effect.Effect<void>>(Effect.void)
    const { markets, rate, seed } = options

    const session = Effect.gen(function* () {
      const observer = yield* Observer.make
      const writer = yield* EventWriter
      yield* Effect.addFinalizer(() =>
        Effect.flatMap(conclude(observer), (observation) =>
          // What was still in memory is written when the writer closes, and counts too.
          Ref.set(
            end,
            Effect.flatMap(writer.status, (writer) => Console.log(Summary.text("demo", { ...observation, writer })))
          )
        )
      )
      if (!options.settings.platforms.polymarket.enabled) {
        yield* Effect.logWarning("every simulated venue is disabled: there is nothing to collect")
      }
      yield* Effect.forkScoped(
        output.isTerminal
          ? LiveView.run({ name: "demo", url: urlOf(options.settings.http), colors: output.colors, observer, log })
          : logTotals(observer)
      )
      yield* Option.match(options.for, { onNone: () => Effect.never, onSome: Effect.sleep })
    }).pipe(Effect.scoped)

    yield* Effect.gen(function* () {
      const venues = SimulatedVenues.names.filter((name) => options.settings.platforms[name].enabled)
      const endpoints = yield* SimulatedVenues.make({ venues, markets, rate, seed })
      yield* Effect.provide(session, App.layer(settingsFor(options.settings, endpoints)))
    }).pipe(
      Effect.scoped,
      log.around,
      Effect.ensuring(Effect.flatten(Ref.get(end))),
      Effect.provide(Logging.layer(options.settings.log, output))
    )
  })
