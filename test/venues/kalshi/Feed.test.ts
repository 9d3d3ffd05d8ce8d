import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Either, Redacted, Stream, SubscriptionRef } from "effect"
import { generateKeyPairSync, verify } from "node:crypto"
import type { Instrument, InstrumentId } from "../../../src/domain/Market.ts"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import * as BookKeeper from "../../../src/collector/BookKeeper.ts"
import * as Feed from "../../../src/venues/kalshi/Feed.ts"
import * as Signing from "../../../src/venues/kalshi/Signing.ts"
import { delta, instrumentOf, snapshot } from "./Fixtures.ts"
import * as FakeSocket from "./FakeSocket.ts"
import { make as makeRest, type Request } from "./Http.ts"

const { privateKey, publicKey } = generateKeyPairSync("ed25519")
const signer = Either.getOrThrow(
  Signing.make("key-id", Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString()))
)

const idOf = (ticker: string) => instrumentOf(ticker).id

/** The feed against a scripted server, its events applied to books; what Resync does is done at once. */
const makeWorld = (
  tickers: ReadonlyArray<string>,
  fields: object = {},
  answer: (request: Request) => { readonly body: unknown } = () => ({ body: { trades: [] } })
) =>
  Effect.gen(function* () {
    const fake = yield* FakeSocket.start
    const { clockSkew, config, markets, rest } = yield* makeRest({ ws_url: fake.url, ...fields }, answer)
    const feed = yield* Feed.make({ config, signer, clockSkew, rest, markets, observers: new Map() })
    const desired = yield* SubscriptionRef.make<ReadonlyArray<Instrument>>(tickers.map(instrumentOf))
    const events: Array<FeedEvent> = []
    const suspects: Array<InstrumentId> = []
    const keeper = BookKeeper.make({ verifier: () => undefined, onResync: (id) => suspects.push(id) })
    const gaps: Array<unknown> = []
    yield* feed.events(desired).pipe(
      Stream.runForEach((event) =>
        Effect.sync(() => {
          events.push(event)
          for (const derived of keeper.apply([event])) if (derived._tag === "Gap") gaps.push(derived)
        })
      ),
      Effect.forkScoped
    )
    const until = (what: string, ready: () => boolean) =>
      Effect.sleep("5 millis").pipe(
        Effect.repeat({ until: ready }),
        Effect.timeoutFailCause({ duration: "8 seconds", onTimeout: () => Cause.die(`never: ${what}`) })
      )
    const status = (ticker: string) => keeper.view(idOf(ticker))?.status
    const live = (...wanted: ReadonlyArray<string>) =>
      until(`${wanted.join()} live`, () => wanted.every((ticker) => status(ticker) === "live"))
    return { fake, feed, desired, events, suspects, keeper, gaps, until, status, live }
  })

const commandsOf = (peer: FakeSocket.Peer, cmd: string, channel?: string) =>
  peer.commands.filter(
    ({ cmd: name, params }) =>
      name === cmd &&
      (channel === undefined || params["channels"]?.[0] === channel || params["sids"]?.[0] === peer.sid(channel))
  )

/** Sends a first snapshot for each market that is subscribed to or added, in the running sequence. */
const makeBooks = () => {
  const seqs = new Map<FakeSocket.Peer, number>()
  const next = (peer: FakeSocket.Peer) => {
    const seq = (seqs.get(peer) ?? 0) + 1
    seqs.set(peer, seq)
    return seq
  }
  const book = (peer: FakeSocket.Peer, ticker: string) =>
    peer.say(snapshot(peer.sid("orderbook_delta"), next(peer), ticker, [["0.4700", "3.00"]], [["0.5200", "1.00"]]))
  return { next, book, reset: (peer: FakeSocket.Peer) => void seqs.delete(peer) }
}

