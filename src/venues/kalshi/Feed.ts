/** The socket: as many connections as the markets need, each a stream that reconnects (Kalshi reference §7). */
import { Clock, Duration, Effect, Ref, type Scope, Stream } from "effect"
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import type { FeedEvent } from "../../domain/MarketEvent.ts"
import * as ConnectGate from "../../resilience/ConnectGate.ts"
import { backoff, reconnecting } from "../../resilience/Reconnect.ts"
import { type Shard, sharded } from "../../resilience/Shards.ts"
import * as Slot from "../../resilience/Slot.ts"
import * as WebSocketFeed from "../../resilience/WebSocketFeed.ts"
import { type Feed, VenueError } from "../Venue.ts"
import { KALSHI } from "./Normalize.ts"
import * as Session from "./Session.ts"

const BACKOFF = { base: "250 millis", cap: "30 seconds", healthyAfter: "5 seconds" } as const
/** Many handshakes at once are answered with 429 (§7.1). */
const HANDSHAKE_SPACING = "250 millis"
/** A refusal for good (401, 403) is asked again this seldom, so that it ends without a hand. */
const HALT = Duration.minutes(15)
/** Events that may wait for the reader, over all sockets. */
const BUFFER = 16_384
/** Markets whose end is listened for although they are not subscribed any more. */
const MAX_WATCHED = 20_000

const atLeast = (error: WebSocketFeed.SocketError): Duration.Duration =>
  Session.isHalting(error) ? HALT : error.retryAfter

const ids = (instruments: Iterable<Instrument>) => Array.from(instruments, ({ id }) => id)

export type FeedOptions = Omit<Session.SessionOptions, "gate" | "watch" | "watched">

export const make = (options: FeedOptions): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { clockSkew, config } = options
    const gate = yield* ConnectGate.make<WebSocketFeed.SocketError>({
      ...BACKOFF,
      spacing: HANDSHAKE_SPACING,
      atLeast
    })
    const lines = yield* Ref.make<ReadonlyMap<number, Session.Line>>(new Map())
    const slotOf = new WeakMap<Shard<Instrument>, Slot.Slot>()
    const watched = new Map<string, Instrument>()
    const watch = (instruments: Iterable<Instrument>): void => {
      for (const instrument of instruments) watched.set(instrument.venueInstrumentId, instrument)
      for (const oldest of watched.keys()) {
        if (watched.size <= MAX_WATCHED) break
        watched.delete(oldest)
      }
    }

    const session = Session.make({ ...options, gate, watched, watch })

    const onEnd =
      ({ slot }: Session.Line) =>
      (error: WebSocketFeed.SocketError, attempt: number) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const wasConnected = slot.state === "connected"
          const { connection } = slot
          const reason = error.message
          slot.attempts = attempt
          Slot.enter(slot, Session.isHalting(error) ? "halted" : "waiting", reason, now)
          yield* Slot.reportDown(
            slot,
            Session.isHalting(error)
              ? "the venue refuses the feed; next attempt in 15 minutes"
              : "feed is down; reconnecting",
            reason
          )
          const event: FeedEvent = {
            _tag: "Disconnected",
            venue: KALSHI,
            slot: slot.name,
            connection,
            reason,
            receivedTime: now
          }
          return wasConnected ? [event] : []
        }).pipe(Effect.annotateLogs({ venue: KALSHI, slot: slot.name, connection: slot.connection }))

    const connection = (line: Session.Line): Stream.Stream<FeedEvent> =>
      reconnecting(
        session(line),
        () =>
          new WebSocketFeed.SocketError({
            reason: "closed",
            code: 1000,
            detail: "the stream ended",
            retryAfter: Duration.zero
          }),
        {
          schedule: backoff(BACKOFF),
          ended: (error) => Slot.sessionEnd(line.slot, atLeast(error)),
          onEnd: onEnd(line)
        }
      )

    const requestSnapshots = (wanted: ReadonlyArray<InstrumentId>): Effect.Effect<void, VenueError> =>
      Effect.flatMap(Ref.get(lines), (all) =>
        Effect.forEach(
          all.values(),
          ({ shard, slot, subscriptions }) => {
            const here = wanted.map((id) => id.slice(KALSHI.length + 1)).filter((ticker) => shard.items.has(ticker))
            if (subscriptions === undefined || here.length === 0) return Effect.void
            return Effect.mapError(
              subscriptions.snapshots(here),
              (error) =>
                new VenueError({ venue: KALSHI, reason: "closed", where: slot.connection, detail: error.message })
            )
          },
          { discard: true }
        )
      )

    return {
      events: (desired) =>
        sharded({
          desired,
          id: (instrument) => instrument.venueInstrumentId,
          perShard: config.max_markets_per_connection,
          bufferSize: BUFFER,
          run: (shard) =>
            Stream.unwrap(
              Effect.gen(function* () {
                const slot = Slot.make(`${KALSHI}-${shard.index}`, yield* Clock.currentTimeMillis)
                slotOf.set(shard, slot)
                const line: Session.Line = { slot, shard, subscriptions: undefined }
                yield* Ref.update(lines, (all) => new Map(all).set(shard.index, line))
                return connection(line)
              })
            ).pipe(
              Stream.ensuring(Ref.update(lines, (all) => new Map([...all].filter(([index]) => index !== shard.index))))
            ),
          onEmpty: (shard, removed) =>
            Effect.map(Clock.currentTimeMillis, (receivedTime) => [
              {
                _tag: "Unsubscribed",
                venue: KALSHI,
                connection: slotOf.get(shard)?.feeding ?? "",
                instrumentIds: ids(removed),
                receivedTime
              }
            ])
        }),
      connections: Effect.map(Ref.get(lines), (all) =>
        Array.from(all.values(), ({ shard, slot }) => {
          const shown = Slot.summary(slot, shard.items.size)
          return { ...shown, venue: KALSHI, reason: shown.reason || clockSkew.warning() }
        })
      ),
      requestSnapshots
    }
  })
