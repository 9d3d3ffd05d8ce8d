/** Node's HTTP server in terms of requests and replies. */
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import type { Reply } from "./Rest.ts"

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
