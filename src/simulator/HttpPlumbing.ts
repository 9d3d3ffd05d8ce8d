/** Node's HTTP server in terms of requests and replies. */
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"
import type { Reply } from "./Rest.ts"
import { SimulatorError } from "./SimulatorError.ts"

const LARGEST_BODY = 1024 * 1024

export const readBody = (request: Http.IncomingMessage, done: (body: string | undefined) => void): void => {
  const chunks: Array<Buffer> = []
  let length = 0
  request.on("data", (chunk: Buffer) => {
    length += chunk.length
    if (length <= LARGEST_BODY) chunks.push(chunk)
  })
  request.on("end", () => done(length > LARGEST_BODY ? undefined : Buffer.concat(chunks).toString("utf8")))
}

export const write = (response: Http.ServerResponse, reply: Reply): void => {
  const headers = {
    "content-type": "application/json",
    ...reply.headers,
    "content-length": Buffer.byteLength(reply.body)
  }
  response.writeHead(reply.status, headers)
  response.end(reply.body)
}

export const refuse = (stream: Duplex, reply: Reply): void => {
  const head = [
    `HTTP/1.1 ${reply.status} ${Http.STATUS_CODES[reply.status] ?? "Refused"}`,
    "connection: close",
    `content-length: ${Buffer.byteLength(reply.body)}`,
    ...Object.entries({ "content-type": "application/json", ...reply.headers }).map(
      ([key, value]) => `${key}: ${value}`
    )
  ]
  stream.end(`${head.join("\r\n")}\r\n\r\n${reply.body}`)
}

export const urlOf = (request: Http.IncomingMessage): URL | undefined =>
  URL.canParse(request.url ?? "", "http://simulator") ? new URL(request.url ?? "", "http://simulator") : undefined

/** Listens until the scope closes, which ends every connection at once; succeeds with the port. */
export const listen = (
  server: Http.Server,
  host: string,
  port: number
): Effect.Effect<number, SimulatorError, Scope.Scope> => {
  // Upgraded and refused connections are no longer the HTTP server's to close.
  const connections = new Set<Socket>()
  server.on("connection", (connection) => {
    connections.add(connection)
    connection.on("close", () => connections.delete(connection))
  })
  const opened = Effect.async<void, SimulatorError>((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE"
      const detail = taken ? "the port is in use" : error.message
      resume(new SimulatorError({ reason: taken ? "port-in-use" : "listen", where: `${host}:${port}`, detail }))
    })
    server.listen(port, host, () => resume(Effect.void))
  })
  const closed = Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    for (const connection of connections) connection.destroy()
  })
  return Effect.acquireRelease(opened, () => closed).pipe(Effect.map(() => (server.address() as AddressInfo).port))
}
