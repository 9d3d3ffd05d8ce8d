/** Connections that break, freeze or are cut in the middle. */
import { outage } from "../Outage.ts"
import type { Scenario } from "../Scenario.ts"
import { verify } from "../Verdict.ts"
import { both } from "../Worlds.ts"

export const connections: ReadonlyArray<Scenario> = [
  {
    row: "1",
    fault: "Connection reset mid-frame",
    injection: "the proxy lets half of what arrives pass, then resets both venues' connections",
    promise: "books stale at once; live again within 2 s; a gap row",
    short: true,
    world: both,
    run: async (world, kit) => {
      await outage(world, kit, {
        inject: async () => {
          world.proxies.polymarket.resetMidFrame()
          world.proxies.kalshi.resetMidFrame()
        },
        detectWithin: 500,
        recoverWithin: 2_000
      })
      await verify(world, kit)
    }
  }
]
