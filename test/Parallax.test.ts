import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Layer, Option, Stream, SubscriptionRef } from "effect"
import {
  BookKeeper,
  Market,
  Money,
  OrderBook,
  Polymarket,
  RateLimit,
  Reconnect,
  Settings,
  Simulator,
  WebSocketFeed
} from "../src/Parallax.ts"

const platform = Layer.merge(RateLimit.layer, NodeHttpClient.layerUndici)

/** A venue on loopback with the first of its markets. */
const simulated = Effect.gen(function* () {
  const { urls } = yield* Simulator.make({ seed: 3, markets: 4, rate: 200 })
  const venue = yield* Polymarket.make({ ...Settings.defaults.platforms.polymarket, ...urls })
  const page = yield* Stream.runHead(venue.markets({ maxMarkets: 1, categories: [], markets: [] }))
  const [market] = Option.getOrThrow(page).markets
  return { urls, venue, market: market ?? assert.fail("the page is empty") }
})

describe("Parallax", () => {
  it.scopedLive("composes a feed from a venue", () =>
    Effect.gen(function* () {
      const { market, venue } = yield* simulated
      const desired = yield* SubscriptionRef.make(Market.instruments(market))
      const snapshot = yield* venue.feed.events(desired).pipe(
        Stream.filter((event) => event._tag === "BookSnapshot"),
        Stream.runHead,
        Effect.map(Option.getOrThrow)
      )
      assert.include(
        market.outcomes.map(({ instrumentId }) => instrumentId),
        snapshot.instrumentId
      )
      const book = OrderBook.empty()
      OrderBook.applySnapshot(book, snapshot.bids, snapshot.asks)
      assert.isFalse(OrderBook.isCrossed(book))
      const bid = OrderBook.best(book, "bid") ?? assert.fail("no bids")
      assert.match(Money.formatDecimal(bid.price), /^0\.\d+$/)
    }).pipe(Effect.provide(platform))
  )

  it.scopedLive("keeps and verifies books without the rest of the collector", () =>
    Effect.gen(function* () {
      const { market, venue } = yield* simulated
      const desired = yield* SubscriptionRef.make(Market.instruments(market))
      const { verifier } = venue.protocol()
      const keeper = BookKeeper.make({ verifier: () => verifier, onResync: () => {} })
      yield* venue.feed.events(desired).pipe(
        Stream.chunks,
        Stream.map((events) => keeper.apply(Chunk.toReadonlyArray(events))),
        Stream.takeUntil(() => keeper.counters.verified >= 20),
        Stream.runDrain
      )
      assert.strictEqual(keeper.counters.mismatches, 0)
      assert.deepStrictEqual(
        market.outcomes.map(({ instrumentId }) => keeper.view(instrumentId)?.status),
        ["live", "live"]
      )
    }).pipe(Effect.provide(platform))
  )

  it.scopedLive("composes a feed from a bare socket", () =>
    Effect.gen(function* () {
      const { market, urls } = yield* simulated
      const ids = market.outcomes.map(({ venueInstrumentId }) => venueInstrumentId)
      const session = Stream.unwrapScoped(
        Effect.gen(function* () {
          const socket = yield* WebSocketFeed.open({
            url: urls.ws_url,
            openTimeout: "5 seconds",
            maxPayload: 1_000_000,
            highWater: { frames: 100, bytes: 1_000_000 },
            heartbeat: {
              ping: "PING",
              isReply: (frame) => frame.toString() === "PONG",
              every: "10 seconds",
              timeout: "5 seconds"
            },
            silence: { after: "1 minutes", probe: Effect.succeedNone }
          })
          yield* socket.send(JSON.stringify({ assets_ids: ids, type: "market" }))
          return socket.frames
        })
      )
      const lost = () =>
        new WebSocketFeed.SocketError({ reason: "closed", code: 1000, detail: "", retryAfter: Duration.zero })
      const batch = yield* Reconnect.reconnecting(session, lost, {
        schedule: Reconnect.backoff({ base: "100 millis", cap: "1 seconds", healthyAfter: "1 seconds" }),
        ended: ({ retryAfter }) => ({ healthyMillis: 0, atLeast: retryAfter }),
        onEnd: () => Effect.succeed([])
      }).pipe(
        Stream.filter(({ frames }) => frames.length > 0),
        Stream.runHead
      )
      assert.include(Option.getOrThrow(batch).frames[0]?.toString(), ids[0] ?? "")
    }).pipe(Effect.provide(platform))
  )
})
