/** Kalshi's public REST endpoints under `/trade-api/v2` (Kalshi reference §3, §4.7). */
import * as KalshiBook from "./KalshiBook.ts"
import type * as KalshiCursor from "./KalshiCursor.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import * as KalshiHistory from "./KalshiHistory.ts"
import * as KalshiJson from "./KalshiJson.ts"
import type { Catalogue, KalshiMarket } from "./KalshiMarket.ts"
import type { SeriesInfo } from "./KalshiNames.ts"
import * as KalshiQuery from "./KalshiQuery.ts"
import { type Endpoint, unless, within } from "./KalshiQuery.ts"
import { seconds } from "./KalshiText.ts"
import { type Reply, json, text } from "./Rest.ts"

/** Where the endpoints are. */
export const ROOT = "/trade-api/v2"

const MOST_BOOKS = 100

const keyOf = ({ info }: KalshiMarket): KalshiCursor.Cursor => ({ time: info.createdAt, id: info.ticker })

/** Time filters: with which status filters each goes, and what of a market it looks at. */
const families = [
  { name: "created", statuses: ["unopened", "open", undefined], of: (market: KalshiMarket) => market.info.createdAt },
  { name: "close", statuses: ["closed", undefined], of: (market: KalshiMarket) => market.closesAt },
  { name: "settled", statuses: ["settled", undefined], of: (market: KalshiMarket) => market.settledAt }
] as const

const markets: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("GetMarkets", parameters)
  const limit = query.number("limit", 1000)
  const status = query.word("status", KalshiQuery.filterWords)
  const combos = query.word("mve_filter", ["only", "exclude"])
  const [tickers, event, series] = [query.list("tickers"), query.text("event_ticker"), query.text("series_ticker")]
  const updated = query.number("min_updated_ts")
  const spans = families.map(({ name, of, statuses }) => {
    const [least, most] = [query.number(`min_${name}_ts`), query.number(`max_${name}_ts`)]
    const used = least !== undefined || most !== undefined
    if (used && !statuses.some((one) => one === status)) query.refuse(KalshiErrors.nested(400, "invalid_parameters"))
    return { least, most, of, used }
  })
  const used = spans.filter((span) => span.used).length
  const narrowed = used > 0 || status !== undefined || tickers !== undefined || event !== undefined
  if (used > 1 || (updated !== undefined && (narrowed || (series !== undefined && combos !== "exclude")))) {
    query.refuse(KalshiErrors.nested(400, "invalid_parameters"))
  }
  const wanted = (market: KalshiMarket): boolean =>
    combos !== "only" &&
    (status === undefined || KalshiQuery.filterWord(market) === status) &&
    (tickers === undefined || tickers.has(market.info.ticker)) &&
    (event === undefined || market.info.event.ticker === event) &&
    (series === undefined || market.info.series.ticker === series) &&
    within(seconds(market.updatedAt), updated, undefined) &&
    spans.every(({ least, most, of }) => {
      const time = of(market)
      return within(time === undefined ? undefined : seconds(time), least, most)
    })
  return unless(query, () => {
    const { cursor, rows } = KalshiQuery.page(
      [...catalogue.markets()].filter(wanted),
      keyOf,
      limit,
      query.text("cursor")
    )
    return json(200, { cursor, markets: rows.map(KalshiJson.market) })
  })
}

/** The markets of each event. */
const eventsOf = (catalogue: Catalogue): ReadonlyMap<string, ReadonlyArray<KalshiMarket>> => {
  const events = new Map<string, Array<KalshiMarket>>()
  for (const market of catalogue.markets()) {
    const { ticker } = market.info.event
    const known = events.get(ticker)
    if (known === undefined) events.set(ticker, [market])
    else known.push(market)
  }
  return events
}

const events: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("GetEvents", parameters)
  const limit = query.number("limit", 200)
  const status = query.word("status", KalshiQuery.filterWords)
  const [tickers, series, closing] = [query.list("tickers"), query.text("series_ticker"), query.number("min_close_ts")]
  const nested = query.flag("with_nested_markets")
  const rows = [...eventsOf(catalogue)].filter(
    ([ticker, children]) =>
      (status === undefined || children.some((market) => KalshiQuery.filterWord(market) === status)) &&
      (tickers === undefined || tickers.has(ticker)) &&
      (series === undefined || children[0]!.info.series.ticker === series) &&
      (closing === undefined || children.some((market) => seconds(market.closesAt) >= closing))
  )
  return unless(query, () => {
    const found = KalshiQuery.page(
      rows,
      ([ticker, [first]]) => ({ time: first!.info.createdAt, id: ticker }),
      limit,
      query.text("cursor")
    )
    return json(200, {
      cursor: found.cursor,
      events: found.rows.map(([, children]) => KalshiJson.event(children[0]!.info, nested ? children : undefined))
    })
  })
}

