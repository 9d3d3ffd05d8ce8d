/** Kalshi's public market data over REST, one function for each endpoint (Kalshi reference §3). */
import { Array as Arr, Clock, Effect, Either, type Option, Stream } from "effect"
import type { Answer } from "../../domain/Input.ts"
import { type Instrument, instrumentId, type InstrumentId } from "../../domain/Market.ts"
import type { Trade } from "../../domain/MarketEvent.ts"
import type { VenueError } from "../Venue.ts"
import { type Client, failed, type Query } from "./Client.ts"
import { KALSHI, restSnapshot, restTrade } from "./Normalize.ts"
import { pages } from "./Pages.ts"
import * as Wire from "./Wire.ts"

/** The most that the venue allows for one page; more is refused, not clamped (§2.5). */
export const MARKETS_PER_PAGE = 1_000
const EVENTS_PER_PAGE = 200
export const TRADES_PER_PAGE = 1_000
/** Tickers in one request: of books, and of events in a query that must fit a line (§3.5). */
export const BOOKS_PER_REQUEST = 100
const EVENTS_PER_REQUEST = 100

/** A time span of candles, ends included, in seconds. */
export interface CandleRange {
  readonly start: number
  readonly end: number
  /** Minutes of one candle. */
  readonly interval: 1 | 60 | 1440
}

/** A page of markets as sent, not decoded yet. */
export interface RawPage {
  readonly page: string
  readonly markets: ReadonlyArray<unknown>
}

