/**
 * One loopback server for everything that a Polymarket client talks to: CLOB REST at `/`, Gamma at `/gamma`, the
 * market channel at `/ws/market`, and `/_control` for tests. What it serves, an exchange or a recording, is a
 * {@link Backend}.
 */
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { WebSocketServer } from "ws"
import * as Agenda from "./Agenda.ts"
import * as Control from "./Control.ts"
import type * as Faults from "./Faults.ts"
import * as FaultState from "./FaultState.ts"
import * as Gamma from "./GammaRest.ts"
import { readBody, refuse, urlOf, write } from "./HttpPlumbing.ts"
import * as MarketChannel from "./MarketChannel.ts"
import type { BookState } from "./PolymarketFrames.ts"
import type { Catalogue } from "./PolymarketMarket.ts"
import * as Clob from "./PolymarketRest.ts"
import * as RateLimits from "./RateLimits.ts"
import { type Reply, type Request, failure, json } from "./Rest.ts"
import { SimulatorError } from "./SimulatorError.ts"

const SOCKETS_PER_SECOND = 20
/** Endpoints that are counted by name; whatever else is asked for counts together. */
const MOST_ENDPOINTS = 100

/** What a server serves. */
export interface Backend {
  readonly catalogue: Catalogue
  /** A client subscribed; answer it. */
  readonly subscribed: (
    channel: MarketChannel.MarketChannel,
    subscription: MarketChannel.Subscription,
    now: number
  ) => void
  /** Lets time pass. */
  readonly tick: (channel: MarketChannel.MarketChannel, now: number) => void
  /** The part of a fault that is about markets: crossed books, resolutions. */
  readonly strike: (channel: MarketChannel.MarketChannel, fault: Faults.Fault, now: number) => void
}

export interface PolymarketServer {
  readonly port: number
  readonly inject: (fault: Faults.Fault) => void
  /** Injects at a time in milliseconds since the epoch. */
  readonly schedule: (time: number, fault: Faults.Fault) => void
  readonly tick: () => void
  readonly stats: () => Stats
}

/** Counters for tests. */
export interface Stats {
  /** Sockets open now, and ever. */
  readonly connections: number
  readonly opened: number
  /** Frames sent, by `event_type`; `dump`, `PONG`, `complaint` and `unknown` for what has none. */
  readonly frames: Readonly<Record<string, number>>
  /** By method and path, ids left out: `GET /markets/:id`. */
  readonly requests: Readonly<Record<string, number>>
  readonly subscribed: ReadonlyArray<string>
}

export interface PolymarketServerOptions {
  readonly host: string
  readonly port: number
  readonly backend: Backend
}

/** Catalogue whose books stand still as they were. */
const frozen = (catalogue: Catalogue, books: ReadonlyMap<string, BookState>): Catalogue => ({
  ...catalogue,
  byToken: (token) => {
    const found = catalogue.byToken(token)
    return found && { ...found, market: { ...found.market, book: () => books.get(token) } }
  }
})

