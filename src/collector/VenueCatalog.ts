/** The market list of one venue: fetched, filtered, cached, kept true. */
import { Cause, Clock, Effect, Option, Ref, Schedule, Stream, SubscriptionRef } from "effect"
import {
  type Instrument,
  type InstrumentId,
  instruments,
  type Market,
  type MarketId,
  type VenueId
} from "../domain/Market.ts"
import type { MarketEvent } from "../domain/MarketEvent.ts"
import * as PriceGrid from "../domain/PriceGrid.ts"
import { Database } from "../storage/Database.ts"
import { MarketStore } from "../storage/MarketStore.ts"
import type { MarketPage, VenueError, Watch } from "../venues/Venue.ts"

/** How the list of one venue is doing. */
export interface CatalogInfo {
  readonly venue: VenueId
  /** `empty`: nothing known yet. `cached`: from the database, not confirmed since the start. */
  readonly state: "empty" | "cached" | "fresh" | "failing"
  readonly since: number
  readonly markets: number
  readonly lastRefresh: number | null
  readonly lastError: string | null
  /** Markets in the venue's list that did not decode, since the start. */
  readonly rejected: number
}

/** After a failed refresh the next one comes sooner than the next regular one. */
const RETRY = Schedule.exponential("2 seconds").pipe(Schedule.union(Schedule.spaced("1 minutes")), Schedule.jittered)

/** From the end of a gap to the refresh that it causes; a connection that comes and goes causes no more than this. */
const MISSED_DELAY = "15 seconds"

/** How long the start waits for the cached list before it goes without. */
const CACHE_PATIENCE = "30 seconds"

/** Announced markets come one by one, so they are saved in lots. */
const SAVE_EVERY = "1 seconds"

/** How far a venue's list may lag behind its socket, in milliseconds (Kalshi reference §10.19, Polymarket's §2.2). */
const LIST_LAG = 60_000

/** Failures that pass by themselves. */
const passes = ({ reason }: VenueError): boolean =>
  reason === "unreachable" || reason === "timeout" || reason === "unavailable" || reason === "rate-limited"

/** Each market that does not decode is logged once; a bound on how many ids are remembered for that. */
const MAX_REPORTED = 10_000

interface List {
  markets: Map<MarketId, Market>
  state: CatalogInfo["state"]
  since: number
  lastRefresh: number | null
  lastError: string | null
  rejected: number
}

/** Whether an event is any of a catalogue's business: of all that flows on the bus, little is. */
export const concerns = (event: MarketEvent): boolean =>
  event._tag === "Gap" ||
  event._tag === "MarketListed" ||
  event._tag === "MarketResolved" ||
  event._tag === "TickSizeChange"

