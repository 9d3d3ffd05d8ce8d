/** What the database holds against what the venues said: rows lost, doubled, made up, and the gaps that own up to losses. */
import { Client } from "pg"
import { type Item, changeKey, tradeKey } from "./Truth.ts"

export interface Audit {
  /** Changes and trades that were said while somebody listened. */
  readonly said: number
  readonly stored: number
  /** Said, not stored, and inside a recorded gap or overflow. */
  readonly conceded: number
  /** Those of them that were said a moment before or after their gap, and the longest such moment in milliseconds. */
  readonly beside: number
  readonly farthest: number
  /** Said, not stored, and no word of it. */
  readonly lost: number
  /** Stored more often than said. */
  readonly doubled: number
  /** Stored and never said. */
  readonly invented: number
  /** A few of the lost, the doubled and the invented. */
  readonly samples: ReadonlyArray<string>
}

/** Why a part of history may be missing. */
interface Gap {
  readonly kind: string
  readonly venue: string
  readonly instrumentId: string | null
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** Between the venue's word and our clock's note of it, in milliseconds: as it should be, and at most. */
const SLACK = 50
const MOST_SLACK = 1_000

export type Query = <Row>(text: string) => Promise<ReadonlyArray<Row>>

/** Runs statements on a connection of its own. */
export const connected = async <A>(
  where: { readonly host: string; readonly port: number; readonly user: string; readonly database: string },
  use: (query: Query) => Promise<A>
): Promise<A> => {
  const client = new Client(where)
  client.on("error", () => {})
  await client.connect()
  try {
    return await use(async <Row>(text: string) => (await client.query(text)).rows as Array<Row>)
  } finally {
    await client.end()
  }
}

const millis = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::float8`
const micros = (column: string) => `(${column} * 1000000)::float8`

export const gaps = (query: Query): Promise<ReadonlyArray<Gap>> =>
  query<Gap>(`
    SELECT kind, f.venue, instrument_id AS "instrumentId", reason,
      ${millis("from_time")} AS "from", ${millis("coalesce(to_time, from_time)")} AS "to"
    FROM feed_events f LEFT JOIN outcomes USING (no)
    WHERE kind IN ('gap', 'overflow') ORDER BY from_time`)

/** What was recorded of a book around a time, for whoever wonders where a change went. */
export const story = async (query: Query, instrumentId: string, time: number): Promise<string> => {
  const rows = await query<{ at: number; kind: string; instrumentId: string | null; reason: string }>(`
    SELECT kind, instrument_id AS "instrumentId", reason, ${millis("from_time")} AS at
    FROM feed_events f LEFT JOIN outcomes o USING (no)
    WHERE (instrument_id = '${instrumentId}' OR no IS NULL AND f.venue = split_part('${instrumentId}', ':', 1))
      AND coalesce(to_time, from_time) > to_timestamp(${time / 1000}) - interval '10 s'
      AND from_time < to_timestamp(${time / 1000}) + interval '30 s'
    ORDER BY position`)
  return rows.map(({ at, kind, reason }) => `${Math.round(at - time)} ms ${kind} ${reason}`).join(" | ")
}

const keysStored = async (query: Query): Promise<ReadonlyMap<string, number>> => {
  const changes = await query<{ id: string; time: number; side: string; price: number; size: number; n: number }>(`
    SELECT instrument_id AS id, ${millis("venue_time")} AS time, side, ${micros("price")} AS price,
      ${micros("size")} AS size, count(*)::int AS n
    FROM book_changes JOIN outcomes USING (no) GROUP BY 1, 2, 3, 4, 5`)
  const trades = await query<{ id: string; time: number; price: number; size: number; n: number }>(`
    SELECT instrument_id AS id, ${millis("venue_time")} AS time, ${micros("price")} AS price,
      ${micros("size")} AS size, count(*)::int AS n
    FROM trades JOIN outcomes USING (no) GROUP BY 1, 2, 3, 4`)
  return new Map([
    ...changes.map((row) => [changeKey(row.id, row.time, row.side, row.price, row.size), row.n] as const),
    ...trades.map((row) => [tradeKey(row.id, row.time, row.price, row.size), row.n] as const)
  ])
}

/**
 * Compares. `until` is the time up to which what was said has been received for certain: what was said later may still
 * have been on its way when the program ended.
 */
export const audit = async (
  query: Query,
  items: ReadonlyArray<Item>,
  until = Number.POSITIVE_INFINITY
): Promise<Audit> => {
  const stored = await keysStored(query)
  const holes = await gaps(query)
  // A book's history begins with its first snapshot; a change that others heard before is not missing from it.
  const begins = await query<{ id: string; time: number }>(`
    SELECT instrument_id AS id, ${millis("min(received_time)")} AS time
    FROM book_snapshots JOIN outcomes USING (no) GROUP BY 1`)
  const beginOf = new Map(begins.map(({ id, time }) => [id, time]))
  const common = new Map<string, Array<Gap>>()
  const own = new Map<string, Array<Gap>>()
  for (const gap of holes) {
    const [map, key] = gap.instrumentId === null ? [common, gap.venue] : [own, gap.instrumentId]
    map.set(key, [...(map.get(key) ?? []), gap])
  }
  const distanceOf = ({ instrumentId, time }: Item): number => {
    const near = [...(common.get(instrumentId.split(":")[0]!) ?? []), ...(own.get(instrumentId) ?? [])]
    return Math.min(Number.POSITIVE_INFINITY, ...near.map(({ from, to }) => Math.max(0, from - time, time - to)))
  }

  const samples: Array<string> = []
  const expected = new Map<string, number>()
  let conceded = 0
  let beside = 0
  let farthest = 0
  let lost = 0
  let said = 0
  for (const item of items) {
    expected.set(item.key, (expected.get(item.key) ?? 0) + 1)
    if (item.time > until || item.time < (beginOf.get(item.instrumentId) ?? Number.POSITIVE_INFINITY)) continue
    said++
    if (stored.has(item.key)) continue
    const distance = distanceOf(item)
    if (distance <= MOST_SLACK) {
      conceded++
      if (distance > SLACK) beside++
      farthest = Math.max(farthest, distance)
      continue
    }
    lost++
    if (samples.length < 3) {
      samples.push(`lost: ${item.key}, said at ${item.time}, ${Math.round(distance)} ms from a gap`)
    }
  }
  let doubled = 0
  let invented = 0
  let rows = 0
  for (const [key, n] of stored) {
    rows += n
    const due = expected.get(key) ?? 0
    if (n <= due) continue
    // A trade can come from the venue's list over REST although no socket was told of it.
    if (due === 0 && key.includes(" traded ")) continue
    if (due === 0) invented += n
    else doubled += n - due
    if (samples.length < 10) samples.push(`${due === 0 ? "never said" : "doubled"}: ${key}, ${n} times`)
  }
  return { said, stored: rows, conceded, beside, farthest: Math.round(farthest), lost, doubled, invented, samples }
}
