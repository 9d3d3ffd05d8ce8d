/** The core as whoever repeats a tape uses it: nobody is asked for anything, since the tape holds what was answered. */
import { Layer } from "effect"
import type { VenueId } from "../domain/Market.ts"
import { Deriver } from "../tape/Deriver.ts"
import type { MakeProtocol } from "../venues/Venue.ts"
import * as Core from "./Core.ts"

export const layer = (protocols: ReadonlyMap<VenueId, MakeProtocol>): Layer.Layer<Deriver> =>
  Layer.succeed(Deriver, {
    begin: (state) => {
      const core = Core.make({ protocols, onResync: () => {} }, state)
      return core && { apply: core.apply, save: core.save, chain: () => core.chain().digest }
    }
  })
