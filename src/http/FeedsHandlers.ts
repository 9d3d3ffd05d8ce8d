/** Answers about the connections to the venues. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Effect, type Layer } from "effect"
import { Catalog } from "../collector/Catalog.ts"
import { Feeds } from "../collector/Feeds.ts"
import type { VenueId } from "../domain/Market.ts"
import type { ConnectionInfo } from "../venues/Venue.ts"
import { Api } from "./Api.ts"
import type { FeedList } from "./ApiSchemas.ts"

const stateOf = (connections: ReadonlyArray<ConnectionInfo>): FeedList["feeds"][number]["state"] => {
  const open = connections.filter(({ state }) => state !== "closed")
  const connected = open.filter(({ state }) => state === "connected").length
  if (open.length === 0) return "idle"
  return connected === 0 ? "disconnected" : connected < open.length ? "partial" : "connected"
}

const toFeed = (venue: VenueId, all: ReadonlyArray<ConnectionInfo>): FeedList["feeds"][number] => {
  const connections = all.filter((connection) => connection.venue === venue)
  return { venue, state: stateOf(connections), connections }
}

/** The feeds of the venues that are watched, and of those that still have a connection. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"parallax", "feeds">,
  never,
  Catalog | Feeds
> = HttpApiBuilder.group(Api, "feeds", (handlers) =>
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const feeds = yield* Feeds
    return handlers.handle("list", () =>
      Effect.map(feeds.connections, (connections) => {
        const venues = new Set([...catalog.info(), ...connections].map(({ venue }) => venue))
        return { feeds: [...venues].map((venue) => toFeed(venue, connections)) }
      })
    )
  })
)
