/** A WebSocket server of the test's own, on a loopback port. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { type Duration, Effect, Option, Schedule, type Scope } from "effect"
import { type WebSocket, WebSocketServer } from "ws"

export interface Client {
  readonly socket: WebSocket
  /** The connection under the WebSocket. */
  readonly stream: Duplex
  readonly headers: IncomingMessage["headers"]
  /** Texts that came, in order. */
  readonly received: Array<string>
  /** The code with which the client closed, once it has. */
  closed: number | undefined
}

export interface SocketServer {
  readonly url: string
  readonly clients: ReadonlyArray<Client>
}

export interface SocketServerOptions {
  readonly onClient?: (client: Client, index: number) => void
  readonly onMessage?: (client: Client, text: string) => void
  /** Answers the upgrade by itself, instead of a handshake. */
  readonly onUpgrade?: (stream: Duplex, request: IncomingMessage, index: number) => boolean
  readonly perMessageDeflate?: boolean
}

/** Any server on a free port of the loopback; closed with the scope. */
const listen = (server: Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return (server.address() as AddressInfo).port
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Serves until the scope closes. PINGs are answered, unless `onMessage` sees to messages. */
export const make = (options: SocketServerOptions = {}): Effect.Effect<SocketServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clients: Array<Client> = []
    const server = createServer()
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: options.perMessageDeflate ?? false })
    const streams = new Set<Duplex>()
    let upgrades = 0
    server.on("upgrade", (request, stream, head) => {
      stream.on("error", () => stream.destroy())
      streams.add(stream)
      if (options.onUpgrade?.(stream, request, upgrades++) === true) return
      sockets.handleUpgrade(request, stream, head, (socket) => {
        const { headers } = request
        const client: Client = { socket, stream, headers, received: [], closed: undefined }
        clients.push(client)
        socket.on("error", () => {})
        socket.on("close", (code) => (client.closed = code))
        socket.on("message", (data) => {
          client.received.push(String(data))
          if (options.onMessage !== undefined) options.onMessage(client, String(data))
          else if (String(data) === "PING") socket.send("PONG")
        })
        options.onClient?.(client, clients.length - 1)
      })
    })
    const port = yield* listen(server)
    yield* Effect.addFinalizer(() => Effect.sync(() => streams.forEach((stream) => stream.destroy())))
    return { url: `ws://127.0.0.1:${port}`, clients }
  })

/** An HTTP server that answers every request as `answer` says. */
export const http = (
  answer: (request: IncomingMessage) => {
    readonly status?: number
    readonly headers?: Record<string, string>
    readonly body: string
  }
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    listen(
      createServer((request, response) => {
        const { body, headers = {}, status = 200 } = answer(request)
        response.writeHead(status, headers).end(body)
      })
    ),
    (port) => `http://127.0.0.1:${port}`
  )

/** Waits until something holds; a defect that says what, when it does not in time. */
export const until = (what: string, holds: () => boolean, within: Duration.DurationInput = "5 seconds") =>
  Effect.sync(holds).pipe(
    Effect.repeat({ until: (held) => held, schedule: Schedule.spaced("5 millis") }),
    Effect.timeoutOption(within),
    Effect.flatMap((done) => (Option.isSome(done) ? Effect.void : Effect.dieMessage(`in vain: ${what}`)))
  )
