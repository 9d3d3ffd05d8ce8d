/**
 * The sockets of a venue's server, whatever is said on them: who is connected, and texts on their way to them through
 * the faults that hold back and silence. Synchronous; whoever calls says what time it is.
 */
import type { Duplex } from "node:stream"
import type { WebSocket } from "ws"
import type * as Agenda from "./Agenda.ts"
import * as FaultState from "./FaultState.ts"

/** A client that leaves this many bytes unread is dropped. */
const MOST_UNREAD = 64 * 1024 * 1024

/** One client, as far as the venue does not matter; times are milliseconds since the epoch. */
export interface Peer {
  readonly socket: WebSocket
  /** The connection under the WebSocket. */
  readonly stream: Duplex
  stalledUntil: number
  silentUntil: number
  /** A frame may not overtake one that was held back. */
  notBefore: number
}

/** A client that has just connected. */
export const peer = (socket: WebSocket, stream: Duplex, now: number): Peer => ({
  socket,
  stream,
  stalledUntil: 0,
  silentUntil: 0,
  notBefore: now
})

/** What went over the sockets so far. */
export interface Counts {
  /** Sockets opened ever. */
  readonly opened: number
  /** Frames sent, by type. */
  readonly frames: Readonly<Record<string, number>>
}

export interface Sockets<P extends Peer> {
  readonly clients: ReadonlySet<P>
  /** Takes a client in; `left` is called when its connection is gone. */
  readonly open: (client: P, receive: (text: string, now: number) => void, left: () => void) => P
  /** Sends to one client what is counted as `type`. */
  readonly send: (client: P, type: string, data: string | Buffer, now: number) => void
  /** Gathers what `action` sends to each client into one write: thousands of small ones would cost more than the rest. */
  readonly together: (action: () => void) => void
  readonly counts: () => Counts
}

export interface SocketsOptions {
  readonly agenda: Agenda.Agenda
  readonly faults: FaultState.FaultState
  readonly now: () => number
  /** The type of what a stalled socket still gets. */
  readonly despiteStall?: string
}

export const make = <P extends Peer>(options: SocketsOptions): Sockets<P> => {
  const { agenda, despiteStall, faults } = options
  const clients = new Set<P>()
  const sent = new Map<string, number>()
  let opened = 0

  const transmit = (client: P, type: string, data: string | Buffer, now: number) => {
    if (now < client.silentUntil || (now < client.stalledUntil && type !== despiteStall)) return
    sent.set(type, (sent.get(type) ?? 0) + 1)
    client.socket.send(data, { binary: false })
    if (client.socket.bufferedAmount > MOST_UNREAD) client.socket.terminate()
  }

  return {
    clients,
    open: (client, receive, left) => {
      const { socket } = client
      opened++
      clients.add(client)
      socket.on("message", (data, binary) => {
        if (!binary) receive(String(data), options.now())
      })
      socket.on("ping", (data) => {
        if (options.now() >= client.silentUntil) socket.pong(data)
      })
      // A client that misbehaves on the wire loses its connection and nothing else.
      socket.on("error", () => socket.terminate())
      socket.on("close", () => {
        clients.delete(client)
        left()
      })
      return client
    },
    send: (client, type, data, now) => {
      const at = Math.max(client.notBefore, now + (FaultState.inForce(faults.slow, now)?.socketMs ?? 0))
      if (at <= now) return transmit(client, type, data, now)
      client.notBefore = at
      agenda.at(at, () => transmit(client, type, data, at))
    },
    together: (action) => {
      const streams = [...clients].map((client) => client.stream)
      for (const stream of streams) stream.cork()
      action()
      for (const stream of streams) stream.uncork()
    },
    counts: () => ({ opened, frames: Object.fromEntries(sent) })
  }
}
