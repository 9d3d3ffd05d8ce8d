/** Kalshi's token buckets, of the tier that everybody starts in, and what they say of themselves (Kalshi reference §5.3). */
import { type Reply, json } from "./Rest.ts"

/** Tokens a second, and how many can gather. */
export interface Bucket {
  readonly refill_rate: number
  readonly bucket_capacity: number
}

export interface Budget {
  readonly read: Bucket
  readonly write: Bucket
}

/** Reads gather for two seconds, writes for one. */
export const basic: Budget = {
  read: { refill_rate: 200, bucket_capacity: 400 },
  write: { refill_rate: 100, bucket_capacity: 100 }
}

const DEFAULT_COST = 10

const costs = [
  { cost: 30, method: "POST", path: "/trade-api/v2/account/api_usage_level/upgrade" },
  { cost: 150, method: "GET", path: "/trade-api/v2/cfbenchmarks" },
  { cost: 150, method: "GET", path: "/trade-api/v2/cfbenchmarks/*endpoint" },
  { cost: 2, method: "POST", path: "/trade-api/v2/communications/quotes" },
  { cost: 2, method: "DELETE", path: "/trade-api/v2/communications/quotes/:quote_id" },
  { cost: 2, method: "DELETE", path: "/trade-api/v2/portfolio/events/orders/:order_id" },
  { cost: 2, method: "DELETE", path: "/trade-api/v2/portfolio/events/orders/batched" },
  { cost: 2, method: "GET", path: "/trade-api/v2/portfolio/orders/:order_id" }
]

const patterns = costs.map(({ cost, method, path }) => ({
  cost,
  method,
  pattern: new RegExp(`^${path.replace(/[:*][a-z_]+/g, "[^/]+")}$`)
}))

const costOf = (method: string, path: string): number =>
  patterns.find((one) => one.method === method && one.pattern.test(path))?.cost ?? DEFAULT_COST

/** `/account/endpoint_costs` */
export const endpointCosts: Reply = json(200, { default_cost: DEFAULT_COST, endpoint_costs: costs })

/** `/account/limits` */
export const accountLimits = ({ read, write }: Budget): Reply =>
  json(200, {
    grants: [],
    read: { bucket_capacity: read.bucket_capacity, refill_rate: read.refill_rate },
    usage_tier: "basic",
    write: { bucket_capacity: write.bucket_capacity, refill_rate: write.refill_rate }
  })

export interface Limits {
  /** Takes what a request costs from its caller's bucket; `false` when there is not enough, and nothing is taken. */
  readonly take: (caller: string, method: string, path: string, now: number) => boolean
}

/** A bucket for reads and one for writes of each caller. */
export const make = (budget: Budget): Limits => {
  const levels = new Map<string, { tokens: number; at: number }>()
  return {
    take: (caller, method, path, now) => {
      const { bucket_capacity: capacity, refill_rate: rate } = method === "GET" ? budget.read : budget.write
      const name = `${method === "GET" ? "read" : "write"} ${caller}`
      const level = levels.get(name) ?? { tokens: capacity, at: now }
      levels.set(name, level)
      level.tokens = Math.min(capacity, level.tokens + (Math.max(0, now - level.at) * rate) / 1000)
      level.at = now
      const cost = costOf(method, path)
      if (level.tokens < cost) return false
      level.tokens -= cost
      return true
    }
  }
}
