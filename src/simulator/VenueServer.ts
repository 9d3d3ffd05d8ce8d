/**
 * A venue's server on loopback: REST and one socket endpoint on one port, with the faults that may befall them, and
 * `/_control` for tests. What the venue says there is its {@link Protocol}.
 */
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import * as Agenda from "./Agenda.ts"
import * as ControlEndpoint from "./ControlEndpoint.ts"
import type { Fault } from "./Faults.ts"
import * as FaultState from "./FaultState.ts"
import { listen, readBody, refuse, urlOf, write } from "./HttpPlumbing.ts"
import type { Reply, Request } from "./Rest.ts"
import * as Said from "./Said.ts"
import type { SimulatorError } from "./SimulatorError.ts"
import type { Counts, Peer, Sockets } from "./Sockets.ts"

/** Endpoints that are counted by name; whatever else is asked for counts together. */
const MOST_ENDPOINTS = 100

export interface VenueServer {
  readonly port: number
  readonly inject: (fault: Fault) => void
  /** Injects at a time in milliseconds since the epoch. */
  readonly schedule: (time: number, fault: Fault) => void
  /** Does everything that is due by now. */
  readonly tick: () => void
  readonly stats: () => Stats
}

/** Counters for tests. */
export interface Stats extends Counts {
  /** Sockets open now. */
  readonly connections: number
  /** By method and path, ids left out: `GET /markets/:id`. */
  readonly requests: Readonly<Record<string, number>>
  /** The venue's ids of the books that somebody follows. */
  readonly subscribed: ReadonlyArray<string>
}

/** Where to listen; port 0 takes any free one. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What a server's parts share. */
export interface Ground {
  readonly agenda: Agenda.Agenda
  readonly faults: FaultState.FaultState
  readonly said: Said.Said
  readonly now: () => number
}

/** What a venue says and does, to its server; `time` is milliseconds since the epoch. */
export interface Protocol<Catalogue> {
  readonly socketPath: string
  readonly channel: Pick<Sockets<Peer>, "together"> & {
    readonly clients: ReadonlySet<Peer>
    readonly stats: () => Counts & Pick<Stats, "subscribed">
  }
  readonly catalogue: Catalogue
  /** The catalogue as it stands, which does not move on. */
  readonly still: () => Catalogue
  /** A request's method and path, ids left out. */
  readonly endpointOf: (request: Request) => string
  readonly respond: (request: Request, headers: Http.IncomingHttpHeaders, catalogue: Catalogue, time: number) => Reply
  /** The answer to a handshake that is refused. */
  readonly denial: (headers: Http.IncomingHttpHeaders, time: number) => Reply | undefined
  /** Takes in a socket whose handshake is over. */
  readonly open: (socket: WebSocket, stream: Duplex, time: number) => void
  /** A reply as it goes out. */
  readonly dressed: (reply: Reply, time: number) => Reply
  /** The reply of a refusing fault in the venue's words. */
  readonly worded: (reply: Reply) => Reply
  readonly notFound: Reply
  readonly unreadable: Reply
  readonly trueBook: (id: string) => Reply
  /** The ids of all books. */
  readonly bookIds: () => ReadonlyArray<string>
  /** What stands in force for a fault. */
  readonly lasting: (fault: Fault) => ReadonlyArray<Fault>
  /** Carries out what a fault does at once. */
  readonly strike: (fault: Fault, time: number) => void
  /** Lets time pass; nobody trades in it unless told. */
  readonly tick: (time: number, trading: boolean) => void
}

/** Serves until the scope closes, which ends every connection at once. */
export const make = <Catalogue>(
  address: Address,
  protocolOf: (ground: Ground) => Protocol<Catalogue>
): Effect.Effect<VenueServer, SimulatorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const agenda = Agenda.make()
    const faults = FaultState.make()
    const said = Said.make()
    const protocol = protocolOf({ agenda, faults, said, now })
    const { bookIds, catalogue, channel, dressed, notFound, trueBook } = protocol
    let trading = true
    const requests = new Map<string, number>()
    let still: { readonly until: number; readonly catalogue: Catalogue } | undefined

    const count = (request: Request) => {
      const endpoint = protocol.endpointOf(request)
      const key = requests.has(endpoint) || requests.size < MOST_ENDPOINTS ? endpoint : "other"
      requests.set(key, (requests.get(key) ?? 0) + 1)
    }

    const stats = (): Stats => ({
      connections: channel.clients.size,
      ...channel.stats(),
      requests: Object.fromEntries(requests)
    })

    const inject = (fault: Fault): void => {
      const time = now()
      for (const one of protocol.lasting(fault)) FaultState.begin(faults, one, time)
      if (fault.fault === "heal") still = undefined
      if (fault.fault === "stall" && fault.rest === true) {
        still = { until: FaultState.until(time, fault.durationMs), catalogue: protocol.still() }
      }
      protocol.strike(fault, time)
    }

    const trade = (on: boolean) => {
      trading = on
    }
    const controlled = { stats, trueBook, bookIds, said, trade, inject, notFound }

    const respond = (request: Request, headers: Http.IncomingHttpHeaders, time: number): Reply => {
      if (ControlEndpoint.isControl(request.path)) return ControlEndpoint.answer(controlled, request)
      const refusal = FaultState.inForce(faults.rest, time)
      if (refusal !== undefined) return protocol.worded(refusal.reply)
      return protocol.respond(request, headers, FaultState.inForce(still, time)?.catalogue ?? catalogue, time)
    }

    const server = Http.createServer((incoming, response) => {
      readBody(incoming, (body) => {
        const time = now()
        const url = urlOf(incoming)
        if (url === undefined || body === undefined) return write(response, dressed(protocol.unreadable, time))
        const request: Request = { method: incoming.method ?? "GET", path: url.pathname, query: url.searchParams, body }
        count(request)
        const slow = ControlEndpoint.isControl(request.path) ? undefined : FaultState.inForce(faults.slow, time)
        const delay = slow?.restMs ?? 0
        const answer = (at: number) => write(response, dressed(respond(request, incoming.headers, at), at))
        if (delay === 0) answer(time)
        else agenda.at(time + delay, () => answer(time + delay))
      })
    })

    const denial = (incoming: Http.IncomingMessage, time: number): Reply | undefined => {
      if (urlOf(incoming)?.pathname !== protocol.socketPath) return notFound
      const refusal = FaultState.inForce(faults.upgrade, time)
      return refusal === undefined ? protocol.denial(incoming.headers, time) : protocol.worded(refusal.reply)
    }

    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
    server.on("upgrade", (incoming, stream, head) => {
      const time = now()
      // Until the handshake is over nobody else listens for errors on this stream.
      stream.on("error", () => stream.destroy())
      const denied = denial(incoming, time)
      if (denied !== undefined) return refuse(stream, dressed(denied, time))
      sockets.handleUpgrade(incoming, stream, head, (socket) => protocol.open(socket, stream, now()))
    })

    const port = yield* listen(server, address.host, address.port)
    return {
      port,
      inject,
      schedule: (time, fault) => agenda.at(time, () => inject(fault)),
      tick: () => {
        const time = now()
        channel.together(() => {
          agenda.run(time)
          protocol.tick(time, trading)
        })
      },
      stats
    }
  })
