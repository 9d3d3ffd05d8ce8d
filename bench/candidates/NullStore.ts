/** A store of rows that encodes them for `COPY`, as a database is given them, and keeps nothing. */
import { Effect, Option } from "effect"
import type { InstrumentId } from "../../src/domain/Market.ts"
import type { RowStore } from "../../src/storage/FlushTransaction.ts"
import { encode } from "../../src/storage/RowEncoder.ts"
import type { Table } from "../../src/storage/Rows.ts"

const numbers = new Map<InstrumentId, number>()

const numberOf = (id: InstrumentId): number => {
  let number = numbers.get(id)
  if (number === undefined) numbers.set(id, (number = numbers.size + 1))
  return number
}

export const nothing: RowStore = {
  ready: Effect.void,
  progress: () => Effect.succeed(Option.none()),
  run: () => ({
    store: ({ rows }) =>
      Effect.sync(() => {
        encode(rows, { run: 1, numberOf })
        const stored = new Map<Table, number>()
        for (const { table } of rows) stored.set(table, (stored.get(table) ?? 0) + 1)
        return stored
      }),
    end: Effect.void
  })
}
