/** The section `platforms.kalshi` of the configuration. */
import { Duration, Redacted, Schema } from "effect"
import { DurationFromText, HttpUrl, setting, SocketUrl } from "../../domain/Setting.ts"

const names = Schema.Array(Schema.NonEmptyTrimmedString)

export const KalshiConfig = Schema.Struct({
  enabled: setting(Schema.Boolean, true, "collect from this venue"),
  api_url: setting(HttpUrl, "https://external-api.kalshi.com/trade-api/v2", "REST, with the version in the path"),
  ws_url: setting(SocketUrl, "wss://external-api-ws.kalshi.com/trade-api/ws/v2", "the socket, in full"),
  key_id: setting(Schema.String, "", "the id of an API key; without a key the books are polled over REST"),
  private_key_path: setting(Schema.String, "", "the file with the key's private part, RSA or Ed25519, as PEM"),
  private_key: setting(
    Schema.Redacted(Schema.String),
    Redacted.make(""),
    "the private part itself instead of a file; never logged"
  ),
  max_markets: setting(
    Schema.Int.pipe(Schema.between(1, 100_000)),
    500,
    "markets at most, those with the most volume; memory follows it"
  ),
  min_volume_24h: setting(
    Schema.Finite.pipe(Schema.nonNegative()),
    1_000,
    "contracts that must have been traded in 24 hours"
  ),
  categories: setting(names, [], "topics by name, as [politics, sports]; empty takes all"),
  markets: setting(names, [], "markets by ticker that are kept whatever the filters say"),
  max_markets_per_connection: setting(Schema.Int.pipe(Schema.between(1, 10_000)), 1_000, "books on one socket"),
  max_requests_per_second: setting(
    Schema.Int.pipe(Schema.between(1, 1_000)),
    10,
    "REST requests a second; half of what the lowest tier is granted"
  ),
  refresh_every: setting(DurationFromText, Duration.minutes(10), "how often the market list is fetched again"),
  poll_every: setting(
    DurationFromText,
    Duration.seconds(15),
    "how often books are fetched without a key; the venue's cache is as old"
  ),
  stale_after: setting(
    DurationFromText,
    Duration.seconds(30),
    "how long a socket may carry no data before it is compared over REST, and replaced if it missed anything"
  )
}).annotations({ identifier: "KalshiConfig" })
export type KalshiConfig = typeof KalshiConfig.Type
