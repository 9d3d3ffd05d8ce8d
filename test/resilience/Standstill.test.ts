/** What a connection says of itself when it was left unread, by a process that stood still or that is short of memory. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Stream } from "effect"
import { once } from "node:events"
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import { MemoryPressure } from "../../src/resilience/MemoryPressure.ts"
import * as WebSocketFeed from "../../src/resilience/WebSocketFeed.ts"
import * as SocketServer from "../support/SocketServer.ts"

const text = {
  ping: "PING",
  isReply: (frame: Buffer) => frame.toString() === "PONG",
  every: "600 millis",
  timeout: "300 millis"
} as const
const framed = { every: "600 millis", timeout: "300 millis" } as const

const open = (url: string, heartbeat: WebSocketFeed.SocketOptions["heartbeat"] = text) =>
  WebSocketFeed.open({
    url,
    openTimeout: "5 seconds",
    maxPayload: 1024 * 1024,
    highWater: { frames: 10_000, bytes: 64 * 1024 * 1024 },
    heartbeat,
    silence: { after: "2 seconds", probe: Effect.succeedSome("there is news") }
  })

/** What was read, in order: frames by their text, and what the session said of itself. */
const readAll = (session: WebSocketFeed.Session) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const reading = Stream.runForEach(session.frames, ({ caughtUp, frames, stalled }) =>
      Effect.sync(() => {
        if (stalled !== undefined) log.push(`stalled: ${stalled}`)
        log.push(...frames.map((frame) => frame.toString()))
        if (caughtUp) log.push("caught up")
      })
    )
    const fiber = yield* Effect.forkScoped(reading)
    return { log, isOver: () => fiber.unsafePoll() !== null }
  })

/** A server on a thread of its own, which counts aloud ten times a second whatever this thread does. */
const server = Effect.acquireRelease(
  Effect.promise(async () => {
    const worker = new Worker(
      `const { workerData, parentPort } = require("node:worker_threads")
       const { WebSocketServer } = require(workerData)
       const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => parentPort.postMessage(server.address().port))
       let n = 0
       setInterval(() => { n++; for (const socket of server.clients) socket.send(String(n)) }, 100)
       server.on("connection", (socket) => socket.on("message", () => socket.send("PONG")))`,
      { eval: true, workerData: createRequire(import.meta.url).resolve("ws") }
    )
    const [port] = (await once(worker, "message")) as [number]
    return { worker, url: `ws://127.0.0.1:${port}` }
  }),
  ({ worker }) => Effect.promise(() => worker.terminate())
)

const standStill = (millis: number) =>
  Effect.sync(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis))

describe("a process that stood still", () => {
  for (const [name, heartbeat] of [
    ["texts", text],
    ["ping frames", framed]
  ] as const) {
    it.scopedLive(`says so before what came meanwhile, and after it that all is read, by ${name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* server
        const session = yield* open(url, heartbeat)
        const { isOver, log } = yield* readAll(session)
        yield* SocketServer.until("frames", () => log.length >= 5)
        const before = log.length
        yield* standStill(4_600)
        yield* SocketServer.until("all is read", () => log.includes("caught up"))
        assert.match(log[before]!, /^stalled: the process stood still for [45] s$/)
        const meanwhile = log.slice(before + 1, log.indexOf("caught up")).map(Number)
        assert.isAtLeast(meanwhile.length, 44)
        assert.deepStrictEqual(
          meanwhile,
          meanwhile.map((_, i) => meanwhile[0]! + i)
        )
        yield* Effect.sleep("1500 millis")
        assert.isFalse(isOver(), "nobody else was silent")
        assert.strictEqual(log.filter((line) => line === "caught up").length, 1)
      })
    )
  }

  it.scopedLive("for a moment says nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const session = yield* open(url)
      const { isOver, log } = yield* readAll(session)
      yield* SocketServer.until("frames", () => log.length >= 5)
      yield* standStill(2_500)
      yield* Effect.sleep("1500 millis")
      assert.isFalse(isOver())
      assert.deepStrictEqual(
        log.filter((line) => !/^\d+$/.test(line)),
        []
      )
    })
  )
})

describe("a process that is short of memory", () => {
  it.scopedLive("reads no socket, says so, and goes on where it was", () => {
    const heap = { used: 0.5 }
    const pressure = MemoryPressure.layerOf({ share: () => heap.used, clear: () => {} }).pipe(
      Layer.provideMerge(Logger.remove(Logger.defaultLogger))
    )
    return Effect.gen(function* () {
      const { clients, url } = yield* SocketServer.make()
      const session = yield* open(url)
      const { isOver, log } = yield* readAll(session)
      yield* SocketServer.until("the server has it", () => clients.length === 1)
      const { socket } = clients[0]!
      socket.send("1")
      yield* SocketServer.until("a frame", () => log.length === 1)
      heap.used = 0.9
      yield* SocketServer.until("the pause", () => log.length === 2)
      socket.send("2")
      yield* Effect.sleep("3500 millis")
      assert.deepStrictEqual(log, ["1", "stalled: reading is paused: memory is short"])
      assert.isFalse(isOver(), "its own silence is no fault of the peer")
      heap.used = 0.7
      yield* SocketServer.until("the rest", () => log.length === 4)
      assert.deepStrictEqual(log.slice(2), ["2", "caught up"])
    }).pipe(Effect.provide(pressure))
  })

  it.scopedLive("reads no new socket either", () => {
    const pressure = Layer.succeed(MemoryPressure, { reason: () => "short", listen: () => () => {} })
    return Effect.gen(function* () {
      const { url } = yield* SocketServer.make({ onClient: ({ socket }) => socket.send("1") })
      const { log } = yield* readAll(yield* open(url))
      yield* Effect.sleep("500 millis")
      assert.deepStrictEqual(
        log.filter((line) => line !== "1"),
        ["stalled: short"]
      )
    }).pipe(Effect.provide(pressure))
  })
})
