/** The commands: `parallax start | demo | simulate | repl | tape | replay | serve-tape`. */
import { Command, HelpDoc, Options, ValidationError } from "@effect/cli"
import type { NodeContext } from "@effect/platform-node"
import { Console, Effect, Layer, Logger, Option } from "effect"
import packageJson from "../../package.json" with { type: "json" }
import * as App from "../App.ts"
import * as Repl from "../repl/Repl.ts"
import * as Settings from "../Settings.ts"
import * as SimulatedVenues from "../simulator/SimulatedVenues.ts"
import * as Simulator from "../simulator/Simulator.ts"
import * as Demo from "./Demo.ts"
import * as Logging from "./Logging.ts"
import { ProcessExit } from "./Process.ts"
import * as ReplayCommands from "./ReplayCommands.ts"
import * as Screen from "./Screen.ts"
import * as TapeCommands from "./TapeCommands.ts"

const configFile = Options.text("config").pipe(
  Options.withPseudoName("FILE"),
  Options.withDescription("A YAML file of settings; without one PARALLAX_CONFIG names it, or the defaults serve."),
  Options.optional
)

const seed = Options.integer("seed").pipe(
  Options.withDescription("The same seed gives the same markets and the same trading."),
  Options.withDefault(Simulator.defaults.seed)
)

const markets = Options.integer("markets").pipe(
  Options.withDescription("How many simulated markets are open; each has two books."),
  Options.withDefault(Simulator.defaults.markets)
)

const rate = Options.integer("rate").pipe(
  Options.withDescription("How many operations the simulated exchange makes in a second, over all markets."),
  Options.withDefault(Simulator.defaults.rate)
)

/** Says on stderr why the program ends, and ends it. */
const refuse = (text: string, code: 1 | 2) => Effect.zipRight(Console.error(text), new ProcessExit({ code }))

const commands = (env: Settings.Environment) => {
  const settings = (file: Option.Option<string>) =>
    Effect.catchAll(Settings.load({ file: Option.getOrUndefined(file), env }), (error) =>
      refuse(Settings.render(error), 2)
    )

  const start = Command.make("start", { config: configFile }, ({ config }) =>
    Effect.gen(function* () {
      const loaded = yield* Effect.flatMap(settings(config), (given) =>
        Effect.catchAll(Settings.checkKey(given), (error) => refuse(Settings.render(error), 2))
      )
      return yield* Layer.launch(App.layer(loaded)).pipe(
        Effect.catchAll((error) => refuse(`Parallax cannot start: ${error.message}`, 1)),
        Effect.provide(Logging.layer(loaded.log, yield* Screen.output))
      )
    })
  ).pipe(Command.withDescription("Collect from the real venues until stopped."))

  const demo = Command.make(
    "demo",
    {
      config: configFile,
      duration: Options.text("for").pipe(
        Options.withPseudoName("DURATION"),
        Options.withDescription("End by itself after this long, as 20s or 10m, with a summary."),
        Options.optional
      ),
      seed,
      markets,
      rate
    },
    ({ config, duration, markets, rate, seed }) =>
      Effect.gen(function* () {
        const loaded = yield* settings(config)
        const limit = yield* Effect.transposeMapOption(duration, parseDuration)
        yield* Demo.run({ settings: loaded, for: limit, seed, markets, rate }).pipe(
          Effect.catchAll((error) => refuse(`The demo cannot run: ${error.message}`, 1))
        )
      })
  ).pipe(Command.withDescription("Collect from simulated venues on this machine: no keys, no internet."))

  const simulate = Command.make(
    "simulate",
    {
      seed,
      markets,
      rate,
      host: Options.text("host").pipe(
        Options.withDescription("The address to listen on."),
        Options.withDefault(Simulator.defaults.host)
      ),
      port: Options.integer("port").pipe(
        Options.withDescription("The port to listen on; 0 takes any that is free."),
        Options.withDefault(Simulator.defaults.port)
      ),
      venue: Options.choice("venue", SimulatedVenues.names).pipe(
        Options.withDescription("Simulate this venue alone; without it all of them, on ports that follow each other."),
        Options.optional
      ),
      recording: Options.text("recording").pipe(
        Options.withPseudoName("FILE"),
        Options.withDescription("Serve these recorded frames, one a line, instead of the exchange."),
        Options.optional
      ),
      speed: Options.float("speed").pipe(
        Options.withDescription("How fast to play a recording: 1 as it came, 2 twice as fast, 0 at once."),
        Options.withDefault(Simulator.defaults.speed)
      ),
      faults: Options.text("faults").pipe(
        Options.withPseudoName("FILE"),
        Options.withDescription("Faults to inject, each with its time."),
        Options.optional
      )
    },
    ({ faults, recording, venue, ...options }) =>
      Effect.gen(function* () {
        const endpoints = yield* SimulatedVenues.make({
          ...options,
          // A recording is of one venue.
          venues: Option.match(venue, {
            onNone: () => (Option.isSome(recording) ? ["polymarket"] : SimulatedVenues.names),
            onSome: (name) => [name]
          }),
          recording: Option.getOrUndefined(recording),
          faults: Option.getOrUndefined(faults)
        })
        yield* Console.log(JSON.stringify(endpoints))
        return yield* Effect.never
      }).pipe(
        Effect.scoped,
        Effect.catchAll((error) => refuse(`The simulator cannot run: ${error.message}`, 1)),
        // Standard output is for the URLs alone.
        Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logging.jsonLogger)))
      )
  ).pipe(Command.withDescription("Run the simulated venues alone and print the URLs to configure, as JSON."))

  const repl = Command.make(
    "repl",
    {
      config: configFile,
      simulator: Options.boolean("simulator").pipe(
        Options.withDescription("Start a simulated venue too, and use it instead of the real ones.")
      )
    },
    ({ config, simulator }) =>
      Effect.gen(function* () {
        const loaded = yield* settings(config)
        yield* Effect.catchAll(Repl.run({ settings: loaded, simulator }), (error) =>
          refuse(`The REPL cannot run: ${error.message}`, 1)
        )
      })
  ).pipe(Command.withDescription("A JavaScript prompt with the venues, the runtime and the domain in scope."))

  const tape = TapeCommands.make((config) => Effect.map(settings(config), ({ data_dir }) => data_dir))

  return Command.make("parallax").pipe(
    Command.withDescription(
      "Collects the order books, trades and markets of prediction markets, and says how sure it is of them."
    ),
    Command.withSubcommands([start, demo, simulate, repl, tape, ...ReplayCommands.make(settings)])
  )
}

/** `20s`, `10m`, `1h` or a number of seconds. */
const parseDuration = (text: string) => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim())
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? "s"] ?? 0
  return match === null || Number(match[1]) === 0
    ? refuse(`--for: a duration like 20s or 10m is expected, not ${JSON.stringify(text)}`, 1)
    : Effect.succeed(Number(match[1]) * unit)
}

/** Runs the command that the arguments name. */
export const run = (
  argv: ReadonlyArray<string>,
  env: Settings.Environment
): Effect.Effect<void, ProcessExit, NodeContext.NodeContext> =>
  Command.run(commands(env), { name: "Parallax", version: packageJson.version })(argv).pipe(
    Effect.catchAll((error) =>
      error instanceof ProcessExit
        ? error
        : ValidationError.isValidationError(error)
          ? // The text is on the screen already: the library prints what it refuses.
            new ProcessExit({ code: 1 })
          : refuse(HelpDoc.toAnsiText(HelpDoc.p(String(error))), 1)
    )
  )
