/**
 * Rows a second into a database, by every way there is, with batches as the writer makes them:
 * `node bench/storage/run.mjs Write postgres|embedded [seconds] [way …]`. The server is one of its own, with `fsync` on.
 *
 * Ways: `writer` is the program's own transaction. `direct` (binary COPY), `staged` (binary COPY to a temporary table,
 * then INSERT), `text` (text COPY) and `unnest` (INSERT from arrays) are told apart by how rows get into their tables.
 */
import { readdirSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import { Effect, type Layer, Logger, LogLevel, Option, Schema } from "effect"
import type { ClientBase } from "pg"
import { from as copyFrom } from "pg-copy-streams"
import type { InstrumentId } from "../../src/domain/Market.ts"
import { formatDecimal } from "../../src/domain/Money.ts"
import { CopySink } from "../../src/storage/CopySink.ts"
import { Database, DatabaseConfig } from "../../src/storage/Database.ts"
import * as FlushTransaction from "../../src/storage/FlushTransaction.ts"
import { Mapping } from "../../src/storage/Mapping.ts"
import { columnList, encode } from "../../src/storage/RowEncoder.ts"
import * as RowInsert from "../../src/storage/RowInsert.ts"
import type { Row, TickRow } from "../../src/storage/Rows.ts"
import { layerEmbedded, layerPostgres, type Sql } from "../../src/storage/Sql.ts"
import * as Postgres from "../../test/support/Postgres.ts"
import * as Ticks from "./Ticks.ts"

const [where = "postgres", seconds = "15", ...chosen] = process.argv.slice(2)
const all = ["writer", "staged", "direct", ...(where === "postgres" ? ["text"] : []), "unnest"]
const ways = chosen.length > 0 ? chosen : all
const BATCH = 5000
const START = Date.now()
/** So many events of each millisecond: as a feed of this rate has them. */
const RATE = 20

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Processor seconds of the server's processes, by the clock tick of a hundredth. */
const serverCpu = (): number => {
  let ticks = 0
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1")
      if (!stat.includes("(postgres)")) continue
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      for (const at of [11, 12, 13, 14]) ticks += Number(fields[at])
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / 100
}

const values = (row: TickRow, run: number, no: number): Array<string | number | null> => {
  const money = (amount: number | null): string | null => (amount === null || amount < 0 ? null : formatDecimal(amount))
  const digest = ((BigInt(row.high) << 32n) | BigInt(row.low >>> 0)).toString()
  const times = [new Date(row.venueTime).toISOString(), new Date(row.receivedTime).toISOString()]
  const tick = [run + row.sequence, no, ...times, digest]
  if (row.table === "book_changes") {
    return [...tick, row.side, money(row.price), money(row.size), money(row.bestBid), money(row.bestAsk), row.hash]
  }
  if (row.table === "best_quotes") {
    return [...tick, money(row.bid), money(row.bidSize), money(row.ask), money(row.askSize)]
  }
  throw new Error(row.table)
}

const tickTypes = ["bigint", "integer", "timestamptz", "timestamptz", "bigint"]
const types: Record<string, ReadonlyArray<string>> = {
  book_changes: [...tickTypes, "text", "numeric", "numeric", "numeric", "numeric", "text"],
  best_quotes: [...tickTypes, "numeric", "numeric", "numeric", "numeric"]
}

/** Text COPY on the connection of the transaction: the program itself has no use for it. */
const copyText = (statement: string, lines: string): Effect.Effect<void, unknown> =>
  Effect.flatMap(Effect.serviceOption(TransactionConnection), (held) =>
    Effect.async((resume) => {
      const client = Option.isSome(held) ? (held.value[0] as { readonly pg?: ClientBase }).pg : undefined
      if (client === undefined) return resume(Effect.fail("text COPY is measured on a server only"))
      const stream = client.query(copyFrom(statement))
      stream.on("error", (error) => resume(Effect.fail(error)))
      stream.on("finish", () => resume(Effect.void))
      stream.end(lines)
    })
  )

let started = 0

type Store = (rows: ReadonlyArray<Row>) => Effect.Effect<unknown, unknown>

const storeBy = (way: string): Effect.Effect<Store, never, Sql> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const sink = yield* CopySink
    const database = yield* Database
    const startedAt = START + started++
    if (way === "writer") {
      const { run } = yield* FlushTransaction.make
      const transaction = run({ tape: startedAt * 1000, startedAt })
      let position = 0
      return (rows) =>
        transaction.store({
          rows,
          position: (position += rows.length),
          coverage: [{ venue: "polymarket", begin: startedAt, wholeUntil: startedAt }]
        })
    }
    const run = startedAt * 1000
    const numbers = new Map<InstrumentId, number>()
    const numberOf = (id: InstrumentId): number => {
      const known = numbers.get(id)
      if (known === undefined) numbers.set(id, numbers.size + 1)
      return known ?? numbers.size
    }
    const insert = RowInsert.make(sql, sink)
    const byTable = (rows: ReadonlyArray<Row>) =>
      ["book_changes", "best_quotes"].map(
        (table) => [table, rows.filter((row) => row.table === table) as ReadonlyArray<TickRow>] as const
      )
    const perform = (rows: ReadonlyArray<Row>): Effect.Effect<unknown, unknown> => {
      if (way === "direct" || way === "staged") {
        const { parts } = encode(rows, { run, numberOf })
        return Effect.forEach(parts, ([table, { bytes }]) => insert[way](table, bytes), { discard: true })
      }
      return Effect.forEach(byTable(rows), ([table, mine]) => {
        const columns = columnList(table as "book_changes")
        if (way === "text") {
          const lines = mine.map((row) =>
            values(row, run, numberOf(row.instrumentId))
              .map((value) => value ?? "\\N")
              .join("\t")
          )
          return copyText(`COPY ${table} (${columns}) FROM STDIN`, `${lines.join("\n")}\n`)
        }
        const rowsOf = mine.map((row) => values(row, run, numberOf(row.instrumentId)))
        const arrays = types[table]!.map((_, at) => rowsOf.map((row) => row[at]))
        const from = types[table]!.map((type, at) => `$${at + 1}::${type}[]`).join(", ")
        return sql.unsafe(
          `INSERT INTO ${table} (${columns}) SELECT * FROM unnest(${from}) ON CONFLICT DO NOTHING`,
          arrays
        ).raw
      })
    }
    yield* Effect.orDie(sql`INSERT INTO runs (id, started_at, last_position) VALUES (${run}, now(), ${run})`)
    return (rows) =>
      Effect.zipRight(
        perform(rows),
        sql`UPDATE runs SET tape_position = ${rows.at(-1)!.sequence} WHERE id = ${run}`
      ).pipe(database.transaction("flush"))
  })

