/**
 * The venue of the measurements, in a process of its own: subscriptions as a client sends them, the dump, and frames that
 * were made beforehand, so that it is never what is waited for.
 */
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { WebSocketServer, type WebSocket } from "ws"
import { now } from "../Clock.ts"
import { answer } from "../Talk.ts"
import { list, perMarket } from "./Listing.ts"
import type { Sent, SenderOptions, SenderReady, SenderRequest, SenderStatus, Truth } from "./Messages.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import * as Traffic from "./Traffic.ts"
import * as Wire from "./Wire.ts"

const options = JSON.parse(process.argv[2]!) as SenderOptions
const shown = perMarket(options)
const traffic = Traffic.make(options)
const tokenIndex = new Map(
  list(options).flatMap(({ tokens }, i) => tokens.slice(0, shown).map((id, j) => [id, i * shown + j]))
)

/** The dump of a token: as it was before the first frame where they are prebuilt, as it is where they are not. */
const before =
  options.prebuilt === 0
    ? undefined
    : Array.from(tokenIndex.values(), (token) => Frames.dump([traffic.state(token)]).slice(1, -2))
const dumpOf = (token: number): string => before?.[token] ?? Frames.dump([traffic.state(token)]).slice(1, -2)

/** Which market each prebuilt frame is about. */
const markets = new Uint32Array(options.prebuilt)
function* prebuild() {
  for (let i = 0; i < options.prebuilt; i++) {
    const { frame, market } = traffic.next()
    markets[i] = market
    yield frame
  }
}
const framed = Wire.frame(prebuild(), options.prebuilt, 380 * shown)
const averageBytes = options.prebuilt === 0 ? 0 : framed.bytes.length / options.prebuilt - 4

interface Client {
  readonly socket: WebSocket
  readonly raw: Socket
  readonly tokens: Set<number>
}
const clients = new Set<Client>()
/** The client that is to be told of a market. */
const owners = new Map<number, Client>()
let dumped = 0

const subscribe = (client: Client, ids: ReadonlyArray<string>): void => {
  const texts: Array<string> = []
  for (const id of ids) {
    const token = tokenIndex.get(id)
    if (token === undefined || client.tokens.has(token)) continue
    client.tokens.add(token)
    owners.set(Math.floor(token / shown), client)
    texts.push(dumpOf(token))
  }
  dumped += texts.length
  if (texts.length > 0) client.socket.send(`[${texts.join(",")}]\n`)
}

const http = createServer((_, response) => {
  response.writeHead(404, { "content-type": "application/json" })
  response.end('{"error":"No orderbook exists for the requested token id"}')
})
const server = new WebSocketServer({ server: http, perMessageDeflate: false })
server.on("connection", (socket, request) => {
  const client: Client = { socket, raw: request.socket, tokens: new Set() }
  client.raw.setNoDelay(true)
  clients.add(client)
  socket.on("error", () => {})
  socket.on("close", () => {
    clients.delete(client)
    for (const [market, owner] of owners) if (owner === client) owners.delete(market)
  })
  socket.on("message", (data) => {
    const text = (data as Buffer).toString("utf8")
    if (text === "PING") return socket.send("PONG")
    const message = JSON.parse(text) as { readonly assets_ids?: ReadonlyArray<string>; readonly operation?: string }
    const ids = message.assets_ids ?? []
    if (message.operation !== "unsubscribe") return subscribe(client, ids)
    for (const id of ids) client.tokens.delete(tokenIndex.get(id) ?? -1)
  })
})

let waiting = 0
const write = (client: Client, bytes: Buffer): boolean => {
  const more = client.raw.write(bytes)
  waiting = Math.max(waiting, client.raw.writableLength)
  return more
}
const drained = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    client.raw.once("drain", resolve)
    client.raw.once("close", resolve)
  })

