/** The socket: as many connections as the markets need, each a stream that reconnects (Kalshi reference §7). */
import { Effect, type Scope } from "effect"
import type { InstrumentId } from "../../domain/Market.ts"
import { readable } from "../Protocol.ts"
import * as SocketFeed from "../SocketFeed.ts"
import { type Feed, VenueError } from "../Venue.ts"
import { KALSHI } from "./Normalize.ts"
import * as Protocol from "./Protocol.ts"
import * as Session from "./Session.ts"

/** Many handshakes at once are answered with 429 (§7.1). */
const HANDSHAKE_SPACING = "250 millis"
export type FeedOptions = Omit<Session.SessionOptions, "gate">

export const make = (options: FeedOptions): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { clockSkew, config } = options
    const gate = yield* SocketFeed.gate(KALSHI, HANDSHAKE_SPACING)
    const session = Session.make({ ...options, gate })
    const feed = yield* SocketFeed.make<Session.Line>({
      venue: KALSHI,
      perConnection: config.max_markets_per_connection,
      line: (line) => ({ ...line, subscriptions: undefined }),
      session
    })

    const requestSnapshots = (wanted: ReadonlyArray<InstrumentId>): Effect.Effect<void, VenueError> =>
      Effect.flatMap(feed.lines, (lines) =>
        Effect.forEach(
          lines,
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

    const connections = Effect.zipWith(feed.lines, gate.breaker, (lines, breaker) =>
      lines.map((line) => {
        const shown = SocketFeed.info(KALSHI, line, breaker)
        return { ...shown, reason: shown.reason || clockSkew.warning() }
      })
    )
    const { inputs, renew } = feed
    return readable({ inputs, connections, requestSnapshots, renew }, () => Protocol.make(options.observers))
  })
