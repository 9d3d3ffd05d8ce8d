/** Logs go to stdout: a JSON object a line for machines, or a line of text for people. */
import { Cause, FiberId, HashMap, Layer, List, Logger, LogLevel } from "effect"
import type { LogConfig } from "../Settings.ts"

const levels: Readonly<Record<LogConfig["level"], LogLevel.LogLevel>> = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warning,
  error: LogLevel.Error,
  none: LogLevel.None
}

const DEEPEST = 8
/** Characters of one text. Venues' titles and frames end up in logs, and may be of any length. */
const LONGEST = 16_384

const shortened = (text: string): string =>
  text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text

/** Own members and those of an error that enumeration leaves out. */
const membersOf = (value: object): ReadonlyArray<readonly [string, unknown]> =>
  value instanceof Error
    ? [
        ["name", value.name],
        ["message", value.message],
        ...(value.cause === undefined ? [] : [["cause", value.cause] as const]),
        ...Object.entries(value).filter(([name]) => name !== "name" && name !== "message" && name !== "cause")
      ]
    : Object.entries(value)

const itemsOf = (value: object): ReadonlyArray<unknown> | undefined =>
  Array.isArray(value) || value instanceof Set || value instanceof Map ? [...value] : undefined

/** Anything as JSON can hold it. What refuses to be read, or contains itself, is named instead. */
const plain = (value: unknown, around: ReadonlyArray<unknown> = []): unknown => {
  if (typeof value === "string") return shortened(value)
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (typeof value === "bigint" || typeof value === "symbol") return String(value)
  if (typeof value === "function") return `[function ${value.name}]`
  if (typeof value !== "object" || value === null) return value
  if (around.includes(value)) return "[circular]"
  if (around.length >= DEEPEST) return "[deep]"
  const inside = [...around, value]
  try {
    // Redacted values, dates and Effect's own data say themselves what may be shown of them.
    if (!(value instanceof Error) && "toJSON" in value && typeof value.toJSON === "function") {
      return plain(value.toJSON(), inside)
    }
    const items = itemsOf(value)
    if (items !== undefined) return items.map((item) => plain(item, inside))
    return Object.fromEntries(membersOf(value).map(([name, member]) => [name, plain(member, inside)]))
  } catch {
    return "[unreadable]"
  }
}

interface Entry {
  readonly message: string
  /** What was logged beside the message. */
  readonly details: ReadonlyArray<unknown>
  readonly annotations: ReadonlyArray<readonly [string, unknown]>
  readonly spans: Readonly<Record<string, number>>
  readonly cause: string | undefined
}

const entryOf = ({ annotations, cause, date, message, spans }: Logger.Logger.Options<unknown>): Entry => {
  const parts = Array.isArray(message) ? (message as ReadonlyArray<unknown>) : [message]
  const [first, ...rest] = parts
  const isText = typeof first === "string"
  return {
    message: shortened(isText ? first : first instanceof Error ? first.message : ""),
    details: (isText ? rest : parts).map((part) => plain(part)),
    annotations: [...HashMap.entries(annotations)].map(([name, value]) => [name, plain(value)] as const),
    spans: Object.fromEntries(List.toArray(spans).map(({ label, startTime }) => [label, date.getTime() - startTime])),
    cause: Cause.isEmpty(cause) ? undefined : shortened(Cause.pretty(cause, { renderErrorCause: true }))
  }
}

/** Signs that steer a terminal or turn the direction of text around, line ends of other systems, and half characters. */
// oxlint-disable-next-line no-control-regex -- these signs are what is looked for
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}\p{Cs}]/gu

/** Text that is safe to show: what venues send ends up in logs. Lines stay lines, and JSON the same JSON. */
const harmless = (text: string): string =>
  text.replace(STEERING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`)

const own = new Set(["timestamp", "level", "message", "details", "cause", "spans", "fiber"])

/** Annotations stand beside the message; one that has the name of a field of ours gets an underscore. */
export const jsonLogger: Logger.Logger<unknown, string> = Logger.make((options) => {
  const { annotations, cause, details, message, spans } = entryOf(options)
  const entry = {
    timestamp: options.date.toISOString(),
    level: options.logLevel.label,
    message,
    ...Object.fromEntries(annotations.map(([name, value]) => [own.has(name) ? `_${name}` : name, value])),
    ...(details.length === 0 ? {} : { details }),
    ...(Object.keys(spans).length === 0 ? {} : { spans }),
    ...(cause === undefined ? {} : { cause }),
    fiber: FiberId.threadName(options.fiberId)
  }
  return harmless(JSON.stringify(entry))
})

const oneLine = (value: unknown): string =>
  harmless(typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : (JSON.stringify(value) ?? "undefined"))

const colors: Readonly<Record<LogLevel.LogLevel["_tag"], string>> = {
  All: "",
  Trace: "\u001b[90m",
  Debug: "\u001b[34m",
  Info: "\u001b[32m",
  Warning: "\u001b[33m",
  Error: "\u001b[31m",
  Fatal: "\u001b[31m",
  None: ""
}

/** One line for each entry: time, level, message, `name=value`; a cause follows on lines of its own. */
export const prettyLogger = (options: { readonly colors: boolean }): Logger.Logger<unknown, string> =>
  Logger.make((entry) => {
    const { annotations, cause, details, message, spans } = entryOf(entry)
    const paint = (color: string, text: string) => (options.colors && color !== "" ? `${color}${text}\u001b[0m` : text)
    const fields = [
      ...details.map(oneLine),
      ...annotations.map(([name, value]) => `${oneLine(name)}=${oneLine(value)}`),
      ...Object.entries(spans).map(([name, millis]) => `${oneLine(name)}=${millis}ms`)
    ].join(" ")
    const line = [
      paint("\u001b[90m", entry.date.toISOString().slice(11, 23)),
      paint(colors[entry.logLevel._tag], entry.logLevel.label.padEnd(5)),
      harmless(message).replaceAll("\n", " "),
      ...(fields === "" ? [] : [paint("\u001b[90m", fields)])
    ].join(" ")
    return cause === undefined ? line : `${line}\n${harmless(cause).replace(/^/gm, "  ")}`
  })

/** What stdout is. */
export interface Output {
  readonly isTerminal: boolean
  readonly colors: boolean
}

/** Replaces the default logger. With `auto`, people get text and everything else gets JSON. */
export const layer = (config: LogConfig, output: Output): Layer.Layer<never> => {
  const pretty = config.format === "pretty" || (config.format === "auto" && output.isTerminal)
  const logger = Logger.withConsoleLog(pretty ? prettyLogger(output) : jsonLogger)
  // One after the other: built side by side, what they change would outlive their scope.
  return Layer.provideMerge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(levels[config.level]))
}
