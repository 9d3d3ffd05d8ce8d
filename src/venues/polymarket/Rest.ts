/** Polymarket over REST: market lists with checked cursors, single markets, books (Polymarket reference §2, §3, §10). */
import { HttpClient } from "@effect/platform"
import { Clock, Effect, Either, Option, ParseResult, Schema, Stream } from "effect"
import type { Answer } from "../../domain/Input.ts"
import type { Instrument, Market } from "../../domain/Market.ts"
import { SCALE } from "../../domain/Money.ts"
import { isAbout, slugOf } from "../../domain/Topic.ts"
import type { CircuitOpen } from "../../resilience/CircuitBreaker.ts"
import type { Watch } from "../../resilience/DriftLog.ts"
import * as HttpJson from "../../resilience/HttpJson.ts"
import { RateLimit } from "../../resilience/RateLimit.ts"
import { makeBreaker, resilient } from "../../resilience/Resilient.ts"
import { type BreakerInfo, type MarketFilter, type MarketPage, VenueError, type VenueErrorReason } from "../Venue.ts"
import type { PolymarketConfig } from "./Config.ts"
import { clobMarket, gammaMarket, type Rejected } from "./Markets.ts"
import { restSnapshot } from "./Normalize.ts"
import { QUOTAS } from "./Quotas.ts"
import { POLYMARKET } from "./Reading.ts"
import { ClobPage, GammaPage, GammaTag, RestBook } from "./Wire.ts"

/** The CLOB listed about 1,500 pages of all times in 2026; a list longer than this has no end. */
const MAX_PAGES = 5_000
const GAMMA_PAGE_SIZE = 100
/** Base64 of "-1": the CLOB's mark for the end of a list (§2.2). */
const END_CURSOR = "LTE="

const venueError = (where: string) => (failure: HttpJson.HttpFailure | CircuitOpen) =>
  new VenueError({
    venue: POLYMARKET,
    reason: HttpJson.meaning(failure),
    where,
    detail: failure._tag === "CircuitOpen" ? failure.message : failure.detail,
    retryAfter: failure.retryAfter,
    cause: failure
  })

const failed = (reason: VenueErrorReason, where: string, detail: string): VenueError =>
  new VenueError({ venue: POLYMARKET, reason, where, detail })

export interface Rest {
  /** Open markets of Gamma's keyset list, by 24-hour volume; of the CLOB's list when Gamma does not answer at all. */
  readonly markets: (filter: MarketFilter) => Stream.Stream<MarketPage, VenueError>
  readonly wants: (market: Market, filter: MarketFilter) => boolean
  readonly market: (reference: string) => Effect.Effect<Option.Option<Market>, VenueError>
  readonly snapshot: (instrument: Instrument) => Effect.Effect<BookAnswer, VenueError>
  readonly breakers: Effect.Effect<ReadonlyArray<BreakerInfo>>
}

/** A book as answered, which can be read. */
export interface BookAnswer extends Answer {
  readonly body: RestBook
}

const partition = (page: string, read: ReadonlyArray<Either.Either<Market, Rejected>>): MarketPage => ({
  page,
  markets: read.filter(Either.isRight).map((entry) => entry.right),
  rejected: read.filter(Either.isLeft).map((entry) => entry.left)
})

/** Base64 of a decimal row offset (§2.2), or why it is not one. */
export const decodeCursor = (cursor: string): Either.Either<number, string> => {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(cursor) || cursor === "") {
    return Either.left("it is not base64")
  }
  const text = Buffer.from(cursor, "base64").toString("latin1")
  return /^\d{1,15}$/.test(text) ? Either.right(Number(text)) : Either.left("it does not hold a row offset")
}

interface Position {
  /** `undefined` for the first page. */
  readonly cursor: string | undefined
  readonly page: number
}

interface List {
  readonly name: string
  readonly maxPages: number
  readonly check: (cursor: string) => Either.Either<unknown, string>
  readonly fetch: (
    at: Position
  ) => Effect.Effect<{ readonly page: MarketPage; readonly next: string | undefined }, VenueError>
}

/** The pages of a list, each fetched when it is asked for. A bad cursor is an error after the page that it was on. */
const pages = ({ check, fetch, maxPages, name }: List): Stream.Stream<MarketPage, VenueError> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    const advance = (at: Position, next: string | undefined): Option.Option<Position | VenueError> => {
      if (next === undefined || next === END_CURSOR) return Option.none()
      const fault = (problem: string) => Option.some(failed("cursor", `${name}, page ${at.page}`, problem))
      const shown = JSON.stringify(next.slice(0, 80))
      const checked = check(next)
      if (Either.isLeft(checked)) return fault(`next_cursor ${shown}: ${checked.left}`)
      if (seen.has(next)) return fault(`next_cursor ${shown} was given before`)
      if (at.page >= maxPages) return fault(`no end of the list after ${maxPages} pages`)
      seen.add(next)
      return Option.some({ cursor: next, page: at.page + 1 })
    }
    const first: Position = { cursor: undefined, page: 1 }
    return Stream.paginateEffect<Position | VenueError, MarketPage, VenueError, never>(first, (at) =>
      at instanceof VenueError ? at : Effect.map(fetch(at), ({ next, page }) => [page, advance(at, next)] as const)
    )
  })