export interface Rest {
  readonly breaker: Client["breaker"]
  /** What the account is granted of requests; needs a key. */
  readonly accountLimits: Effect.Effect<Wire.AccountLimits, VenueError>
  readonly exchangeStatus: Effect.Effect<Wire.ExchangeStatus, VenueError>
  readonly seriesList: (category?: string) => Effect.Effect<ReadonlyArray<Wire.Series>, VenueError>
  readonly series: (ticker: string) => Effect.Effect<Wire.Series, VenueError>
  /** Events whose markets are open, page by page. */
  readonly openEvents: Stream.Stream<ReadonlyArray<Wire.Event>, VenueError>
  /** These events; those that the venue does not know are left out. */
  readonly events: (tickers: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Wire.Event>, VenueError>
  readonly event: (ticker: string) => Effect.Effect<Wire.Event, VenueError>
  /** All open markets except combos, newest first. */
  readonly openMarkets: Stream.Stream<RawPage, VenueError>
  /** These markets, as far as the venue knows them. */
  readonly marketsByTicker: (tickers: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<unknown>, VenueError>
  readonly market: (ticker: string) => Effect.Effect<unknown, VenueError>
  /** One book, as answered and readable; `source` says what it is used for. */
  readonly orderbook: (instrument: Instrument, source: Answer["source"]) => Effect.Effect<Answer, VenueError>
  /** At most {@link BOOKS_PER_REQUEST} books in one request. */
  readonly orderbooks: (
    tickers: ReadonlyArray<string>,
    source: Answer["source"]
  ) => Effect.Effect<ReadonlyArray<Answer>, VenueError>
  /** The latest trades of a market, newest first, at most `limit` ≤ 1,000. */
  readonly trades: (ticker: string, limit: number) => Effect.Effect<ReadonlyArray<Trade>, VenueError>
  /** The trades of all markets since a time in seconds, newest first, page by page. */
  readonly tradesSince: (seconds: number) => Stream.Stream<ReadonlyArray<Wire.Trade>, VenueError>
  readonly candlesticks: (
    series: string,
    ticker: string,
    range: CandleRange
  ) => Effect.Effect<ReadonlyArray<Wire.Candlestick>, VenueError>
  /** By ticker; at most 100 tickers and 10,000 candles in all. */
  readonly candlesticksOf: (
    tickers: ReadonlyArray<string>,
    range: CandleRange
  ) => Effect.Effect<ReadonlyMap<string, ReadonlyArray<Wire.Candlestick>>, VenueError>
  /** Announced changes, and past ones too when asked for. */
  readonly seriesFeeChanges: (past: boolean) => Effect.Effect<ReadonlyArray<Wire.SeriesFeeChange>, VenueError>
  readonly eventFeeChanges: Stream.Stream<ReadonlyArray<Wire.EventFeeChange>, VenueError>
}

const path = (ticker: string): string => encodeURIComponent(ticker)

const rangeQuery = ({ end, interval, start }: CandleRange): Query => [
  ["start_ts", String(start)],
  ["end_ts", String(end)],
  ["period_interval", String(interval)]
]

export const make = ({ breaker, get }: Client): Rest => {
  const bookOf = (where: string, body: Wire.RestLevels, id: InstrumentId, source: Answer["source"]) =>
    Effect.flatMap(Clock.currentTimeMillis, (receivedTime) =>
      Either.mapBoth(restSnapshot(body, id, receivedTime, source), {
        onLeft: (problem) => failed("protocol", where, problem),
        onRight: (): Answer => ({
          _tag: "Answer",
          venue: KALSHI,
          instrumentId: id,
          of: "book",
          source,
          body,
          receivedTime
        })
      })
    )

  const eventsOf = (tickers: ReadonlyArray<string>) =>
    Effect.map(
      get(Wire.EventsPage, "/events", [
        ["tickers", tickers.join(",")],
        ["limit", String(EVENTS_PER_PAGE)]
      ]),
      ({ events }) => events ?? []
    )

  return {
    breaker,

    accountLimits: get(Wire.AccountLimits, "/account/limits"),

    exchangeStatus: get(Wire.ExchangeStatus, "/exchange/status"),

    seriesList: (category) =>
      Effect.map(
        get(Wire.SeriesList, "/series", category === undefined ? [] : [["category", category]]),
        ({ series }) => series ?? []
      ),

    series: (ticker) => Effect.map(get(Wire.SingleSeries, `/series/${path(ticker)}`), ({ series }) => series),

    openEvents: pages(
      "/events",
      (cursor) => get(Wire.EventsPage, "/events", [["status", "open"], ["limit", String(EVENTS_PER_PAGE)], ...cursor]),
      ({ cursor }) => cursor
    ).pipe(Stream.map(({ body }) => body.events ?? [])),

    events: (tickers) =>
      Effect.map(Effect.forEach(Arr.chunksOf(tickers, EVENTS_PER_REQUEST), eventsOf), (found) => found.flat()),

    event: (ticker) => Effect.map(get(Wire.SingleEvent, `/events/${path(ticker)}`), ({ event }) => event),

    openMarkets: pages(
      "/markets",
      (cursor) =>
        get(Wire.MarketsPage, "/markets", [
          ["status", "open"],
          ["mve_filter", "exclude"],
          ["limit", String(MARKETS_PER_PAGE)],
          ...cursor
        ]),
      ({ cursor }) => cursor
    ).pipe(Stream.map(({ body, page }) => ({ page, markets: body.markets ?? [] }))),

    marketsByTicker: (tickers) =>
      Effect.map(
        get(Wire.MarketsPage, "/markets", [
          ["tickers", tickers.join(",")],
          ["limit", String(MARKETS_PER_PAGE)]
        ]),
        ({ markets }) => markets ?? []
      ),

    market: (ticker) => Effect.map(get(Wire.SingleMarket, `/markets/${path(ticker)}`), ({ market }) => market),

    orderbook: (instrument, source) => {
      const where = `/markets/${path(instrument.venueInstrumentId)}/orderbook`
      return Effect.flatMap(get(Wire.Orderbook, where), ({ orderbook, orderbook_fp }) =>
        bookOf(`GET ${where}`, orderbook_fp ?? orderbook ?? {}, instrument.id, source)
      )
    },

    orderbooks: (tickers, source) =>
      get(
        Wire.Orderbooks,
        "/markets/orderbooks",
        tickers.map((ticker) => ["tickers", ticker] as const)
      ).pipe(
        Effect.flatMap(({ orderbooks }) =>
          Effect.forEach(orderbooks ?? [], ({ orderbook_fp, ticker }) =>
            bookOf(`GET /markets/orderbooks, ${ticker}`, orderbook_fp ?? {}, instrumentId(KALSHI, ticker), source)
          )
        )
      ),

    trades: (ticker, limit) =>
      Effect.gen(function* () {
        const { trades } = yield* get(Wire.TradesPage, "/markets/trades", [
          ["ticker", ticker],
          ["limit", String(limit)]
        ])
        const now = yield* Clock.currentTimeMillis
        return yield* Effect.forEach(trades ?? [], (trade) =>
          Either.mapLeft(restTrade(trade, now), (problem) => failed("protocol", "GET /markets/trades", problem))
        )
      }),

    tradesSince: (seconds) =>
      pages(
        "/markets/trades",
        (cursor) =>
          get(Wire.TradesPage, "/markets/trades", [
            ["min_ts", String(seconds)],
            ["limit", String(TRADES_PER_PAGE)],
            ...cursor
          ]),
        ({ cursor }) => cursor
      ).pipe(Stream.map(({ body }) => body.trades ?? [])),

    candlesticks: (series, ticker, range) =>
      Effect.map(
        get(Wire.Candlesticks, `/series/${path(series)}/markets/${path(ticker)}/candlesticks`, rangeQuery(range)),
        ({ candlesticks }) => candlesticks ?? []
      ),

    candlesticksOf: (tickers, range) =>
      Effect.map(
        get(Wire.CandlesticksBatch, "/markets/candlesticks", [
          ["market_tickers", tickers.join(",")],
          ...rangeQuery(range)
        ]),
        ({ markets }) => new Map(markets.map(({ candlesticks, market_ticker }) => [market_ticker, candlesticks ?? []]))
      ),

    seriesFeeChanges: (past) =>
      Effect.map(
        get(Wire.SeriesFeeChanges, "/series/fee_changes", past ? [["show_historical", "true"]] : []),
        (body) => body.series_fee_change_arr
      ),

    eventFeeChanges: pages(
      "/events/fee_changes",
      (cursor) => get(Wire.EventFeeChanges, "/events/fee_changes", [["limit", "1000"], ...cursor]),
      ({ cursor }) => cursor
    ).pipe(Stream.map(({ body }) => body.event_fee_changes ?? []))
  }
}

/** What a call found, or nothing where the venue has no such thing. */
export const absent = <A>(effect: Effect.Effect<A, VenueError>): Effect.Effect<Option.Option<A>, VenueError> =>
  Effect.catchIf(
    Effect.asSome(effect),
    (error) => error.reason === "not-found",
    () => Effect.succeedNone
  )
