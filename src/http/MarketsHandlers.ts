/** Answers about markets. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Effect, type Layer } from "effect"
import { Catalog } from "../collector/Catalog.ts"
import { type Market, MarketId } from "../domain/Market.ts"
import { Api, marketCursor, type MarketsQuery } from "./Api.ts"
import { MarketNotFound } from "./ApiSchemas.ts"
import { nextCursor, pageOf } from "./Params.ts"

const matches = (query: MarketsQuery): ((market: Market) => boolean) => {
  const category = query.category?.toLowerCase()
  const part = query.q?.toLowerCase()
  return (market) =>
    (query.venue === undefined || market.venue === query.venue) &&
    (query.status === undefined || market.status === query.status) &&
    (category === undefined || [market.category, ...market.tags].some((topic) => topic?.toLowerCase() === category)) &&
    (part === undefined || market.question.toLowerCase().includes(part) || market.slug.toLowerCase().includes(part))
}

export const layer: Layer.Layer<HttpApiGroup.ApiGroup<"parallax", "markets">, never, Catalog> = HttpApiBuilder.group(
  Api,
  "markets",
  (handlers) =>
    Effect.map(Catalog, (catalog) =>
      handlers
        .handle("list", ({ urlParams: query }) => {
          const found = catalog.markets().filter(matches(query))
          const page = pageOf(found, ({ id }) => id, { after: query.cursor, limit: query.limit })
          return Effect.map(nextCursor(marketCursor, page), (next) => ({ markets: page.items, nextCursor: next }))
        })
        .handle("get", ({ path: { id } }) => {
          const market = id === "" ? undefined : catalog.market(MarketId.make(id))
          return market === undefined
            ? new MarketNotFound({ message: `no market ${JSON.stringify(id)} is known` })
            : Effect.succeed(market)
        })
    )
)