export const make = (
  config: PolymarketConfig,
  maxPages = MAX_PAGES,
  onAnswer: Watch["answer"] = () => {}
): Effect.Effect<Rest, never, HttpClient.HttpClient | RateLimit> =>
  Effect.gen(function* () {
    const request = HttpJson.request(yield* HttpClient.HttpClient)
    const limits = yield* RateLimit
    const clobBreaker = yield* makeBreaker("polymarket clob")
    const gammaBreaker = yield* makeBreaker("polymarket gamma")
    const ways = {
      book: resilient({ limits, breaker: clobBreaker, quotas: QUOTAS.book }),
      clob: resilient({ limits, breaker: clobBreaker, quotas: QUOTAS.clob }),
      gammaMarkets: resilient({ limits, breaker: gammaBreaker, quotas: QUOTAS.gammaMarkets }),
      gammaTags: resilient({ limits, breaker: gammaBreaker, quotas: QUOTAS.gammaTags })
    }
    type Way = keyof typeof ways

    const get = <A, I>(way: Way, schema: Schema.Schema<A, I>, url: string, query: HttpJson.RequestOptions["query"]) =>
      request("GET", url, query === undefined ? {} : { query }).pipe(
        ways[way],
        Effect.mapError(venueError(`GET ${url}`)),
        Effect.tap((body) => Effect.map(Clock.currentTimeMillis, (now) => onAnswer(schema, body, now))),
        Effect.flatMap((body) =>
          Effect.mapError(Schema.decodeUnknown(schema)(body), (error) =>
            failed("protocol", `GET ${url}`, ParseResult.TreeFormatter.formatErrorSync(error).slice(0, 500))
          )
        )
      )

    const tagId = (topic: string) =>
      get("gammaTags", GammaTag, `${config.gamma_url}/tags/slug/${encodeURIComponent(slugOf(topic))}`, []).pipe(
        Effect.map((tag) => Option.some(String(tag.id))),
        Effect.catchIf(
          (error) => error.reason === "not-found",
          () =>
            Effect.as(
              Effect.logWarning("the venue knows no such category; markets are chosen by their own tags").pipe(
                Effect.annotateLogs({ venue: POLYMARKET, category: topic })
              ),
              Option.none<string>()
            )
        )
      )

    const keep = (market: Market, topics: ReadonlySet<string>): boolean =>
      market.status === "open" &&
      isAbout(market, topics) &&
      (market.liquidity === null ? config.min_liquidity === 0 : market.liquidity >= config.min_liquidity * SCALE)

    const gamma = (filter: MarketFilter): Stream.Stream<MarketPage, VenueError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const tags = yield* Effect.forEach(filter.categories, tagId)
          // One topic that the venue cannot filter by means that we must.
          const byTag = tags.length > 0 && tags.every(Option.isSome)
          const topics = new Set(byTag ? [] : filter.categories.map(slugOf))
          const url = `${config.gamma_url}/markets/keyset`
          const fixed: ReadonlyArray<readonly [string, string]> = [
            ["limit", String(GAMMA_PAGE_SIZE)],
            ["closed", "false"],
            ["order", "volume24hr"],
            ["ascending", "false"],
            ["include_tag", "true"],
            ...(config.min_liquidity > 0 ? [["liquidity_num_min", String(config.min_liquidity)] as const] : []),
            ...(byTag ? tags.flatMap(Option.toArray).map((id) => ["tag_id", id] as const) : []),
            ...(byTag ? [["tag_match", "any"] as const] : [])
          ]
          return pages({
            name: "gamma /markets/keyset",
            maxPages,
            check: Either.right,
            fetch: ({ cursor, page: number }) =>
              Effect.gen(function* () {
                const after = cursor === undefined ? [] : [["after_cursor", cursor] as const]
                const body = yield* get("gammaMarkets", GammaPage, url, [...fixed, ...after])
                const page = partition(`gamma /markets/keyset, page ${number}`, body.markets.map(gammaMarket))
                return {
                  page: { ...page, markets: page.markets.filter((market) => keep(market, topics)) },
                  // Nothing can come after an empty cursor.
                  next: body.next_cursor || undefined
                }
              })
          })
        })
      )

    const clob = (filter: MarketFilter): Stream.Stream<MarketPage, VenueError> => {
      const topics = new Set(filter.categories.map(slugOf))
      return pages({
        name: "clob /markets",
        maxPages,
        check: decodeCursor,
        fetch: ({ cursor, page: number }) =>
          Effect.gen(function* () {
            const after = cursor === undefined ? [] : [["next_cursor", cursor] as const]
            const body = yield* get("clob", ClobPage, `${config.clob_url}/markets`, after)
            const page = partition(`clob /markets, page ${number}`, body.data.map(clobMarket))
            const markets = page.markets.filter((market) => market.status === "open" && isAbout(market, topics))
            return { page: { ...page, markets }, next: body.next_cursor }
          })
      })
    }

    /** Said when it changes, not at every attempt. */
    let gammaAnswers = true
    const fallBack = (error: VenueError) =>
      Effect.suspend(() => {
        const known = !gammaAnswers
        gammaAnswers = false
        return known
          ? Effect.void
          : Effect.logWarning("Gamma does not answer; the CLOB's list serves, which tells no liquidity").pipe(
              Effect.annotateLogs({ venue: POLYMARKET, error: error.message })
            )
      })

    const markets: Rest["markets"] = (filter) =>
      Stream.unwrap(
        Effect.sync(() => {
          let answered = false
          const noteAnswer = Effect.sync(() => (answered = gammaAnswers = true))
          return gamma(filter).pipe(
            Stream.tap(() => noteAnswer),
            Stream.catchAll((error) =>
              answered || error.reason === "cursor"
                ? Stream.fail(error)
                : Stream.concat(
                    Stream.drain(Stream.fromEffect(fallBack(error))),
                    // Of the two failures the first says more about where to look.
                    Stream.mapError(clob(filter), (second) => (second.reason === "cursor" ? second : error))
                  )
            )
          )
        })
      )

    const decodeOne = (where: string, read: Either.Either<Market, Rejected>) =>
      Either.mapLeft(read, ({ path, problem }) => failed("protocol", where, `${path}: ${problem}`))

    const absent = <A>(effect: Effect.Effect<A, VenueError>): Effect.Effect<Option.Option<A>, VenueError> =>
      Effect.catchIf(
        Effect.asSome(effect),
        (error) => error.reason === "not-found",
        () => Effect.succeedNone
      )

    const single = (url: string, read: typeof gammaMarket, way: Way) =>
      absent(Effect.flatMap(get(way, Schema.Unknown, url, []), (body) => decodeOne(url, read(body))))

    const listed = (parameter: string, value: string) =>
      Effect.gen(function* () {
        const url = `${config.gamma_url}/markets`
        const found = yield* get("gammaMarkets", Schema.Array(Schema.Unknown), url, [[parameter, value]])
        return found.length === 0
          ? Option.none<Market>()
          : Option.some(yield* decodeOne(`${url}?${parameter}=${value}`, gammaMarket(found[0])))
      })

    const market: Rest["market"] = (reference) => {
      const id = reference.replace(/^polymarket:/, "")
      if (/^0x/i.test(id)) {
        const inClob = single(`${config.clob_url}/markets/${encodeURIComponent(id)}`, clobMarket, "clob")
        return listed("condition_ids", id).pipe(
          Effect.orElseSucceed(() => Option.none<Market>()),
          Effect.flatMap((found) => (Option.isSome(found) ? Effect.succeed(found) : inClob))
        )
      }
      if (/^\d{21,}$/.test(id)) {
        return Effect.flatMap(listed("clob_token_ids", id), (found) =>
          Option.isSome(found) ? Effect.succeed(found) : listed("position_ids", id)
        )
      }
      const path = /^\d+$/.test(id) ? `/markets/${id}` : `/markets/slug/${encodeURIComponent(id)}`
      return single(`${config.gamma_url}${path}`, gammaMarket, "gammaMarkets")
    }

    const snapshot: Rest["snapshot"] = (instrument) =>
      Effect.gen(function* () {
        const url = `${config.clob_url}/book`
        const book = yield* get("book", RestBook, url, [["token_id", instrument.venueInstrumentId]])
        const receivedTime = yield* Clock.currentTimeMillis
        if (book.asset_id !== instrument.venueInstrumentId) {
          return yield* failed("protocol", `GET ${url}`, "the book of another token")
        }
        yield* Either.mapLeft(restSnapshot(book, instrument, receivedTime), (problem) =>
          failed("protocol", `GET ${url}?token_id=${instrument.venueInstrumentId}`, problem)
        )
        const instrumentId = instrument.id
        return { _tag: "Answer", venue: POLYMARKET, instrumentId, of: "book", source: "rest", body: book, receivedTime }
      })

    return {
      markets,
      wants: (market, filter) => keep(market, new Set(filter.categories.map(slugOf))),
      market,
      snapshot,
      breakers: Effect.all([clobBreaker.snapshot, gammaBreaker.snapshot])
    }
  })
