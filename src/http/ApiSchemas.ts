/** What the API says: bodies and errors. Prices and sizes are decimal text, times RFC 3339 with milliseconds. */
import { HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { InstrumentId, Market, MarketId, VenueId } from "../domain/Market.ts"
import { PriceFromString, SizeFromString } from "../domain/Money.ts"

/** The last millisecond of the year 9999: RFC 3339 has four digits for the year. */
const LAST = 253_402_300_799_999

const time = { type: "string", format: "date-time", examples: ["2026-11-22T10:15:00.123Z"] } as const

const formatTime = (millis: number): string => new Date(Math.min(Math.max(Math.trunc(millis), 0), LAST)).toISOString()

/** Milliseconds since the epoch inside, text outside. */
export const Time = Schema.transform(Schema.String, Schema.Number, {
  strict: true,
  decode: (text) => Date.parse(text),
  encode: formatTime
}).annotations({ identifier: "Time", jsonSchema: time })

/** As {@link Time}; what a venue stamped with nonsense is `null`. */
export const TimeOrNull = Schema.transform(Schema.NullOr(Schema.String), Schema.NullOr(Schema.Number), {
  strict: true,
  decode: (text) => (text === null ? null : Date.parse(text)),
  encode: (millis) => (millis === null || !(millis >= 0 && millis <= LAST) ? null : formatTime(millis))
}).annotations({ identifier: "TimeOrNull", jsonSchema: { ...time, type: ["string", "null"] } })

const Level = Schema.Struct({ price: PriceFromString, size: SizeFromString }).annotations({
  identifier: "Level",
  description: "A price and the contracts that rest there"
})

export const BookStatus = Schema.Literal("live", "stale", "suspect", "resyncing").annotations({
  identifier: "BookStatus",
  description:
    "live: built from a snapshot and every change since, and nothing contradicts it; stale: its connection is down, " +
    "or its first snapshot has not come; suspect: something the venue said contradicts it; resyncing: a fresh " +
    "snapshot has been asked for because it was suspect"
})

const identity = {
  instrumentId: InstrumentId,
  marketId: Schema.NullOr(MarketId),
  outcome: Schema.NullOr(Schema.String).annotations({ description: "The side of the question, as `Yes`" }),
  venue: VenueId
}
const integrity = {
  status: BookStatus,
  statusSince: Time,
  statusReason: Schema.String,
  fedBy: Schema.Literal("stream", "poll").annotations({
    description: "poll: the book is fetched now and then, and as old as receivedTime says"
  })
}
const times = {
  venueTime: TimeOrNull.annotations({ description: "When the venue last changed the book, by its clock" }),
  receivedTime: TimeOrNull.annotations({ description: "When that arrived, by ours" })
}

export const Book = Schema.Struct({
  ...identity,
  ...integrity,
  bids: Schema.Array(Level).annotations({ description: "Best first" }),
  asks: Schema.Array(Level).annotations({ description: "Best first" }),
  ...times,
  verifiedBy: Schema.Literal("digest", "quotes", "nothing").annotations({
    description: "How the book was last proved: by the venue's digest, by its best quotes only, or not at all"
  }),
  verifiedTime: TimeOrNull,
  connection: Schema.String
}).annotations({ identifier: "Book" })
export type Book = typeof Book.Type

export const BookSummary = Schema.Struct({
  ...identity,
  ...integrity,
  bestBid: Schema.NullOr(Level),
  bestAsk: Schema.NullOr(Level),
  ...times
}).annotations({ identifier: "BookSummary" })
export type BookSummary = typeof BookSummary.Type

const nextCursor = Schema.NullOr(Schema.String).annotations({
  description: "Pass it as `cursor` to get what follows; null at the end"
})

export const MarketList = Schema.Struct({ markets: Schema.Array(Market), nextCursor }).annotations({
  identifier: "MarketList"
})

export const BookList = Schema.Struct({ books: Schema.Array(BookSummary), nextCursor }).annotations({
  identifier: "BookList"
})

const counts = Schema.Record({ key: Schema.String, value: Schema.Number })

const Breaker = Schema.Struct({
  state: Schema.Literal("closed", "half-open", "open").annotations({
    description: "half-open: one attempt finds out whether the venue answers again"
  }),
  since: Time.annotations({ description: "When it opened, while it is not closed; else when it closed" }),
  nextAttempt: TimeOrNull.annotations({ description: "From when on an attempt is made; null unless it is open" })
}).annotations({
  identifier: "Breaker",
  description: "What the attempts to connect to a venue pass, all of them together"
})

const Connection = Schema.Struct({
  slot: Schema.String.annotations({ description: "Stays over reconnects" }),
  connection: Schema.String.annotations({ description: "New with each connection; log lines carry it" }),
  state: Schema.Literal("connecting", "connected", "waiting", "halted", "closed"),
  since: Time,
  breaker: Breaker,
  attempts: Schema.Number.annotations({ description: "Attempts since the connection last carried data" }),
  reason: Schema.String,
  subscribed: Schema.Number.annotations({ description: "Books on this connection" }),
  lastDataTime: TimeOrNull,
  frames: Schema.Number,
  bytes: Schema.Number,
  messages: counts.annotations({ description: "By type, since the slot opened" }),
  errors: counts.annotations({ description: "By kind, since the slot opened" })
}).annotations({ identifier: "Connection" })

export const FeedList = Schema.Struct({
  feeds: Schema.Array(
    Schema.Struct({
      venue: VenueId,
      state: Schema.Literal("connected", "partial", "disconnected", "idle").annotations({
        description: "idle: there is nothing to subscribe to"
      }),
      connections: Schema.Array(Connection)
    }).annotations({ identifier: "Feed" })
  )
}).annotations({ identifier: "FeedList" })
export type FeedList = typeof FeedList.Type

const Drift = Schema.Struct({
  venue: VenueId,
  channel: Schema.String.annotations({ description: "The type of the message, or the request that it answers" }),
  path: Schema.String.annotations({ description: "As `msg.levels[].size`; empty for the message as such" }),
  kind: Schema.Literal("unknown", "missing", "type", "other").annotations({
    description:
      "unknown: a field that the protocol is not known to have; missing: one that it should have; type: a value of " +
      "another type; other: everything after the venue's list was full"
  }),
  count: Schema.Number.annotations({
    description: "In the messages that were compared; of frequent ones every 64th is"
  }),
  firstSeen: Time,
  lastSeen: Time,
  sample: Schema.String.annotations({ description: "The value, or what lacks it, the first time, cut" })
}).annotations({ identifier: "Drift" })

export const DriftList = Schema.Struct({ drift: Schema.Array(Drift) }).annotations({ identifier: "DriftList" })
export type DriftList = typeof DriftList.Type

export const TapeInfo = Schema.Struct({
  enabled: Schema.Boolean,
  run: Schema.Number.annotations({ description: "Microseconds since the epoch at the start of this run" }),
  appended: Schema.Number.annotations({ description: "Records of this run" }),
  written: Schema.Number.annotations({ description: "Those of them that lie in the file" }),
  bytes: Schema.Number.annotations({ description: "On disk, of all runs" }),
  segments: Schema.Number,
  waiting: Schema.Number.annotations({ description: "Bytes that wait for the disk" }),
  lost: Schema.Number.annotations({ description: "Records of this run that the disk refused" }),
  error: Schema.NullOr(Schema.String),
  chain: Schema.Struct({
    digest: Schema.String.annotations({ description: "SHA-256 over all events so far; a replay comes to the same" }),
    events: Schema.Number
  }),
  writer: Schema.Struct({
    mode: Schema.Literal("live", "behind", "recovering").annotations({
      description: "behind: rows wait on the tape; recovering: those of an earlier run are stored first"
    }),
    lag: Schema.Number.annotations({ description: "Records that are not stored yet" })
  })
}).annotations({ identifier: "Tape" })

export const Part = Schema.Struct({
  part: Schema.Literal("database", "writer", "catalog", "feed", "books", "breaker", "drift", "tape", "memory"),
  venue: Schema.NullOr(VenueId),
  state: Schema.Literal("up", "degraded", "starting", "down"),
  since: TimeOrNull,
  detail: Schema.String
}).annotations({ identifier: "Part" })
export type Part = typeof Part.Type

export const Ready = Schema.Struct({
  status: Schema.Literal("ready", "degraded"),
  parts: Schema.Array(Part)
}).annotations({ identifier: "Ready", description: "degraded: it serves, but a part of it is not whole" })

export const Unready = Schema.Struct({ status: Schema.Literal("unready"), parts: Schema.Array(Part) }).annotations({
  identifier: "Unready",
  ...HttpApiSchema.annotations({ status: 503, description: "A part that is needed is starting or down" })
})

export const Alive = Schema.Struct({ status: Schema.Literal("alive") }).annotations({ identifier: "Alive" })

export const NotAlive = Schema.Struct({
  status: Schema.Literal("dead"),
  stopped: Schema.Array(Schema.String)
}).annotations({
  identifier: "NotAlive",
  ...HttpApiSchema.annotations({ status: 503, description: "A main loop of the program has ended" })
})

/** A parameter that is unknown or says what it may not. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()(
  "InvalidRequest",
  { parameter: Schema.String, message: Schema.String },
  HttpApiSchema.annotations({ status: 400, description: "A parameter is unknown or says what it may not" })
) {}

export class MarketNotFound extends Schema.TaggedError<MarketNotFound>()(
  "MarketNotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404, description: "No market of that id is known" })
) {}

export class BookNotFound extends Schema.TaggedError<BookNotFound>()(
  "BookNotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404, description: "No book of that instrument is kept" })
) {}
