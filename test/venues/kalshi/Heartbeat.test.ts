import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as WebSocketFeed from "../../../src/resilience/WebSocketFeed.ts"
import * as FakeSocket from "./FakeSocket.ts"

const open = (url: string) =>
  WebSocketFeed.open({
    url,
    openTimeout: "5 seconds",
    maxPayload: 1_000_000,
    highWater: { frames: 100, bytes: 1_000_000 },
    heartbeat: { pingWithin: "2 seconds" },
    silence: { after: "1 minutes", probe: Effect.succeed(Option.none()) }
  })

describe("pings of the server", () => {
  it.scopedLive("keep a connection that carries no data, and are answered", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSocket.start
      const session = yield* open(fake.url)
      const ended = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(session.frames)))
      const { socket } = fake.peers[0]!
      let pongs = ""
      socket.on("pong", (data) => (pongs = String(data)))
      for (let i = 0; i < 8; i++) {
        socket.ping("heartbeat")
        yield* Effect.sleep("500 millis")
      }
      assert.strictEqual(pongs, "heartbeat")
      assert.isTrue(Option.isNone(yield* ended.poll))
    })
  )

  it.scopedLive("are missed when they stop coming", () =>
    Effect.gen(function* () {
      const fake = yield* FakeSocket.start
      const session = yield* open(fake.url)
      const error = yield* Effect.flip(Stream.runDrain(session.frames)).pipe(Effect.timeout("6 seconds"))
      assert.deepStrictEqual([error._tag, error.message], ["SocketError", "frozen: no ping and no data for 2s"])
    })
  )
})
