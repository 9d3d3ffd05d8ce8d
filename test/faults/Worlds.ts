/** Worlds that several scenarios share, one after the other, so that not each has to start its own. */
import type { WorldOptions } from "./World.ts"

/** Both venues, briskly traded, and a collector whose clock and event loop can be got at. */
export const both: WorldOptions = { venues: ["polymarket", "kalshi"], markets: 8, rate: 100, preload: true }
