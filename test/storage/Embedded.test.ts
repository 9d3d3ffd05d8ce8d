import { it } from "@effect/vitest"
import * as SqlMarketStore from "../../src/storage/SqlMarketStore.ts"
import { clear, embedded } from "./Databases.ts"
import { eventWriterSuite } from "./EventWriterSuite.ts"
import { marketStoreSuite } from "./MarketStoreSuite.ts"
import { partitionSuite } from "./PartitionSuite.ts"
import { sqlSuite } from "./SqlSuite.ts"
import { tapedWriterSuite } from "./TapedWriterSuite.ts"

it.layer(embedded, { timeout: "60 seconds" })("the embedded database", (it) => {
  sqlSuite(it)
  marketStoreSuite(it, SqlMarketStore.layer, clear)
  eventWriterSuite(it)
  tapedWriterSuite(it)
  partitionSuite(it)
})
