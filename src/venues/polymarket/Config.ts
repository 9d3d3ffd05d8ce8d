/** The section `platforms.polymarket` of the configuration. */
import { Duration, Schema } from "effect"
import { DurationFromText, HttpUrl, setting, SocketUrl } from "../../domain/Setting.ts"

const names = Schema.Array(Schema.NonEmptyTrimmedString)

export const PolymarketConfig = Schema.Struct({
  enabled: setting(Schema.Boolean, true, "collect from this venue"),
  clob_url: setting(HttpUrl, "https://clob.polymarket.com", "REST of the order books"),
  gamma_url: setting(HttpUrl, "https://gamma-api.polymarket.com", "REST of the market list"),
  ws_url: setting(SocketUrl, "wss://ws-subscriptions-clob.polymarket.com/ws/market", "the market socket, in full"),
  max_markets: setting(
    Schema.Int.pipe(Schema.between(1, 100_000)),
    500,
    "markets at most; memory follows it, and paging stops when it is reached"
  ),
  min_liquidity: setting(
    Schema.Finite.pipe(Schema.nonNegative()),
    10_000,
    "dollars that must rest in a market's books, as the venue reports them"
  ),
  categories: setting(names, [], "topics by name or slug, as [politics, sports]; empty takes all"),
  markets: setting(names, [], "markets by condition id or slug that are kept whatever the filters say"),
  max_assets_per_connection: setting(
    Schema.Int.pipe(Schema.between(1, 500)),
    200,
    "books on one socket; the venue sends no snapshots beyond 500"
  ),
  refresh_every: setting(DurationFromText, Duration.minutes(10), "how often the market list is fetched again"),
  stale_after: setting(
    DurationFromText,
    Duration.seconds(30),
    "how long a socket may carry no data before it is compared over REST, and replaced if it missed anything"
  )
}).annotations({ identifier: "PolymarketConfig" })
export type PolymarketConfig = typeof PolymarketConfig.Type
