/** Polymarket as a venue: its REST, its feed and its verifier under one configuration. */
import type { HttpClient } from "@effect/platform"
import { Effect, type Scope } from "effect"
import { DriftLog, watch } from "../../resilience/DriftLog.ts"
import type { RateLimit } from "../../resilience/RateLimit.ts"
import type { Observer, Observers } from "../Protocol.ts"
import type { MakeProtocol, Venue } from "../Venue.ts"
import type { PolymarketConfig } from "./Config.ts"
import * as Feed from "./Feed.ts"
import * as Protocol from "./Protocol.ts"
import { POLYMARKET } from "./Reading.ts"
import * as Rest from "./Rest.ts"
import { channels } from "./Watched.ts"

/** Two fifths of the books that we ask for at most (§10, halved): fresh snapshots come first. */
const COMPARISONS_PER_SECOND = 30

/** For a tape of this venue. */
export const protocol: MakeProtocol = (state) => Protocol.make(new Map(), state)

export const make = (
  config: PolymarketConfig
): Effect.Effect<Venue, never, HttpClient.HttpClient | RateLimit | Scope.Scope> =>
  Effect.gen(function* () {
    const drift = watch(yield* DriftLog, POLYMARKET, channels)
    const rest = yield* Rest.make(config, undefined, drift.answer)
    const observers: Observers<Observer> = new Map()
    return {
      id: POLYMARKET,
      ...rest,
      comparison: {
        snapshots: (instruments) =>
          Effect.forEach(instruments, (instrument) =>
            Effect.catchIf(
              Effect.map(rest.snapshot(instrument), (answer) => [answer]),
              ({ reason }) => reason === "not-found",
              () => Effect.succeed([])
            )
          ).pipe(Effect.map((answers) => answers.flat())),
        together: 1,
        requestsPerSecond: COMPARISONS_PER_SECOND
      },
      feed: yield* Feed.make(config, rest, observers),
      protocol: (state) => Protocol.make(observers, state, drift)
    }
  })
