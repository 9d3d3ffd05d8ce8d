/**
 * One loopback server for everything that a Kalshi client talks to: REST under `/trade-api/v2`, the signed socket at
 * `/trade-api/ws/v2`, and `/_control` for tests. What it serves, an exchange or a recording, is a
 * {@link KalshiBackend.Backend}.
 */
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { WebSocketServer } from "ws"
import * as Agenda from "./Agenda.ts"
import * as Control from "./Control.ts"
import type { Fault } from "./Faults.ts"
import * as FaultState from "./FaultState.ts"
import { readBody, refuse, urlOf, write } from "./HttpPlumbing.ts"
import * as KalshiAuth from "./KalshiAuth.ts"
import type { Backend } from "./KalshiBackend.ts"
import * as KalshiControl from "./KalshiControl.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import * as KalshiHub from "./KalshiHub.ts"
import * as KalshiLimits from "./KalshiLimits.ts"
import type { Catalogue, KalshiMarket } from "./KalshiMarket.ts"
import * as KalshiRest from "./KalshiRest.ts"
import { type Reply, type Request, json } from "./Rest.ts"
import { SimulatorError } from "./SimulatorError.ts"

/** Where the socket is, which is also what its handshake signs. */
export const SOCKET = "/trade-api/ws/v2"
/** Endpoints that are counted by name; whatever else is asked for counts together. */
const MOST_ENDPOINTS = 100

export interface KalshiServer {
  readonly port: number
  readonly inject: (fault: Fault) => void
  /** Injects at a time in milliseconds since the epoch. */
  readonly schedule: (time: number, fault: Fault) => void
  readonly tick: () => void
  readonly stats: () => Stats
}

/** Counters for tests. */
export interface Stats {
  /** Sockets open now, and ever. */
  readonly connections: number
  readonly opened: number
  /** Frames sent, by `type`; `unknown` and `reordered` for what faults send. */
  readonly frames: Readonly<Record<string, number>>
  /** By method and path, tickers left out: `GET /trade-api/v2/markets/:id`. */
  readonly requests: Readonly<Record<string, number>>
  /** Tickers whose books somebody follows. */
  readonly subscribed: ReadonlyArray<string>
}

export interface KalshiServerOptions {
  readonly host: string
  readonly port: number
  readonly keys: KalshiAuth.Keys
  readonly budget: KalshiLimits.Budget
  /** Sockets that may be open at once. */
  readonly sockets: number
  /** Milliseconds by which the exchange's clock is ahead of the simulator's. */
  readonly clockAhead: number
  readonly backend: Backend
}

/** A catalogue that stands still as it was. */
const frozen = (catalogue: Catalogue): Catalogue => {
  const markets = new Map<string, KalshiMarket>()
  for (const market of catalogue.markets()) {
    const { asks, bids } = market.book
    const book = {
      bids: { prices: [...bids.prices], sizes: [...bids.sizes] },
      asks: { prices: [...asks.prices], sizes: [...asks.sizes] }
    }
    markets.set(market.info.ticker, { ...market, book })
  }
  const trades = [...catalogue.trades()]
  return { markets: () => markets.values(), byTicker: (ticker) => markets.get(ticker), trades: () => trades }
}

const endpointOf = ({ method, path }: Request): string =>
  `${method} ${path.replace(/\/[A-Z0-9][A-Z0-9.-]*(?=\/|$)/g, "/:id")}`