const oneEvent: Endpoint = (catalogue, parameters, [ticker = ""]) => {
  const children = eventsOf(catalogue).get(ticker)
  if (children === undefined) return KalshiErrors.notFound
  const { info } = children[0]!
  return parameters.get("with_nested_markets") === "true"
    ? json(200, { event: KalshiJson.event(info, children) })
    : json(200, { event: KalshiJson.event(info), markets: children.map(KalshiJson.market) })
}

const allSeries = (catalogue: Catalogue): ReadonlyMap<string, SeriesInfo> =>
  new Map([...catalogue.markets()].map(({ info }) => [info.series.ticker, info.series]))

const seriesList: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("GetSeriesList", parameters)
  const [category, tags] = [query.text("category"), query.list("tags")]
  const found = [...allSeries(catalogue).values()].filter(
    (series) =>
      (category === undefined || series.category === category) &&
      (tags === undefined || series.tags.some((tag) => tags.has(tag)))
  )
  return json(200, { series: found.map(KalshiJson.series) })
}

const oneSeries: Endpoint = (catalogue, _, [ticker = ""]) => {
  const series = allSeries(catalogue).get(ticker)
  return series === undefined ? KalshiErrors.notFound : json(200, { series: KalshiJson.series(series) })
}

const oneMarket: Endpoint = (catalogue, _, [ticker = ""]) => {
  const market = catalogue.byTicker(ticker)
  return market === undefined ? KalshiErrors.notFound : json(200, { market: KalshiJson.market(market) })
}

const orderbook: Endpoint = (catalogue, parameters, [ticker = ""]) => {
  const query = KalshiQuery.read("GetMarketOrderbook", parameters)
  const depth = query.number("depth", 100) ?? 0
  const market = catalogue.byTicker(ticker)
  return unless(query, () =>
    market === undefined ? KalshiErrors.notFound : text(`{"orderbook_fp":${KalshiBook.restBook(market.book, depth)}}\n`)
  )
}

const orderbooks: Endpoint = (catalogue, parameters) => {
  const query = KalshiQuery.read("GetMarketOrderbooks", parameters)
  query.required("tickers")
  const tickers = parameters.getAll("tickers")
  if (tickers.length > MOST_BOOKS) query.refuse(KalshiErrors.invalid("GetMarketOrderbooks", "Tickers", "max"))
  const books = tickers.flatMap((ticker) => {
    const market = catalogue.byTicker(ticker)
    if (market === undefined) return []
    return [`{"orderbook_fp":${KalshiBook.restBook(market.book, 0)},"ticker":${JSON.stringify(ticker)}}`]
  })
  return unless(query, () => text(`{"orderbooks":[${books.join(",")}]}\n`))
}

/** Paths without the root; `*` stands for an id. */
const endpoints: ReadonlyArray<readonly [path: string, Endpoint]> = [
  ["exchange/status", () => json(200, { exchange_active: true, trading_active: true })],
  ["series/fee_changes", () => json(200, { series_fee_change_arr: [] })],
  ["series", seriesList],
  ["series/*", oneSeries],
  ["series/*/markets/*/candlesticks", KalshiHistory.candlesticks],
  ["events", events],
  ["events/*", oneEvent],
  ["markets", markets],
  ["markets/trades", KalshiHistory.trades],
  ["markets/orderbooks", orderbooks],
  ["markets/candlesticks", KalshiHistory.batchCandlesticks],
  ["markets/*", oneMarket],
  ["markets/*/orderbook", orderbook]
]

const routes = endpoints.map(([path, endpoint]) => ({
  pattern: new RegExp(`^${ROOT}/${path.replaceAll("*", "([^/]+)")}$`),
  endpoint
}))

/** An id out of a path; text that is not encoded right stands for itself. */
const decoded = (id: string): string => {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

/** Answers a GET of a path under {@link ROOT}. */
export const answer = (catalogue: Catalogue, path: string, parameters: URLSearchParams): Reply => {
  for (const { endpoint, pattern } of routes) {
    const match = pattern.exec(path)
    if (match !== null) return endpoint(catalogue, parameters, match.slice(1).map(decoded))
  }
  return KalshiErrors.notFound
}
