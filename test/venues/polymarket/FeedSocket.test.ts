/** What the feed says on its sockets, and what it makes of a venue that a simulator would not be. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Logger, Stream, SubscriptionRef } from "effect"
import * as BookKeeper from "../../../src/collector/BookKeeper.ts"
import type { Instrument } from "../../../src/domain/Market.ts"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import type { PolymarketConfig } from "../../../src/venues/polymarket/Config.ts"
import * as Feed from "../../../src/venues/polymarket/Feed.ts"
import type { BookAnswer, Rest } from "../../../src/venues/polymarket/Rest.ts"
import { instrument, market } from "../../support/Events.ts"
import * as SocketServer from "../../support/SocketServer.ts"
import * as StubVenue from "../../support/StubVenue.ts"

const token = (n: number) => String(1_000_000 + n)
const instruments = (from: number, to: number): ReadonlyArray<Instrument> =>
  Array.from({ length: to - from }, (_, i) => instrument(market(`m${from + i}`, {}, [token(from + i)])))

const makeConfig = (ws_url: string, changed: Partial<PolymarketConfig> = {}): PolymarketConfig => ({
  enabled: true,
  clob_url: "http://clob.test",
  gamma_url: "http://gamma.test",
  ws_url,
  max_markets: 500,
  min_liquidity: 0,
  categories: [],
  markets: [],
  max_assets_per_connection: 200,
  refresh_every: Duration.minutes(10),
  stale_after: Duration.seconds(30),
  ...changed
})

/** A feed on a server of the test's own. */
const start = (
  options: SocketServer.SocketServerOptions,
  first: ReadonlyArray<Instrument>,
  changed: Partial<PolymarketConfig> = {},
  snapshot: Rest["snapshot"] = () => StubVenue.failure("not-found")
) =>
  Effect.gen(function* () {
    const server = yield* SocketServer.make(options)
    const feed = yield* Feed.make(makeConfig(server.url, changed), { ...StubVenue.make(), snapshot })
    const desired = yield* SubscriptionRef.make(first)
    const events: Array<FeedEvent> = []
    yield* Effect.forkScoped(Stream.runForEach(feed.events(desired), (event) => Effect.sync(() => events.push(event))))
    const tags = () => events.map((event) => event._tag)
    return { server, feed, desired, events, tags }
  })

const quiet = Logger.remove(Logger.defaultLogger)

const dump = (tokens: ReadonlyArray<string>, at = 1_790_000_000_000) =>
  JSON.stringify(
    tokens.map((asset_id) => ({
      event_type: "book",
      market: "0xm",
      asset_id,
      timestamp: String(at),
      hash: "x",
      bids: [{ price: "0.4", size: "1" }],
      asks: [],
      tick_size: "0.01",
      last_trade_price: ""
    }))
  )

interface Command {
  readonly assets_ids: ReadonlyArray<string>
  readonly type?: string
  readonly operation?: string
  readonly custom_feature_enabled?: boolean
}
const commands = (client: SocketServer.Client) =>
  client.received.filter((text) => text !== "PING").map((text) => JSON.parse(text) as Command)

