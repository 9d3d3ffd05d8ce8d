import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schedule, Stream } from "effect"
import * as WebSocketFeed from "../../../src/resilience/WebSocketFeed.ts"
import * as FakeSocket from "./FakeSocket.ts"

const open = (url: string) =>
  WebSocketFeed.open({
    url,
    openTimeout: "5 seconds",
    maxPayload: 1_000_000,
    highWater: { frames: 100, bytes: 1_000_000 },
    heartbeat: { every: "1 seconds", timeout: "500 millis" },
    silence: { after: "1 minutes", probe: Effect.succeed(Option.none()) }
  })

describe("pings", () => {
  it.scopedLive("of the server are answered, and the server's answers to ours keep a connection without data", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSocket.start
      const session = yield* open(fake.url)
      const ended = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(session.frames)))
      const { socket } = fake.peers[0]!
      let pongs = ""
      socket.on("pong", (data) => (pongs = String(data)))
      let pings = 0
      socket.on("ping", () => pings++)
      socket.ping("heartbeat")
      yield* Effect.sleep("3500 millis")
      assert.strictEqual(pongs, "heartbeat")
      assert.isAtLeast(pings, 3)
      assert.isTrue(Option.isNone(yield* ended.poll))
    })
  )

  it.scopedLive("of ours that are not answered end the connection, whatever the server pings", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSocket.start
      const session = yield* open(fake.url)
      const { socket } = fake.peers[0]!
      socket.pong = () => {}
      const ping = Effect.sync(() => socket.ping("heartbeat"))
      yield* Effect.forkScoped(Effect.repeat(ping, Schedule.spaced("100 millis")))
      const error = yield* Effect.flip(Stream.runDrain(session.frames)).pipe(Effect.timeout("6 seconds"))
      assert.deepStrictEqual([error._tag, error.message], ["SocketError", "frozen: no reply to a ping within 500ms"])
    })
  )
})
