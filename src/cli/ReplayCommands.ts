/** `parallax replay` and `parallax serve-tape`: a stretch of the tape once more, into a database or for other programs. */
import { Command, Options } from "@effect/cli"
import type { FileSystem } from "@effect/platform"
import { Clock, Console, Effect, Logger, Option, Stream } from "effect"
import * as App from "../App.ts"
import { Bus, EventWriter, unrecorded } from "../Parallax.ts"
import type { Settings } from "../Settings.ts"
import * as Replay from "../tape/Replay.ts"
import { directoryIn } from "../tape/Tape.ts"
import { TapeReader } from "../tape/TapeReader.ts"
import * as Logging from "./Logging.ts"
import type { ProcessExit } from "./Process.ts"
import * as Screen from "./Screen.ts"
import * as ServeTape from "./ServeTape.ts"
import { duration, grouped, plural } from "./Summary.ts"
import { parseTime, place, refuse, timeOption } from "./TapeCommands.ts"

type Load = (config: Option.Option<string>) => Effect.Effect<Settings, ProcessExit, FileSystem.FileSystem>

const stretch = {
  from: timeOption("from", "Only from this time on: 2026-11-22T18:00:00Z, or milliseconds."),
  to: timeOption("to", "Only up to this time.")
}

const parseStretch = (from: Option.Option<string>, to: Option.Option<string>) =>
  Effect.gen(function* () {
    const begin = yield* Effect.transposeMapOption(from, (text) => parseTime("from", text))
    const end = yield* Effect.transposeMapOption(to, (text) => parseTime("to", text))
    return { from: Option.getOrElse(begin, () => 0), to: Option.getOrElse(end, () => Infinity) }
  })

const parseSpeed = (text: string, most: number): Effect.Effect<number, ProcessExit> => {
  const speed = text === "max" ? most : Number(text)
  return text === "max" || (speed > 0 && speed < Infinity)
    ? Effect.succeed(speed)
    : refuse(`--speed: max or a number above 0 is expected, not ${JSON.stringify(text)}`)
}

/** What a replay came to. */
interface Outcome {
  records: number
  events: number
  chain: string
  readonly seams: Array<Replay.Seam>
}

const runReplay = (options: Replay.ReplayOptions) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const writer = yield* EventWriter
    const outcome: Outcome = { records: 0, events: 0, chain: "", seams: [] }
    const began = yield* Clock.currentTimeMillis
    yield* Replay.replay(options, (seam) => Effect.sync(() => void outcome.seams.push(seam))).pipe(
      Stream.runForEach(({ chain, events }) => {
        outcome.records++
        outcome.events += events.length
        outcome.chain = chain()
        return bus.publish(unrecorded(events))
      })
    )
    yield* writer.flush
    const stored = Object.values((yield* writer.status).stored).reduce((sum, rows) => sum + rows, 0)
    const took = (yield* Clock.currentTimeMillis) - began
    yield* Console.log(
      [
        `replayed ${plural(outcome.records, "record")} in ${duration(took)}: ${plural(outcome.events, "event")}`,
        `stored ${plural(stored, "row")} that were not there`,
        `digest ${outcome.chain || "of nothing"}`
      ].join("\n")
    )
    const different = outcome.seams.filter(({ equal }) => !equal)
    if (different.length > 0) {
      const [{ after, run }] = different as [Replay.Seam]
      return yield* refuse(
        `${different.length} of ${outcome.seams.length} saved states differ, the first after record ${after} of run ${run}: ` +
          "this version of the program makes something else of the tape than the one that recorded it."
      )
    }
    if (outcome.seams.length > 0) yield* Console.log(`${grouped(outcome.seams.length)} saved states agree`)
  })

export const make = (load: Load) => {
  const replay = Command.make(
    "replay",
    {
      ...place,
      ...stretch,
      speed: Options.text("speed").pipe(
        Options.withDescription("How fast: 1 as it came, 2 twice as fast, max without waiting."),
        Options.withDefault("max")
      )
    },
    ({ config, dir, from, speed, to }) =>
      Effect.gen(function* () {
        const settings = yield* load(config)
        const options = { ...(yield* parseStretch(from, to)), speed: yield* parseSpeed(speed, Infinity) }
        const directory = Option.getOrElse(dir, () => directoryIn(settings.data_dir))
        yield* runReplay(options).pipe(
          Effect.provide(App.replaying(settings, directory)),
          Effect.catchTags({
            TapeError: (error) => refuse(`The tape cannot be read: ${error.message}`),
            ReplayError: (error) => refuse(`The tape cannot be repeated: ${error.message}`)
          }),
          Effect.catchIf(
            (error) => error._tag !== "ProcessExit",
            (error) => refuse(`The replay cannot run: ${error.message}`)
          ),
          Effect.provide(Logging.layer(settings.log, yield* Screen.output))
        )
      })
  ).pipe(
    Command.withDescription(
      "Run a stretch of the tape through the same code again, into the database of the settings; compares with what was saved then."
    )
  )

  const serve = Command.make(
    "serve-tape",
    {
      ...place,
      ...stretch,
      speed: Options.text("speed").pipe(
        Options.withDescription("How fast: 1 as it came, 2 twice as fast, max without waiting."),
        Options.withDefault("1")
      ),
      port: Options.integer("port").pipe(
        Options.withDescription("The port of the first venue; 0 takes any that are free."),
        Options.withDefault(0)
      )
    },
    ({ config, dir, from, port, speed, to }) =>
      Effect.gen(function* () {
        const directory = Option.isSome(dir) ? dir.value : directoryIn((yield* load(config)).data_dir)
        const options = { ...(yield* parseStretch(from, to)), speed: yield* parseSpeed(speed, 0), port }
        const endpoints = yield* Effect.provide(ServeTape.make(options), TapeReader.layer(directory))
        if (Object.keys(endpoints).length === 0) return yield* refuse("There are no frames in that stretch.")
        yield* Console.log(JSON.stringify(endpoints))
        return yield* Effect.never
      }).pipe(
        Effect.scoped,
        Effect.catchTags({
          TapeError: (error) => refuse(`The tape cannot be read: ${error.message}`),
          SimulatorError: (error) => refuse(`The tape cannot be served: ${error.message}`)
        }),
        // Standard output is for the URLs alone.
        Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logging.jsonLogger)))
      )
  ).pipe(
    Command.withDescription(
      "Serve the frames of a stretch of the tape on the venues' own protocols, and print the URLs."
    )
  )

  return [replay, serve] as const
}
