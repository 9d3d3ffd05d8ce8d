/** Answers about books. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Effect, type Layer } from "effect"
import type { BookView } from "../collector/BookKeeper.ts"
import { Books } from "../collector/Books.ts"
import { Catalog } from "../collector/Catalog.ts"
import { type Instrument, InstrumentId } from "../domain/Market.ts"
import { Api, bookCursor } from "./Api.ts"
import { type Book, BookNotFound, type BookSummary } from "./ApiSchemas.ts"
import { nextCursor, pageOf } from "./Params.ts"

const headOf = (view: BookView, instrument: Instrument | undefined) => ({
  instrumentId: view.instrumentId,
  marketId: instrument?.market.id ?? null,
  outcome: instrument?.market.outcomes.find(({ instrumentId }) => instrumentId === view.instrumentId)?.name ?? null,
  venue: view.venue,
  status: view.status,
  statusSince: view.statusSince,
  statusReason: view.statusReason,
  fedBy: view.fedBy,
  venueTime: view.venueTime,
  receivedTime: view.receivedTime
})

const toBook = (view: BookView, instrument: Instrument | undefined): Book => ({
  ...headOf(view, instrument),
  bids: view.bids,
  asks: view.asks,
  verifiedBy: view.verifiedBy,
  verifiedTime: view.verifiedTime,
  connection: view.connection
})

const toSummary = (view: BookView, instrument: Instrument | undefined): BookSummary => ({
  ...headOf(view, instrument),
  bestBid: view.bids[0] ?? null,
  bestAsk: view.asks[0] ?? null
})

export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"parallax", "books">,
  never,
  Books | Catalog
> = HttpApiBuilder.group(Api, "books", (handlers) =>
  Effect.gen(function* () {
    const books = yield* Books
    const catalog = yield* Catalog

    /** Why there is no book, as far as it is known. */
    const absence = (id: string): string => {
      const instrument = id === "" ? undefined : catalog.instrument(InstrumentId.make(id))
      return instrument === undefined
        ? `no instrument ${JSON.stringify(id)} is known`
        : `no book is kept of ${JSON.stringify(id)}: its market is ${instrument.market.status}, and it is not subscribed`
    }

    return handlers
      .handle("list", ({ urlParams: { cursor, limit, market, status, venue } }) => {
        const fits = (id: InstrumentId): boolean => {
          const view = status === undefined && venue === undefined ? undefined : books.view(id, 1)
          return (
            (status === undefined || view?.status === status) &&
            (venue === undefined || view?.venue === venue) &&
            (market === undefined || catalog.instrument(id)?.market.id === market)
          )
        }
        const page = pageOf([...books.ids()].filter(fits), (id) => id, { after: cursor, limit })
        const views = page.items.flatMap((id) => books.view(id, 1) ?? [])
        return Effect.map(nextCursor(bookCursor, page), (next) => ({
          books: views.map((view) => toSummary(view, catalog.instrument(view.instrumentId))),
          nextCursor: next
        }))
      })
      .handle("get", ({ path: { instrumentId: id }, urlParams: { depth } }) => {
        const view = id === "" ? undefined : books.view(InstrumentId.make(id), depth)
        return view === undefined
          ? new BookNotFound({ message: absence(id) })
          : Effect.succeed(toBook(view, catalog.instrument(view.instrumentId)))
      })
  })
)
