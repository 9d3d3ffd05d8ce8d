/** The HTTP interface, served: its routes, its documentation, and what holds for every request. */
import { HttpApiBuilder, HttpApiSwagger, HttpRouter, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as Access from "./Access.ts"
import { Api } from "./Api.ts"
import * as BooksHandlers from "./BooksHandlers.ts"
import * as DriftHandlers from "./DriftHandlers.ts"
import * as FeedsHandlers from "./FeedsHandlers.ts"
import * as Health from "./Health.ts"
import * as Listener from "./Listener.ts"
import * as MarketsHandlers from "./MarketsHandlers.ts"
import * as Refusals from "./Refusals.ts"
import * as Requests from "./Requests.ts"
import type { Services } from "./ServiceMetrics.ts"
import * as TapeHandlers from "./TapeHandlers.ts"

export interface HttpOptions extends Access.AccessOptions {
  /** 0 takes any port that is free. */
  readonly port: number
}

const routes = Layer.mergeAll(
  HttpApiSwagger.layer({ path: Requests.DOCS_PATH }),
  HttpApiBuilder.middlewareOpenApi({ path: "/openapi.json" }),
  Refusals.layer
).pipe(
  Layer.provideMerge(HttpApiBuilder.api(Api)),
  Layer.provide([
    BooksHandlers.layer,
    DriftHandlers.layer,
    FeedsHandlers.layer,
    Health.layer,
    MarketsHandlers.layer,
    TapeHandlers.layer
  ])
)

/** Ids are long, the more so when every sign of them is escaped. */
const ROUTER = { caseSensitive: true, maxParamLength: 1000, ignoreTrailingSlash: true }

const announce = Layer.effectDiscard(
  Effect.flatMap(HttpServer.HttpServer, (server) =>
    Effect.annotateLogs(Effect.logInfo("the HTTP server listens"), { url: HttpServer.formatAddress(server.address) })
  )
)

/**
 * Listens from when it is built until its scope closes. Provide the services from outside, so that they close after it:
 * answers under way still need them.
 */
export const layer = (options: HttpOptions): Layer.Layer<HttpServer.HttpServer, Listener.ListenError, Services> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { host, port, token } = options
      if (Access.isExposed(options)) return yield* new Listener.ListenError({ host, port, code: Listener.NO_TOKEN })
      const listener = yield* Listener.make(Listener.limits)
      const router = yield* (yield* HttpApiBuilder.Router).router
      const api = yield* HttpRouter.withRouterConfig(HttpApiBuilder.httpApp, ROUTER)
      const app = Requests.wrap(api, { access: Access.make(token), router, isClosing: listener.isClosing })
      return Layer.provideMerge(announce, Listener.serve(listener, app, options))
    })
  ).pipe(
    Layer.provide(routes),
    Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer, NodeHttpServer.layerContext])
  )
