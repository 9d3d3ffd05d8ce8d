/** A JavaScript prompt with the venues, the runtime and the domain in scope. */
import * as NodeRepl from "node:repl"
import { inspect } from "node:util"
import { NodeHttpClient } from "@effect/platform-node"
import { Config, Effect, Layer, Logger, LogLevel, Option, Redacted, Runtime, type Scope } from "effect"
import { RateLimit } from "../Parallax.ts"
import type { Settings } from "../Settings.ts"
import * as SimulatedVenues from "../simulator/SimulatedVenues.ts"
import type { SimulatorError } from "../simulator/SimulatorError.ts"
import * as Script from "./Script.ts"
import * as Tools from "./Tools.ts"

export interface ReplOptions {
  readonly settings: Settings
  /** Starts a simulated venue, and talks to that one instead of the one that the settings name. */
  readonly simulator: boolean
}

/** Answers are for stdout, so that they can be piped on; what is worth a warning goes to stderr. */
const logging = Layer.merge(
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)),
  Logger.minimumLogLevel(LogLevel.Warning)
)

const simulated = (settings: Settings): Effect.Effect<Settings, SimulatorError, Scope.Scope> =>
  Effect.map(SimulatedVenues.make({ venues: SimulatedVenues.names }), ({ kalshi, polymarket }) => ({
    ...settings,
    platforms: {
      polymarket: { ...settings.platforms.polymarket, ...polymarket },
      kalshi: {
        ...settings.platforms.kalshi,
        ...kalshi,
        private_key_path: "",
        private_key: Redacted.make(kalshi?.private_key ?? "")
      }
    }
  }))

/** Each of these is shown to work by a test. */
export const examples: ReadonlyArray<readonly [string, string]> = [
  [`(await take(markets("polymarket"), 5)).map((market) => market.slug)`, "the busiest markets"],
  [`await take(feed("polymarket"), 4)`, "what happens in the first of them"],
  [
    `await run(feed("polymarket").pipe(Stream.take(20), Stream.runForEach((event) => Console.log(event._tag))))`,
    "as it happens"
  ]
]

const greeting = ({ platforms }: Settings): string =>
  [
    `Parallax, with ${platforms.polymarket.enabled ? `polymarket at ${platforms.polymarket.ws_url}` : "no venue enabled"}`,
    "",
    "Three things to type:",
    ...examples.flatMap(([code, what]) => [`  ${code}`, `      ${what}`]),
    "",
    "In scope: run, take, markets, feed, venues, settings; Effect, Stream, Schedule, …; Money, OrderBook, Polymarket, …",
    "Ctrl-C stops what runs, .exit or Ctrl-D ends.",
    ""
  ].join("\n")

const colors = Config.string("NO_COLOR").pipe(
  Config.option,
  Effect.map((value) => Boolean(process.stdout.isTTY) && Option.getOrElse(value, () => "") === ""),
  Effect.orDie
)

/** A prompt on a terminal; without one, answers to the lines of stdin and no word more. */
const open = (tools: Tools.Tools, settings: Settings): Effect.Effect<NodeRepl.REPLServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Undefined where they are none, whatever their type says.
    const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY)
    const useColors = yield* colors
    const runtime = yield* Effect.runtime()
    const start = () => {
      const script = terminal ? undefined : Script.make(process.stdin)
      if (terminal) process.stdout.write(greeting(settings))
      const server = NodeRepl.start({
        input: script?.input ?? process.stdin,
        output: process.stdout,
        prompt: terminal ? "parallax> " : "",
        terminal,
        useColors,
        // Events whole, of deep books the top.
        writer: (value: unknown) => inspect(value, { colors: useColors, depth: 4, maxArrayLength: 10 }),
        // Values of the prompt are to be of the same kind as those of the program.
        useGlobal: true,
        // Without it a Ctrl-C during an await waits for the end of the await. Elsewhere signals are the program's.
        breakEvalOnSigint: terminal,
        preview: false,
        ignoreUndefined: !terminal
      })
      Object.assign(server.context, tools.scope)
      script?.begin(server)
      server.on("SIGINT", () => Runtime.runFork(runtime)(tools.stop))
      return server
    }
    return yield* Effect.acquireRelease(Effect.sync(start), (server) => Effect.sync(() => server.close()))
  })

/** Ends when the input does, or with `.exit`; what still runs is then interrupted. */
export const run = ({ settings, simulator }: ReplOptions): Effect.Effect<void, SimulatorError> =>
  Effect.gen(function* () {
    const used = simulator ? yield* simulated(settings) : settings
    const server = yield* open(yield* Tools.make(used), used)
    yield* Effect.async<void>((resume) => {
      server.once("exit", () => resume(Effect.void))
    })
  }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(NodeHttpClient.layerUndici, RateLimit.layer, logging)))
