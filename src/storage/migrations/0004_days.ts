/**
 * The tick tables, divided by the day (UTC) of the venue's clock, so that old days can go at once and a query reads only
 * the days that it asks for. The natural key holds over all of them, because it names the venue's time. The partitions
 * of days are made as rows come (`Partitions.ts`); a row of a day that has none, as when a venue's clock is odd, lies in
 * the partition `…_other`.
 *
 * Rows from before become one partition, `…_undivided`, up to the second day after the last of them: they are not
 * rewritten, but read three times: for their last day, to see that all of them belong there, and for their index.
 *
 * Columns of eight bytes come first: so there is nothing between them, which is eight bytes a change.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import * as Patience from "../Patience.ts"

const amount = (table: string, column: string, check: string): string =>
  `${column} numeric NOT NULL CONSTRAINT ${table}_${column}_check CHECK (${check})`

const price = (table: string): string => amount(table, "price", "price BETWEEN 0 AND 1")
const size = (table: string): string => amount(table, "size", "size >= 0")

/** The columns of each table that are not of every tick. */
const contents = {
  book_snapshots: `source text NOT NULL, hash text, bid_prices numeric[] NOT NULL, bid_sizes numeric[] NOT NULL,
    ask_prices numeric[] NOT NULL, ask_sizes numeric[] NOT NULL`,
  book_changes: `side text NOT NULL CONSTRAINT book_changes_side_check CHECK (side IN ('bid', 'ask')),
    ${price("book_changes")}, ${size("book_changes")}, best_bid numeric, best_ask numeric, hash text`,
  trades: `${price("trades")}, ${size("trades")},
    taker_side text CONSTRAINT trades_taker_side_check CHECK (taker_side IN ('buy', 'sell')), trade_id text`,
  best_quotes: "bid numeric, bid_size numeric NOT NULL, ask numeric, ask_size numeric NOT NULL"
}

/** In the order in which views give them. */
const columns = {
  book_snapshots: "source, hash, bid_prices, bid_sizes, ask_prices, ask_sizes",
  book_changes: "side, price, size, best_bid, best_ask, hash",
  trades: "price, size, taker_side, trade_id",
  best_quotes: "bid, bid_size, ask, ask_size"
}

type Table = keyof typeof contents

const comments = `
  COMMENT ON COLUMN book_changes.size IS 'the new absolute size of the level; 0 removes it';
  COMMENT ON COLUMN book_changes.best_bid IS 'as the venue states it; null: no bids, or it does not say';
  COMMENT ON COLUMN book_changes.best_ask IS 'as the venue states it; null: no asks, or it does not say';
  COMMENT ON COLUMN best_quotes.bid IS 'null: no bids';
  COMMENT ON COLUMN best_quotes.ask IS 'null: no asks';
`

const setAside = (table: Table): string => `
  ALTER TABLE ${table} RENAME TO ${table}_undivided;
  ALTER INDEX ${table}_pkey RENAME TO ${table}_undivided_pkey;
  DROP INDEX ${table}_position;
`

const create = (table: Table): string => `
  CREATE TABLE ${table} (
    position bigint NOT NULL,
    venue_time timestamptz NOT NULL,
    received_time timestamptz NOT NULL,
    digest bigint NOT NULL,
    no integer NOT NULL,
    ${contents[table]},
    PRIMARY KEY (no, venue_time, digest)
  ) PARTITION BY RANGE (venue_time);
  CREATE TABLE ${table}_other PARTITION OF ${table} DEFAULT;
`

/** Where rows lie in the order they came, a few bytes say of each stretch what times it has. */
const index = (table: Table): string =>
  `CREATE INDEX ${table}_position ON ${table} USING brin (position, received_time, venue_time)
     WITH (autosummarize = on);`

/** Few rows of many, which everybody asks for who wants to know how far history can be trusted. */
const gaps = "CREATE INDEX feed_events_gaps ON feed_events (from_time) WHERE kind IN ('gap', 'overflow')"

const view = (table: Table): string => `
  CREATE VIEW ${table}_view AS
    SELECT o.instrument_id, o.market_id, m.question, o.name AS outcome, position, no, venue_time, received_time, digest,
      ${columns[table]}
    FROM ${table} t JOIN outcomes o USING (no) LEFT JOIN markets m ON m.id = o.market_id;
`

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  const run = (statements: string) => sql.unsafe(statements).unprepared
  yield* Patience.beg
  yield* sql`SET LOCAL statement_timeout = 0`

  /** Rows from beyond the end go where such rows go; the others become a partition as they are. */
  const attach = (table: Table) =>
    Effect.gen(function* () {
      const old = `${table}_undivided`
      const [end] = yield* sql.unsafe<{ readonly text: string; readonly passed: boolean }>(`
        SELECT to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00' AS text, last >= day AT TIME ZONE 'UTC' AS passed
        FROM (SELECT date_trunc('day', max(received_time) AT TIME ZONE 'UTC') + interval '2 days' AS day,
          max(venue_time) AS last FROM ${old}) AS ends`)
      if (end === undefined) return
      if (end.passed) {
        const all = `position, venue_time, received_time, digest, no, ${columns[table]}`
        yield* run(`
          WITH moved AS (DELETE FROM ${old} WHERE venue_time >= '${end.text}' RETURNING ${all})
          INSERT INTO ${table} (${all}) SELECT ${all} FROM moved`)
      }
      yield* run(`ALTER TABLE ${table} ATTACH PARTITION ${old} FOR VALUES FROM (MINVALUE) TO ('${end.text}')`)
    })
  const divide = (table: Table) =>
    Effect.gen(function* () {
      const [found] = yield* sql.unsafe<{ readonly rows: boolean; readonly size: string }>(
        `SELECT EXISTS (SELECT FROM ${table}) AS rows, pg_size_pretty(pg_table_size('${table}')) AS size`
      )
      const hasRows = found?.rows === true
      if (hasRows) {
        yield* Effect.logInfo(
          `${table} is divided by day; its ${found?.size} are read three times, which may take minutes`
        )
      }
      yield* run(`DROP VIEW ${table}_view; ${hasRows ? setAside(table) : `DROP TABLE ${table};`} ${create(table)}`)
      if (hasRows) yield* attach(table)
      yield* run(`${index(table)} ${view(table)}`)
    })
  yield* Effect.forEach(Object.keys(contents) as Array<Table>, divide, { discard: true })
  yield* run(comments)
  yield* run(gaps)
})