describe("feed", () => {
  it.scopedLive("signs the handshake, asks for YES prices, and brings books to life", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B"])
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      const [peer] = world.fake.peers
      const [request] = world.fake.handshakes
      const text = `${request!.headers["kalshi-access-timestamp"]}GET/trade-api/ws/v2`
      const signature = Buffer.from(String(request!.headers["kalshi-access-signature"]), "base64")
      assert.isTrue(verify(null, Buffer.from(text), publicKey, signature))
      const [book] = commandsOf(peer!, "subscribe", "orderbook_delta")
      assert.deepInclude(book!.params, { use_yes_price: true, market_tickers: ["A", "B"] })
      books.book(peer!, "A")
      books.book(peer!, "B")
      peer!.say(delta(1, books.next(peer!), "A", "no", "0.5200", "-0.50"))
      yield* world.live("A", "B")
      yield* world.until("the change", () => world.keeper.view(idOf("A"))!.asks[0]?.size === 500_000)
      const [info] = yield* world.feed.connections
      assert.deepInclude(info, { slot: "kalshi-1", state: "connected", subscribed: 2 })
      assert.strictEqual(info!.messages["orderbook_snapshot"], 2)
    })
  )

  it.scopedLive("heals all markets of a broken sequence with one command and one gap", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B", "C"])
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      const peer = world.fake.peers[0]!
      for (const ticker of ["A", "B", "C"]) books.book(peer, ticker)
      yield* world.live("A", "B", "C")
      books.next(peer)
      peer.say(delta(1, books.next(peer), "A", "yes", "0.4700", "1.00"))
      yield* world.until("suspect", () => ["A", "B", "C"].every((ticker) => world.status(ticker) === "suspect"))
      yield* world.feed.requestSnapshots!(world.suspects)
      yield* world.until("the request", () => commandsOf(peer, "update_subscription").length === 1)
      const [request] = commandsOf(peer, "update_subscription", "orderbook_delta")
      assert.deepInclude(request!.params, { action: "get_snapshot", market_tickers: ["A", "B", "C"] })
      for (const ticker of ["A", "B", "C"]) books.book(peer, ticker)
      yield* world.live("A", "B", "C")
      assert.lengthOf(world.gaps, 1)
    })
  )

  it.scopedLive("tells of trades that happened while it was away, but not twice", () =>
    Effect.gen(function* () {
      const trade = (id: string) => ({
        trade_id: id,
        ticker: "A",
        count_fp: "1.00",
        yes_price_dollars: "0.4700",
        taker_outcome_side: "no",
        created_time: new Date(Date.now() + 60_000).toISOString()
      })
      const world = yield* makeWorld(["A"], {}, ({ path }) => ({
        body: path === "/markets/trades" ? { trades: [trade("missed"), trade("known")], cursor: "" } : {}
      }))
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      const first = world.fake.peers[0]!
      books.book(first, "A")
      const { created_time, ticker, ...msg } = trade("known")
      const ts_ms = Date.parse(created_time)
      first.say(
        JSON.stringify({ type: "trade", sid: first.sid("trade"), msg: { market_ticker: ticker, ts_ms, ...msg } })
      )
      yield* world.live("A")
      first.socket.terminate()
      const told = () => world.events.flatMap((event) => (event._tag === "Trade" ? [event.tradeId] : []))
      yield* world.until("the missed trade", () => told().length === 2)
      assert.deepStrictEqual(told(), ["known", "missed"])
    })
  )

  it.scopedLive("subscribes a refused market again instead of asking for a snapshot that nothing would follow", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      const peer = world.fake.peers[0]!
      books.book(peer, "A")
      yield* world.live("A")
      world.fake.onCommand = ({ id, params }) => {
        if (params["action"] !== "add_markets") return false
        peer.say({ type: "error", id, msg: { code: 26, msg: "Subscription market limit exceeded" } })
        return true
      }
      yield* SubscriptionRef.set(world.desired, ["A", "B"].map(instrumentOf))
      const missing = () => world.events.filter((event) => event._tag === "MessageRejected")
      yield* world.until("word of the trades", () => missing().length === 1)
      assert.deepInclude(missing()[0], {
        instrumentIds: [],
        reason: "trades of 1 markets are missing: 26 Subscription market limit exceeded"
      })
      const before = peer.commands.length
      yield* world.feed.requestSnapshots!([idOf("A"), idOf("B")])
      yield* world.until("both requests", () => peer.commands.length === before + 2)
      assert.deepStrictEqual(
        peer.commands.slice(before).map(({ params }) => [params["action"], params["market_tickers"]]),
        [
          ["get_snapshot", ["A"]],
          ["add_markets", ["B"]]
        ]
      )
    })
  )

  it.scopedLive("follows what is wanted, on every channel, in lots", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 1_201 }, (_, i) => `M${i}`)
      const world = yield* makeWorld(many, { max_markets_per_connection: 5_000 })
      yield* world.until(
        "subscribed",
        () => commandsOf(world.fake.peers[0] ?? never, "update_subscription").length === 6
      )
      const peer = world.fake.peers[0]!
      for (const channel of ["orderbook_delta", "trade", "ticker"]) {
        const [first] = commandsOf(peer, "subscribe", channel)
        const added = commandsOf(peer, "update_subscription", channel)
        assert.deepStrictEqual(
          [first, ...added].map((command) => command!.params["market_tickers"].length),
          [500, 500, 201]
        )
      }
      yield* SubscriptionRef.set(world.desired, [...many.slice(1), "NEW"].map(instrumentOf))
      yield* world.until("the change", () => commandsOf(peer, "update_subscription").length === 12)
      const changes = commandsOf(peer, "update_subscription", "orderbook_delta").slice(2)
      assert.deepStrictEqual(
        changes.map(({ params }) => [params["action"], params["market_tickers"]]),
        [
          ["delete_markets", ["M0"]],
          ["add_markets", ["NEW"]]
        ]
      )
      assert.isUndefined(world.keeper.view(idOf("M0")))
      assert.strictEqual(world.status("NEW"), "stale")
    })
  )

  it.scopedLive("spreads over several sockets, of which one follows the lifecycle", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B", "C"], { max_markets_per_connection: 2 })
      yield* world.until("both", () => world.fake.peers.reduce((sum, peer) => sum + peer.commands.length, 0) === 7)
      assert.deepStrictEqual(
        world.fake.peers.map((peer) => commandsOf(peer, "subscribe", "market_lifecycle_v2").length),
        [1, 0]
      )
      assert.lengthOf(yield* world.feed.connections, 2)
    })
  )

  it.scopedLive("subscribes again when the venue ends a subscription, and trusts only the new one", () =>
    Effect.gen(function* () {
      for (const code of [10, 25]) {
        const world = yield* makeWorld(["A", "B"])
        const books = makeBooks()
        yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
        const peer = world.fake.peers[0]!
        for (const ticker of ["A", "B"]) books.book(peer, ticker)
        yield* world.live("A", "B")
        const old = peer.sid("orderbook_delta")
        peer.say({ type: "error", sid: old, msg: { code, msg: "ended" } })
        yield* world.until("again", () => commandsOf(peer, "subscribe", "orderbook_delta").length === 2)
        assert.strictEqual(world.status("A"), "suspect")
        yield* world.until("a new id", () => peer.sid("orderbook_delta") !== old)
        peer.say(snapshot(old, books.next(peer), "A", [["0.1000", "9.00"]], []))
        books.reset(peer)
        for (const ticker of ["A", "B"]) books.book(peer, ticker)
        yield* world.live("A", "B")
        assert.strictEqual(world.keeper.view(idOf("A"))!.bids[0]!.price, 470_000)
        assert.lengthOf(world.gaps, 1)
        assert.lengthOf(world.fake.handshakes, 1, "on the same connection")
      }
    })
  )

  it.scopedLive("replaces a connection whose books end again and again", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      world.fake.onCommand = (command, peer) => {
        if (command.params["channels"]?.[0] !== "orderbook_delta") return false
        peer.say({ id: command.id, type: "subscribed", msg: { channel: "orderbook_delta", sid: 50 + command.id } })
        peer.say({ type: "error", sid: 50 + command.id, msg: { code: 25, msg: "Subscription buffer overflow" } })
        return true
      }
      yield* world.until("another connection", () => world.fake.peers.length >= 2)
      const ended = world.events.find(({ _tag }) => _tag === "Disconnected")
      assert.match(ended?._tag === "Disconnected" ? ended.reason : "", /orderbook_delta twice: 25 Subscription buffer/)
    })
  )

  it.scopedLive("sends a command again that the venue was too busy for, and leaves out markets that it refuses", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B"])
      let refusals = 0
      world.fake.onCommand = (command, peer) => {
        if (command.params["channels"]?.[0] !== "orderbook_delta" || refusals === 2) return false
        const msg =
          refusals++ === 0
            ? { code: 27, msg: "Too many requests" }
            : { code: 11, msg: "Invalid parameter", market_ticker: "B" }
        peer.say({ id: command.id, type: "error", msg })
        return true
      }
      yield* world.until("the third", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 6)
      const lists = world.fake.peers[0]!.commands.filter(
        ({ params }) => params["channels"]?.[0] === "orderbook_delta"
      ).map(({ params }) => params["market_tickers"])
      assert.deepStrictEqual(lists, [["A", "B"], ["A", "B"], ["A"]])
    })
  )

  it.scopedLive("reconnects after a cut, with a fresh signature and the books anew", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      books.book(world.fake.peers[0]!, "A")
      yield* world.live("A")
      world.fake.peers[0]!.socket.terminate()
      yield* world.until("stale", () => world.status("A") === "stale")
      yield* world.until("again", () => commandsOf(world.fake.peers[1] ?? never, "subscribe").length === 4)
      books.book(world.fake.peers[1]!, "A")
      yield* world.live("A")
      const [first, second] = world.fake.handshakes.map(({ headers }) => headers["kalshi-access-timestamp"])
      assert.notStrictEqual(first, second)
      assert.lengthOf(world.gaps, 1)
    })
  )

  it.scopedLive("gives up the books that are no longer wanted while it is cut off", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B"])
      const books = makeBooks()
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      for (const ticker of ["A", "B"]) books.book(world.fake.peers[0]!, ticker)
      yield* world.live("A", "B")
      world.fake.refusal = { status: 503, body: "{}" }
      world.fake.peers[0]!.socket.terminate()
      yield* world.until("stale", () => world.status("A") === "stale")
      yield* SubscriptionRef.set(world.desired, [instrumentOf("B")])
      yield* world.until("the book is gone", () => world.keeper.view(idOf("A")) === undefined)
      assert.strictEqual(world.status("B"), "stale")
    })
  )

  it.scopedLive("stops with the reason when the key is refused, and does not storm", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A", "B", "C"], { max_markets_per_connection: 1 })
      world.fake.refusal = {
        status: 401,
        body: `{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}`
      }
      yield* Effect.sleep("1500 millis")
      assert.isAtMost(world.fake.handshakes.length, 1)
      const halted = (yield* world.feed.connections).filter(({ state }) => state === "halted")
      assert.deepStrictEqual(
        halted.map(({ reason }) => reason),
        ["refused (401): authentication_error: NOT_FOUND"]
      )
      assert.deepStrictEqual(world.events, [])
    })
  )

  it.scopedLive("stops when it is closed for what it did (1008)", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      yield* world.until("connected", () => world.fake.peers.length === 1)
      world.fake.peers[0]!.socket.close(1008, "policy")
      yield* Effect.sleep("1500 millis")
      assert.lengthOf(world.fake.handshakes, 1)
      const [one] = yield* world.feed.connections
      assert.deepInclude(one, { state: "halted", reason: "closed (1008): policy" })
    })
  )

  it.scopedLive("signs a refused handshake once more, for the time that the refusal tells", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      const venueTime = (yield* Clock.currentTimeMillis) - 300_000
      world.fake.refusal = {
        status: 401,
        body: `{"error":{"code":"header_timestamp_expired"}}`,
        behind: 300_000
      }
      yield* world.until("the second", () => world.fake.handshakes.length === 2)
      const signed = Number(world.fake.handshakes[1]!.headers["kalshi-access-timestamp"])
      assert.isBelow(Math.abs(signed - venueTime), 3_000)
      yield* Effect.sleep("1 seconds")
      assert.lengthOf(world.fake.handshakes, 2)
      const [one] = yield* world.feed.connections
      assert.strictEqual(one?.state, "halted")
      assert.match(
        one?.reason ?? "",
        // A date has whole seconds, so that it tells the time to within one.
        /^refused \(401\): header_timestamp_expired; our clock is (299|300|301) s ahead of the venue's$/
      )
    })
  )

  it.scopedLive("waits as long as a 429 at the handshake asks", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"])
      world.fake.refusal = { status: 429, body: `{"error":"too many requests"}`, retryAfter: "2" }
      yield* world.until("refused", () => world.fake.handshakes.length === 1)
      world.fake.refusal = undefined
      yield* Effect.sleep("1500 millis")
      assert.lengthOf(world.fake.handshakes, 1)
      yield* world.until("connected", () => world.fake.peers.length === 1)
    })
  )

  it.scopedLive("finds out the category of what is created before it announces it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(["A"], { categories: ["politics"], min_volume_24h: 0 }, ({ path }) => ({
        body: path.startsWith("/events/")
          ? {
              event: {
                event_ticker: "E",
                series_ticker: "S",
                title: "An event",
                mutually_exclusive: false,
                category: "Politics"
              }
            }
          : path.startsWith("/series/")
            ? {
                series: {
                  ticker: "S",
                  title: "",
                  category: "Politics",
                  tags: null,
                  fee_type: "quadratic",
                  fee_multiplier: 1
                }
              }
            : { market: { ticker: "NEW", event_ticker: "E", status: "active", title: "New?", volume_24h_fp: "0.00" } }
      }))
      yield* world.until("subscribed", () => commandsOf(world.fake.peers[0] ?? never, "subscribe").length === 4)
      const peer = world.fake.peers[0]!
      peer.say({
        type: "market_lifecycle_v2",
        sid: peer.sid("market_lifecycle_v2"),
        seq: 1,
        msg: { market_ticker: "NEW", event_type: "created", open_ts: 1 }
      })
      yield* Effect.sleep("1 seconds")
      assert.isFalse(world.events.some(({ _tag }) => _tag === "MarketListed"))
      yield* world.until("announced", () => world.events.some(({ _tag }) => _tag === "MarketListed"))
      const listed = world.events.find((event) => event._tag === "MarketListed")!
      assert.deepInclude(listed._tag === "MarketListed" ? listed.market : {}, { slug: "NEW", category: "Politics" })
    })
  )

  it.scopedLive("ends with its scope", () =>
    Effect.gen(function* () {
      const closed = yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* makeWorld(["A"])
          yield* world.until("connected", () => world.fake.peers.length === 1)
          const { socket } = world.fake.peers[0]!
          return new Promise<number>((resolve) => socket.on("close", resolve))
        })
      )
      const code = yield* Effect.promise(() => closed).pipe(Effect.timeout(Duration.seconds(3)))
      assert.isNumber(code)
    })
  )
})

/** Stands for a peer that has not connected yet. */
const never: FakeSocket.Peer = { socket: undefined as never, commands: [], say: () => {}, sid: () => -1 }
