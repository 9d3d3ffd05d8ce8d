import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, type Scope, Stream } from "effect"
import { type SocketError, type SocketOptions, open, type Session } from "../../src/resilience/WebSocketFeed.ts"
import * as SocketServer from "../support/SocketServer.ts"

const options = (url: string, changed: Partial<SocketOptions> = {}): SocketOptions => ({
  url,
  openTimeout: "2 seconds",
  maxPayload: 1024 * 1024,
  highWater: { frames: 100, bytes: 1024 * 1024 },
  heartbeat: {
    ping: "PING",
    isReply: (frame) => frame.toString() === "PONG",
    every: "10 seconds",
    timeout: "5 seconds"
  },
  silence: { after: "30 seconds", probe: Effect.succeedNone },
  ...changed
})

/** A server and a client of it. */
const connect = (server: SocketServer.SocketServerOptions, changed: Partial<SocketOptions> = {}) =>
  Effect.gen(function* () {
    const { clients, url } = yield* SocketServer.make(server)
    const session = yield* open(options(url, changed))
    yield* SocketServer.until("the server has it", () => clients.length === 1)
    return { client: clients[0]!, session }
  })

/** Reads texts until the session fails. */
const readAll = (session: Session) =>
  Effect.gen(function* () {
    const texts: Array<string> = []
    const fiber = yield* Effect.forkScoped(
      Effect.flip(
        Stream.runForEach(session.frames, ({ frames }) =>
          Effect.sync(() => texts.push(...frames.map((frame) => frame.toString())))
        )
      )
    )
    return { texts, end: Fiber.join(fiber), isOver: () => fiber.unsafePoll() !== null }
  })

const refusedWith = <R>(connecting: Effect.Effect<unknown, SocketError, R>) => Effect.flip(connecting)

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))

describe("frames", () => {
  it.scopedLive("come in the order in which they were sent", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({})
      const { texts } = yield* readAll(session)
      for (const n of numbers(5_000)) client.socket.send(n)
      yield* SocketServer.until("all of them", () => texts.length === 5_000)
      assert.deepStrictEqual(texts, numbers(5_000))
    })
  )

  it.scopedLive("that came before anybody reads are there", () =>
    Effect.gen(function* () {
      const { session } = yield* connect({ onClient: ({ socket }) => numbers(10).forEach((n) => socket.send(n)) })
      yield* Effect.sleep("50 millis")
      const [batch] = yield* Stream.runCollect(Stream.take(session.frames, 1))
      assert.deepStrictEqual(
        batch?.frames.map((frame) => frame.toString()),
        numbers(10)
      )
    })
  )

  it.scopedLive("before the end of the connection are read before the end", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({})
      for (const n of numbers(50)) client.socket.send(n)
      client.socket.close(1001)
      yield* Effect.sleep("100 millis")
      const { end, texts } = yield* readAll(session)
      yield* end
      assert.deepStrictEqual(texts, numbers(50))
    })
  )

  it.scopedLive("wait in the sender while the reader is slow, and none is lost", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({}, { highWater: { frames: 64, bytes: 1024 * 1024 } })
      const count = 30_000
      const text = "x".repeat(1000)
      for (let i = 0; i < count; i++) client.socket.send(`${i} ${text}`)
      let largest = 0
      const got: Array<number> = []
      yield* SocketServer.until("the sender is stuck", () => client.socket.bufferedAmount > 1_000_000)
      yield* Effect.sleep("200 millis")
      assert.isAbove(client.socket.bufferedAmount, 1_000_000, "it stays stuck while nobody reads")
      yield* Stream.runForEachWhile(session.frames, ({ frames }) =>
        Effect.gen(function* () {
          largest = Math.max(largest, frames.length)
          for (const frame of frames) got.push(Number.parseInt(frame.toString(), 10))
          if (got.length < 2_000) yield* Effect.sleep("2 millis")
          return got.length < count
        })
      )
      assert.deepStrictEqual(
        got,
        Array.from({ length: count }, (_, i) => i)
      )
      // One read of the connection brings several frames, which the pause cannot take back.
      assert.isAtMost(largest, 64 + 128)
    })
  )

  it.scopedLive("wait in the sender as well when it is their size that is too much", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({}, { highWater: { frames: 1e6, bytes: 100_000 } })
      for (let i = 0; i < 200; i++) client.socket.send("x".repeat(100_000))
      yield* SocketServer.until("the sender is stuck", () => client.socket.bufferedAmount > 1_000_000)
      yield* Effect.sleep("100 millis")
      const [batch] = yield* Stream.runCollect(Stream.take(session.frames, 1))
      assert.isAtMost(batch!.frames.length, 3)
    })
  )

  it.scopedLive("can be waited for together with something else: a wake-up yields an empty batch", () =>
    Effect.gen(function* () {
      const { session } = yield* connect({})
      const reading = yield* Effect.fork(Stream.runCollect(Stream.take(session.frames, 1)))
      yield* Effect.sleep("20 millis")
      yield* session.wake
      const [batch] = yield* Fiber.join(reading)
      assert.deepStrictEqual(batch?.frames, [])
    })
  )
})

