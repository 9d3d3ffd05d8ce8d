/** A TCP relay that does to connections what networks do, switchable while it runs. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import * as Tls from "node:tls"
import { setTimeout as sleep } from "node:timers/promises"
import type { Prng } from "../../src/simulator/Prng.ts"

/** What happens to what passes, until told otherwise. */
export interface Weather {
  /** Milliseconds by which each piece is late, and up to how much later still; order is kept. */
  latency: number
  jitter: number
  /** Bytes a second in each direction; 0 for no limit. */
  bandwidth: number
  /** Pieces are cut into so many bytes at most; 0 leaves them whole. */
  slice: number
  /** The chance that a byte of a piece from the server arrives changed. */
  flip: number
  /** Nothing passes in either direction, and nobody is told. */
  blackHole: boolean
  /** Connections are reset as they come. */
  refuse: boolean
}

const fair: Weather = {
  latency: 0,
  jitter: 0,
  bandwidth: 0,
  slice: 0,
  flip: 0,
  blackHole: false,
  refuse: false
}

/** A connection that came, and the first line that was said on it. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  readonly time: number
  firstLine: string
}

export interface FaultProxy {
  readonly port: number
  readonly weather: Weather
  /** Fair weather again; connections that a black hole has swallowed stay swallowed. */
  readonly clear: () => void
  /** Every connection so far, in order. */
  readonly arrivals: ReadonlyArray<Arrival>
  readonly connections: () => number
  /** Resets all connections, those of a kind only if told which. */
  readonly reset: (which?: (arrival: Arrival) => boolean) => void
  /** Lets the next piece from the server pass in half, then resets the connection. */
  readonly resetMidFrame: () => void
  /** The connections that are open now carry nothing more, ever; those that come later are well. */
  readonly swallow: () => void
  /** Keeps back what comes from the server, and with `false` lets it go in one piece. */
  readonly hold: (on: boolean) => void
  /** Sees each piece from the client: `pass` it on, `cut` without, or `cut after` the server has answered. */
  judge: (data: Buffer) => "pass" | "cut" | "cut after"
  /** Milliseconds by which the server's answer to a piece from the client is held back. */
  delayAnswer: (data: Buffer) => number
  /** Shows connections from now on the certificate that is asked for anew. */
  readonly secure: () => void
  readonly close: () => Promise<void>
}

export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number }
  readonly prng: Prng
  readonly host?: string
  /** Speaks TLS to clients; asked at each connection. */
  readonly tls?: () => { readonly key: string; readonly cert: string }
}

interface Pair {
  readonly arrival: Arrival
  readonly client: Socket
  readonly server: Socket
  dead: boolean
  doomed: boolean
  cutNext: boolean
  held: Array<Buffer> | undefined
  answerAt: number
  readonly end: () => void
}

