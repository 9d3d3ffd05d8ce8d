import { describe, it } from "@effect/vitest"
import * as SqlMarketStore from "../../src/storage/SqlMarketStore.ts"
import { available } from "../support/Postgres.ts"
import { clear, postgres } from "./Databases.ts"
import { eventWriterSuite } from "./EventWriterSuite.ts"
import { marketStoreSuite } from "./MarketStoreSuite.ts"
import { partitionSuite } from "./PartitionSuite.ts"
import { sqlSuite } from "./SqlSuite.ts"
import { tapedWriterSuite } from "./TapedWriterSuite.ts"

describe.skipIf(!available)("PostgreSQL, where it is installed", () => {
  it.layer(postgres, { timeout: "60 seconds" })((it) => {
    sqlSuite(it)
    marketStoreSuite(it, SqlMarketStore.layer, clear)
    eventWriterSuite(it)
    tapedWriterSuite(it)
    partitionSuite(it)
  })
})
