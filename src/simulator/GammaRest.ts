/** Gamma, the market catalogue (venue reference, Polymarket §3). */
import { gammaMarket, gammaTag } from "./GammaMarket.ts"
import type { Catalogue, MarketView, Tag } from "./PolymarketMarket.ts"
import { type Reply, type Request, failure, json } from "./Rest.ts"

const DEFAULT_LIMIT = 20
const MOST_IN_A_PAGE = 100

const invalid = (error: string): Reply => json(422, { type: "validation error", error })

type Measure = (market: MarketView) => number | string

const measures: Record<string, Measure> = {
  id: (market) => Number(market.info.gammaId),
  slug: (market) => market.info.slug,
  question: (market) => market.info.question,
  volume: (market) => market.volume(),
  volumeNum: (market) => market.volume(),
  volumeClob: (market) => market.volume(),
  volume24hr: (market) => market.volume(),
  volume1wk: (market) => market.volume(),
  liquidity: (market) => market.liquidity(),
  liquidityNum: (market) => market.liquidity(),
  liquidityClob: (market) => market.liquidity(),
  startDate: (market) => market.info.listedAt,
  createdAt: (market) => market.info.listedAt,
  endDate: (market) => market.info.endsAt
}

const compare = (a: ReadonlyArray<number | string>, b: ReadonlyArray<number | string>): number => {
  for (let i = 0; i < a.length; i++) {
    if (a[i]! < b[i]!) return -1
    if (a[i]! > b[i]!) return 1
  }
  return 0
}

const amount = (text: string | null): number | undefined | "bad" => {
  if (text === null) return undefined
  const value = Number(text)
  return text.trim() === "" || !Number.isFinite(value) ? "bad" : value
}

/** The filter of a query; an error reply when it is refused. */
const filterOf = (query: URLSearchParams): ((market: MarketView) => boolean) | Reply => {
  const list = (key: string) => {
    const values = query.getAll(key)
    return values.length === 0 ? undefined : new Set(values)
  }
  const tags = list("tag_id")
  if (tags !== undefined && [...tags].some((tag) => !/^\d+$/.test(tag))) return invalid("invalid integer")
  const least = amount(query.get("liquidity_num_min"))
  const most = amount(query.get("liquidity_num_max"))
  const traded = amount(query.get("volume_num_min"))
  if (least === "bad" || most === "bad" || traded === "bad") return invalid("invalid number")
  const ids = list("id") ?? list("ids")
  const slugs = list("slug")
  const conditions = list("condition_ids")
  const tokens = list("clob_token_ids")
  const positions = list("position_ids")
  const closed = query.get("closed") === "true"
  const all = query.get("tag_match") === "all"
  const tagged = (own: ReadonlyArray<Tag>) => {
    if (tags === undefined) return true
    const ids = new Set(own.map((tag) => tag.id))
    return all ? [...tags].every((tag) => ids.has(tag)) : [...tags].some((tag) => ids.has(tag))
  }
  const holds = (wanted: ReadonlySet<string> | undefined, own: ReadonlyArray<string>) =>
    wanted === undefined || own.some((id) => wanted.has(id))
  return (market) => {
    const { info } = market
    return (
      market.open() !== closed &&
      holds(ids, [info.gammaId]) &&
      holds(slugs, [info.slug]) &&
      holds(conditions, [info.condition]) &&
      holds(tokens, info.version === "v2" ? [] : info.tokens) &&
      holds(positions, info.version === "v2" ? info.tokens : []) &&
      tagged(info.tags) &&
      (least === undefined || market.liquidity() >= least) &&
      (most === undefined || market.liquidity() <= most) &&
      (traded === undefined || market.volume() >= traded)
    )
  }
}

interface Row {
  readonly market: MarketView
  /** What the row is sorted by, ending in its id. */
  readonly key: ReadonlyArray<number | string>
}

/** The matching markets in the order that was asked for. */
const rowsOf = (catalogue: Catalogue, query: URLSearchParams): ReadonlyArray<Row> | Reply => {
  const filter = filterOf(query)
  if (typeof filter !== "function") return filter
  const order = (query.get("order") ?? "id").split(",")
  const by: Array<Measure> = []
  for (const field of order) {
    const measure = Object.hasOwn(measures, field) ? measures[field] : undefined
    if (measure === undefined) return invalid(`order fields are not valid: ${field}`)
    by.push(measure)
  }
  const direction = query.get("ascending") === "false" ? -1 : 1
  const rows: Array<Row> = []
  for (const market of catalogue.markets()) {
    if (filter(market))
      rows.push({ market, key: [...by.map((measure) => measure(market)), Number(market.info.gammaId)] })
  }
  return rows.sort((a, b) => direction * compare(a.key, b.key))
}

const isReply = (value: object): value is Reply => "status" in value

