/** A sentence for whoever started the collector where no venue can be reached. */
import { Effect, Layer, Schedule } from "effect"
import { Catalog } from "./Catalog.ts"
import { Feeds } from "./Feeds.ts"

const PATIENCE = "10 seconds"

/** Says once that nothing can be reached, and what shows the program without the internet. */
export const layer: Layer.Layer<never, never, Catalog | Feeds> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const feeds = yield* Feeds
    const nothing = Effect.map(
      feeds.connections,
      (connections) =>
        connections.every(({ state }) => state !== "connected") &&
        catalog.info().every(({ state }) => state === "failing" || state === "cached")
    )
    const tell = Effect.logWarning(
      "No venue can be reached from this machine. Parallax keeps trying; `npm run demo` shows it against simulated venues."
    )
    yield* Effect.sleep(PATIENCE).pipe(
      Effect.zipRight(Effect.repeat(nothing, { schedule: Schedule.spaced("2 seconds"), until: (alone) => alone })),
      Effect.zipRight(tell),
      Effect.forkScoped
    )
  })
)
