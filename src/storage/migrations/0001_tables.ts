/**
 * Prices are dollars and sizes are contracts, as exact `numeric`. Times are `timestamptz`: `venue_time` as the venue
 * stamped it, `received_time` by our clock.
 *
 * `no` stands for an instrument: an id of 80 characters in every tick would outweigh the tick.
 *
 * `position` numbers everything that was stored in the order it happened, over all tables and all runs.
 *
 * The primary key of a tick is what the venue said, not when it reached us: instrument, the venue's millisecond, and
 * `digest`, 64 bits over the content and over how often that content had come and gone within the millisecond. A batch
 * written twice and a message sent twice therefore leave one row, while a level that moves 5, 6, 5 in a millisecond
 * leaves three. (An ordinal within the millisecond would do for a batch written twice, but loses ticks when a venue's
 * clock steps back or a process restarts within the millisecond.)
 *
 * Ticks reference instruments without a foreign key, which would cost a lookup for each row; the writer sees to it.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const markets = `
  CREATE TABLE markets (
    id text PRIMARY KEY,
    venue text NOT NULL,
    venue_market_id text NOT NULL,
    slug text NOT NULL,
    question text NOT NULL,
    category text,
    tags text[] NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'closed', 'resolved', 'unlisted')),
    tick_size numeric,
    min_order_size numeric,
    neg_risk boolean NOT NULL,
    liquidity numeric,
    volume_24h numeric,
    protocol text,
    end_time timestamptz,
    rank integer NOT NULL,
    saved_time timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX markets_venue_status_rank ON markets (venue, status, rank);

  CREATE TABLE outcomes (
    no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instrument_id text NOT NULL UNIQUE,
    venue text NOT NULL,
    venue_instrument_id text NOT NULL,
    market_id text REFERENCES markets,
    index integer NOT NULL DEFAULT 0,
    name text NOT NULL DEFAULT '',
    winner boolean
  );
  CREATE INDEX outcomes_market ON outcomes (market_id);
`

const price = (column: string) => `${column} numeric NOT NULL CHECK (${column} BETWEEN 0 AND 1)`

const tick = `
    position bigint NOT NULL,
    no integer NOT NULL,
    venue_time timestamptz NOT NULL,
    received_time timestamptz NOT NULL,
    digest bigint NOT NULL`

const ticks = `
  CREATE TABLE book_snapshots (${tick},
    source text NOT NULL,
    hash text,
    bid_prices numeric[] NOT NULL,
    bid_sizes numeric[] NOT NULL,
    ask_prices numeric[] NOT NULL,
    ask_sizes numeric[] NOT NULL,
    PRIMARY KEY (no, venue_time, digest)
  );
  CREATE TABLE book_changes (${tick},
    side text NOT NULL CHECK (side IN ('bid', 'ask')),
    ${price("price")},
    size numeric NOT NULL CHECK (size >= 0),
    best_bid numeric,
    best_ask numeric,
    hash text,
    PRIMARY KEY (no, venue_time, digest)
  );
  CREATE TABLE trades (${tick},
    ${price("price")},
    size numeric NOT NULL CHECK (size >= 0),
    taker_side text CHECK (taker_side IN ('buy', 'sell')),
    trade_id text,
    PRIMARY KEY (no, venue_time, digest)
  );
  CREATE TABLE best_quotes (${tick},
    bid numeric,
    bid_size numeric NOT NULL,
    ask numeric,
    ask_size numeric NOT NULL,
    PRIMARY KEY (no, venue_time, digest)
  );
  COMMENT ON COLUMN book_changes.size IS 'the new absolute size of the level; 0 removes it';
  COMMENT ON COLUMN book_changes.best_bid IS 'as the venue states it; null: no bids, or it does not say';
  COMMENT ON COLUMN book_changes.best_ask IS 'as the venue states it; null: no asks, or it does not say';
  COMMENT ON COLUMN best_quotes.bid IS 'null: no bids';
  COMMENT ON COLUMN best_quotes.ask IS 'null: no asks';
`

const events = `
  CREATE TABLE feed_events (
    position bigint NOT NULL,
    venue text NOT NULL,
    connection text NOT NULL,
    kind text NOT NULL,
    no integer,
    from_time timestamptz NOT NULL,
    to_time timestamptz,
    lost bigint,
    reason text NOT NULL
  );
  CREATE UNIQUE INDEX feed_events_once
    ON feed_events (venue, from_time, kind, connection, coalesce(no, 0), coalesce(to_time, '-infinity'), md5(reason));
  CREATE INDEX feed_events_instrument ON feed_events (no, from_time);
  COMMENT ON COLUMN feed_events.no IS 'null: every instrument of the connection, or of the venue when that is empty';
  COMMENT ON COLUMN feed_events.to_time IS 'null: a moment, or the beginning of what a later row ends';
  COMMENT ON COLUMN feed_events.lost IS 'rows, where they were counted';

  CREATE TABLE runs (
    id bigint PRIMARY KEY,
    started_at timestamptz NOT NULL,
    last_event_at timestamptz,
    last_position bigint NOT NULL,
    ended_at timestamptz
  );
  COMMENT ON COLUMN runs.id IS 'every position of the run is this or greater, and less than the id of the next run';
  COMMENT ON COLUMN runs.ended_at IS 'null: it still runs, or was killed';

  CREATE TABLE run_venues (
    run_id bigint NOT NULL REFERENCES runs,
    venue text NOT NULL,
    whole_until timestamptz NOT NULL,
    PRIMARY KEY (run_id, venue)
  );
  COMMENT ON COLUMN run_venues.whole_until IS 'up to here everything that the venue sent was stored or its loss recorded';
`

const byPosition = ["book_snapshots", "book_changes", "trades", "best_quotes", "feed_events"]
  .map(
    (table) =>
      `CREATE INDEX ${table}_position ON ${table} USING brin (position${table === "feed_events" ? "" : ", received_time"});`
  )
  .join("\n")

const view = (table: string, join: string) => `
  CREATE VIEW ${table}_view AS
    SELECT o.instrument_id, o.market_id, m.question, o.name AS outcome, t.*
    FROM ${table} t ${join} outcomes o USING (no) LEFT JOIN markets m ON m.id = o.market_id;`

const views = [
  view("book_snapshots", "JOIN"),
  view("book_changes", "JOIN"),
  view("trades", "JOIN"),
  view("best_quotes", "JOIN"),
  view("feed_events", "LEFT JOIN")
].join("\n")

export default Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach([markets, ticks, events, byPosition, views], (statements) => sql.unsafe(statements).unprepared, {
    discard: true
  })
)
