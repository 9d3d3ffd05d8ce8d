/** A database that is there and does nothing, for parts that only ask whether it is. */
import { Effect, Layer, Stream } from "effect"
import { Database } from "../../src/storage/Database.ts"

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
    ready,
    query: () => (effect) => effect,
    transaction: () => (effect) => effect
  })
