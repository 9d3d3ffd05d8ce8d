import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MarketStore } from "../../src/storage/MarketStore.ts"
import { marketStoreSuite } from "./MarketStoreSuite.ts"

describe("markets in memory", () => {
  marketStoreSuite(it, MarketStore.layerMemory, Effect.void)
})
