/**
 * The market list (Kalshi reference §3.3, §3.4). The venue sorts by age, so all open markets are walked and those with
 * the most volume come first. Categories stand on events and series, which are asked only for the markets that may be
 * kept, once each.
 */
import { Array as Arr, Effect, Either, Option, Order, Stream } from "effect"
import type { Market } from "../../domain/Market.ts"
import { parseSize, SCALE } from "../../domain/Money.ts"
import { isAbout, slugOf } from "../../domain/Topic.ts"
import { isObject } from "../../resilience/Reading.ts"
import type { MarketFilter, MarketPage, VenueError } from "../Venue.ts"
import { failed } from "./Client.ts"
import type { KalshiConfig } from "./Config.ts"
import { type EventFacts, eventFacts, isCombo, KALSHI, market as toMarket, wireMarket } from "./Normalize.ts"
import { absent, type Rest } from "./Rest.ts"
import type * as Wire from "./Wire.ts"

/** The busiest markets that are held while the list is walked; where categories choose, they choose among these. */
const MOST_RANKED = 10_000
/** Markets of one page that is passed on. */
const PAGE = 200
/** Events and series remembered; more than ever are open at once. */
const MAX_REMEMBERED = 50_000

export interface Markets {
  readonly list: (filter: MarketFilter) => Stream.Stream<MarketPage, VenueError>
  readonly wants: (market: Market, filter: MarketFilter) => boolean
  readonly find: (reference: string) => Effect.Effect<Option.Option<Market>, VenueError>
}

const volumeOf = (market: Wire.Market): number => Math.max(0, parseSize(market.volume_24h_fp ?? ""))
const byVolume = Order.mapInput(Order.reverse(Order.number), volumeOf)

export const make = (config: KalshiConfig, rest: Rest): Markets => {
  const facts = new Map<string, EventFacts>()
  const seriesKnown = new Map<string, Option.Option<Wire.Series>>()
  const least = config.min_volume_24h * SCALE

  const remember = <A>(map: Map<string, A>, key: string, value: A): A => {
    if (map.size >= MAX_REMEMBERED) map.clear()
    map.set(key, value)
    return value
  }

  const seriesOf = (ticker: string) =>
    Effect.suspend(() => {
      const known = seriesKnown.get(ticker)
      return known === undefined
        ? Effect.map(absent(rest.series(ticker)), (found) => remember(seriesKnown, ticker, found))
        : Effect.succeed(known)
    })

  /** Asks the series too where the event does not name its category, or where tags may decide. */
  const factsOf = (event: Wire.Event, needsTags: boolean) =>
    Effect.map(
      !needsTags && (event.category ?? "") !== "" ? Effect.succeedNone : seriesOf(event.series_ticker),
      (series) => remember(facts, event.event_ticker, eventFacts(event, series))
    )

  const learn = (tickers: ReadonlyArray<string>, needsTags: boolean) =>
    Effect.suspend(() => {
      const unknown = [...new Set(tickers)].filter((ticker) => ticker !== "" && !facts.has(ticker))
      return unknown.length === 0
        ? Effect.void
        : Effect.flatMap(rest.events(unknown), (events) =>
            Effect.forEach(events, (event) => factsOf(event, needsTags), { discard: true })
          )
    })

  const keep = (market: Market, topics: ReadonlySet<string>): boolean =>
    market.status === "open" &&
    !isCombo(market.venueMarketId) &&
    isAbout(market, topics) &&
    (market.volume24h === null ? least === 0 : market.volume24h >= least)

  /** Looked at before decoding, which costs more: most open markets are not traded at all. */
  const mayBeKept = (raw: unknown): boolean => {
    const volume = isObject(raw) && typeof raw["volume_24h_fp"] === "string" ? parseSize(raw["volume_24h_fp"]) : -1
    return volume === -1 || volume >= least
  }

  const ranked = (candidates: ReadonlyArray<Wire.Market>, filter: MarketFilter) => {
    const topics = new Set(filter.categories.map(slugOf))
    return Stream.fromIterable(Arr.chunksOf(Arr.sort(candidates, byVolume), PAGE)).pipe(
      Stream.mapEffect((chunk) =>
        Effect.gen(function* () {
          const tickers = chunk.map(({ event_ticker }) => event_ticker)
          const learned = learn(tickers, topics.size > 0)
          // Without a category to go by, a market is worth more than what its event would add.
          yield* topics.size > 0
            ? learned
            : Effect.catchAll(learned, (error) =>
                Effect.logWarning("events cannot be read; markets are listed without their category").pipe(
                  Effect.annotateLogs({ venue: KALSHI, error: error.message })
                )
              )
          const markets = chunk.map((wire) => toMarket(wire, facts.get(wire.event_ticker)))
          return {
            page: "/markets by volume",
            markets: Arr.getRights(markets).filter((market) => keep(market, topics)),
            rejected: Arr.getLefts(markets)
          }
        })
      )
    )
  }

  const list: Markets["list"] = (filter) =>
    Stream.suspend(() => {
      const most = Math.max(MOST_RANKED, filter.maxMarkets)
      let candidates: Array<Wire.Market> = []
      const walk = rest.openMarkets.pipe(
        Stream.map(({ markets, page }): MarketPage => {
          const read = markets.filter(mayBeKept).map(wireMarket)
          for (const wire of Arr.getRights(read)) if (!isCombo(wire.ticker)) candidates.push(wire)
          if (candidates.length > 2 * most) candidates = Arr.sort(candidates, byVolume).slice(0, most)
          return { page, markets: [], rejected: Arr.getLefts(read) }
        })
      )
      const best = Stream.suspend(() => ranked(candidates, filter))
      return Stream.concat(
        // What was found before a page failed is still passed on.
        Stream.catchAll(walk, (error) => Stream.concat(best, Stream.fail(error))),
        best
      )
    })

  const find: Markets["find"] = (reference) =>
    Effect.gen(function* () {
      const ticker = reference.replace(/^kalshi:/, "").toUpperCase()
      const found = yield* absent(rest.market(ticker))
      if (Option.isNone(found)) return Option.none()
      const where = `GET /markets/${ticker}`
      const refused = ({ path, problem }: { readonly path: string; readonly problem: string }) =>
        failed("protocol", where, `${path}: ${problem}`)
      const wire = yield* Either.mapLeft(wireMarket(found.value), refused)
      if (!facts.has(wire.event_ticker) && wire.event_ticker !== "") {
        const event = yield* absent(rest.event(wire.event_ticker))
        if (Option.isSome(event)) yield* factsOf(event.value, true)
      }
      return Option.some(yield* Either.mapLeft(toMarket(wire, facts.get(wire.event_ticker)), refused))
    })

  return { list, wants: (market, filter) => keep(market, new Set(filter.categories.map(slugOf))), find }
}
