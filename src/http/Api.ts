/** The HTTP interface: what can be asked, and how it is answered. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Record, Schema } from "effect"
import { Market } from "../domain/Market.ts"
import * as S from "./ApiSchemas.ts"
import * as Params from "./Params.ts"

export const marketCursor = Params.cursor("market")
export const bookCursor = Params.cursor("book")

const paging = (cursor: Schema.Schema<string, string>) => ({
  limit: Params.withDefault(Params.wholeNumber(1, 1000), 100, "How many at most"),
  cursor: Params.optional(cursor, "Where to go on: the `nextCursor` of the page before")
})

/** Unknown parameters are refused: a misspelt filter would otherwise answer with everything. */
const strict = { parseOptions: { onExcessProperty: "error", errors: "all" } } as const

const venue = Params.optional(Params.text, "The venue, as `polymarket`")

const MarketsQuery = Schema.Struct({
  venue,
  status: Params.optional(Params.oneOf("open", "closed", "resolved", "unlisted"), "The life of the market"),
  category: Params.optional(Params.text, "A category or a tag, in any case"),
  q: Params.optional(Params.text, "Part of the question or of the slug, in any case"),
  ...paging(marketCursor)
}).annotations(strict)
export type MarketsQuery = typeof MarketsQuery.Type

const BooksQuery = Schema.Struct({
  venue,
  status: Params.optional(Params.oneOf(...S.BookStatus.literals), "How far the book can be trusted"),
  market: Params.optional(Params.text, "The id of a market"),
  ...paging(bookCursor)
}).annotations(strict)
export type BooksQuery = typeof BooksQuery.Type

const BookQuery = Schema.Struct({
  depth: Params.optional(Params.wholeNumber(1, 10_000), "How many levels of a side at most; all unless told")
}).annotations(strict)

/** What Prometheus asks for. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

const idOf = (example: string) => Schema.String.annotations({ examples: [example] })

const health = HttpApiGroup.make("health", { topLevel: true })
  .add(
    HttpApiEndpoint.get("live", "/health/live")
      .addSuccess(S.Alive)
      .addError(S.NotAlive)
      .annotate(OpenApi.Summary, "Whether the process is worth keeping: it answers, and its main loops run")
  )
  .add(
    HttpApiEndpoint.get("ready", "/health/ready")
      .addSuccess(S.Ready)
      .addError(S.Unready)
      .annotate(OpenApi.Summary, "Whether what it serves can be relied on, part by part")
  )
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .addSuccess(HttpApiSchema.Text({ contentType: METRICS_TYPE }).annotations({ description: "One sample a line" }))
      .annotate(OpenApi.Summary, "Metrics in the text format of Prometheus")
  )
  .annotate(OpenApi.Title, "Operations")

const markets = HttpApiGroup.make("markets")
  .add(
    HttpApiEndpoint.get("list", "/markets")
      .setUrlParams(MarketsQuery)
      .addSuccess(S.MarketList)
      .addError(S.InvalidRequest)
      .annotate(OpenApi.Summary, "The markets that are known, by id")
  )
  .add(
    HttpApiEndpoint.get("get", "/markets/:id")
      .setPath(
        Schema.Struct({ id: idOf("polymarket:0x9c1a953fe92c8357f1b646ba25d983aa83e90c525992db14fb726fa895cb5763") })
      )
      .addSuccess(Market)
      .addError(S.MarketNotFound)
      .annotate(OpenApi.Summary, "One market")
  )
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "Markets")

const books = HttpApiGroup.make("books")
  .add(
    HttpApiEndpoint.get("list", "/books")
      .setUrlParams(BooksQuery)
      .addSuccess(S.BookList)
      .addError(S.InvalidRequest)
      .annotate(OpenApi.Summary, "The books that are kept, by id, with their best quotes")
  )
  .add(
    HttpApiEndpoint.get("get", "/books/:instrumentId")
      .setPath(
        Schema.Struct({
          instrumentId: idOf("polymarket:71321045679252212594626385532706912750332728571942532289631379312455583992563")
        })
      )
      .setUrlParams(BookQuery)
      .addSuccess(S.Book)
      .addError(S.BookNotFound)
      .addError(S.InvalidRequest)
      .annotate(OpenApi.Summary, "One book, as it is now, and how far it can be trusted")
  )
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "Books")

const feeds = HttpApiGroup.make("feeds")
  .add(
    HttpApiEndpoint.get("list", "/feeds")
      .addSuccess(S.FeedList)
      .annotate(OpenApi.Summary, "The connections to every venue")
  )
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "Feeds")

const tape = HttpApiGroup.make("tape")
  .add(
    HttpApiEndpoint.get("status", "/tape")
      .addSuccess(S.TapeInfo)
      .annotate(OpenApi.Summary, "The record of every input, the digest of what followed, and how far it is stored")
  )
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "Tape")

const drift = HttpApiGroup.make("drift")
  .add(
    HttpApiEndpoint.get("list", "/drift")
      .addSuccess(S.DriftList)
      .annotate(OpenApi.Summary, "Where the venues' messages differ from what is known of them, with a sample of each")
  )
  .prefix("/api/v1")
  .annotate(OpenApi.Title, "Drift")

/** The answer to a request without the token, where there is one; see Access. */
const unauthorized = {
  description: "http.token is set, and this is not it",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["_tag", "message"],
        properties: { _tag: { type: "string", enum: ["Unauthorized"] }, message: { type: "string" } }
      }
    }
  }
}

/**
 * The specification as it is served. Requests that err are answered with `InvalidRequest`, so the framework's own word
 * for them goes; and what holds for every request of the interface is said, which the framework does not know of.
 */
const specification = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { components, paths, ...rest } = spec as unknown as OpenApi.OpenAPISpec
  const { HttpApiDecodeError: _, Issue: __, PropertyKey: ___, ...schemas } = components.schemas
  const invalid = { schema: { $ref: "#/components/schemas/InvalidRequest" } }
  const operation = (path: string, { responses, ...get }: OpenApi.OpenAPISpecOperation) => {
    const { 400: refusal, ...others } = responses
    const asked = get.parameters.some((parameter) => parameter.in === "query")
    const description = "A parameter is unknown or says what it may not"
    const isPublic = path.startsWith("/health/")
    return {
      ...get,
      security: isPublic ? [] : [{ token: [] }, {}],
      responses: {
        ...others,
        ...(asked && refusal ? { 400: { description, content: { "application/json": invalid } } } : {}),
        ...(isPublic ? {} : { 401: unauthorized })
      }
    }
  }
  return {
    ...rest,
    paths: Record.map(paths, (item, path) =>
      item.get === undefined ? item : { ...item, get: operation(path, item.get) }
    ),
    components: { ...components, schemas, securitySchemes: { token: { type: "http", scheme: "bearer" } } }
  }
}

export class Api extends HttpApi.make("parallax")
  .add(health)
  .add(markets)
  .add(books)
  .add(feeds)
  .add(drift)
  .add(tape)
  .annotate(OpenApi.Title, "Parallax")
  .annotate(OpenApi.Version, "1")
  .annotate(
    OpenApi.Description,
    "Order books, markets and feeds of prediction markets. Prices and sizes are decimal text, times RFC 3339 with " +
      "milliseconds, and every answer carries an x-request-id."
  )
  .annotate(OpenApi.Transform, specification) {}
