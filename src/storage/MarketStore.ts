/** The markets that are known, kept over restarts. */
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer } from "effect"
import type { InstrumentId, Market, MarketId, VenueId } from "../domain/Market.ts"

export class MarketStore extends Context.Tag("parallax/storage/MarketStore")<
  MarketStore,
  {
    /**
     * Inserts the markets with their outcomes, or brings them up to date. Their order is kept as their rank, from
     * `firstRank` (0) on, so that a list can be saved page by page. A known winner is not forgotten.
     */
    readonly save: (markets: ReadonlyArray<Market>, firstRank?: number) => Effect.Effect<void, SqlError>
    /** The open markets of a venue, by rank. */
    readonly load: (venue: VenueId) => Effect.Effect<ReadonlyArray<Market>, SqlError>
    /** Closes a market with its winning outcome, `null` when there is not exactly one. Unknown markets are ignored. */
    readonly resolve: (market: MarketId, winner: InstrumentId | null) => Effect.Effect<void, SqlError>
  }
>() {
  /** Forgets with the process. */
  static readonly layerMemory: Layer.Layer<MarketStore> = Layer.sync(MarketStore, () => {
    const byId = new Map<MarketId, { readonly market: Market; readonly rank: number }>()
    const withWinners = (market: Market): Market => {
      const known = byId.get(market.id)?.market.outcomes ?? []
      return {
        ...market,
        outcomes: market.outcomes.map((outcome) => ({
          ...outcome,
          winner: outcome.winner ?? known.find((one) => one.instrumentId === outcome.instrumentId)?.winner ?? null
        }))
      }
    }
    return MarketStore.of({
      save: (markets, firstRank = 0) =>
        Effect.sync(() => {
          for (const [index, market] of markets.entries()) {
            byId.set(market.id, { market: withWinners(market), rank: firstRank + index })
          }
        }),
      load: (venue) =>
        Effect.sync(() =>
          [...byId.values()]
            .filter(({ market }) => market.venue === venue && market.status === "open")
            .sort((a, b) => a.rank - b.rank || (a.market.id < b.market.id ? -1 : 1))
            .map(({ market }) => market)
        ),
      resolve: (id, winner) =>
        Effect.sync(() => {
          const known = byId.get(id)
          if (known === undefined) return
          const outcomes = known.market.outcomes.map((outcome) =>
            winner === null ? outcome : { ...outcome, winner: outcome.instrumentId === winner }
          )
          byId.set(id, { ...known, market: { ...known.market, status: "resolved", outcomes } })
        })
    })
  })
}