/** Serves until the scope closes, which ends every connection at once. */
export const make = (options: KalshiServerOptions): Effect.Effect<KalshiServer, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const { backend, budget, keys } = options
    const { catalogue } = backend
    const agenda = Agenda.make()
    const faults = FaultState.make()
    const limits = KalshiLimits.make(budget)
    const requests = new Map<string, number>()
    let still: { readonly until: number; readonly catalogue: Catalogue } | undefined
    const hub: KalshiHub.KalshiHub = KalshiHub.make({
      agenda,
      faults,
      now,
      receive: (client, text, time) => backend.receive(hub, client, text, time)
    })

    const dated = (reply: Reply, time: number): Reply => ({
      ...reply,
      headers: { date: new Date(time + options.clockAhead).toUTCString(), ...reply.headers }
    })

    const count = (request: Request) => {
      const endpoint = endpointOf(request)
      const key = requests.has(endpoint) || requests.size < MOST_ENDPOINTS ? endpoint : "other"
      requests.set(key, (requests.get(key) ?? 0) + 1)
    }

    const stats = (): Stats => ({
      connections: hub.clients.size,
      ...hub.stats(),
      requests: Object.fromEntries(requests)
    })

    const inject = (fault: Fault): void => {
      const time = now()
      FaultState.begin(faults, KalshiControl.localized(fault), time)
      if (fault.fault === "heal") still = undefined
      if (fault.fault === "stall" && fault.rest === true) {
        still = { until: FaultState.until(time, fault.durationMs), catalogue: frozen(catalogue) }
      }
      KalshiControl.strike(hub, agenda, fault, time)
      backend.strike(hub, fault, time)
    }

    const control = (request: Request): Reply => {
      const [, , what, ticker = ""] = request.path.split("/")
      if (what === "stats") return json(200, stats())
      if (what === "books") return KalshiControl.trueBook(catalogue.byTicker(ticker))
      if (what !== "faults" || request.method !== "POST") return KalshiErrors.notFound
      const decoded = Control.decode(request.body)
      if ("refusal" in decoded) return decoded.refusal
      decoded.faults.forEach(inject)
      return json(200, { injected: decoded.faults.length })
    }

    const respond = (request: Request, headers: Http.IncomingHttpHeaders, time: number): Reply => {
      const { method, path, query } = request
      if (path.startsWith("/_control/")) return control(request)
      const refusal = FaultState.inForce(faults.rest, time)
      if (refusal !== undefined) return KalshiControl.worded(refusal.reply)
      if (path.endsWith("/")) return { status: 301, body: "", headers: { location: path.replace(/\/+$/, "") } }
      const isPrivate = path === `${KalshiRest.ROOT}/account/limits`
      const signed = isPrivate || KalshiAuth.isSigned(headers)
      const denial = signed ? KalshiAuth.check(keys, headers, method, path, time + options.clockAhead) : undefined
      if (denial !== undefined) return denial
      const caller = signed ? String(headers["kalshi-access-key"]) : ""
      if (!limits.take(caller, method, path, time)) return KalshiErrors.tooManyRequests
      if (method !== "GET") return KalshiErrors.notFound
      if (isPrivate) return KalshiLimits.accountLimits(budget)
      if (path === `${KalshiRest.ROOT}/account/endpoint_costs`) return KalshiLimits.endpointCosts
      return KalshiRest.answer(FaultState.inForce(still, time)?.catalogue ?? catalogue, path, query)
    }

    const server = Http.createServer((incoming, response) => {
      readBody(incoming, (body) => {
        const time = now()
        const url = urlOf(incoming)
        if (url === undefined || body === undefined) {
          return write(response, dated(KalshiErrors.flat("the request cannot be read"), time))
        }
        const request: Request = { method: incoming.method ?? "GET", path: url.pathname, query: url.searchParams, body }
        count(request)
        const delay = request.path.startsWith("/_control/") ? 0 : (FaultState.inForce(faults.slow, time)?.restMs ?? 0)
        const answer = (at: number) => write(response, dated(respond(request, incoming.headers, at), at))
        if (delay === 0) answer(time)
        else agenda.at(time + delay, () => answer(time + delay))
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
      const path = urlOf(incoming)?.pathname
      const refusal = FaultState.inForce(faults.upgrade, time)
      const denial =
        path !== SOCKET
          ? KalshiErrors.notFound
          : refusal !== undefined
            ? KalshiControl.worded(refusal.reply)
            : KalshiAuth.check(keys, incoming.headers, "GET", path, time + options.clockAhead)
      if (denial !== undefined) return refuse(stream, dated(denial, time))
      if (hub.clients.size >= options.sockets) return refuse(stream, dated(KalshiErrors.tooManyRequests, time))
      sockets.handleUpgrade(incoming, stream, head, (socket) => {
        hub.open(socket, stream, now())
      })
    })

    yield* Effect.acquireRelease(
      Effect.async<void, SimulatorError>((resume) => {
        const where = `${options.host}:${options.port}`
        server.once("error", (error: NodeJS.ErrnoException) => {
          const taken = error.code === "EADDRINUSE"
          const detail = taken ? "the port is in use" : error.message
          resume(new SimulatorError({ reason: taken ? "port-in-use" : "listen", where, detail }))
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
        hub.together(() => {
          agenda.run(time)
          backend.tick(hub, time)
          hub.heartbeat(time)
        })
      },
      stats
    }
  })
