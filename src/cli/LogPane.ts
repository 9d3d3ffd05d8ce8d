/** While a view has the terminal, the log cannot have it: its latest entries are kept to be shown in the view. */
import { Effect, FiberRef, HashMap, HashSet, Logger, LogLevel, type Scope } from "effect"

export interface LogEntry {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly level: LogLevel.LogLevel
  /** The message, then `name=value` for what was annotated; as it came, so clean it before it is shown. */
  readonly text: string
}

export interface LogPane {
  /** The latest entries, the last one last. */
  readonly entries: () => ReadonlyArray<LogEntry>
  /** Runs an effect whose log comes here while somebody holds it, and goes where it went before otherwise. */
  readonly around: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Holds the log until the scope closes. Warnings and errors that came meanwhile are then logged after all. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
}

type Options = Logger.Logger.Options<unknown>

/** Entries that are kept to be shown, and serious ones that are kept to be logged later. */
const SHOWN = 50
const SERIOUS = 100

const words = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)))

const textOf = ({ annotations, message }: Options): string =>
  [
    ...(Array.isArray(message) ? (message as ReadonlyArray<unknown>) : [message]).map(words),
    ...[...HashMap.entries(annotations)].map(([name, value]) => `${name}=${words(value)}`)
  ].join(" ")

export const make: Effect.Effect<LogPane> = Effect.sync(() => {
  const entries: Array<LogEntry> = []
  const serious: Array<() => void> = []
  let holders = 0

  const keep = (options: Options, later: () => void): void => {
    entries.push({ time: options.date.getTime(), level: options.logLevel, text: textOf(options) })
    if (entries.length > SHOWN) entries.shift()
    if (LogLevel.lessThan(options.logLevel, LogLevel.Warning)) return
    serious.push(later)
    if (serious.length > SERIOUS) serious.shift()
  }
  const divert = (loggers: HashSet.HashSet<Logger.Logger<unknown, unknown>>) =>
    Logger.make<unknown, void>((options) => {
      const pass = () => {
        for (const logger of loggers) logger.log(options)
      }
      if (holders > 0) keep(options, pass)
      else pass()
    })
  return {
    entries: () => entries,
    around: (effect) =>
      FiberRef.getWith(FiberRef.currentLoggers, (loggers) =>
        Effect.locally(effect, FiberRef.currentLoggers, HashSet.make(divert(loggers)))
      ),
    hold: Effect.acquireRelease(
      Effect.sync(() => {
        holders++
      }),
      () =>
        Effect.sync(() => {
          holders--
          if (holders === 0) for (const log of serious.splice(0)) log()
        })
    )
  }
})
