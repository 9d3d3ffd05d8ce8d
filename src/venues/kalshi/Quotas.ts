/** What Kalshi meters of reads: one bucket of tokens for an account, and what each endpoint takes from it (§5.3). */
import { Duration } from "effect"
import type { Quota } from "../../resilience/RateLimit.ts"
import type { AccountLimits } from "./Wire.ts"

const DEFAULT_COST = 10

/** Endpoints that cost anything else, below `api_url`. */
const COSTS: ReadonlyArray<readonly [path: RegExp, cost: number]> = [
  [/^\/cfbenchmarks(\/|$)/, 150],
  [/^\/portfolio\/orders\/[^/]+$/, 2]
]

/** The tokens that a `GET` of this path takes. */
export const costOf = (path: string): number => COSTS.find(([pattern]) => pattern.test(path))?.[1] ?? DEFAULT_COST

/** Tokens a second, and how many can gather. */
export type Bucket = AccountLimits["read"]

/** The tier that everybody starts in: reads gather for two seconds. */
export const BASIC: Bucket = { refill_rate: 200, bucket_capacity: 400 }

/**
 * The account's bucket of reads, and within it the requests a second that the configuration allows: what public reads
 * without a key are granted is not published.
 */
export const quotaOf = (bucket: Bucket, maxRequestsPerSecond: number): Quota => ({
  scope: "kalshi rest",
  windows: [
    { limit: bucket.bucket_capacity, window: Duration.seconds(bucket.bucket_capacity / bucket.refill_rate) },
    { limit: maxRequestsPerSecond * DEFAULT_COST, window: "1 seconds" }
  ]
})
