/** A database that is there and does nothing, for parts that only ask whether it is. */
import { Effect, Layer, Stream } from "effect"
import type { Snapshot } from "../../src/resilience/CircuitBreaker.ts"
import { Database } from "../../src/storage/Database.ts"

/** As a breaker is that never had a reason to open. */
export const closedBreaker: Snapshot = {
  name: "database",
  state: "closed",
  since: 0,
  failures: 0,
  openings: 0,
  nextAttempt: null,
  lastFailure: ""
}

export const readyDatabase = (ready: Effect.Effect<void> = Effect.void): Layer.Layer<Database> =>
  Layer.succeed(Database, {
    status: Effect.succeed({
      driver: "embedded" as const,
      where: "nowhere",
      state: "up" as const,
      since: 0,
      error: null
    }),
    changes: Stream.never,
    breaker: Effect.succeed(closedBreaker),
    ready,
    query: () => (effect) => effect,
    transaction: () => (effect) => effect
  })
