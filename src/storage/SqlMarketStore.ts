/** {@link MarketStore} in the tables `markets` and `outcomes`. */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Layer, Schema } from "effect"
import { Market } from "../domain/Market.ts"
import { Database } from "./Database.ts"
import { MarketStore } from "./MarketStore.ts"

const Markets = Schema.Array(Market)
/** Half a character, as text cut short leaves it, and NUL are text to JavaScript but not to a database. */
const storable = (_key: string, value: unknown): unknown =>
  typeof value === "string" ? value.replace(/[\0\ud800-\udfff]/gu, "\ufffd") : value
const encode = (markets: ReadonlyArray<Market>) =>
  Effect.map(Schema.encode(Markets)(markets), (encoded) => JSON.stringify(encoded, storable))
const decode = Schema.decodeUnknown(Markets)

const asSqlError = (message: string) => (cause: unknown) => new SqlError({ cause, message })

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const database = yield* Database

  // Both statements go by the ids in order, as the event writer does: two writers wait for each other, without deadlock.
  const upsertMarkets = (json: string, firstRank: number) => sql`
    INSERT INTO markets (id, venue, venue_market_id, slug, question, category, tags, status, tick_size, price_bands,
      min_order_size, neg_risk, liquidity, volume_24h, protocol, end_time, rank)
    SELECT DISTINCT ON (id COLLATE "C") id, venue, "venueMarketId", slug, question, category, tags, status, "tickSize",
      "priceBands", "minOrderSize", "negRisk", liquidity, "volume24h", protocol, "endTime",
      ${firstRank}::int + rank - 1
    FROM ROWS FROM (json_to_recordset(${json}::text::json) AS (
      id text, venue text, "venueMarketId" text, slug text, question text, category text, tags text[], status text,
      "tickSize" numeric, "priceBands" jsonb, "minOrderSize" numeric, "negRisk" boolean, liquidity numeric,
      "volume24h" numeric, protocol text, "endTime" timestamptz)) WITH ORDINALITY AS given (id, venue, "venueMarketId",
      slug, question, category, tags, status, "tickSize", "priceBands", "minOrderSize", "negRisk", liquidity,
      "volume24h", protocol, "endTime", rank)
    ORDER BY id COLLATE "C", rank
    ON CONFLICT (id) DO UPDATE SET (venue, venue_market_id, slug, question, category, tags, status, tick_size,
      price_bands, min_order_size, neg_risk, liquidity, volume_24h, protocol, end_time, rank, saved_time) =
      (excluded.venue, excluded.venue_market_id, excluded.slug, excluded.question, excluded.category, excluded.tags,
      excluded.status, excluded.tick_size, excluded.price_bands, excluded.min_order_size, excluded.neg_risk,
      excluded.liquidity, excluded.volume_24h, excluded.protocol, excluded.end_time, excluded.rank, now())`

  const upsertOutcomes = (json: string) => sql`
    INSERT INTO outcomes (instrument_id, venue, venue_instrument_id, market_id, index, name, winner)
    SELECT DISTINCT ON (outcome->>'instrumentId' COLLATE "C") outcome->>'instrumentId', market->>'venue',
      outcome->>'venueInstrumentId', market->>'id', index - 1, outcome->>'name', (outcome->>'winner')::boolean
    FROM json_array_elements(${json}::text::json) AS market,
      json_array_elements(market->'outcomes') WITH ORDINALITY AS listed (outcome, index)
    ORDER BY outcome->>'instrumentId' COLLATE "C", index
    ON CONFLICT (instrument_id) DO UPDATE SET (venue, venue_instrument_id, market_id, index, name, winner) =
      (excluded.venue, excluded.venue_instrument_id, excluded.market_id, excluded.index, excluded.name,
      coalesce(excluded.winner, outcomes.winner))`

  return MarketStore.of({
    save: (markets, firstRank = 0) =>
      markets.length === 0
        ? Effect.void
        : encode(markets).pipe(
            Effect.mapError(asSqlError("a market cannot be written")),
            Effect.flatMap((json) =>
              database.transaction("markets")(Effect.zipRight(upsertMarkets(json, firstRank), upsertOutcomes(json)))
            ),
            Effect.asVoid
          ),

    load: (venue) =>
      sql`
        SELECT id, venue, venue_market_id AS "venueMarketId", slug, question, category, tags, status,
          tick_size::text AS "tickSize", price_bands AS "priceBands", min_order_size::text AS "minOrderSize", neg_risk AS "negRisk",
          liquidity::text, volume_24h::text AS "volume24h", protocol,
          to_char(end_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "endTime",
          (SELECT coalesce(json_agg(json_build_object('instrumentId', instrument_id, 'venueInstrumentId',
            venue_instrument_id, 'name', name, 'winner', winner) ORDER BY index), '[]')
            FROM outcomes WHERE market_id = markets.id) AS outcomes
        FROM markets WHERE venue = ${venue} AND status = 'open' ORDER BY rank, id`.pipe(
        database.query("markets"),
        Effect.flatMap((rows) => Effect.mapError(decode(rows), asSqlError("a market in the database is not one")))
      ),

    resolve: (market, winner) =>
      Effect.zipRight(
        sql`UPDATE markets SET status = 'resolved', saved_time = now() WHERE id = ${market}`,
        winner === null
          ? Effect.void
          : sql`UPDATE outcomes SET winner = (instrument_id = ${winner}) WHERE market_id = ${market}`
      ).pipe(database.transaction("markets"), Effect.asVoid)
  })
})

export const layer: Layer.Layer<MarketStore, never, SqlClient | Database> = Layer.effect(MarketStore, make)
