/**
 * One loopback server for everything that a Kalshi client talks to: REST under `/trade-api/v2`, the signed socket at
 * `/trade-api/ws/v2`, and `/_control` for tests. What it serves, an exchange or a recording, is a
 * {@link KalshiBackend.Backend}.
 */
import type { Effect, Scope } from "effect"
import * as KalshiAuth from "./KalshiAuth.ts"
import type { Backend } from "./KalshiBackend.ts"
import * as KalshiControl from "./KalshiControl.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import * as KalshiHub from "./KalshiHub.ts"
import * as KalshiLimits from "./KalshiLimits.ts"
import type { Catalogue } from "./KalshiMarket.ts"
import * as KalshiRest from "./KalshiRest.ts"
import type { Request } from "./Rest.ts"
import type { SimulatorError } from "./SimulatorError.ts"
import * as VenueServer from "./VenueServer.ts"

/** Where the socket is, which is also what its handshake signs. */
export const SOCKET = "/trade-api/ws/v2"

export type KalshiServer = VenueServer.VenueServer

export interface KalshiServerOptions extends VenueServer.Address {
  readonly keys: KalshiAuth.Keys
  readonly budget: KalshiLimits.Budget
  /** Sockets that may be open at once. */
  readonly sockets: number
  /** Milliseconds by which the exchange's clock is ahead of the simulator's. */
  readonly clockAhead: number
  readonly backend: Backend
}

const endpointOf = ({ method, path }: Request): string =>
  `${method} ${path.replace(/\/[A-Z0-9][A-Z0-9.-]*(?=\/|$)/g, "/:id")}`

const protocol =
  ({ backend, budget, clockAhead, keys, sockets }: KalshiServerOptions) =>
  ({ agenda, faults, now, said }: VenueServer.Ground): VenueServer.Protocol<Catalogue> => {
    const { catalogue } = backend
    const limits = KalshiLimits.make(budget)
    const hub: KalshiHub.KalshiHub = KalshiHub.make({
      agenda,
      faults,
      said,
      now,
      receive: (client, text, time) => {
        if (!KalshiControl.refuse(hub, faults, client, text, time)) backend.receive(hub, client, text, time)
      }
    })
    return {
      socketPath: SOCKET,
      channel: hub,
      catalogue,
      still: () => KalshiControl.frozen(catalogue),
      endpointOf,
      respond: ({ method, path, query }, headers, shown, time) => {
        if (path.endsWith("/")) return { status: 301, body: "", headers: { location: path.replace(/\/+$/, "") } }
        const isPrivate = path === `${KalshiRest.ROOT}/account/limits`
        const signed = isPrivate || KalshiAuth.isSigned(headers)
        const denial = signed ? KalshiAuth.check(keys, headers, method, path, time + clockAhead) : undefined
        if (denial !== undefined) return denial
        const caller = signed ? String(headers["kalshi-access-key"]) : ""
        if (!limits.take(caller, method, path, time)) return KalshiErrors.tooManyRequests
        if (method !== "GET") return KalshiErrors.notFound
        if (isPrivate) return KalshiLimits.accountLimits(budget)
        if (path === `${KalshiRest.ROOT}/account/endpoint_costs`) return KalshiLimits.endpointCosts
        return KalshiRest.answer(shown, path, query)
      },
      denial: (headers, time) =>
        KalshiAuth.check(keys, headers, "GET", SOCKET, time + clockAhead) ??
        (hub.clients.size >= sockets ? KalshiErrors.tooManyRequests : undefined),
      open: hub.open,
      dressed: (reply, time) => ({
        ...reply,
        headers: { date: new Date(time + clockAhead).toUTCString(), ...reply.headers }
      }),
      worded: KalshiControl.worded,
      notFound: KalshiErrors.notFound,
      unreadable: KalshiErrors.flat("the request cannot be read"),
      trueBook: (ticker) => KalshiControl.trueBook(catalogue.byTicker(ticker)),
      bookIds: () => Array.from(catalogue.markets(), ({ info }) => info.ticker),
      lasting: (fault) => [KalshiControl.localized(fault)],
      strike: (fault, time) => {
        KalshiControl.strike(hub, agenda, fault, time)
        backend.strike(hub, fault, time)
      },
      tick: (time, trading) => {
        if (trading) backend.tick(hub, time)
        hub.heartbeat(time)
      }
    }
  }

/** Serves until the scope closes, which ends every connection at once. */
export const make = (options: KalshiServerOptions): Effect.Effect<KalshiServer, SimulatorError, Scope.Scope> =>
  VenueServer.make(options, protocol(options))
