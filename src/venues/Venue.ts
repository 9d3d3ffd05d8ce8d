/**
 * What a venue fulfils. Everything else (reconnecting, books, storage, serving) is shared; a venue supplies its
 * catalogue, its feed, single snapshots, and the protocol by which its messages are read and, where it publishes
 * digests, verified.
 */
import { Data, type Duration, type Effect, type Option, type Stream, type SubscriptionRef } from "effect"
import type { Answer, FeedInput } from "../domain/Input.ts"
import type { Instrument, InstrumentId, Market, VenueId } from "../domain/Market.ts"
import type { FeedEvent } from "../domain/MarketEvent.ts"
import type { OrderBook } from "../domain/OrderBook.ts"

/** Why a venue call failed, as far as a caller can act on it. */
export type VenueErrorReason =
  /** No answer: refused, reset, name not found, TLS refused. */
  | "unreachable"
  | "timeout"
  /** 429, or the venue's word for it; wait `retryAfter`. */
  | "rate-limited"
  /** 401 or 403: no retry will help. */
  | "unauthorized"
  /** 5xx and 425: the venue's own trouble. */
  | "unavailable"
  | "not-found"
  /** Any other refusal of the request. */
  | "rejected"
  /** The answer is not what the protocol says. */
  | "protocol"
  /** A list that does not end, or whose cursor is broken or repeats. */
  | "cursor"
  /** The connection ended. */
  | "closed"
  /** The connection is open but says nothing, or does not answer. */
  | "frozen"

