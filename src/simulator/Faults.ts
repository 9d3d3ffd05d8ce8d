/**
 * Faults that a venue can have, as commands: what each does to sockets, frames and REST, with its options. They come
 * over the control endpoint or from a file that says when.
 *
 * Durations are milliseconds; a fault without one lasts until `heal`. `sockets` limits a fault to that many of the
 * open sockets, oldest first. A `tokenId` is whatever the venue names a book by: on Kalshi, the market's ticker.
 */
import { ParseResult, Schema } from "effect"
import * as KalshiGrid from "./KalshiGrid.ts"

const Duration = Schema.Number.pipe(Schema.finite(), Schema.nonNegative())
const Count = Schema.Int.pipe(Schema.positive())
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const Sockets = optional(Count)
const FrameType = optional(Schema.NonEmptyString)

const command = <Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ fault: Schema.Literal(name), ...fields })

/** Cuts connections without a closing handshake. */
export const Drop = command("drop", { sockets: Sockets })

/** Closes with a code, properly. */
export const Close = command("close", {
  code: Schema.Int.pipe(
    Schema.filter(
      (code) =>
        (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
        (code >= 3000 && code <= 4999) ||
        "a close code is 1000 to 1014 without 1004 to 1006, or 3000 to 4999"
    )
  ),
  reason: optional(Schema.String.pipe(Schema.maxLength(100))),
  sockets: Sockets
})

/** Writes half of a WebSocket frame, then resets the connection. */
export const Reset = command("reset", { sockets: Sockets })

/** PONG still comes, data does not. With `rest`, REST goes on showing the books as they were. Sockets opened later are well. */
export const Stall = command("stall", {
  durationMs: optional(Duration),
  rest: optional(Schema.Boolean),
  sockets: Sockets
})

/** Nothing comes at all, not even PONG, as when a path is cut without a word. */
export const Silent = command("silent", { durationMs: optional(Duration), sockets: Sockets })

/** Never sends the next frames of a type (`price_change` unless said otherwise), of one token or any. */
export const Lost = command("lost", {
  count: optional(Count),
  tokenId: optional(Schema.String),
  type: FrameType
})

/** Sends a change that crosses a book and is not in it; with `heals`, its removal right after. */
export const Crossed = command("crossed", {
  tokenId: optional(Schema.String),
  heals: optional(Schema.Boolean)
})

/** Answers 429. `retryAfter` is seconds, or any text for the header. */
export const RateLimited = command("rate_limited", {
  durationMs: optional(Duration),
  retryAfter: optional(Schema.Union(Schema.Number, Schema.String)),
  on: optional(Schema.Literal("rest", "upgrade", "both")),
  body: optional(Schema.Literal("json", "html"))
})

/** REST answers with a server error. */
export const Unavailable = command("unavailable", {
  durationMs: optional(Duration),
  status: optional(Schema.Int.pipe(Schema.between(500, 599)))
})

/** Holds back replies and frames. */
export const Slow = command("slow", {
  durationMs: optional(Duration),
  restMs: optional(Duration),
  socketMs: optional(Duration)
})

/** Sends these exact bytes as one frame: `text`, or `base64`, which with `binary` goes out as a binary frame. */
export const Malformed = command("malformed", {
  text: optional(Schema.String),
  base64: optional(Schema.Uint8ArrayFromBase64),
  binary: optional(Schema.Boolean),
  sockets: Sockets
})

/** Announces a frame of so many bytes, 200 MiB unless said otherwise, and sends none of them. */
export const Oversized = command("oversized", {
  bytes: optional(Count.pipe(Schema.between(65_536, Number.MAX_SAFE_INTEGER))),
  sockets: Sockets
})

/** Cuts the next frames in half. */
export const Truncated = command("truncated", {
  count: optional(Count),
  tokenId: optional(Schema.String)
})

/** Sends the next frames twice. */
export const Duplicate = command("duplicate", {
  count: optional(Count),
  tokenId: optional(Schema.String),
  type: FrameType
})

/** Sends each of the next frames after the one that follows it. */
export const Reorder = command("reorder", {
  count: optional(Count),
  tokenId: optional(Schema.String),
  type: FrameType
})

/** Sends well-formed messages that no client knows: an unknown type, `null`, `[]`, `{}` and a number. */
export const UnknownEvent = command("unknown_event", { sockets: Sockets })

/**
 * Sends nothing more about one token, nor about its market's other, while the rest goes on. With `untilSubscribed`, until
 * some client subscribes it anew.
 */
export const Freeze = command("freeze", {
  tokenId: Schema.String,
  durationMs: optional(Duration),
  untilSubscribed: optional(Schema.Boolean)
})

/** Refuses to upgrade with an HTTP status. */
export const Refuse = command("refuse", {
  status: Schema.Int.pipe(Schema.between(400, 599)),
  durationMs: optional(Duration),
  retryAfter: optional(Schema.Union(Schema.Number, Schema.String))
})

/** After each dump, repeats the last price changes from before it, as the venue has been seen to do. */
export const Stale = command("stale", { count: optional(Count), durationMs: optional(Duration) })

/** Resolves a token's market for its first outcome, or the market of no token in particular. */
export const Resolve = command("resolve", { tokenId: optional(Schema.String) })

/** Kalshi only: suspends trading in one market, then cancels what rested there and lets trading go on. */
export const Pause = command("pause", { tokenId: optional(Schema.String), durationMs: optional(Duration) })

/** Kalshi only: ends the order book subscription of each socket with a terminal error, 25 unless said otherwise. */
export const ChannelError = command("channel_error", { code: optional(Schema.Literal(10, 25)), sockets: Sockets })

/** Kalshi only: puts one market on another price grid, and cancels what rests off it. */
export const Structure = command("structure", {
  structure: Schema.Literal(...KalshiGrid.names),
  tokenId: optional(Schema.String)
})

/**
 * Kalshi only: the next commands, on one channel or any, have no effect and are answered with an error, 27 unless said
 * otherwise.
 */
export const CommandError = command("command_error", {
  code: optional(Schema.Literal(26, 27)),
  count: optional(Count),
  channel: optional(Schema.NonEmptyString)
})

/** Ends everything that lasts. */
export const Heal = command("heal", {})

export const Fault = Schema.Union(
  Drop,
  Close,
  Reset,
  Stall,
  Silent,
  Lost,
  Crossed,
  RateLimited,
  Unavailable,
  Slow,
  Malformed,
  Oversized,
  Truncated,
  Duplicate,
  Reorder,
  UnknownEvent,
  Freeze,
  Refuse,
  Stale,
  Resolve,
  Pause,
  ChannelError,
  Structure,
  CommandError,
  Heal
)
export type Fault = typeof Fault.Type

/** The names of all faults. */
export const names: ReadonlyArray<string> = Fault.members.map((member) => member.fields.fault.literals[0])

const byName = new Map(
  Fault.members.map((member) => [
    member.fields.fault.literals[0] as string,
    Schema.decodeUnknownEither(member as Schema.Schema<Fault, unknown>, { errors: "all", onExcessProperty: "error" })
  ])
)

/** What is wrong with a command, each problem with the field it is in. */
export type Problems = ReadonlyArray<{ readonly field: string; readonly problem: string }>

const problemsOf = (error: ParseResult.ParseError): Problems =>
  ParseResult.ArrayFormatter.formatErrorSync(error).map((issue) => ({
    field: issue.path.map(String).join("."),
    problem: issue.message
  }))

/** Decodes one command; an unknown name is told apart from a known one with bad options. */
export const decode = (input: unknown): { readonly fault: Fault } | { readonly problems: Problems } => {
  const name = typeof input === "object" && input !== null && "fault" in input ? input.fault : undefined
  const decoder = typeof name === "string" ? byName.get(name) : undefined
  if (decoder === undefined) {
    const said = name === undefined ? "is missing" : `${JSON.stringify(name)} is unknown`
    return { problems: [{ field: "fault", problem: `${said}; known are ${names.join(", ")}` }] }
  }
  const result = decoder(input)
  return result._tag === "Right" ? { fault: result.right } : { problems: problemsOf(result.left) }
}
