/** The venues there are. A new one adds its line to `modules`. */
import type { HttpClient } from "@effect/platform"
import { Effect, Record, Schema, type Scope } from "effect"
import { VenueId } from "../domain/Market.ts"
import { section } from "../domain/Setting.ts"
import type { RateLimit } from "../resilience/RateLimit.ts"
import { KalshiConfig } from "./kalshi/Config.ts"
import * as Kalshi from "./kalshi/Kalshi.ts"
import { PolymarketConfig } from "./polymarket/Config.ts"
import * as Polymarket from "./polymarket/Polymarket.ts"
import type { MakeProtocol, Venue, Watch } from "./Venue.ts"

/** By the key of the venue's section in `platforms`. */
export const modules = {
  polymarket: {
    id: VenueId.make("polymarket"),
    section: section(PolymarketConfig),
    make: Polymarket.make,
    protocol: Polymarket.protocol
  },
  kalshi: { id: VenueId.make("kalshi"), section: section(KalshiConfig), make: Kalshi.make, protocol: Kalshi.protocol }
} as const

type Modules = typeof modules
type Sections = { [K in keyof Modules]: Modules[K]["section"] }

/** The section `platforms` of the configuration: one section for each venue. */
export const platforms: Schema.Struct<Sections> = Schema.Struct(
  // What is mapped key by key keeps the type of each key, which the mapping cannot say.
  Record.map(modules, ({ section }) => section) as Sections
)

/** How the inputs of each venue are read, for a tape. */
export const protocols: ReadonlyMap<VenueId, MakeProtocol> = new Map(
  Object.values(modules).map(({ id, protocol }) => [id, protocol])
)

/** The configuration of every venue. */
export type Platforms = Schema.Schema.Type<typeof platforms>

type Configs = { readonly [K in keyof Modules]: Platforms[K] }
type Needs = HttpClient.HttpClient | RateLimit | Scope.Scope
const makers: { readonly [K in keyof Configs]: { make(config: Configs[K]): Effect.Effect<Venue, never, Needs> } } =
  modules

const watch = <K extends keyof Configs>(name: K, config: Configs[K]): Effect.Effect<Watch, never, Needs> => {
  const { categories, markets, max_markets, refresh_every } = config
  return Effect.map(makers[name].make(config), (venue) => ({
    venue,
    filter: { maxMarkets: max_markets, categories, markets },
    refreshEvery: refresh_every
  }))
}

/** The venues that the configuration enables, each with what is to be watched of it. */
export const make = (config: Platforms): Effect.Effect<ReadonlyArray<Watch>, never, Needs> =>
  Effect.forEach(
    Record.keys(modules).filter((name) => config[name].enabled),
    (name) => watch(name, config[name])
  )