export const start = async ({ host = "127.0.0.1", prng, target, tls }: FaultProxyOptions): Promise<FaultProxy> => {
  const pairs = new Set<Pair>()
  const arrivals: Array<Arrival> = []
  const weather: Weather = { ...fair }
  let holding = false

  /** Passes pieces on in order, as late and as slowly as the weather has it. */
  const lane = (pair: Pair, to: Socket, fromServer: boolean) => {
    let tail = Promise.resolve()
    const late = () => weather.latency > 0 || weather.jitter > 0 || weather.bandwidth > 0
    let waiting = 0
    const write = (data: Buffer) => {
      if (pair.dead || to.destroyed) return
      if (weather.slice === 0) {
        to.write(data)
        return
      }
      to.setNoDelay(true)
      for (let at = 0; at < data.length; at += weather.slice) to.write(data.subarray(at, at + weather.slice))
    }
    return (data: Buffer) => {
      const wait = fromServer ? Math.max(0, pair.answerAt - Date.now()) : 0
      if (waiting === 0 && wait === 0 && !late()) return write(data)
      waiting++
      const slow = weather.bandwidth > 0 ? (data.length / weather.bandwidth) * 1000 : 0
      const due = Date.now() + wait + weather.latency + prng.int(weather.jitter + 1)
      tail = tail.then(async () => {
        await sleep(Math.max(0, due - Date.now()) + slow)
        waiting--
        write(data)
      })
    }
  }

  const flipped = (data: Buffer): Buffer => {
    if (weather.flip === 0 || prng.next() >= weather.flip) return data
    const copy = Buffer.from(data)
    const at = prng.int(copy.length)
    copy[at] = copy[at]! ^ (1 << prng.int(8))
    return copy
  }

  const accept = (client: Socket) => {
    const arrival: Arrival = { time: Date.now(), firstLine: "" }
    arrivals.push(arrival)
    client.on("error", () => client.destroy())
    if (weather.refuse) {
      if (client instanceof Tls.TLSSocket) client.destroy()
      else client.resetAndDestroy()
      return
    }
    const server = connect(target.port, target.host)
    const end = () => {
      pairs.delete(pair)
      // A hole swallows the news of an end too.
      if (pair.dead || weather.blackHole) return
      client.destroy()
      server.destroy()
    }
    const pair: Pair = {
      arrival,
      client,
      server,
      dead: false,
      doomed: false,
      cutNext: false,
      held: holding ? [] : undefined,
      answerAt: 0,
      end
    }
    pairs.add(pair)
    const toServer = lane(pair, server, false)
    const toClient = lane(pair, client, true)
    for (const socket of [client, server]) {
      socket.on("error", end)
      socket.on("close", end)
    }
    client.on("data", (data: Buffer) => {
      if (arrival.firstLine === "") arrival.firstLine = data.toString("latin1", 0, 200).split("\r\n")[0]!
      if (pair.dead || weather.blackHole) return
      const verdict = proxy.judge(data)
      if (verdict === "cut") return end()
      pair.doomed ||= verdict === "cut after"
      const delay = proxy.delayAnswer(data)
      if (delay > 0) pair.answerAt = Date.now() + delay
      toServer(data)
    })
    server.on("data", (data: Buffer) => {
      if (pair.dead || weather.blackHole) return
      if (pair.doomed) return end()
      if (pair.cutNext) {
        client.write(data.subarray(0, Math.ceil(data.length / 2)))
        pair.cutNext = false
        pair.dead = true
        server.destroy()
        // Long enough for the half to arrive before the reset overtakes it.
        setTimeout(() => client.resetAndDestroy(), 20)
        return
      }
      if (pair.held !== undefined) pair.held.push(data)
      else toClient(flipped(data))
    })
  }

  const listener = tls === undefined ? createServer(accept) : Tls.createServer(tls(), accept)
  if (listener instanceof Tls.Server) {
    listener.on("tlsClientError", () => arrivals.push({ time: Date.now(), firstLine: "TLS refused" }))
  }
  listener.listen(0, host)
  await once(listener, "listening")

  const proxy: FaultProxy = {
    port: (listener.address() as AddressInfo).port,
    weather,
    clear: () => Object.assign(weather, fair),
    arrivals,
    connections: () => pairs.size,
    reset: (which = () => true) => {
      for (const pair of pairs) {
        if (!which(pair.arrival)) continue
        pair.client.resetAndDestroy()
        pair.server.destroy()
      }
    },
    resetMidFrame: () => {
      for (const pair of pairs) pair.cutNext = true
    },
    swallow: () => {
      for (const pair of pairs) pair.dead = true
    },
    hold: (on) => {
      holding = on
      for (const pair of pairs) {
        if (on) pair.held ??= []
        else if (pair.held !== undefined) {
          const all = Buffer.concat(pair.held)
          pair.held = undefined
          if (all.length > 0) pair.client.write(all)
        }
      }
    },
    judge: () => "pass",
    delayAnswer: () => 0,
    secure: () => {
      if (listener instanceof Tls.Server) listener.setSecureContext(tls!())
    },
    close: async () => {
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      listener.close()
    }
  }
  return proxy
}
