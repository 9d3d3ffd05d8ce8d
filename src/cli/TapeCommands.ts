/** `parallax tape ls | verify | cat | export`: what is on the tape, in use or not. */
import { Command, Options } from "@effect/cli"
import { Console, Effect, Logger, Option, Stream } from "effect"
import * as Export from "../tape/Export.ts"
import * as Playback from "../tape/Playback.ts"
import { line, type Selection } from "../tape/Selection.ts"
import * as Survey from "../tape/Survey.ts"
import { directoryIn } from "../tape/Tape.ts"
import { TapeError, TapeReader } from "../tape/TapeReader.ts"
import * as Logging from "./Logging.ts"
import * as Output from "./Output.ts"
import { ProcessExit } from "./Process.ts"
import * as TapeText from "./TapeText.ts"

/** Where the settings say that data are kept, for the file that `--config` names. */
type DataDir<E, R> = (config: Option.Option<string>) => Effect.Effect<string, E, R>

export const place = {
  config: Options.text("config").pipe(
    Options.withPseudoName("FILE"),
    Options.withDescription("A YAML file of settings, whose data_dir holds the tape."),
    Options.optional
  ),
  dir: Options.text("dir").pipe(
    Options.withPseudoName("DIR"),
    Options.withDescription("The tape's own folder, instead of the one that the settings name."),
    Options.optional
  )
}

export const timeOption = (name: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName("TIME"), Options.withDescription(description), Options.optional)

const selection = {
  from: timeOption("from", "Only what was received at this time or later: 2026-11-22T18:00:00Z, or milliseconds."),
  to: timeOption("to", "Only what was received before this time."),
  connection: Options.text("connection").pipe(
    Options.withDescription("Only this connection, by its name."),
    Options.optional
  ),
  venue: Options.text("venue").pipe(Options.withDescription("Only this venue, as polymarket."), Options.optional)
}

export const refuse = (text: string) => Effect.zipRight(Console.error(text), new ProcessExit({ code: 1 }))

export const parseTime = (name: string, text: string): Effect.Effect<number, ProcessExit> => {
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isNaN(time)
    ? refuse(`--${name}: a time like 2026-11-22T18:00:00Z is expected, not ${JSON.stringify(text)}`)
    : Effect.succeed(time)
}

interface Chosen {
  readonly from: Option.Option<string>
  readonly to: Option.Option<string>
  readonly connection: Option.Option<string>
  readonly venue: Option.Option<string>
}

const chosen = ({ connection, from, to, venue }: Chosen): Effect.Effect<Selection, ProcessExit> =>
  Effect.gen(function* () {
    const begin = yield* Effect.transposeMapOption(from, (text) => parseTime("from", text))
    const end = yield* Effect.transposeMapOption(to, (text) => parseTime("to", text))
    return {
      from: Option.getOrUndefined(begin),
      to: Option.getOrUndefined(end),
      connection: Option.getOrUndefined(connection),
      venue: Option.getOrUndefined(venue)
    }
  })