const limitOf = (query: URLSearchParams): number | undefined => {
  const limit = query.get("limit")
  if (limit === null) return DEFAULT_LIMIT
  return /^\d{1,6}$/.test(limit) && Number(limit) >= 1 ? Number(limit) : undefined
}

/** Opaque to clients: where the last row stood, so that rows which come or go do not shift the pages. */
const cursorOf = (row: Row): string => Buffer.from(JSON.stringify(row.key)).toString("base64url")

const keyOf = (cursor: string, length: number): ReadonlyArray<number | string> | undefined => {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
    const valid = Array.isArray(key) && key.every((part) => typeof part === "number" || typeof part === "string")
    return valid && key.length === length ? (key as ReadonlyArray<number | string>) : undefined
  } catch {
    return undefined
  }
}

const keyset = (catalogue: Catalogue, query: URLSearchParams): Reply => {
  if (query.has("offset")) return invalid("offset is not allowed on keyset endpoints")
  const limit = limitOf(query)
  if (limit === undefined || limit > MOST_IN_A_PAGE) return invalid(`limit must be between 1 and ${MOST_IN_A_PAGE}`)
  const rows = rowsOf(catalogue, query)
  if (isReply(rows)) return rows
  const direction = query.get("ascending") === "false" ? -1 : 1
  const cursor = query.get("after_cursor")
  let start = 0
  if (cursor !== null && cursor !== "") {
    const after = keyOf(cursor, (query.get("order") ?? "id").split(",").length + 1)
    if (after === undefined) return invalid("invalid after_cursor")
    start = rows.findIndex((row) => direction * compare(row.key, after) > 0)
    if (start === -1) start = rows.length
  }
  const shown = rows.slice(start, start + limit)
  const last = shown[shown.length - 1]
  const tags = query.get("include_tag") === "true"
  return json(200, {
    $schema: "https://gamma-api.polymarket.com/schemas/MarketsKeysetResponse.json",
    markets: shown.map((row) => gammaMarket(row.market, tags)),
    ...(last !== undefined && start + limit < rows.length ? { next_cursor: cursorOf(last) } : {})
  })
}

const offsetList = (catalogue: Catalogue, query: URLSearchParams): Reply => {
  const limit = limitOf(query)
  const offset = Number(query.get("offset") ?? "0")
  if (limit === undefined || !Number.isInteger(offset) || offset < 0) return invalid("invalid integer")
  const rows = rowsOf(catalogue, query)
  if (isReply(rows)) return rows
  const tags = query.get("include_tag") === "true"
  return json(
    200,
    rows.slice(offset, offset + Math.min(limit, 500)).map((row) => gammaMarket(row.market, tags))
  )
}

const tagsOf = (catalogue: Catalogue): ReadonlyArray<Tag> => {
  const tags = new Map<string, Tag>()
  for (const market of catalogue.markets()) for (const tag of market.info.tags) tags.set(tag.id, tag)
  return [...tags.values()].sort((a, b) => Number(a.id) - Number(b.id))
}

const one = (market: MarketView | undefined, query: URLSearchParams): Reply =>
  market === undefined
    ? json(404, { type: "not found error", error: "id not found" })
    : json(200, gammaMarket(market, query.get("include_tag") === "true"))

const find = (catalogue: Catalogue, wanted: (market: MarketView) => boolean): MarketView | undefined => {
  for (const market of catalogue.markets()) if (wanted(market)) return market
  return undefined
}

/** What Gamma answers; `path` is without the prefix under which the simulator serves it. */
export const answer = (catalogue: Catalogue, request: Request): Reply => {
  const { method, path, query } = request
  if (method !== "GET") return failure(405, "method not allowed")
  const [, list, second, third, ...deeper] = path.split("/")
  if (deeper.length > 0) return failure(404, "not found")
  if (list === "markets") {
    if (second === undefined) return offsetList(catalogue, query)
    if (second === "keyset" && third === undefined) return keyset(catalogue, query)
    if (second === "slug" && third !== undefined) {
      return one(
        find(catalogue, (market) => market.info.slug === third),
        query
      )
    }
    const market = find(catalogue, (market) => market.info.gammaId === second)
    if (third === "tags" && market !== undefined) return json(200, market.info.tags.map(gammaTag))
    if (third === undefined) return one(market, query)
  }
  if (list === "tags") {
    const tags = tagsOf(catalogue)
    if (second === undefined) {
      const offset = Number(query.get("offset") ?? "0")
      const limit = limitOf(query)
      if (limit === undefined || !Number.isInteger(offset) || offset < 0) return invalid("invalid integer")
      return json(200, tags.slice(offset, offset + limit).map(gammaTag))
    }
    const tag = tags.find((tag) => (second === "slug" ? tag.slug === third : tag.id === second && third === undefined))
    return tag === undefined
      ? json(404, { type: "not found error", error: "slug not found" })
      : json(200, gammaTag(tag))
  }
  return failure(404, "not found")
}
