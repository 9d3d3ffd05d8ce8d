/**
 * What queries cost over many ticks: `node bench/storage/run.mjs Explain [millions of rows] [days]` makes a server of its
 * own, fills it (100 million take about 17 GB and ten minutes), explains the queries of the README and others that an
 * analyst asks, and removes it. `keep` as a third word leaves it running and prints where.
 *
 * Of a hundred rows 70 are changes, 25 quotes and 5 trades, spread evenly over the days up to now and unevenly over 2,000
 * instruments, in the order of their time as the writer stores them. The latest day is made first.
 */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Logger, LogLevel, Schema } from "effect"
import { Client } from "pg"
import { Database, DatabaseConfig } from "../../src/storage/Database.ts"
import { layerPostgres } from "../../src/storage/Sql.ts"
import * as Postgres from "../../test/support/Postgres.ts"

const [millions = "100", days = "5", keep] = process.argv.slice(2)
const ROWS = Number(millions) * 1e6
const DAYS = Number(days)
const INSTRUMENTS = 2000

const shares = { book_changes: 0.7, best_quotes: 0.25, trades: 0.05 }
type Table = keyof typeof shares

/** Of a pseudo-random `r` of 31 bits. */
const contents: Readonly<Record<Table, string>> = {
  book_changes: `CASE r % 2 WHEN 0 THEN 'bid' ELSE 'ask' END AS side, trim_scale((1 + r % 99) / 100.0) AS price,
    trim_scale((r % 200000) / 100.0) AS size, trim_scale((1 + r % 98) / 100.0) AS best_bid,
    trim_scale((2 + r % 98) / 100.0) AS best_ask, md5(i::text) || left(md5(r::text), 8) AS hash`,
  best_quotes: `trim_scale((1 + r % 90) / 100.0) AS bid, trim_scale((r % 200000) / 100.0) AS bid_size,
    trim_scale((2 + r % 90 + r % 7) / 100.0) AS ask, trim_scale((r % 100000) / 100.0) AS ask_size`,
  trades: `trim_scale((1 + r % 99) / 100.0) AS price, trim_scale((r % 100000) / 100.0) AS size,
    CASE r % 2 WHEN 0 THEN 'buy' ELSE 'sell' END AS taker_side, '0x' || md5(i::text) || md5(r::text) AS trade_id`
}

const columns: Readonly<Record<Table, string>> = {
  book_changes: "side, price, size, best_bid, best_ask, hash",
  best_quotes: "bid, bid_size, ask, ask_size",
  trades: "price, size, taker_side, trade_id"
}

/** Rows that are made up; all others repeat them at other times. */
const SAMPLE = 200_000

const DAY = 86_400_000
const now = Date.now()
/** `SIGUSR2` says that the days so far, the latest first, are enough. */
let isEnough = false
process.on("SIGUSR2", () => {
  isEnough = true
})
const date = (time: number): string => new Date(time).toISOString().slice(0, 10)