describe("subscriptions", () => {
  it.scopedLive("are at most 100 ids a frame and 200 a socket, the first frame naming the channel", () =>
    Effect.gen(function* () {
      const { server } = yield* start({}, instruments(0, 450))
      const all = () => server.clients.flatMap(commands)
      yield* SocketServer.until("all is subscribed", () => all().flatMap((one) => one.assets_ids).length === 450)
      assert.deepStrictEqual(
        server.clients.map((client) => commands(client).map((one) => one.assets_ids.length)),
        [[100, 100], [100, 100], [50]]
      )
      for (const client of server.clients) {
        const [first, ...others] = commands(client)
        assert.deepInclude(first, { type: "market", custom_feature_enabled: true })
        assert.isUndefined(first?.operation)
        for (const other of others) assert.deepInclude(other, { operation: "subscribe", custom_feature_enabled: true })
      }
      const ids = all().flatMap((one) => one.assets_ids)
      assert.strictEqual(new Set(ids).size, 450)
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("follow what is wanted, on the sockets that are open", () =>
    Effect.gen(function* () {
      const { desired, events, server, tags } = yield* start({}, instruments(0, 3), { max_assets_per_connection: 3 })
      yield* SocketServer.until("a socket", () => tags().includes("Subscribed"))
      yield* SubscriptionRef.set(desired, [...instruments(1, 3), ...instruments(3, 5)])
      yield* SocketServer.until(
        "another socket",
        () => server.clients.length === 2 && commands(server.clients[1]!).length > 0
      )
      yield* SocketServer.until("a change on the first", () => commands(server.clients[0]!).length === 3)
      assert.deepStrictEqual(
        commands(server.clients[0]!)
          .slice(1)
          .map((one) => [one.operation, one.assets_ids]),
        [
          ["unsubscribe", [token(0)]],
          ["subscribe", [token(3)]]
        ]
      )
      assert.deepStrictEqual(commands(server.clients[1]!)[0]?.assets_ids, [token(4)])
      const told = events.flatMap((event) =>
        event._tag === "Subscribed" || event._tag === "Unsubscribed" ? [[event._tag, event.instrumentIds.length]] : []
      )
      assert.deepInclude(told, ["Unsubscribed", 1])
      assert.strictEqual(told.length, 4)
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("that changed while there was no connection are made once, with the connection", () =>
    Effect.gen(function* () {
      let refused = 0
      const { desired, events, server, tags } = yield* start(
        {
          onUpgrade: (stream) => {
            if (refused > 0) return false
            refused++
            stream.end("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")
            return true
          }
        },
        instruments(0, 2)
      )
      yield* SocketServer.until("a refusal", () => refused === 1)
      yield* SubscriptionRef.set(desired, instruments(1, 4))
      yield* SocketServer.until("a connection", () => tags().includes("Subscribed"))
      yield* SubscriptionRef.set(desired, instruments(1, 5))
      yield* SocketServer.until(
        "one more",
        () => server.clients[0] !== undefined && commands(server.clients[0]).length >= 2
      )
      assert.deepStrictEqual(
        commands(server.clients[0]!).map((one) => one.assets_ids),
        [[token(1), token(2), token(3)], [token(4)]]
      )
      const told = events.flatMap((event) => (event._tag === "Subscribed" ? [event.instrumentIds.length] : []))
      assert.deepStrictEqual(told, [3, 1])
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("that end while there is no connection are given up at once", () =>
    Effect.gen(function* () {
      let isDown = false
      const { desired, events, server, tags } = yield* start(
        {
          onMessage: ({ socket }, text) => {
            if (text !== "PING") socket.send(dump((JSON.parse(text) as Command).assets_ids))
          },
          onUpgrade: (stream) => {
            if (isDown) stream.end("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")
            return isDown
          }
        },
        instruments(0, 3)
      )
      const keeper = BookKeeper.make({ verifier: () => undefined, onResync: () => {} })
      let applied = 0
      const books = () => {
        keeper.apply(events.slice(applied))
        applied = events.length
        return [...keeper.ids()]
      }
      const idOf = (from: number, to: number) => instruments(from, to).map(({ id }) => id)
      yield* SocketServer.until("the books", () => tags().filter((tag) => tag === "BookSnapshot").length === 3)
      assert.deepStrictEqual(books(), idOf(0, 3))
      isDown = true
      server.clients[0]!.socket.terminate()
      yield* SocketServer.until("the cut", () => tags().includes("Disconnected"))
      yield* SubscriptionRef.set(desired, instruments(1, 3))
      yield* SocketServer.until("the first is told", () => tags().filter((tag) => tag === "Unsubscribed").length === 1)
      assert.deepStrictEqual(books(), idOf(1, 3))
      yield* SubscriptionRef.set(desired, instruments(2, 3))
      yield* SocketServer.until("the second is told", () => tags().filter((tag) => tag === "Unsubscribed").length === 2)
      assert.deepStrictEqual(books(), idOf(2, 3))
      isDown = false
      yield* SocketServer.until("a connection", () => tags().filter((tag) => tag === "Subscribed").length === 2)
      assert.deepStrictEqual(books(), idOf(2, 3))
      assert.strictEqual(tags().filter((tag) => tag === "Unsubscribed").length, 2, "each is told once")
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("that are all gone close the socket, and say on which connection they ended", () =>
    Effect.gen(function* () {
      const { desired, events, feed, server, tags } = yield* start({}, instruments(0, 2))
      yield* SocketServer.until(
        "a socket",
        () => server.clients[0]?.received.length === 1 && tags().includes("Subscribed")
      )
      yield* SubscriptionRef.set(desired, [])
      yield* SocketServer.until("it is closed", () => server.clients[0]?.closed !== undefined)
      assert.strictEqual(server.clients[0]?.closed, 1000)
      yield* SocketServer.until("it is told", () => tags().includes("Unsubscribed"))
      const of = (tag: "Subscribed" | "Unsubscribed") => {
        const found = events.find((event) => event._tag === tag)
        assert(found?._tag === tag)
        return [found.connection, found.instrumentIds]
      }
      assert.deepStrictEqual(of("Unsubscribed"), of("Subscribed"))
      assert.deepStrictEqual(yield* feed.connections, [])
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("are made again on a new connection, before its first frame is read", () =>
    Effect.gen(function* () {
      const { server, tags } = yield* start(
        {
          onMessage: ({ socket }, text) => {
            if (text === "PING") return
            const { assets_ids } = JSON.parse(text) as Command
            socket.send(dump(assets_ids))
            setTimeout(() => socket.terminate(), 30)
          }
        },
        instruments(0, 1)
      )
      yield* SocketServer.until("three connections", () => server.clients.length >= 3)
      assert.deepStrictEqual(tags().slice(0, 8), [
        "Connected",
        "Subscribed",
        "BookSnapshot",
        "Disconnected",
        "Connected",
        "Subscribed",
        "BookSnapshot",
        "Disconnected"
      ])
    }).pipe(Effect.provide(quiet))
  )
})

describe("frames", () => {
  it.scopedLive("come out in the order in which they were sent, whatever their number", () =>
    Effect.gen(function* () {
      const count = 20_000
      const { events } = yield* start(
        {
          onMessage: ({ socket }, text) => {
            if (text === "PING") return
            for (let i = 1; i <= count; i++) {
              const change = { asset_id: token(0), price: "0.4", size: String(i), side: "BUY" }
              const timestamp = String(1_790_000_000_000 + i)
              socket.send(
                JSON.stringify({ event_type: "price_change", market: "0xm", timestamp, price_changes: [change] })
              )
            }
          }
        },
        instruments(0, 1)
      )
      const sizes = () => events.flatMap((event) => (event._tag === "BookChange" ? [event.size / 1_000_000] : []))
      yield* SocketServer.until("all of them", () => events.length >= count)
      yield* SocketServer.until("all of them", () => sizes().length === count)
      assert.deepStrictEqual(
        sizes(),
        Array.from({ length: count }, (_, i) => i + 1)
      )
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("of any kind end no more than their connection, and no process", () =>
    Effect.gen(function* () {
      const bad: ReadonlyArray<(client: SocketServer.Client) => void> = [
        // A text that is not UTF-8.
        ({ stream }) => stream.write(Buffer.from([0x81, 2, 0xff, 0xfe])),
        // A frame that announces 200 MiB.
        ({ stream }) => stream.write(Buffer.from([0x81, 127, 0, 0, 0, 0, 0x0c, 0x80, 0, 0])),
        ({ socket }) => socket.close(1011, "internal")
      ]
      const { events, server } = yield* start({ onClient: (client, index) => bad[index]?.(client) }, instruments(0, 1))
      yield* SocketServer.until("a connection that stays", () => server.clients.length === bad.length + 1, "20 seconds")
      const reasons = events.flatMap((event) => (event._tag === "Disconnected" ? [event.reason] : []))
      assert.strictEqual(reasons.length, bad.length)
      assert.match(reasons[0]!, /closed: .*UTF-8/i)
      assert.match(reasons[1]!, /closed: .*payload/i)
      assert.match(reasons[2]!, /closed \(1011\): internal/)
    }).pipe(Effect.provide(quiet))
  )
})

describe.concurrent("silence", () => {
  const soon = { stale_after: Duration.seconds(1) }
  const sends = (frame: (tokens: ReadonlyArray<string>) => string) => ({
    onMessage: ({ socket }: SocketServer.Client, text: string) => {
      if (text === "PING") socket.send("PONG")
      else socket.send(frame((JSON.parse(text) as Command).assets_ids))
    }
  })
  const book =
    (at: number) =>
    (one: Instrument): Effect.Effect<BookAnswer> =>
      Effect.succeed({
        _tag: "Answer",
        venue: one.market.venue,
        instrumentId: one.id,
        of: "book",
        source: "rest",
        body: { market: "0xm", asset_id: one.venueInstrumentId, timestamp: String(at), bids: [], asks: [] },
        receivedTime: at
      })

  it.scopedLive("from the start is proof when REST has the books that never came", () =>
    Effect.gen(function* () {
      const { events, server } = yield* start({}, instruments(0, 2), soon, book(5))
      yield* SocketServer.until("another connection", () => server.clients.length >= 2, "8 seconds")
      const ended = events.find((event) => event._tag === "Disconnected")
      assert.match(ended?._tag === "Disconnected" ? ended.reason : "", /frozen: no data .* newer book over REST/)
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("is proof when REST has a newer book, or does not answer", () =>
    Effect.gen(function* () {
      const at = 1_790_000_000_000
      const newer = yield* start(
        sends((all) => dump(all, at)),
        instruments(0, 1),
        soon,
        book(at + 1)
      )
      const mute = yield* start(
        sends((all) => dump(all, at)),
        instruments(0, 1),
        soon,
        () => StubVenue.failure("unavailable")
      )
      for (const { server } of [newer, mute]) {
        yield* SocketServer.until("another connection", () => server.clients.length >= 2, "8 seconds")
      }
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("is no proof when REST knows no more, or no longer keeps the book", () =>
    Effect.gen(function* () {
      const at = 1_790_000_000_000
      let asked = 0
      const counted =
        (answer: Rest["snapshot"]): Rest["snapshot"] =>
        (one) => {
          asked++
          return answer(one)
        }
      const same = yield* start(
        sends((all) => dump(all, at)),
        instruments(0, 1),
        soon,
        counted(book(at))
      )
      const gone = yield* start(
        sends((all) => dump(all, at)),
        instruments(0, 1),
        soon,
        counted(() => StubVenue.failure("not-found"))
      )
      yield* SocketServer.until("REST is asked twice by both", () => asked >= 4, "8 seconds")
      assert.deepStrictEqual([same.server.clients.length, gone.server.clients.length], [1, 1])
    }).pipe(Effect.provide(quiet))
  )

  it.scopedLive("after a burst is no proof either", () =>
    Effect.gen(function* () {
      const at = 1_790_000_000_000
      let asked = 0
      const { server } = yield* start(
        {
          onMessage: ({ socket }, text) => {
            if (text === "PING") return
            for (let i = 0; i < 500; i++) socket.send(dump((JSON.parse(text) as Command).assets_ids, at))
          }
        },
        instruments(0, 1),
        soon,
        (one) => {
          asked++
          return book(at)(one)
        }
      )
      yield* SocketServer.until("REST is asked twice", () => asked >= 2, "8 seconds")
      assert.strictEqual(server.clients.length, 1)
    }).pipe(Effect.provide(quiet))
  )
})

describe("a halt", () => {
  it.scopedLive("after an ordinary cut is put into the log, once", () => {
    const lines: Array<unknown> = []
    const log = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => lines.push(...(message as ReadonlyArray<unknown>)))
    )
    return Effect.gen(function* () {
      let status = 0
      const { feed, server } = yield* start(
        {
          onUpgrade: (stream) => {
            if (status > 0) stream.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\n\r\n`)
            // What comes after the first refusal is for good.
            if (status > 0) status = 401
            return status > 0
          }
        },
        instruments(0, 1)
      )
      yield* SocketServer.until("a socket", () => lines.includes("feed connected"))
      status = 503
      server.clients[0]!.socket.terminate()
      yield* SocketServer.until("the halt is logged", () =>
        lines.includes("the venue refuses the feed; next attempt in 15 minutes")
      )
      assert.deepStrictEqual(
        lines.filter((line) => String(line).includes("feed")),
        ["feed connected", "feed is down; reconnecting", "the venue refuses the feed; next attempt in 15 minutes"]
      )
      assert.strictEqual((yield* feed.connections)[0]?.state, "halted")
    }).pipe(Effect.provide(log))
  })
})
