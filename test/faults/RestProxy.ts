/** A relay for a venue's REST that can answer in the venue's place, or change what the venue answers. */
import { once } from "node:events"
import { createServer, request as forward } from "node:http"
import type { AddressInfo } from "node:net"

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

export interface RestRequest {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly url: string
}

export interface RestProxy {
  readonly port: number
  readonly requests: ReadonlyArray<RestRequest>
  /** Answers instead of the venue; `undefined` asks the venue. */
  instead: (url: string) => Answer | undefined
  /** Changes the text of the venue's answer. */
  rewrite: (url: string, body: string) => string
  readonly clear: () => void
  readonly close: () => Promise<void>
}

export const start = async (
  target: { readonly host: string; readonly port: number },
  host: string
): Promise<RestProxy> => {
  const requests: Array<RestRequest> = []
  const server = createServer((incoming, response) => {
    const url = incoming.url ?? "/"
    requests.push({ time: Date.now(), url })
    const own = proxy.instead(url)
    if (own !== undefined) {
      response.writeHead(own.status, { "content-type": "application/json", ...own.headers }).end(own.body)
      return
    }
    const { method } = incoming
    const upstream = forward({ ...target, path: url, method, headers: incoming.headers }, (answer) => {
      const parts: Array<Buffer> = []
      answer.on("error", () => response.destroy())
      answer.on("data", (part: Buffer) => parts.push(part))
      answer.on("end", () => {
        const body = proxy.rewrite(url, Buffer.concat(parts).toString("utf8"))
        const { "content-length": _, "transfer-encoding": __, ...headers } = answer.headers
        response.writeHead(answer.statusCode ?? 502, headers).end(body)
      })
    })
    upstream.on("error", () => response.destroy())
    incoming.pipe(upstream)
  })
  server.listen(0, host)
  await once(server, "listening")
  const proxy: RestProxy = {
    port: (server.address() as AddressInfo).port,
    requests,
    instead: () => undefined,
    rewrite: (_, body) => body,
    clear: () => {
      proxy.instead = () => undefined
      proxy.rewrite = (_, body) => body
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
    }
  }
  return proxy
}
