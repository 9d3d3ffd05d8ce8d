/** The connections of every venue, as they are now. */
import { Context, type Effect } from "effect"
import type { VenueId } from "../domain/Market.ts"
import type { BreakerInfo, ConnectionInfo } from "../venues/Venue.ts"

export class Feeds extends Context.Tag("parallax/collector/Feeds")<
  Feeds,
  {
    readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>>
    /** Every circuit breaker once, those of the connections included. */
    readonly breakers: Effect.Effect<ReadonlyArray<BreakerInfo & { readonly venue: VenueId }>>
  }
>() {}