const fill = async (query: (sql: string) => Promise<unknown>) => {
  await query(`
    INSERT INTO markets (id, venue, venue_market_id, slug, question, tags, status, neg_risk, rank)
      SELECT 'polymarket:' || n, 'polymarket', n::text, 'slug-' || n, 'Question number ' || n || '?', '{}', 'open', false, n
      FROM generate_series(1, ${INSTRUMENTS / 2}) AS n;
    INSERT INTO outcomes (instrument_id, venue, venue_instrument_id, market_id, index, name)
      SELECT 'polymarket:' || repeat('7', 70) || n, 'polymarket', n::text, 'polymarket:' || (n + 1) / 2, n % 2,
        CASE n % 2 WHEN 1 THEN 'Yes' ELSE 'No' END
      FROM generate_series(1, ${INSTRUMENTS}) AS n`)
  for (const table of Object.keys(shares) as Array<Table>) {
    await query(`
      CREATE TABLE sample_${table} AS
        SELECT i, hashint8extended(i, 7) AS digest, 1 + floor(${INSTRUMENTS} * (r / 2147483648.0) ^ 2)::int AS no,
          ${contents[table]}
        FROM generate_series(1, ${SAMPLE}::bigint) AS i, LATERAL (SELECT hashint8(i) & 2147483647 AS r) AS made
        ORDER BY i`)
  }
  // A hundredth as many events of the feed, of which a hundredth are gaps.
  await query(`
    INSERT INTO feed_events (position, venue, connection, kind, no, from_time, to_time, reason)
      SELECT i, 'polymarket', 'polymarket-1', CASE i % 100 WHEN 0 THEN 'gap' ELSE 'stale' END, 1 + i % ${INSTRUMENTS},
        to_timestamp(${(now - DAYS * DAY) / 1000} + i * ${(DAYS * DAY * 100) / ROWS / 1000}), NULL, 'closed: 1006'
      FROM generate_series(1, ${ROWS / 100}) AS i;
    ANALYZE feed_events`)
  const begin = now - DAYS * DAY
  for (let start = Math.floor(now / DAY + 1) * DAY; start + DAY > begin; start -= DAY) {
    if (isEnough) break
    const [from, to] = [Math.max(start, begin), Math.min(start + DAY, now)]
    for (const table of Object.keys(shares) as Array<Table>) {
      const rounds = Math.max(0, Math.ceil((ROWS * shares[table] * (to - from)) / (DAYS * DAY) / SAMPLE))
      const name = `${table}_${date(start).replaceAll("-", "")}`
      await query(`CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
      // Microseconds from one row to the next, of which the first is a moment old when the day begins.
      const step = Math.floor(((to - from - 100) * 1000) / (rounds * SAMPLE))
      for (let round = 0; round < rounds; round++) {
        const base = from * 1000 + 50_000 + round * SAMPLE * step
        await query(`
          INSERT INTO ${name} (position, venue_time, received_time, digest, no, ${columns[table]})
          SELECT ${base} + i * ${step}, t, t + interval '30 milliseconds', digest, no, ${columns[table]}
          FROM (SELECT *, to_timestamp(${base / 1e6}) + i * interval '${step} microseconds' AS t
            FROM sample_${table}) AS made`)
      }
      await query(`ALTER TABLE ${table} ATTACH PARTITION ${name}
        FOR VALUES FROM ('${date(start)} 00:00:00+00') TO ('${date(start + DAY)} 00:00:00+00')`)
    }
    console.log(`${date(start)} is there after ${((Date.now() - now) / 1000).toFixed(0)} s`)
  }
  for (const table of Object.keys(shares)) await query(`ANALYZE ${table}`)
}

interface Node {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Index Recheck"?: number
  readonly "Rows Removed by Filter"?: number
  readonly "Shared Hit Blocks": number
  readonly "Shared Read Blocks": number
  readonly Plans?: ReadonlyArray<Node>
}

/** What a plan reads: of each relation by which index, how many rows. */
const essence = (node: Node): ReadonlyArray<string> => {
  const below = (node.Plans ?? []).flatMap(essence)
  const relation = node["Relation Name"]
  const name = node["Index Name"]
  if (relation === undefined && name === undefined) return below
  const rows = (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"]
  if (rows === 0) return below
  const by = name === undefined ? "" : ` by ${name}`
  const what = relation === undefined ? `${node["Node Type"]}${by}` : `${node["Node Type"]} ${relation}${by}`
  return [`${what}: ${Math.round(rows).toLocaleString("en-US")} rows`, ...below]
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const documented = [...readme.matchAll(/\n([^\n]+)\n\n```sql\n([\s\S]*?)```/g)].map(
  ([, title, sql]) => [title!, sql!] as const
)

const some = `'polymarket:${"7".repeat(70)}40'`
const others: ReadonlyArray<readonly [string, string]> = [
  [
    "The last hour of one book's changes",
    `SELECT venue_time, side, price, size FROM book_changes_view
     WHERE instrument_id = ${some} AND venue_time > now() - interval '1 hour' ORDER BY position`
  ],
  [
    "The quote of one instrument at a time",
    `SELECT bid, ask FROM best_quotes
     WHERE no = (SELECT no FROM outcomes WHERE instrument_id = ${some}) AND venue_time <= now() - interval '2 days'
     ORDER BY venue_time DESC LIMIT 1`
  ],
  [
    "Candles of one instrument over a day, by quarter of an hour",
    `SELECT date_bin('15 minutes', venue_time, '2026-01-01') AS t, min(price), max(price), sum(size) FROM trades_view
     WHERE instrument_id = ${some} AND venue_time > now() - interval '1 day' GROUP BY t ORDER BY t`
  ],
  [
    "Everything that was received in a minute two days ago",
    `SELECT count(*) FROM book_changes WHERE received_time BETWEEN now() - interval '48 hours' AND now() - interval '2879 minutes'`
  ],
  [
    "As the first, by our clock alone",
    `SELECT question, outcome, max(ask - bid) AS spread FROM best_quotes_view
     WHERE received_time > now() - interval '1 hour' GROUP BY question, outcome ORDER BY spread DESC NULLS LAST LIMIT 10`
  ]
]

const explain = async (client: Client) => {
  const sizes = await client.query<{
    readonly t: string
    readonly n: string
    readonly heap: string
    readonly index: string
  }>(`
    SELECT p.t, sum(greatest(reltuples, 0)) AS n, sum(pg_table_size(relid)) AS heap, sum(pg_indexes_size(relid)) AS index
    FROM unnest('{${Object.keys(shares).join(",")}}'::text[]) AS p (t), pg_partition_tree(p.t) JOIN pg_class ON oid = relid
    WHERE isleaf GROUP BY p.t ORDER BY p.t`)
  for (const { heap, index, n, t } of sizes.rows) {
    const per = (bytes: string) => (Number(bytes) / Number(n)).toFixed(1)
    console.log(`${t}: ${Number(n).toLocaleString("en-US")} rows, ${per(heap)} + ${per(index)} bytes a row`)
  }
  for (const [title, sql] of [...documented, ...others]) {
    const times: Array<number> = []
    let plan: { readonly Plan: Node; readonly "Execution Time": number; readonly "Planning Time": number } | undefined
    for (let i = 0; i < 3; i++) {
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql.trim().replace(/;$/, "")}`)
      plan = (rows[0] as { readonly "QUERY PLAN": ReadonlyArray<typeof plan> })["QUERY PLAN"][0]
      times.push(plan!["Execution Time"] + plan!["Planning Time"])
    }
    const { Plan } = plan!
    console.log(`\n${title}`)
    console.log(`  ${times.map((time) => `${time.toFixed(1)} ms`).join(", ")}`)
    console.log(
      `  ${Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"]} blocks, ${Plan["Shared Read Blocks"]} of them read`
    )
    for (const line of essence(Plan)) console.log(`  ${line}`)
  }
}

const server = await Postgres.start({
  fsync: "off",
  synchronous_commit: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "8GB",
  shared_buffers: "1GB",
  maintenance_work_mem: "1GB",
  effective_cache_size: "8GB",
  autovacuum: "off"
})
const client = new Client({ host: server.host, port: server.port, user: server.user, database: server.database })
try {
  const config = { ...Schema.decodeSync(DatabaseConfig)({}), host: server.host, port: server.port, name: "postgres" }
  await Effect.flatMap(Database, ({ ready }) => ready).pipe(
    Effect.provide(layerPostgres({ ...config, user: server.user })),
    Logger.withMinimumLogLevel(LogLevel.Warning),
    Effect.runPromise
  )
  await client.connect()
  await fill((sql) => client.query(sql))
  await explain(client)
  if (keep === "keep") {
    console.log(`\npsql -h ${server.host} -p ${server.port} -U ${server.user}; Ctrl-C ends it`)
    await new Promise((resolve) => process.once("SIGINT", resolve))
  }
} finally {
  await client.end()
  await server.dispose()
}