export const make = ({ filter, refreshEvery, venue }: Watch) =>
  Effect.gen(function* () {
    const store = yield* MarketStore
    const database = yield* Database
    const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>([])
    const byInstrument = new Map<InstrumentId, Instrument>()
    const reported = new Set<string>()
    /** What the pinned references turned out to mean. */
    const pins = new Map<string, MarketId>()
    /** When the socket told of a new grid, by our clock, for as long as the list may not know of it. */
    const regridded = new Map<MarketId, number>()
    const unsaved = yield* Ref.make<ReadonlyMap<MarketId, Market>>(new Map())
    const turn = yield* Effect.makeSemaphore(1)
    const missed = yield* Effect.makeLatch(false)
    const list: List = {
      markets: new Map(),
      state: "empty",
      since: yield* Clock.currentTimeMillis,
      lastRefresh: null,
      lastError: null,
      rejected: 0
    }

    const enter = (state: List["state"], error: string | null) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (list.state !== state) list.since = now
        list.state = state
        list.lastError = error
        if (state === "fresh") list.lastRefresh = now
      })

    /** Makes these the markets that are known, and those of them that are open the ones that are watched. */
    const adopt = (markets: Iterable<Market>) =>
      Effect.suspend(() => {
        list.markets = new Map(Array.from(markets, (market) => [market.id, market]))
        byInstrument.clear()
        const watched: Array<Instrument> = []
        for (const market of list.markets.values()) {
          for (const instrument of instruments(market)) {
            byInstrument.set(instrument.id, instrument)
            if (market.status === "open") watched.push(instrument)
          }
        }
        return SubscriptionRef.set(desired, watched)
      })

    /** What could not be saved is tried again with the next lot; said once, not at every attempt. */
    let saves = true
    const save = (markets: ReadonlyArray<Market>) =>
      store.save(markets).pipe(
        Effect.matchEffect({
          onSuccess: () => Effect.sync(() => (saves = true)),
          onFailure: (error) =>
            Effect.gen(function* () {
              const known = !saves
              saves = false
              // What changed since then counts more.
              yield* Ref.update(
                unsaved,
                (later) => new Map([...markets.map((one) => [one.id, one] as const), ...later])
              )
              if (known) return
              yield* Effect.logWarning("the market list waits to be saved").pipe(
                Effect.annotateLogs({ error: error.message })
              )
            })
        })
      )

    const reportRejected = (page: MarketPage) =>
      Effect.forEach(
        page.rejected,
        ({ id, path, problem }) => {
          list.rejected++
          if (reported.has(id) || reported.size >= MAX_REPORTED) return Effect.void
          reported.add(id)
          return Effect.logWarning("a market of the list does not decode; it is skipped").pipe(
            Effect.annotateLogs({ market: id, path, problem, page: page.page })
          )
        },
        { discard: true }
      )

    /** A pinned market that cannot be looked up stays as it is known, and costs the list nothing else. */
    const known = (reference: string): Option.Option<Market> =>
      Option.fromNullable(pins.get(reference)).pipe(Option.flatMapNullable((id) => list.markets.get(id)))

    const complain = (reference: string, about: string, error: string) =>
      Effect.suspend(() => {
        if (reported.has(reference)) return Effect.void
        reported.add(reference)
        return Effect.logWarning(about).pipe(Effect.annotateLogs({ market: reference, error }))
      })

    const lookUp = (reference: string, failures: Array<VenueError>): Effect.Effect<Option.Option<Market>> =>
      Effect.matchEffect(venue.market(reference), {
        onSuccess: (found) => {
          if (Option.isNone(found)) return Effect.as(complain(reference, "the venue knows no such market", ""), found)
          pins.set(reference, found.value.id)
          return Effect.succeed<Option.Option<Market>>(found)
        },
        onFailure: (error) => {
          if (passes(error)) failures.push(error)
          return Effect.as(complain(reference, "a pinned market cannot be looked up", error.message), known(reference))
        }
      })

    /** Adds to `found` page by page until it is full; what was found stays found when a later page fails. */
    const collect = (found: Map<MarketId, Market>) =>
      Effect.gen(function* () {
        const failures: Array<VenueError> = []
        for (const reference of filter.markets) {
          const pinned = yield* lookUp(reference, failures)
          if (Option.isSome(pinned)) found.set(pinned.value.id, pinned.value)
        }
        yield* venue.markets(filter).pipe(
          Stream.takeUntilEffect((page) =>
            Effect.map(reportRejected(page), () => {
              for (const market of page.markets) if (found.size < filter.maxMarkets) found.set(market.id, market)
              return found.size >= filter.maxMarkets
            })
          ),
          Stream.runDrain
        )
        if (failures[0] !== undefined) return yield* failures[0]
      })

    /** A market of the list with what the socket told sooner: that it is over, or trades on another grid. */
    const current = (market: Market): Market => {
      const known = list.markets.get(market.id)
      if (known === undefined) return market
      if (market.status === "open" && known.status === "resolved") return known
      return regridded.has(market.id) ? { ...market, tickSize: known.tickSize, priceBands: known.priceBands } : market
    }

    const onComplete = (found: ReadonlyMap<MarketId, Market>, began: number) =>
      Effect.gen(function* () {
        for (const [id, since] of regridded) if (since < began - LIST_LAG) regridded.delete(id)
        const gone = [...list.markets.values()].filter((market) => market.status === "open" && !found.has(market.id))
        const first = list.lastRefresh === null
        yield* adopt(Array.from(found.values(), current))
        yield* enter("fresh", null)
        yield* first || gone.length > 0
          ? Effect.logInfo("market list refreshed").pipe(
              Effect.annotateLogs({ markets: found.size, left: gone.length })
            )
          : Effect.logDebug("market list refreshed").pipe(Effect.annotateLogs({ markets: found.size }))
        yield* save([...list.markets.values()])
        yield* save(gone.map((market) => ({ ...market, status: "unlisted" as const })))
      })

    /** Half a list is better than none, and worse than the one there was. */
    const onFailure = (error: VenueError, found: ReadonlyMap<MarketId, Market>) =>
      Effect.gen(function* () {
        const wasFailing = list.state === "failing"
        const room = filter.maxMarkets - list.markets.size
        const added = [...found.values()].filter(({ id }) => !list.markets.has(id)).slice(0, Math.max(0, room))
        if (added.length > 0) yield* adopt([...list.markets.values(), ...added])
        yield* enter("failing", error.message)
        if (!wasFailing) {
          yield* Effect.logWarning("the market list could not be refreshed; what is known is kept").pipe(
            Effect.annotateLogs({ error: error.message, markets: list.markets.size })
          )
        }
        return yield* error
      })

    const refresh = Effect.flatMap(Clock.currentTimeMillis, (began) => {
      const found = new Map<MarketId, Market>()
      return collect(found).pipe(
        Effect.matchEffect({
          onSuccess: () => onComplete(found, began),
          onFailure: (error) => onFailure(error, found)
        })
      )
    }).pipe(turn.withPermits(1))

    const adoptCached = (kept: ReadonlyArray<Market>) =>
      Effect.suspend(() => {
        if (list.markets.size > 0 || kept.length === 0) return Effect.void
        return Effect.all(
          [
            adopt(kept),
            // A first refresh that failed already has said why.
            list.state === "failing" ? Effect.void : enter("cached", null),
            Effect.logInfo("market list taken from the cache").pipe(Effect.annotateLogs({ markets: kept.length }))
          ],
          { discard: true }
        )
      })

    /** Beside the first refresh, of which the one may take as long as the database and the other as the venue. */
    const loadCached = database.ready.pipe(
      Effect.zipRight(store.load(venue.id)),
      Effect.flatMap((cached) => adoptCached(cached.slice(0, filter.maxMarkets))),
      Effect.timeout(CACHE_PATIENCE),
      Effect.catchAll((error) =>
        Effect.logWarning("the cached market list could not be read").pipe(
          Effect.annotateLogs({ error: error.message })
        )
      )
    )

    const update = (market: Market) =>
      Effect.zipRight(
        adopt(new Map(list.markets).set(market.id, market).values()),
        Ref.update(unsaved, (all) => new Map(all).set(market.id, market))
      )

    const open = () => [...list.markets.values()].filter((market) => market.status === "open").length

    const follow = (event: MarketEvent): Effect.Effect<void> => {
      switch (event._tag) {
        case "MarketListed": {
          const { market } = event
          const known = list.markets.get(market.id)
          if (known !== undefined) {
            // What is told anew of a known market is its end; everything else the list knows better.
            const moved = market.endTime !== null && market.endTime.epochMillis !== known.endTime?.epochMillis
            return moved ? update({ ...known, endTime: market.endTime }) : Effect.void
          }
          const admitted = market.venue === venue.id && open() < filter.maxMarkets && venue.wants(market, filter)
          return admitted ? update(market) : Effect.void
        }
        case "MarketResolved": {
          const market = list.markets.get(event.marketId)
          if (market === undefined || market.status === "resolved") return Effect.void
          const outcomes = market.outcomes.map((outcome) =>
            event.winner === null ? outcome : { ...outcome, winner: outcome.instrumentId === event.winner }
          )
          return Effect.zipRight(
            Effect.annotateLogs(Effect.logInfo("market resolved"), {
              market: market.id,
              winner: event.winner ?? "none"
            }),
            update({ ...market, status: "resolved", outcomes })
          )
        }
        case "TickSizeChange": {
          const market = byInstrument.get(event.instrumentId)?.market
          if (market === undefined) return Effect.void
          const { priceBands, tickSize } = event
          return Effect.flatMap(Clock.currentTimeMillis, (now) => {
            regridded.set(market.id, now)
            return PriceGrid.equivalence(market.priceBands, priceBands)
              ? Effect.void
              : update({ ...market, tickSize, priceBands })
          })
        }
        case "Gap":
          // What was listed, resolved or given another grid meanwhile was not heard.
          if (event.venue !== venue.id || event.instrumentId !== null) return Effect.void
          return Effect.zipRight(
            Effect.sync(() => regridded.clear()),
            missed.open
          )
        default:
          return Effect.void
      }
    }

    /** Until the next regular refresh, or a little after something was missed. */
    const untilRefresh = Effect.raceFirst(
      Effect.sleep(refreshEvery),
      Effect.zipRight(missed.await, Effect.sleep(MISSED_DELAY))
    ).pipe(Effect.zipRight(missed.close))

    const saveUpdates = Effect.flatMap(Ref.getAndSet(unsaved, new Map()), (markets) =>
      markets.size === 0 ? Effect.void : save([...markets.values()])
    )

    const run = Effect.gen(function* () {
      yield* Effect.forkScoped(loadCached)
      yield* Effect.forkScoped(Effect.repeat(saveUpdates, Schedule.spaced(SAVE_EVERY)))
      yield* refresh.pipe(
        Effect.retry(RETRY),
        Effect.zipRight(untilRefresh),
        Effect.forever,
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause) ? Effect.void : Effect.logError("the market list stopped refreshing", cause)
        ),
        Effect.forkScoped
      )
    })

    return {
      venue: venue.id,
      markets: (): Iterable<Market> => list.markets.values(),
      market: (id: MarketId): Market | undefined => list.markets.get(id),
      instrument: (id: InstrumentId): Instrument | undefined => byInstrument.get(id),
      desired,
      info: (): CatalogInfo => ({
        venue: venue.id,
        state: list.state,
        since: list.since,
        markets: list.markets.size,
        lastRefresh: list.lastRefresh,
        lastError: list.lastError,
        rejected: list.rejected
      }),
      follow,
      refresh: Effect.ignore(refresh),
      run: Effect.annotateLogs(run, { venue: venue.id })
    }
  })
