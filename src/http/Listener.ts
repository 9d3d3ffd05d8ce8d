/** A socket that answers HTTP, and an end that neither cuts off answers nor waits for idle callers. */
import { createServer, type Server, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import { type HttpApp, type HttpRouter, HttpServer, type HttpServerError } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, FiberSet, Layer, Metric, Schema, type Scope } from "effect"
import * as Headers from "./Headers.ts"
import { MAX_HEADER_BYTES } from "./Limits.ts"

/** Nobody can be served at the address that the configuration names. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String
}) {
  override get message(): string {
    const why = reasons.get(this.code) ?? this.code
    return `cannot listen on ${this.host}:${this.port}: ${why}`
  }
}

/** The code of an address that others reach where nothing would tell who they are. */
export const NO_TOKEN = "NO_TOKEN"

const reasons: ReadonlyMap<string, string> = new Map([
  ["EADDRINUSE", "another program does already; set http.port to another port, or to 0 for any that is free"],
  ["EACCES", "this user may not use that port"],
  ["EADDRNOTAVAIL", "this machine has no such address"],
  ["ENOTFOUND", "there is no host of that name"],
  [NO_TOKEN, "other machines reach it; set http.token, or http.host to 127.0.0.1"],
  ["EAI_AGAIN", "the host name cannot be looked up"]
])

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : String(cause)

/** What a caller may use of the server. Times are in milliseconds. */
export interface Limits {
  /** For the headers of a request, and for all of it. */
  readonly headers: number
  readonly request: number
  /** How often those two are looked after. */
  readonly check: number
  /** That a connection may stand still while an answer is under way: its caller does not read. */
  readonly still: number
  /** Connections at a time. Each costs memory, and the feeds need file handles too. */
  readonly connections: number
}

export const limits: Limits = { headers: 10_000, request: 30_000, check: 2000, still: 30_000, connections: 512 }

/** How long answers that are under way may take once the end has come. */
const DRAIN_LIMIT = "10 seconds"

const refusedConnections = Metric.counter("parallax_http_connections_refused_total", {
  description: "Connections closed because too many were open",
  incremental: true
})

/** What Node could not read as a request, by its code for why. */
const unreadable: ReadonlyMap<string, readonly [status: number, tag: string, message: string]> = new Map([
  ["HPE_HEADER_OVERFLOW", [431, "HeadersTooLarge", `at most ${MAX_HEADER_BYTES} bytes of headers are expected`]],
  ["ERR_HTTP_REQUEST_TIMEOUT", [408, "RequestTimeout", "the request did not arrive in time"]]
])

/** The answer to what is no request, as it goes over the wire: there is nothing yet that could answer it in another way. */
const malformed = (code: string): string => {
  const [status, tag, message] = unreadable.get(code) ?? [400, "MalformedRequest", "this is not a request of HTTP/1.1"]
  const body = JSON.stringify({ _tag: tag, message })
  const headers = {
    ...Headers.security,
    "content-type": "application/json",
    "content-length": body.length,
    connection: "close"
  }
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    body
  ].join("\r\n")
}

export interface Listener {
  readonly server: Server
  /** Whether the end has come. */
  readonly isClosing: () => boolean
  /** Stops accepting at once, waits for the answers that are under way, and closes every connection. */
  readonly drain: Effect.Effect<void>
}

export const make = (limits: Limits): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    const settled = yield* Effect.makeLatch(true)
    let closing = false
    let answering = 0
    const server = createServer({
      headersTimeout: limits.headers,
      requestTimeout: limits.request,
      connectionsCheckingInterval: limits.check,
      maxHeaderSize: MAX_HEADER_BYTES
    })
    server.timeout = limits.still
    server.maxConnections = limits.connections
    server.on("drop", () => run(Metric.increment(refusedConnections)))
    const busy = new WeakSet<object>()
    server.on("request", ({ socket }, response) => {
      answering++
      busy.add(socket)
      settled.unsafeClose()
      response.once("close", () => {
        busy.delete(socket)
        if (--answering === 0) settled.unsafeOpen()
      })
    })
    server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
      const socket = stream as Socket
      // In the middle of an answer there is no room for another.
      if (!socket.writable || busy.has(socket)) {
        socket.destroy()
        return
      }
      socket.write(malformed(error.code ?? ""))
      socket.destroySoon()
    })
    // Expecting what nobody knows is no reason for an answer unlike the others.
    server.on("checkExpectation", (request, response) => server.emit("request", request, response))
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