describe("a handshake", () => {
  it.scopedLive("offers no compression and sends its headers anew each time", () =>
    Effect.gen(function* () {
      let made = 0
      const headers = Effect.sync(() => ({ "x-signature": String(++made) }))
      const { clients, url } = yield* SocketServer.make({ perMessageDeflate: true })
      for (let i = 0; i < 2; i++) yield* Effect.scoped(open(options(url, { headers })))
      yield* SocketServer.until("both", () => clients.length === 2)
      assert.deepStrictEqual(
        clients.map((client) => client.headers["x-signature"]),
        ["1", "2"]
      )
      for (const { headers, socket } of clients) {
        assert.isUndefined(headers["sec-websocket-extensions"])
        assert.strictEqual(socket.extensions, "")
      }
    })
  )

  for (const [status, head, body, expected] of [
    [401, "", `{"error":"unauthorized"}`, { code: 401, detail: `{"error":"unauthorized"}`, wait: 0 }],
    [429, "Retry-After: 7\r\n", "<h1>Too many</h1>", { code: 429, detail: "<h1>Too many</h1>", wait: 7_000 }],
    [503, "", "", { code: 503, detail: "Nope", wait: 0 }],
    [302, "Location: http://elsewhere.test/\r\n", "", { code: 302, detail: "Nope", wait: 0 }],
    [200, "", "x".repeat(10_000), { code: 200, detail: "x".repeat(200), wait: 0 }]
  ] as const) {
    it.scopedLive(`that is answered with ${status} fails with what the answer says`, () =>
      Effect.gen(function* () {
        const { clients, url } = yield* SocketServer.make({
          onUpgrade: (stream) => {
            stream.end(`HTTP/1.1 ${status} Nope\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`)
            return true
          }
        })
        const { code, detail, reason, retryAfter } = yield* refusedWith(open(options(url)))
        assert.strictEqual(reason, "refused")
        assert.deepStrictEqual({ code, detail, wait: Duration.toMillis(retryAfter) }, expected)
        assert.strictEqual(clients.length, 0)
      })
    )
  }

  it.scopedLive("that is never answered fails in time", () =>
    Effect.gen(function* () {
      const { url } = yield* SocketServer.make({ onUpgrade: () => true })
      const error = yield* refusedWith(open(options(url, { openTimeout: "200 millis" })))
      assert.include(["timeout", "unreachable"], error.reason)
    })
  )

  it.scopedLive("with nobody, or with a name that is not known, fails", () =>
    Effect.gen(function* () {
      const nobody = yield* refusedWith(open(options("ws://127.0.0.1:1")))
      assert.strictEqual(nobody.reason, "unreachable")
      assert.match(nobody.message, /ECONNREFUSED/)
      const unknown = yield* refusedWith(open(options("ws://no-such-host.invalid")))
      assert.strictEqual(unknown.reason, "unreachable")
      assert.match(unknown.message, /ENOTFOUND|EAI_AGAIN/)
      assert.strictEqual((yield* refusedWith(open(options("no url")))).reason, "unreachable")
    })
  )

  it.scopedLive("over TLS with a peer that has none fails, and does not go on without", () =>
    Effect.gen(function* () {
      const { url } = yield* SocketServer.make({})
      const error = yield* refusedWith(open(options(url.replace("ws:", "wss:"))))
      assert.strictEqual(error.reason, "unreachable")
    })
  )

  it.scopedLive("that is interrupted leaves nothing open and ends no process", () =>
    Effect.gen(function* () {
      const server = createServer().listen(0, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      yield* Effect.promise(() => once(server, "listening"))
      let sockets = 0
      server.on("connection", (socket) => {
        sockets++
        socket.resume()
        socket.on("error", () => {})
        socket.on("close", () => sockets--)
      })
      const { port } = server.address() as { readonly port: number }
      const opening = yield* Effect.fork(Effect.scoped(open(options(`ws://127.0.0.1:${port}`))))
      yield* SocketServer.until("it connects", () => sockets === 1)
      yield* Fiber.interrupt(opening)
      yield* SocketServer.until("it is gone", () => sockets === 0)
    })
  )
})

describe("the end of a connection", () => {
  for (const code of [1000, 1001, 1008, 1011, 1012, 1013, 4000]) {
    it.scopedLive(`with ${code} is a failure that says so`, () =>
      Effect.gen(function* () {
        const { client, session } = yield* connect({})
        const { end } = yield* readAll(session)
        client.socket.close(code, "a reason")
        const error = yield* end
        assert.deepInclude(error, { reason: "closed", code, detail: "a reason" })
      })
    )
  }

  it.scopedLive("without a word (1006) is a failure", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({})
      const { end } = yield* readAll(session)
      client.socket.terminate()
      assert.deepInclude(yield* end, { reason: "closed", code: 1006 })
    })
  )

  it.scopedLive("in the middle of a frame is a failure, and half a frame is none", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({})
      const { end, texts } = yield* readAll(session)
      client.socket.send("whole")
      client.stream.write(Buffer.from([0x81, 100, ...Buffer.from("half")]))
      yield* Effect.sleep("20 millis")
      ;(client.stream as unknown as { readonly resetAndDestroy: () => void }).resetAndDestroy()
      assert.strictEqual((yield* end).reason, "closed")
      assert.deepStrictEqual(texts, ["whole"])
    })
  )

  for (const [what, bytes, message, code] of [
    ["text that is not UTF-8", [0x81, 2, 0xff, 0xfe], /UTF-8/i, 1007],
    ["a frame that announces 2 MiB", [0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 0], /payload/i, 1009],
    ["reserved bits", [0xf1, 1, 0x20], /RSV/, 1002]
  ] as const) {
    it.scopedLive(`comes with ${what}, and the peer is told (${code})`, () =>
      Effect.gen(function* () {
        const { client, session } = yield* connect({})
        const { end } = yield* readAll(session)
        const before = process.memoryUsage().rss
        client.stream.write(Buffer.from(bytes))
        const error = yield* end
        assert.strictEqual(error.reason, "closed")
        assert.match(error.message, message)
        yield* SocketServer.until("the peer knows", () => client.closed === code)
        assert.isAtMost(process.memoryUsage().rss - before, 50 * 1024 * 1024)
      })
    )
  }

  it.scopedLive("is what a send after it says", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({})
      client.socket.close(1008, "policy")
      yield* SocketServer.until("it is closed", () => client.closed !== undefined)
      assert.deepInclude(yield* Effect.flip(session.send("text")), { reason: "closed", code: 1008, detail: "policy" })
    })
  )
})

