/** The venues there are. A new one adds its line to `modules`. */
import type { HttpClient } from "@effect/platform"
import { Effect, Record, Schema, type Scope } from "effect"
import { VenueId } from "../domain/Market.ts"
import { section } from "../domain/Setting.ts"
import type { RateLimit } from "../resilience/RateLimit.ts"
import { PolymarketConfig } from "./polymarket/Config.ts"
import * as Polymarket from "./polymarket/Polymarket.ts"
import type { Watch } from "./Venue.ts"

/** By the key of the venue's section in `platforms`. */
export const modules = {
  polymarket: { id: VenueId.make("polymarket"), Config: PolymarketConfig, make: Polymarket.make }
} as const

type Modules = typeof modules
type Section<M extends { readonly Config: Schema.Schema.AnyNoContext }> = ReturnType<
  typeof section<M["Config"]["Type"], M["Config"]["Encoded"]>
>

/** The section `platforms` of the configuration: one section for each venue. */
export const platforms: Schema.Struct<{ [K in keyof Modules]: Section<Modules[K]> }> = Schema.Struct(
  Record.map(modules, ({ Config }) => section(Config))
)

/** The configuration of every venue. */
export type Platforms = Schema.Schema.Type<typeof platforms>

/** The venues that the configuration enables, each with what is to be watched of it. */
export const make = (
  config: Platforms
): Effect.Effect<ReadonlyArray<Watch>, never, HttpClient.HttpClient | RateLimit | Scope.Scope> =>
  Effect.forEach(
    Record.toEntries(modules).filter(([name]) => config[name].enabled),
    ([name, module]) => {
      const { categories, markets, max_markets, refresh_every } = config[name]
      return Effect.map(module.make(config[name]), (venue) => ({
        venue,
        filter: { maxMarkets: max_markets, categories, markets },
        refreshEvery: refresh_every
      }))
    }
  )