const explain = (error: TapeError): string =>
  (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT" && error.reason === "io"
    ? `There is no tape in ${error.where}.`
    : `The tape cannot be read: ${error.message}`

/** Shows what is found on the way on standard error; the tape is at fault unless all of it is harmless. */
const followed = <E, R>(steps: Stream.Stream<Playback.Step, TapeError, R>, use: Use<E>) =>
  Stream.runFoldEffect(steps, true, (sound, step) =>
    step._tag === "Records"
      ? Effect.as(use(step.records), sound)
      : Effect.as(
          Console.error(`${step.where}: ${step.detail}${step.harmless ? " (the end of a run may be so)" : ""}`),
          sound && step.harmless
        )
  ).pipe(Effect.flatMap((sound) => (sound ? Effect.void : new ProcessExit({ code: 1 }))))

type Use<E> = (records: Extract<Playback.Step, { readonly _tag: "Records" }>["records"]) => Effect.Effect<void, E>

export const make = <E, R>(dataDir: DataDir<E, R>) => {
  const inTape = <A, E2>(
    { config, dir }: { readonly config: Option.Option<string>; readonly dir: Option.Option<string> },
    use: (directory: string) => Effect.Effect<A, E2 | TapeError | Output.OutputClosed, TapeReader>
  ) =>
    Effect.gen(function* () {
      const directory = Option.isSome(dir) ? dir.value : directoryIn(yield* dataDir(config))
      return yield* Effect.provide(use(directory), TapeReader.layer(directory))
    }).pipe(
      Output.quietly,
      Effect.catchIf(
        (error): error is TapeError => error instanceof TapeError,
        (error) => refuse(explain(error))
      ),
      // Standard output is for what was asked for alone.
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logging.jsonLogger)))
    )

  const ls = Command.make(
    "ls",
    { ...place, json: Options.boolean("json").pipe(Options.withDescription("As JSON, for other programs.")) },
    ({ json, ...where }) =>
      inTape(where, () =>
        Effect.gen(function* () {
          const runs = yield* Effect.flatMap(TapeReader, ({ runs }) => runs)
          const surveyed = yield* Effect.forEach(runs, (run) =>
            Effect.map(
              Effect.forEach(run.segments, (segment, i) => Survey.survey(segment, run.segments[i + 1])),
              (segments) => ({ ...run, segments })
            )
          )
          yield* Output.write(json ? TapeText.json(surveyed) : TapeText.table(surveyed))
        })
      )
  ).pipe(Command.withDescription("List the runs on the tape and their segments."))

  const verify = Command.make("verify", place, (where) =>
    inTape(where, (directory) =>
      Effect.gen(function* () {
        const runs = yield* Effect.flatMap(TapeReader, ({ runs }) => runs)
        let faults = 0
        for (const run of runs) {
          yield* Stream.runForEach(Survey.verify(directory, run), (fault) => {
            if (!fault.harmless) faults++
            return Output.write(TapeText.fault(fault))
          })
        }
        const segments = runs.reduce((sum, run) => sum + run.segments.length, 0)
        yield* Output.write(TapeText.verdict(runs.length, segments, faults))
        if (faults > 0) return yield* new ProcessExit({ code: 1 })
      })
    )
  ).pipe(
    Command.withDescription("Check every record on the tape; exits with 1 when anything is not as it was written.")
  )

  const cat = Command.make("cat", { ...place, ...selection }, (options) =>
    inTape(options, () =>
      Effect.flatMap(chosen(options), (selection) =>
        followed(Playback.steps(selection), (records) =>
          records.length === 0 ? Effect.void : Output.write(`${records.map(line).join("\n")}\n`)
        )
      )
    )
  ).pipe(Command.withDescription("Print what is on the tape, a line of JSON for each input."))

  const exportTo = Command.make(
    "export",
    {
      ...place,
      ...selection,
      toDir: Options.text("to-dir").pipe(
        Options.withPseudoName("DIR"),
        Options.withDescription("The folder for the files; it is made, or must be empty.")
      )
    },
    ({ toDir, ...options }) =>
      inTape(options, () =>
        Effect.gen(function* () {
          const selection = yield* chosen(options)
          const exporter = yield* Export.make(toDir)
          const followedToEnd = yield* Effect.either(
            followed(Playback.steps(selection), (records) =>
              Effect.forEach(records, ({ input }) => (input._tag === "Frames" ? exporter.add(input) : Effect.void), {
                discard: true
              })
            )
          )
          const { files, frames } = yield* exporter.end
          yield* Output.write(`${frames} frames of ${files} connections in ${toDir}\n`)
          return yield* followedToEnd
        })
      )
  ).pipe(Command.withDescription("Write the frames of each connection to a file of its own, for other tools."))

  return Command.make("tape").pipe(
    Command.withDescription("Look at the tape, the record of every input; also while it is in use."),
    Command.withSubcommands([ls, verify, cat, exportTo])
  )
}