/** Serves until the scope closes, which ends every connection at once. */
export const make = (options: PolymarketServerOptions): Effect.Effect<PolymarketServer, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const { backend } = options
    const { catalogue } = backend
    const agenda = Agenda.make()
    const faults = FaultState.make()
    const limits = RateLimits.make()
    const mayConnect = RateLimits.perSecond(SOCKETS_PER_SECOND)
    const requests = new Map<string, number>()
    const channel: MarketChannel.MarketChannel = MarketChannel.make({
      agenda,
      faults,
      now,
      subscribed: (subscription, now) => backend.subscribed(channel, subscription, now)
    })

    const count = ({ method, path }: Request) => {
      const endpoint = `${method} ${path.replace(/\/(0x[0-9a-f]+|\d+)$/i, "/:id").replace(/\/slug\/.*/, "/slug/:slug")}`
      const key = requests.has(endpoint) || requests.size < MOST_ENDPOINTS ? endpoint : "other"
      requests.set(key, (requests.get(key) ?? 0) + 1)
    }

    const stats = (): Stats => ({
      connections: channel.clients.size,
      ...channel.stats(),
      requests: Object.fromEntries(requests)
    })

    const booksNow = (): ReadonlyMap<string, BookState> => {
      const books = new Map<string, BookState>()
      for (const market of catalogue.markets()) {
        for (const outcome of [0, 1] as const) {
          const state = market.book(outcome)
          if (state !== undefined) books.set(state.asset, state)
        }
      }
      return books
    }

    const inject = (fault: Faults.Fault): void => {
      const time = now()
      FaultState.begin(faults, fault, time)
      if (fault.fault === "freeze") {
        const { tokens } = catalogue.byToken(fault.tokenId)?.market.info ?? { tokens: [] }
        for (const tokenId of tokens) FaultState.begin(faults, { ...fault, tokenId }, time)
      }
      if (fault.fault === "stall" && fault.rest === true) {
        faults.frozenRest = { until: FaultState.until(time, fault.durationMs), books: booksNow() }
      }
      Control.strike(channel, agenda, fault, time)
      backend.strike(channel, fault, time)
    }

    const control = (request: Request): Reply => {
      const [, , what, token = ""] = request.path.split("/")
      if (what === "stats") return json(200, stats())
      if (what === "books") {
        const found = catalogue.byToken(token)
        return Control.trueBook(found?.market.book(found.outcome))
      }
      if (what !== "faults" || request.method !== "POST") return failure(404, "not found")
      const decoded = Control.decode(request.body)
      if ("refusal" in decoded) return decoded.refusal
      decoded.faults.forEach(inject)
      return json(200, { injected: decoded.faults.length })
    }

    const respond = (request: Request, time: number): Reply => {
      const { path } = request
      if (path.startsWith("/_control/")) return control(request)
      const refusal = FaultState.inForce(faults.rest, time)
      if (refusal !== undefined) return refusal.reply
      const wait = limits.take(path, time)
      if (wait !== undefined) return { ...failure(429, "Too Many Requests"), headers: { "retry-after": String(wait) } }
      if (path === "/gamma" || path.startsWith("/gamma/")) {
        return Gamma.answer(catalogue, { ...request, path: path.slice("/gamma".length) })
      }
      const still = FaultState.inForce(faults.frozenRest, time)
      return Clob.answer(still === undefined ? catalogue : frozen(catalogue, still.books), request, time)
    }

    const server = Http.createServer((incoming, response) => {
      readBody(incoming, (body) => {
        const url = urlOf(incoming)
        if (url === undefined || body === undefined) return write(response, failure(400, "Invalid payload"))
        const request: Request = { method: incoming.method ?? "GET", path: url.pathname, query: url.searchParams, body }
        count(request)
        const time = now()
        const delay = request.path.startsWith("/_control/") ? 0 : (FaultState.inForce(faults.slow, time)?.restMs ?? 0)
        if (delay === 0) write(response, respond(request, time))
        else agenda.at(time + delay, () => write(response, respond(request, time + delay)))
      })
    })

    // Upgraded and refused connections are no longer the HTTP server's to close.
    const connections = new Set<Socket>()
    server.on("connection", (connection) => {
      connections.add(connection)
      connection.on("close", () => connections.delete(connection))
    })

    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
    server.on("upgrade", (incoming, stream, head) => {
      const time = now()
      // Until the handshake is over nobody else listens for errors on this stream.
      stream.on("error", () => stream.destroy())
      if (urlOf(incoming)?.pathname !== "/ws/market") return refuse(stream, failure(404, "not found"))
      const refusal = FaultState.inForce(faults.upgrade, time)
      if (refusal !== undefined) return refuse(stream, refusal.reply)
      if (!mayConnect(time)) {
        return refuse(stream, { ...failure(429, "Too Many Requests"), headers: { "retry-after": "1" } })
      }
      sockets.handleUpgrade(incoming, stream, head, (socket) => {
        channel.open(socket, stream, now())
      })
    })

    yield* Effect.acquireRelease(
      Effect.async<void, SimulatorError>((resume) => {
        const where = `${options.host}:${options.port}`
        server.once("error", (error: NodeJS.ErrnoException) => {
          const taken = error.code === "EADDRINUSE"
          resume(
            new SimulatorError({
              reason: taken ? "port-in-use" : "listen",
              where,
              detail: taken ? "the port is in use" : error.message
            })
          )
        })
        server.listen(options.port, options.host, () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const connection of connections) connection.destroy()
        })
    )

    return {
      port: (server.address() as AddressInfo).port,
      inject,
      schedule: (time, fault) => agenda.at(time, () => inject(fault)),
      tick: () => {
        const time = now()
        channel.together(() => {
          agenda.run(time)
          backend.tick(channel, time)
        })
      },
      stats
    }
  })
