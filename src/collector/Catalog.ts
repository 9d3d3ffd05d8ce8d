/** The markets that are watched, of all venues. */
import { Context, Effect, Layer, Stream, type SubscriptionRef } from "effect"
import { Bus } from "../bus/Bus.ts"
import type { Instrument, InstrumentId, Market, MarketId, VenueId } from "../domain/Market.ts"
import type { Database } from "../storage/Database.ts"
import type { MarketStore } from "../storage/MarketStore.ts"
import type { Watch } from "../venues/Venue.ts"
import * as VenueCatalog from "./VenueCatalog.ts"

export type { CatalogInfo } from "./VenueCatalog.ts"

export class Catalog extends Context.Tag("parallax/collector/Catalog")<
  Catalog,
  {
    /** All markets known, open and ended, in the venues' order of importance. */
    readonly markets: () => ReadonlyArray<Market>
    readonly market: (id: MarketId) => Market | undefined
    readonly instrument: (id: InstrumentId) => Instrument | undefined
    /** What the feed of a venue should be subscribed to; `undefined` for a venue that is not enabled. */
    readonly desired: (venue: VenueId) => SubscriptionRef.SubscriptionRef<ReadonlyArray<Instrument>> | undefined
    readonly info: () => ReadonlyArray<VenueCatalog.CatalogInfo>
    /** Fetches the list of a venue now. */
    readonly refresh: (venue: VenueId) => Effect.Effect<void>
  }
>() {
  static readonly layer = (watches: ReadonlyArray<Watch>): Layer.Layer<Catalog, never, Bus | Database | MarketStore> =>
    Layer.scoped(Catalog, make(watches))
}

const make = (watches: ReadonlyArray<Watch>) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const catalogs = yield* Effect.forEach(watches, VenueCatalog.make)
    const concerned = yield* bus.subscribeTo(VenueCatalog.concerns)
    yield* Stream.runForEach(concerned, ({ events }) =>
      Effect.forEach(events, (event) => Effect.forEach(catalogs, (catalog) => catalog.follow(event)), { discard: true })
    ).pipe(Effect.forkScoped)
    yield* Effect.forEach(catalogs, (catalog) => catalog.run, { discard: true })

    const find = <A>(pick: (catalog: (typeof catalogs)[number]) => A | undefined): A | undefined => {
      for (const catalog of catalogs) {
        const found = pick(catalog)
        if (found !== undefined) return found
      }
      return undefined
    }
    const ofVenue = (id: VenueId) => catalogs.find((catalog) => catalog.venue === id)
    return Catalog.of({
      markets: () => catalogs.flatMap((catalog) => [...catalog.markets()]),
      market: (id) => find((catalog) => catalog.market(id)),
      instrument: (id) => find((catalog) => catalog.instrument(id)),
      desired: (id) => ofVenue(id)?.desired,
      info: () => catalogs.map((catalog) => catalog.info()),
      refresh: (id) => ofVenue(id)?.refresh ?? Effect.void
    })
  })
