/** A socket that answers HTTP, and an end that neither cuts off answers nor waits for idle callers. */
import { createServer, type Server } from "node:http"
import { type HttpApp, type HttpRouter, HttpServer, type HttpServerError } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, FiberSet, Layer, Schema, type Scope } from "effect"

/** Nobody can be served at the address that the configuration names. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String
}) {
  override get message(): string {
    const why = reasons[this.code] ?? this.code
    return `cannot listen on ${this.host}:${this.port}: ${why}`
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program does already; set http.port to another port, or to 0 for any that is free",
  EACCES: "this user may not use that port",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the host name cannot be looked up"
}

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : String(cause)

/** Milliseconds that a caller has for a request's headers, and for all of it. */
const HEADERS_LIMIT = 10_000
const REQUEST_LIMIT = 30_000
/** How long answers that are under way may take once the end has come. */
const DRAIN_LIMIT = "10 seconds"

export interface Listener {
  readonly server: Server
  /** Whether the end has come. */
  readonly isClosing: () => boolean
  /** Stops accepting at once, waits for the answers that are under way, and closes every connection. */
  readonly drain: Effect.Effect<void>
}

export const make: Effect.Effect<Listener, never, Scope.Scope> = Effect.gen(function* () {
  const run = yield* FiberSet.makeRuntime<never>()
  const settled = yield* Effect.makeLatch(true)
  let closing = false
  let answering = 0
  const server = createServer({ headersTimeout: HEADERS_LIMIT, requestTimeout: REQUEST_LIMIT })
  server.on("request", (_, response) => {
    answering++
    settled.unsafeClose()
    response.once("close", () => {
      if (--answering === 0) settled.unsafeOpen()
    })
  })
  // One connection that cannot be accepted, as for want of file handles, must not end the process.
  server.on("listening", () => {
    server.on("error", (error) => run(Effect.logError("the HTTP server failed", error)))
  })
  const drain = Effect.gen(function* () {
    closing = true
    server.close()
    server.closeIdleConnections()
    yield* settled.await.pipe(
      Effect.timeoutFail({ duration: DRAIN_LIMIT, onTimeout: () => answering }),
      Effect.interruptible,
      Effect.catchAll((left) => Effect.logWarning("requests were cut off", { requests: left }))
    )
    server.closeAllConnections()
  })
  return { server, isClosing: () => closing, drain }
})

/** Serves an application; the address is that of the service that it gives. */
export const serve = (
  listener: Listener,
  app: HttpApp.Default<never, HttpRouter.HttpRouter.DefaultServices>,
  address: { readonly host: string; readonly port: number }
): Layer.Layer<HttpServer.HttpServer, ListenError, HttpRouter.HttpRouter.DefaultServices> => {
  const { host, port } = address
  const socket = Layer.scoped(
    HttpServer.HttpServer,
    Effect.mapError(
      NodeHttpServer.make(() => listener.server, { host, port }),
      ({ cause }: HttpServerError.ServeError) => new ListenError({ host, port, code: codeOf(cause) })
    )
  )
  // Finalizers run in the reverse of this order: the drain comes while requests still find their handlers.
  return Layer.scopedDiscard(Effect.addFinalizer(() => listener.drain)).pipe(
    Layer.provideMerge(HttpServer.serve(app)),
    Layer.provideMerge(socket)
  )
}