describe("closing the scope", () => {
  const session = (server: SocketServer.SocketServerOptions) =>
    Effect.gen(function* () {
      const { clients, url } = yield* SocketServer.make(server)
      return { clients, opening: open(options(url)) as Effect.Effect<Session, SocketError, Scope.Scope> }
    })

  it.scopedLive("closes the socket in order", () =>
    Effect.gen(function* () {
      const { clients, opening } = yield* session({})
      yield* Effect.scoped(opening)
      yield* SocketServer.until("the server knows", () => clients[0]?.closed === 1000)
    })
  )

  it.scopedLive("does not wait for a peer that does not answer the close, and cuts it after a second", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { opening } = yield* session({
        onUpgrade: (stream, { headers }) => {
          const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
          const accept = createHash("sha1").update(key).digest("base64")
          stream.write(
            `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
          )
          stream.on("data", (bytes: Buffer) => heard.push(bytes[0] === 0x88 ? "close" : "something else"))
          stream.on("end", () => heard.push("end"))
          return true
        }
      })
      const exit = yield* Effect.exit(Effect.scoped(opening).pipe(Effect.timeout("500 millis")))
      assert.isTrue(Exit.isSuccess(exit))
      yield* SocketServer.until("it is cut", () => heard.includes("end"), "3 seconds")
      assert.deepStrictEqual(heard, ["close", "end"])
    })
  )

  it.scopedLive("does not leave a reader behind", () =>
    Effect.gen(function* () {
      const { opening } = yield* session({})
      const reading = yield* Effect.fork(
        Effect.scoped(Effect.flatMap(opening, ({ frames }) => Stream.runDrain(frames)))
      )
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(reading)
    })
  )
})

describe.concurrent("a peer that is frozen", () => {
  const heartbeat = {
    ping: "PING",
    isReply: (frame: Buffer) => frame.toString() === "PONG",
    every: "200 millis",
    timeout: "100 millis"
  } as const

  it.scopedLive("does not answer pings any more", () =>
    Effect.gen(function* () {
      const { session } = yield* connect({ onMessage: () => {} }, { heartbeat })
      const { end } = yield* readAll(session)
      const error = yield* end
      assert.strictEqual(error.reason, "frozen")
      assert.match(error.detail, /no reply to a ping within 100ms/)
    })
  )

  it.scopedLive("did answer for a while", () =>
    Effect.gen(function* () {
      let answers = 0
      const onMessage = ({ socket }: SocketServer.Client) => {
        if (++answers <= 3) socket.send("PONG")
      }
      const { session } = yield* connect({ onMessage }, { heartbeat })
      const { end } = yield* readAll(session)
      assert.strictEqual((yield* end).reason, "frozen")
      assert.strictEqual(answers, 4)
    })
  )

  it.scopedLive("is found although the pings cannot leave either", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect({ onMessage: () => {} }, { heartbeat })
      client.stream.pause()
      yield* Effect.forkScoped(Effect.ignore(session.send("x".repeat(20_000_000))))
      const { end } = yield* readAll(session)
      assert.strictEqual((yield* end).reason, "frozen")
    })
  )

  it.scopedLive("is not one that answers, nor one that sends data instead", () =>
    Effect.gen(function* () {
      const answering = yield* connect({}, { heartbeat })
      const busy = yield* connect({ onMessage: () => {} }, { heartbeat })
      const ends = [yield* readAll(answering.session), yield* readAll(busy.session)]
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.delay(
            Effect.sync(() => busy.client.socket.send("x")),
            "20 millis"
          )
        )
      )
      yield* Effect.sleep("1200 millis")
      assert.isAtLeast(answering.client.received.length, 5)
      assert.isAtLeast(ends[1]!.texts.length, 20)
      assert.isFalse(ends[0]!.isOver() || ends[1]!.isOver())
      assert.deepStrictEqual(ends[0]!.texts, [], "replies are no data")
    })
  )

  it.scopedLive("does not answer ping frames, which others do by themselves", () =>
    Effect.gen(function* () {
      const framed = { heartbeat: { every: "200 millis", timeout: "100 millis" } } as const
      const mute = yield* connect({}, framed)
      const alive = yield* connect({}, framed)
      const { end } = yield* readAll(mute.session)
      const { isOver } = yield* readAll(alive.session)
      mute.client.stream.pause()
      assert.match((yield* end).message, /frozen: no reply to a ping within 100ms/)
      yield* Effect.sleep("600 millis")
      assert.isFalse(isOver())
    })
  )

  const silence = (probe: Effect.Effect<Option.Option<string>>) => ({ silence: { after: "1 seconds", probe } }) as const

  it.scopedLive("was busy and is silent, which needs no question", () =>
    Effect.gen(function* () {
      let asked = 0
      const probe = Effect.sync(() => {
        asked++
        return Option.none<string>()
      })
      const { client, session } = yield* connect({}, silence(probe))
      const { end } = yield* readAll(session)
      yield* Effect.forkScoped(
        Effect.repeat(
          Effect.delay(
            Effect.sync(() => client.socket.send("x")),
            "10 millis"
          ),
          { times: 350 }
        )
      )
      const error = yield* end
      assert.match(error.message, /frozen: no data for \d s on a connection that had been busy/)
      assert.strictEqual(asked, 0)
    })
  )

  it.scopedLive("was quiet, so that the venue is asked, and asked again", () =>
    Effect.gen(function* () {
      let asked = 0
      const probe = Effect.sync(() => (++asked < 3 ? Option.none<string>() : Option.some("there is news")))
      const { client, session } = yield* connect({}, silence(probe))
      const { end } = yield* readAll(session)
      client.socket.send("one")
      assert.match((yield* end).message, /frozen: no data for \d s: there is news/)
      assert.strictEqual(asked, 3)
    })
  )

  it.scopedLive("is not one that speaks again while the venue is asked", () =>
    Effect.gen(function* () {
      const clients: Array<SocketServer.Client> = []
      let asked = 0
      const probe = Effect.suspend(() => {
        asked++
        clients[0]!.socket.send("here I am")
        return Effect.delay(Effect.succeedSome("there is news"), "100 millis")
      })
      const { client, session } = yield* connect({}, silence(probe))
      clients.push(client)
      const { isOver, texts } = yield* readAll(session)
      yield* SocketServer.until("two questions", () => asked >= 2, "8 seconds")
      assert.isAtLeast(texts.length, 1)
      assert.isFalse(isOver())
    })
  )

  it.scopedLive("is not one whose frames wait for a slow reader", () =>
    Effect.gen(function* () {
      const { client, session } = yield* connect(
        {},
        { ...silence(Effect.succeedSome("there is news")), highWater: { frames: 10, bytes: 1e6 } }
      )
      for (const n of numbers(100)) client.socket.send(n)
      yield* Effect.sleep("2500 millis")
      const { isOver, texts } = yield* readAll(session)
      yield* SocketServer.until("all of them", () => texts.length === 100)
      assert.isFalse(isOver())
    })
  )
})
