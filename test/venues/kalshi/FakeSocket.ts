/** A server of sockets that a test scripts: it acknowledges as Kalshi does, and everything else is said by hand. */
import { Effect, type Scope } from "effect"
import type { AddressInfo } from "node:net"
import { createServer, type IncomingMessage } from "node:http"
import { type WebSocket, WebSocketServer } from "ws"

export interface Received {
  readonly id: number
  readonly cmd: string
  readonly params: Readonly<Record<string, any>>
}

export interface Peer {
  readonly socket: WebSocket
  readonly commands: Array<Received>
  readonly say: (message: object | string) => void
  /** The subscription id of a channel. */
  readonly sid: (channel: string) => number
}

export interface FakeSocket {
  readonly url: string
  readonly peers: Array<Peer>
  readonly handshakes: Array<IncomingMessage>
  /** What a handshake is refused with, while set. */
  refusal:
    | { readonly status: number; readonly body: string; readonly retryAfter?: string; readonly behind?: number }
    | undefined
  /** Answers a command instead of the usual acknowledgement when it returns true. */
  onCommand: (command: Received, peer: Peer) => boolean
}

export const start: Effect.Effect<FakeSocket, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<readonly [FakeSocket, () => void]>((resume) => {
    const http = createServer()
    const server = new WebSocketServer({ noServer: true })
    const fake: FakeSocket = { url: "", peers: [], handshakes: [], refusal: undefined, onCommand: () => false }

    http.on("upgrade", (request, socket, head) => {
      fake.handshakes.push(request)
      if (fake.refusal !== undefined) {
        const { behind, body, retryAfter, status } = fake.refusal
        const wait = retryAfter === undefined ? "" : `Retry-After: ${retryAfter}\r\n`
        const clock = behind === undefined ? "" : `Date: ${new Date(Date.now() - behind).toUTCString()}\r\n`
        socket.end(
          `HTTP/1.1 ${status} Refused\r\n${clock}${wait}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
        )
        return
      }
      server.handleUpgrade(request, socket, head, (ws) => {
        const sids = new Map<string, number>()
        let nextSid = 1
        const peer: Peer = {
          socket: ws,
          commands: [],
          say: (message) => ws.send(typeof message === "string" ? message : JSON.stringify(message)),
          sid: (channel) => sids.get(channel) ?? -1
        }
        fake.peers.push(peer)
        ws.on("message", (data) => {
          const command = JSON.parse(String(data)) as Received
          peer.commands.push(command)
          if (fake.onCommand(command, peer) || command.cmd !== "subscribe") return
          for (const channel of command.params["channels"] as ReadonlyArray<string>) {
            sids.set(channel, nextSid++)
            peer.say({ id: command.id, type: "subscribed", msg: { channel, sid: sids.get(channel) } })
          }
        })
      })
    })
    http.listen(0, "127.0.0.1", () => {
      const { port } = http.address() as AddressInfo
      const stop = () => {
        for (const client of server.clients) client.terminate()
        http.closeAllConnections()
        http.close()
      }
      resume(Effect.succeed([Object.assign(fake, { url: `ws://127.0.0.1:${port}/trade-api/ws/v2` }), stop]))
    })
  }),
  ([, stop]) => Effect.sync(stop)
).pipe(Effect.map(([fake]) => fake))
