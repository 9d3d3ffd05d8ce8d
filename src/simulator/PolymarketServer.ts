/**
 * One loopback server for everything that a Polymarket client talks to: CLOB REST at `/`, Gamma at `/gamma`, the
 * market channel at `/ws/market`, and `/_control` for tests. What it serves, an exchange or a recording, is a
 * {@link Backend}.
 */
import type { Effect, Scope } from "effect"
import type * as Faults from "./Faults.ts"
import * as Gamma from "./GammaRest.ts"
import * as MarketChannel from "./MarketChannel.ts"
import * as Control from "./PolymarketControl.ts"
import type { Catalogue } from "./PolymarketMarket.ts"
import * as Clob from "./PolymarketRest.ts"
import * as RateLimits from "./RateLimits.ts"
import { type Reply, type Request, failure } from "./Rest.ts"
import type { SimulatorError } from "./SimulatorError.ts"
import * as VenueServer from "./VenueServer.ts"

const SOCKETS_PER_SECOND = 20

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

export type PolymarketServer = VenueServer.VenueServer

export interface PolymarketServerOptions extends VenueServer.Address {
  readonly backend: Backend
}

const endpointOf = ({ method, path }: Request): string =>
  `${method} ${path.replace(/\/(0x[0-9a-f]+|\d+)$/i, "/:id").replace(/\/slug\/.*/, "/slug/:slug")}`

const tooMany = (retryAfter: number): Reply => ({
  ...failure(429, "Too Many Requests"),
  headers: { "retry-after": String(retryAfter) }
})

const protocol =
  (backend: Backend) =>
  ({ agenda, faults, now, said }: VenueServer.Ground): VenueServer.Protocol<Catalogue> => {
    const { catalogue } = backend
    const limits = RateLimits.make()
    const mayConnect = RateLimits.perSecond(SOCKETS_PER_SECOND)
    const channel: MarketChannel.MarketChannel = MarketChannel.make({
      agenda,
      faults,
      said,
      now,
      subscribed: (subscription, now) => backend.subscribed(channel, subscription, now)
    })
    return {
      socketPath: "/ws/market",
      channel,
      catalogue,
      still: () => Control.frozen(catalogue),
      endpointOf,
      respond: (request, _, shown, time) => {
        const { path } = request
        const wait = limits.take(path, time)
        if (wait !== undefined) return tooMany(wait)
        if (path === "/gamma" || path.startsWith("/gamma/")) {
          return Gamma.answer(catalogue, { ...request, path: path.slice("/gamma".length) })
        }
        return Clob.answer(shown, request, time)
      },
      denial: (_, time) => (mayConnect(time) ? undefined : tooMany(1)),
      open: channel.open,
      dressed: (reply) => reply,
      worded: (reply) => reply,
      notFound: failure(404, "not found"),
      unreadable: failure(400, "Invalid payload"),
      trueBook: (token) => {
        const found = catalogue.byToken(token)
        return Control.trueBook(found?.market.book(found.outcome))
      },
      bookIds: () => [...catalogue.markets()].flatMap(({ info }) => info.tokens),
      lasting: (fault) => Control.lasting(catalogue, fault),
      strike: (fault, time) => {
        Control.strike(channel, agenda, fault, time)
        backend.strike(channel, fault, time)
      },
      tick: (time, trading) => {
        if (trading) backend.tick(channel, time)
      }
    }
  }

/** Serves until the scope closes, which ends every connection at once. */
export const make = ({
  backend,
  ...address
}: PolymarketServerOptions): Effect.Effect<PolymarketServer, SimulatorError, Scope.Scope> =>
  VenueServer.make(address, protocol(backend))
