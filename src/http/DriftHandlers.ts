/** Answers about messages that are not what the protocols say. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Effect, type Layer } from "effect"
import { VenueId } from "../domain/Market.ts"
import { DriftLog } from "../resilience/DriftLog.ts"
import { Api } from "./Api.ts"

export const layer: Layer.Layer<HttpApiGroup.ApiGroup<"parallax", "drift">> = HttpApiBuilder.group(
  Api,
  "drift",
  (handlers) =>
    Effect.gen(function* () {
      const log = yield* DriftLog
      return handlers.handle("list", () =>
        Effect.sync(() => ({ drift: log.list().map((one) => ({ ...one, venue: VenueId.make(one.venue) })) }))
      )
    })
)
