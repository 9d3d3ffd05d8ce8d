/** A TCP relay that a test can cut, freeze or refuse, to do to a connection what networks do. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface TcpProxy {
  readonly port: number
  /** Open connections. */
  readonly connections: () => number
  /** Ends every connection at once, without ceremony. */
  readonly cut: () => void
  /** Whether new connections are let through; they are reset otherwise. */
  readonly admit: (open: boolean) => void
  /** Holds back everything in both directions, on connections that stay open. */
  readonly freeze: (frozen: boolean) => void
  /** Passes nothing more on the connections that are open, ends included, and says so to neither side; new ones are well. */
  readonly strand: () => void
  /**
   * Sees what a client sends before it is passed on. `pass` passes it on, `cut` ends the connection without, `cut after`
   * passes it on and ends the connection when the server has answered, before the client learns of it.
   */
  readonly onSend: (judge: (data: Buffer) => "pass" | "cut" | "cut after") => void
  readonly close: () => Promise<void>
}

export const start = async (target: { readonly host: string; readonly port: number }): Promise<TcpProxy> => {
  const pairs = new Set<readonly [Socket, Socket]>()
  const stranded = new WeakSet<Socket>()
  let admitted = true
  let frozen = false
  let judge: Parameters<TcpProxy["onSend"]>[0] = () => "pass"

  const server = createServer((client) => {
    if (!admitted) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target.port, target.host)
    const pair = [client, upstream] as const
    pairs.add(pair)
    let doomed = false
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) {
      socket.on("error", end)
      socket.on("close", end)
      if (frozen) socket.pause()
    }
    client.on("data", (data) => {
      const verdict = judge(data)
      if (verdict === "cut") return end()
      doomed ||= verdict === "cut after"
      upstream.write(data)
    })
    upstream.on("data", (data) => {
      if (doomed) end()
      else client.write(data)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")

  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => pairs.size,
    cut,
    admit: (open) => {
      admitted = open
    },
    freeze: (hold) => {
      frozen = hold
      for (const socket of [...pairs].flat()) {
        if (hold || stranded.has(socket)) socket.pause()
        else socket.resume()
      }
    },
    strand: () => {
      for (const socket of [...pairs].flat()) {
        stranded.add(socket)
        socket.pause()
      }
    },
    onSend: (judgement) => {
      judge = judgement
    },
    close: async () => {
      cut()
      server.close()
      await once(server, "close")
    }
  }
}