/** Stretches of the prebuilt frames by the client that gets them, in order; one client gets them as they lie. */
const stretches = (from: number, to: number): Array<{ readonly client: Client; readonly bytes: Buffer }> => {
  const [only] = clients
  const cut = (i: number, j: number) => framed.bytes.subarray(framed.starts[i], framed.starts[j])
  if (only !== undefined && clients.size === 1) return [{ client: only, bytes: cut(from, to) }]
  const parts = new Map<Client, Array<Buffer>>()
  for (let i = from; i < to; i++) {
    const client = owners.get(markets[i]!)
    if (client === undefined) continue
    const list = parts.get(client)
    if (list === undefined) parts.set(client, [cut(i, i + 1)])
    else list.push(cut(i, i + 1))
  }
  return Array.from(parts, ([client, buffers]) => ({ client, bytes: Buffer.concat(buffers) }))
}

const burst = async (chunkBytes: number): Promise<Sent> => {
  waiting = 0
  const perChunk = Math.max(1, Math.round(chunkBytes / (averageBytes + 4)))
  const many = clients.size > 1
  const prepared: Array<ReturnType<typeof stretches>> = []
  for (let i = 0; i < options.prebuilt; i += perChunk * clients.size) {
    prepared.push(stretches(i, Math.min(options.prebuilt, i + perChunk * clients.size)))
  }
  const cpu = process.cpuUsage()
  const start = now()
  for (const round of prepared) {
    const full = round.filter(({ bytes, client }) => !write(client, bytes)).map(({ client }) => client)
    if (full.length > 0) await (many ? Promise.all(full.map(drained)) : drained(full[0]!))
  }
  const { system, user } = process.cpuUsage(cpu)
  return { frames: options.prebuilt, millis: now() - start, cpu: (user + system) / 1e6, waiting }
}

const pace = (rate: number, millis: number): Promise<Sent> =>
  new Promise((resolve) => {
    waiting = 0
    const total = Math.round((rate * millis) / 1000)
    if (options.prebuilt > 0 && total > options.prebuilt)
      throw new RangeError(`${total} frames are more than were made`)
    const times = options.prebuilt > 0 ? new Float64Array(total) : undefined
    const cpu = process.cpuUsage()
    const start = now()
    let sent = 0
    const made = (to: number): Array<{ readonly client: Client; readonly bytes: Buffer }> => {
      const texts = new Map<Client, Array<string>>()
      for (let i = sent; i < to; i++) {
        const { frame, market } = traffic.next()
        const client = owners.get(market)
        if (client === undefined) continue
        const list = texts.get(client)
        if (list === undefined) texts.set(client, [frame])
        else list.push(frame)
      }
      return Array.from(texts, ([client, list]) => ({
        client,
        bytes: Wire.frame(list, list.length, 380 * shown).bytes
      }))
    }
    const step = () => {
      const due = Math.min(total, Math.floor(((now() - start) * rate) / 1000))
      if (due > sent) {
        const parts = options.prebuilt > 0 ? stretches(sent, due) : made(due)
        const time = now()
        for (const { bytes, client } of parts) write(client, bytes)
        if (times !== undefined) times.fill(time, sent, due)
        sent = due
      }
      if (sent < total) return void setTimeout(step, 1)
      const { system, user } = process.cpuUsage(cpu)
      const done: Sent = { frames: total, millis: now() - start, cpu: (user + system) / 1e6, waiting }
      resolve(times === undefined ? done : { ...done, times })
    }
    step()
  })

const requests = {
  burst: ({ chunkBytes }: Extract<SenderRequest, { do: "burst" }>) => burst(chunkBytes),
  pace: ({ millis, rate }: Extract<SenderRequest, { do: "pace" }>) => pace(rate, millis),
  reset: () => {
    dumped = 0
    return {}
  },
  truth: (): Truth => ({ digests: traffic.digests(), bestMoves: traffic.bestMoves() }),
  status: (): SenderStatus => ({
    clients: clients.size,
    subscribed: [...clients].reduce((sum, { tokens }) => sum + tokens.size, 0),
    dumped
  })
}

http.listen(0, "127.0.0.1", () => {
  const ready: SenderReady = { port: (http.address() as AddressInfo).port, averageBytes }
  answer<SenderRequest>(ready, (request) => (requests[request.do] as (request: SenderRequest) => unknown)(request))
})
