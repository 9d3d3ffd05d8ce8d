/** The connections of every venue, as they are now. */
import { Context, type Effect } from "effect"
import type { ConnectionInfo } from "../venues/Venue.ts"

export class Feeds extends Context.Tag("parallax/collector/Feeds")<
  Feeds,
  {
    readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>>
  }
>() {}
