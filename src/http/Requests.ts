/** What holds for every request: its id, its log line, its headers, and how it is refused when nothing else answers. */
import { type HttpApp, type HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Clock, Effect, Metric, MetricBoundaries, Option, Random } from "effect"
import type { Access } from "./Access.ts"
import * as Headers from "./Headers.ts"
import * as Limits from "./Limits.ts"
import { pathOf, refuse } from "./Refusals.ts"

const seconds = Metric.histogram(
  "parallax_http_request_seconds",
  MetricBoundaries.fromIterable([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]),
  "How long answers took, by route and status"
)

/** Pages that are asked for all day long by machines. */
const QUIET = new Set(["/health/live", "/health/ready", "/metrics"])

/** The id that the caller gave, if it is one that may stand in a log, or a new one. */
const requestId = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string> => {
  const given = request.headers["x-request-id"]
  if (given !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(given)) return Effect.succeed(given)
  const part = Effect.map(Random.nextIntBetween(0, 0x1_0000_0000), (n) => n.toString(16).padStart(8, "0"))
  return Effect.map(Effect.all([part, part]), (parts) => parts.join(""))
}

/** The caller went away before the answer was there; nobody sees this one. */
const CLIENT_CLOSED = 499

interface KnownRoute {
  readonly method: string
  readonly pattern: RegExp
}

const knownRoutes = (router: HttpRouter.HttpRouter<unknown, unknown>): ReadonlyArray<KnownRoute> =>
  Chunk.toReadonlyArray(router.routes).map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:\w+/g, "[^/]+")}/?$`)
  }))

/** Nothing is there, or something is that is asked for in another way. */
const notRouted = (
  request: HttpServerRequest.HttpServerRequest,
  routes: ReadonlyArray<KnownRoute>
): HttpServerResponse.HttpServerResponse => {
  const path = pathOf(request)
  const methods = [...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))]
  const answered = methods.includes("GET") ? [...methods, "HEAD"] : methods
  // A path of the right form that was not taken holds an escape that means nothing, or too long an id.
  if (answered.length === 0 || answered.includes(request.method)) {
    return refuse(404, "RouteNotFound", `nothing is at ${path}; /docs shows what there is`)
  }
  const allowed = answered.join(", ")
  return refuse(405, "MethodNotAllowed", `${path} answers ${allowed}, not ${request.method}`, { allow: allowed })
}

/** The answer when a request failed with nothing that the interface declares. Only defects are logged. */
const answerTo = (
  cause: Cause.Cause<unknown>,
  request: HttpServerRequest.HttpServerRequest,
  routes: ReadonlyArray<KnownRoute>
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.succeed(HttpServerResponse.empty({ status: CLIENT_CLOSED }))
  const error = Cause.squash(cause)
  return error instanceof HttpServerError.RouteNotFound
    ? Effect.succeed(notRouted(request, routes))
    : Effect.as(
        Effect.logError("request failed", cause),
        refuse(500, "InternalError", "this went wrong here; the log has it under the x-request-id of this answer")
      )
}

/** The route as it was declared, so that metrics have few of them. */
const routeOf: Effect.Effect<string> = Effect.map(
  Effect.option(Effect.currentSpan),
  Option.match({
    onNone: () => "other",
    onSome: (span) => String(span.attributes.get("http.route") ?? "other")
  })
)

/** Where the only page is; all else is data. */
export const DOCS_PATH = "/docs"

const headersOf = (
  request: HttpServerRequest.HttpServerRequest,
  { body, status }: HttpServerResponse.HttpServerResponse
): Readonly<Record<string, string>> =>
  pathOf(request).replace(/\/$/, "") === DOCS_PATH && status === 200 && body._tag === "Uint8Array"
    ? { ...Headers.security, "content-security-policy": Headers.policyOfPage(body.body) }
    : Headers.security

export interface WrapOptions {
  /** Who may ask. */
  readonly access: Access
  readonly router: HttpRouter.HttpRouter<unknown, unknown>
  /** Whether connections are to end with their answer. */
  readonly isClosing: () => boolean
}

export const wrap = <R>(
  app: HttpApp.Default<unknown, R>,
  options: WrapOptions
): HttpApp.Default<never, R | HttpServerRequest.HttpServerRequest> => {
  const routes = knownRoutes(options.router)
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const id = yield* requestId(request)
    const path = pathOf(request)
    const start = yield* Clock.currentTimeNanos
    const answer = Effect.suspend((): HttpApp.Default<unknown, R> => {
      const refused = options.access(request) ?? Limits.refusalOf(request)
      return refused === undefined ? app : Effect.succeed(refused)
    })
    return yield* answer.pipe(
      Effect.catchAllCause((cause) => answerTo(cause, request, routes)),
      Effect.map((response) =>
        HttpServerResponse.setHeaders(response, {
          ...headersOf(request, response),
          "x-request-id": id,
          // A body that nobody wants would otherwise be read to its end for the sake of the next request.
          ...(options.isClosing() || Limits.hasBody(request) ? { connection: "close" } : {})
        })
      ),
      Effect.tap(({ status }) =>
        Effect.gen(function* () {
          const elapsed = Number((yield* Clock.currentTimeNanos) - start) / 1e9
          const tagged = seconds.pipe(Metric.tagged("route", yield* routeOf), Metric.tagged("status", String(status)))
          yield* Metric.update(tagged, elapsed)
          const log = QUIET.has(path) ? Effect.logDebug("request") : Effect.logInfo("request")
          yield* Effect.annotateLogs(log, { status, milliseconds: Math.round(elapsed * 1e6) / 1000 })
        })
      ),
      Effect.annotateLogs({ requestId: id, method: request.method, url: request.url.slice(0, Limits.MAX_URL_LENGTH) })
    )
  })
}
