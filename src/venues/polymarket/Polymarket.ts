/** Polymarket as a venue: its REST, its feed and its verifier under one configuration. */
import type { HttpClient } from "@effect/platform"
import { Effect, type Scope } from "effect"
import type { RateLimit } from "../../resilience/RateLimit.ts"
import type { Venue } from "../Venue.ts"
import type { PolymarketConfig } from "./Config.ts"
import * as Feed from "./Feed.ts"
import { POLYMARKET } from "./Reading.ts"
import * as Rest from "./Rest.ts"
import * as Verifier from "./Verifier.ts"

export const make = (
  config: PolymarketConfig
): Effect.Effect<Venue, never, HttpClient.HttpClient | RateLimit | Scope.Scope> =>
  Effect.gen(function* () {
    const rest = yield* Rest.make(config)
    return {
      id: POLYMARKET,
      ...rest,
      feed: yield* Feed.make(config, rest),
      verifier: Verifier.make()
    }
  })
