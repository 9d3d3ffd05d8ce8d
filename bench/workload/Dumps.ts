/** Books of very many tokens, part by part, made in a process of its own so that nothing of the making stays elsewhere. */
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import { answer } from "../Talk.ts"
import type { ListingOptions } from "./Listing.ts"
import * as Traffic from "./Traffic.ts"

/** The first frame that subscribing to all of a listing brings. */
export interface DumpRequest {
  readonly listing: ListingOptions
  readonly depth: number
}

answer<DumpRequest>({}, ({ depth, listing }) => {
  const traffic = Traffic.make({ ...listing, depth })
  return Frames.dump(Array.from({ length: listing.tokens }, (_, i) => traffic.state(i)))
})
