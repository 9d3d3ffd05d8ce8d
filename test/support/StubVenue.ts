/** A venue whose answers a test makes up. */
import { Effect, Option, Stream } from "effect"
import type { Market } from "../../src/domain/Market.ts"
import type { FeedEvent } from "../../src/domain/MarketEvent.ts"
import { reading } from "../../src/venues/Protocol.ts"
import { type MarketPage, type Venue, VenueError, type VenueErrorReason } from "../../src/venues/Venue.ts"
import { venue as id } from "./Events.ts"

export const failure = (reason: VenueErrorReason, detail = "made up"): VenueError =>
  new VenueError({ venue: id, reason, where: "test", detail })

export const page = (number: number, markets: ReadonlyArray<Market>): MarketPage => ({
  page: `test, page ${number}`,
  markets,
  rejected: []
})

/** A venue that lists nothing, knows nothing and feeds nothing, but for what is given. */
export const make = (parts: Partial<Venue> = {}): Venue => ({
  id,
  markets: () => Stream.empty,
  wants: () => true,
  market: () => Effect.succeed(Option.none()),
  feed: { inputs: () => Stream.never, events: () => Stream.never, connections: Effect.succeed([]) },
  breakers: Effect.succeed([]),
  snapshot: () => failure("not-found"),
  comparison: { snapshots: () => Effect.succeed([]), together: 1, requestsPerSecond: 10 },
  protocol: () => ({
    read: reading({
      connections: new Map(),
      begin: () => null,
      reader: () => () => {},
      answer: ({ body }, _, out) => void out.push(body as FeedEvent)
    }),
    verifier: undefined,
    state: null
  }),
  ...parts
})
