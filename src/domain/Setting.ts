/** How one key of the configuration is declared: what is allowed, the default, and a sentence about it. */
import { Duration, Option, ParseResult, Schema } from "effect"

/** Annotates a schema with what it allows, as it reads after "not ": `a URL of http:// or https://`. */
export const Allowed: unique symbol = Symbol.for("parallax/domain/Setting/Allowed")

/** A key that may be left out. */
export const setting = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>, description: string) =>
  Schema.optionalWith(schema.annotations({ description }), { default: () => value })

/** A group of keys that may be left out as a whole, since each of them has a default. */
export const section = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(schema, { default: () => Schema.decodeUnknownSync(schema)({}) })

const urlOf = (protocols: ReadonlyArray<string>, allowed: string) => {
  const fits = (text: string): boolean => {
    if (!URL.canParse(text)) return false
    const url = new URL(text)
    return (
      protocols.includes(url.protocol) &&
      url.username === "" &&
      url.password === "" &&
      url.search === "" &&
      url.hash === ""
    )
  }
  return Schema.transform(Schema.String, Schema.String.pipe(Schema.filter(fits)), {
    strict: true,
    decode: (text) => text.replace(/\/+$/, ""),
    encode: (url) => url
  }).annotations({ [Allowed]: allowed })
}

/** Where requests go, without a slash at the end; paths are appended. */
export const HttpUrl = urlOf(["http:", "https:"], "a URL of http:// or https:// without user, query or fragment")

/** The full URL of a socket. */
export const SocketUrl = urlOf(["ws:", "wss:"], "a URL of ws:// or wss:// without user, query or fragment")

const UNITS = [
  ["days", 86_400_000],
  ["hours", 3_600_000],
  ["minutes", 60_000],
  ["seconds", 1000]
] as const

/** The text of a duration that reads back as the same milliseconds: `10 minutes`. */
const formatDuration = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  const [unit, size] = UNITS.find(([, size]) => millis % size === 0) ?? ["millis", 1]
  return `${millis / size} ${unit}`
}

/** The longest that anything here waits. */
const LONGEST = Duration.days(7)

/** A time as text, a number and its unit; more than nothing and at most a week. */
export const DurationFromText = Schema.transformOrFail(Schema.String, Schema.DurationFromSelf, {
  strict: true,
  decode: (text, _, ast) => {
    const duration = Duration.decodeUnknown(text)
    return Option.isSome(duration) &&
      Duration.greaterThanOrEqualTo(duration.value, Duration.millis(1)) &&
      Duration.lessThanOrEqualTo(duration.value, LONGEST)
      ? ParseResult.succeed(Duration.millis(Math.round(Duration.toMillis(duration.value))))
      : ParseResult.fail(new ParseResult.Type(ast, text))
  },
  encode: (duration) => ParseResult.succeed(formatDuration(duration))
}).annotations({ [Allowed]: 'a time of at most 7 days, as "30 seconds" or "10 minutes"' })