export class VenueError extends Data.TaggedError("VenueError")<{
  readonly venue: VenueId
  readonly reason: VenueErrorReason
  /** What was asked: a URL without secrets, a page, a connection. */
  readonly where: string
  readonly detail: string
  readonly retryAfter?: Duration.Duration
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.venue}: ${this.where}: ${this.reason}: ${this.detail}`
  }
}

/** What a catalogue keeps of a venue. */
export interface MarketFilter {
  /** Hard limit; paging stops when it is reached. */
  readonly maxMarkets: number
  /** Topics by name or slug; empty keeps all. */
  readonly categories: ReadonlyArray<string>
  /** Ids, slugs or tickers that are kept whatever the other filters say. */
  readonly markets: ReadonlyArray<string>
}

/** One page of a venue's market list, decoded. */
export interface MarketPage {
  /** Where it came from, to name in errors: list and cursor. */
  readonly page: string
  readonly markets: ReadonlyArray<Market>
  /** Entries that are markets but did not decode, with the path of the fault. */
  readonly rejected: ReadonlyArray<{ readonly id: string; readonly path: string; readonly problem: string }>
}

export type ConnectionState = "connecting" | "connected" | "waiting" | "halted" | "closed"

/** A circuit breaker between us and a venue, as it is now. Times are milliseconds since the epoch. */
export interface BreakerInfo {
  /** Of all that share it: `polymarket feed`, `polymarket clob`. */
  readonly name: string
  readonly state: "closed" | "half-open" | "open"
  /** When it opened, while it is not closed; else when it closed. */
  readonly since: number
  /** From when on an open one lets one attempt through; `null` unless it is open. */
  readonly nextAttempt: number | null
  /** Empty before the first. */
  readonly lastFailure: string
}

/** One connection as `/api/v1/feeds` shows it. Counters run since the slot opened. */
export interface ConnectionInfo {
  readonly venue: VenueId
  readonly slot: string
  readonly connection: string
  readonly state: ConnectionState
  readonly since: number
  /** What the attempts to connect pass: all connections of a venue share one. */
  readonly breaker: BreakerInfo
  /** Attempts since the connection last carried data. */
  readonly attempts: number
  readonly reason: string
  readonly subscribed: number
  readonly frames: number
  readonly bytes: number
  readonly lastDataTime: number | null
  readonly messages: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, number>>
}

/** The live data of a venue. */
export interface Feed {
  /**
   * All that comes in for the instruments that `desired` holds, unread, in arrival order for each connection. They are to
   * be read, by a {@link Protocol} of the venue: what the frames say is also what keeps the subscriptions up. Subscriptions
   * follow `desired`; connections come and go inside; interrupting the stream closes them.
   */
  readonly inputs: (
    desired: SubscriptionRef.SubscriptionRef<ReadonlyArray<Instrument>>
  ) => Stream.Stream<FeedInput, VenueError>
  /** The same, read. */
  readonly events: (
    desired: SubscriptionRef.SubscriptionRef<ReadonlyArray<Instrument>>
  ) => Stream.Stream<FeedEvent, VenueError>
  readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>>
  /**
   * Asks for fresh snapshots on the connection itself, in order with its changes; they come as events. For venues whose
   * REST books cannot be placed between changes; without it a book is healed by `Venue.snapshot`.
   */
  readonly requestSnapshots?: (instrumentIds: ReadonlyArray<InstrumentId>) => Effect.Effect<void, VenueError>
  /**
   * Subscribes instruments anew that have ceased to be told of, or replaces their connection where that was done within
   * the last minute already. Their books come as events.
   */
  readonly renew?: (instrumentIds: ReadonlyArray<InstrumentId>) => Effect.Effect<void, VenueError>
}

/** How books of the socket are compared over REST, within what the venue grants. */
export interface Comparison {
  /** Books as answered; one that the venue does not keep is left out. */
  readonly snapshots: (instruments: ReadonlyArray<Instrument>) => Effect.Effect<ReadonlyArray<Answer>, VenueError>
  /** Books in one request. */
  readonly together: number
  readonly requestsPerSecond: number
}

/** What a verifier says of a book after an event was applied to it. */
export type Verdict =
  /** The venue's digest was reproduced. */
  | "verified"
  /** It cannot be judged yet: more of the same operation is due. */
  | "pending"
  /** It is judged a little later, with what has been applied by then; until then by its best quotes. */
  | "deferred"
  /** The venue's digest contradicts the book. */
  | "mismatch"
  /** There is nothing to compare with. */
  | "unverifiable"

/** What became of a book whose judgement was put off. */
export interface Judgement {
  readonly instrumentId: InstrumentId
  /** Why the book stayed unproven for longer than the venue's rules explain; `undefined` when it is proved as it is now. */
  readonly why: string | undefined
}

/** Judges books by what the venue says of them. Stateful, synchronous, one for each venue. */
export interface BookVerifier {
  /**
   * Called after `event` was applied to `book`, in arrival order. The book is the holder's own and changes later. What is
   * urgent is not put off.
   */
  readonly check: (event: FeedEvent, book: OrderBook, isUrgent?: boolean) => Verdict
  /**
   * Judges some of what was put off, and what is pending although no later message came to settle it. Called ten times a
   * second, and more often while anything {@link isBehind is put off}.
   */
  readonly expire: (now: number) => ReadonlyArray<Judgement>
  /** Whether the next {@link expire} has something to make up for. */
  readonly isBehind: () => boolean
  readonly forget: (instrumentId: InstrumentId) => void
}

/**
 * How what comes in is read. Synchronous; the same inputs give the same events, whether they come from the venue or from a
 * tape. Never throws.
 */
export interface Protocol {
  /** Reads one input into `out`, in order. */
  readonly read: (input: FeedInput, out: Array<FeedEvent>) => void
  /** `undefined` when the venue publishes nothing to verify against. */
  readonly verifier: BookVerifier | undefined
  /** All that later inputs depend on: plain data, which a structured clone keeps, and which is changed in place. */
  readonly state: unknown
}

/** A protocol from the beginning, or from the state in which another one was. */
export type MakeProtocol = (state?: unknown) => Protocol

export interface Venue {
  readonly id: VenueId
  /** The venue's list, filtered as far as the venue itself can filter, in its order of importance. */
  readonly markets: (filter: MarketFilter) => Stream.Stream<MarketPage, VenueError>
  /** Whether a market that was announced, not listed, passes the venue's filters as far as it can be told yet. */
  readonly wants: (market: Market, filter: MarketFilter) => boolean
  /** One market by id, slug or ticker. */
  readonly market: (reference: string) => Effect.Effect<Option.Option<Market>, VenueError>
  readonly feed: Feed
  /** The breakers of its REST; those of its connections are with these. */
  readonly breakers: Effect.Effect<ReadonlyArray<BreakerInfo>>
  /** One book over REST, as answered. `not-found` when the venue keeps no book for it. */
  readonly snapshot: (instrument: Instrument) => Effect.Effect<Answer, VenueError>
  readonly comparison: Comparison
  readonly protocol: MakeProtocol
}

/** A venue with what is watched of it. */
export interface Watch {
  readonly venue: Venue
  readonly filter: MarketFilter
  /** How often the market list is fetched again. */
  readonly refreshEvery: Duration.Duration
}
