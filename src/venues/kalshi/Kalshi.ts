/** Kalshi as a venue: its REST and its feed under one configuration; without a usable key the feed is a poll. */
import type { HttpClient } from "@effect/platform"
import { Effect, type Scope } from "effect"
import { DriftLog, watch } from "../../resilience/DriftLog.ts"
import type { RateLimit } from "../../resilience/RateLimit.ts"
import type { Observers } from "../Protocol.ts"
import type { MakeProtocol, Venue } from "../Venue.ts"
import * as Client from "./Client.ts"
import * as ClockSkew from "./ClockSkew.ts"
import type { KalshiConfig } from "./Config.ts"
import * as Credentials from "./Credentials.ts"
import * as Feed from "./Feed.ts"
import * as Markets from "./Markets.ts"
import { KALSHI } from "./Normalize.ts"
import * as PollFeed from "./PollFeed.ts"
import * as Protocol from "./Protocol.ts"
import * as Rest from "./Rest.ts"
import { channels } from "./Watched.ts"

/** For a tape of this venue. */
export const protocol: MakeProtocol = (state) => Protocol.make(new Map(), state)
/** Asks once what the account is granted; without an answer the basic tier's share serves. */
const readLimits = (client: Client.Client, rest: Rest.Rest): Effect.Effect<void> =>
  rest.accountLimits.pipe(
    Effect.matchEffect({
      onFailure: (error) =>
        Effect.annotateLogs(Effect.logInfo("the account's limits are not known; the basic tier's serve"), {
          reason: error.message
        }),
      onSuccess: ({ read, usage_tier }) => {
        client.grant(read)
        return Effect.annotateLogs(Effect.logInfo("the account's limits"), { tier: usage_tier, ...read })
      }
    }),
    Effect.annotateLogs({ venue: KALSHI })
  )

export const make = (
  config: KalshiConfig
): Effect.Effect<Venue, never, HttpClient.HttpClient | RateLimit | Scope.Scope> =>
  Effect.gen(function* () {
    const clockSkew = ClockSkew.make()
    const credentials = yield* Credentials.load(config)
    const signer = credentials._tag === "Ready" ? credentials.signer : undefined
    const drift = watch(yield* DriftLog, KALSHI, channels)
    const client = yield* Client.make(config, signer, clockSkew, drift.answer)
    const rest = Rest.make(client)
    if (signer !== undefined) yield* Effect.forkScoped(readLimits(client, rest))
    const markets = Markets.make(config, rest)
    const observers: Observers<Protocol.KalshiObserver> = new Map()
    const feed =
      signer === undefined
        ? yield* PollFeed.make(config, rest, credentials._tag === "Unusable" ? credentials.problem : undefined)
        : yield* Feed.make({ config, signer, clockSkew, rest, markets, observers })
    return {
      id: KALSHI,
      breakers: Effect.map(rest.breaker, (breaker) => [breaker]),
      markets: markets.list,
      wants: markets.wants,
      market: markets.find,
      feed,
      snapshot: (instrument) => rest.orderbook(instrument, signer === undefined ? "poll" : "rest"),
      comparison: {
        snapshots: (instruments) =>
          rest.orderbooks(
            instruments.map(({ venueInstrumentId }) => venueInstrumentId),
            "rest"
          ),
        together: Rest.BOOKS_PER_REQUEST,
        requestsPerSecond: Math.max(1, Math.floor(config.max_requests_per_second / 5))
      },
      protocol: (state) => Protocol.make(observers, state, drift.message)
    }
  })