/** What a row takes on the disk, once many of them came as they come. */
const sizes = Effect.gen(function* () {
  const sql = yield* SqlClient
  for (const table of ["book_changes", "best_quotes"]) {
    const [size] = yield* sql.unsafe<{ readonly n: number; readonly heap: number; readonly index: number }>(`
      SELECT (SELECT count(*) FROM ${table})::float8 AS n, sum(pg_table_size(relid))::float8 AS heap,
        sum(pg_indexes_size(relid))::float8 AS index FROM pg_partition_tree('${table}') WHERE isleaf`)
    const { heap, index, n } = size ?? { heap: 0, index: 0, n: 1 }
    const text = `  ${table}: ${(heap / n).toFixed(1)} bytes a row, and ${(index / n).toFixed(1)} of indexes`
    yield* Effect.sync(() => console.log(text))
  }
})

const measure = (way: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const database = yield* Database
    yield* database.ready
    yield* sql`TRUNCATE book_changes, best_quotes, runs, run_venues`
    const store = yield* storeBy(way)
    const ticks = Ticks.make({ instruments: 2000, quotes: 25, start: START, rate: RATE })
    const mapping = Mapping.begin()
    const next = (): Array<Row> => {
      const rows: Array<Row> = []
      mapping.map(ticks(BATCH), rows)
      return rows
    }
    for (let i = 0; i < 4; i++) yield* store(next())
    let [stored, made, slowest] = [0, 0, 0]
    const [start, client, server] = [performance.now(), cpu(), serverCpu()]
    const until = start + Number(seconds) * 1000
    while (performance.now() < until) {
      const before = cpu()
      const rows = next()
      made += cpu() - before
      const at = performance.now()
      yield* store(rows)
      slowest = Math.max(slowest, performance.now() - at)
      stored += rows.length
    }
    const elapsed = (performance.now() - start) / 1000
    const perRow = (cpuSeconds: number) => `${((cpuSeconds / stored) * 1e6).toFixed(2)}`.padStart(6)
    const line = [
      way.padEnd(8),
      `${Math.round(stored / elapsed).toLocaleString("en-US")} rows/s`.padStart(16),
      `client ${perRow(cpu() - client - made)} µs/row`,
      `server ${where === "postgres" ? perRow(serverCpu() - server) : "     –"} µs/row`,
      `slowest batch ${slowest.toFixed(0)} ms`
    ]
    yield* Effect.sync(() => console.log(line.join("   ")))
    if (way === "writer") yield* sizes
  })

const program = Effect.gen(function* () {
  console.log(`${where}, ${seconds} s each, batches of ${BATCH}, three changes to a quote, mapping not counted`)
  for (const way of ways) yield* measure(way)
})

const config = Schema.decodeSync(DatabaseConfig)({})
const directory = await mkdtemp(join(tmpdir(), "parallax-write-"))
const server = where === "postgres" ? await Postgres.start() : undefined
const layer: Layer.Layer<Sql, unknown> =
  server === undefined
    ? layerEmbedded(directory)
    : layerPostgres({ ...config, host: server.host, port: server.port, name: server.database, user: server.user })
try {
  await Effect.runPromise(
    program.pipe(Effect.provide(layer), Logger.withMinimumLogLevel(LogLevel.Warning), Effect.scoped)
  )
} finally {
  await server?.dispose()
  await rm(directory, { recursive: true, force: true })
}
