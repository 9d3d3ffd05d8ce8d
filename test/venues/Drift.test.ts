/** Every venue's messages and answers reach the list of drift, and are read as before. */
import { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, type Scope } from "effect"
import type { FeedInput } from "../../src/domain/Input.ts"
import type { Instrument } from "../../src/domain/Market.ts"
import type { FeedEvent } from "../../src/domain/MarketEvent.ts"
import { DriftLog, make as makeRegistry } from "../../src/resilience/DriftLog.ts"
import { RateLimit } from "../../src/resilience/RateLimit.ts"
import { KalshiConfig } from "../../src/venues/kalshi/Config.ts"
import * as Kalshi from "../../src/venues/kalshi/Kalshi.ts"
import { PolymarketConfig } from "../../src/venues/polymarket/Config.ts"
import * as Polymarket from "../../src/venues/polymarket/Polymarket.ts"
import type { MakeProtocol, Venue } from "../../src/venues/Venue.ts"
import { instrument, market } from "../support/Events.ts"
import * as StubHttp from "../support/StubHttp.ts"
import { instrumentOf } from "./kalshi/Fixtures.ts"

const NOW = 1_790_000_000_000

interface Case {
  readonly name: string
  readonly make: Effect.Effect<Venue, never, HttpClient.HttpClient | RateLimit | Scope.Scope>
  readonly unwatched: MakeProtocol
  readonly one: Instrument
  readonly terms: Readonly<Record<string, unknown>>
  /** A change of a level, with more in it. */
  readonly change: (more: object) => object
  readonly type: string
  readonly prefix: string
  /** Answers a book with more in it. */
  readonly book: object
  readonly answered: string
}

const token = "111"
const cases: ReadonlyArray<Case> = [
  {
    name: "polymarket",
    make: Polymarket.make(Schema.decodeUnknownSync(PolymarketConfig)({})),
    unwatched: Polymarket.protocol,
    one: instrument(market("0xa", {}, [token, "222"])),
    terms: {},
    change: (more) => ({
      market: "0xa",
      event_type: "price_change",
      timestamp: String(NOW),
      price_changes: [{ asset_id: token, price: "0.41", size: "5", side: "BUY", ...more }]
    }),
    type: "price_change",
    prefix: "price_changes[].",
    book: { market: "0xa", asset_id: token, timestamp: String(NOW), bids: [], asks: [], novelty: 1 },
    answered: "GET clob /book unknown novelty"
  },
  {
    name: "kalshi",
    make: Kalshi.make(Schema.decodeUnknownSync(KalshiConfig)({})),
    unwatched: Kalshi.protocol,
    one: instrumentOf("A-B"),
    terms: { noPrices: "yes", looksUpListings: false },
    change: (more) => ({
      type: "orderbook_delta",
      sid: 1,
      seq: 1,
      msg: { market_ticker: "A-B", side: "yes", price_dollars: "0.4100", delta_fp: "5.00", ts_ms: NOW, ...more }
    }),
    type: "orderbook_delta",
    prefix: "msg.",
    book: { orderbook_fp: { yes_dollars: [], no_dollars: [], novelty: 1 } },
    answered: "GET /markets/{ticker}/orderbook unknown orderbook_fp.novelty"
  }
]

const read = ({ name, one, terms }: Case, protocol: MakeProtocol, ...messages: ReadonlyArray<object>) => {
  const about = { venue: one.market.venue, connection: `${name}-1-a`, receivedTime: NOW }
  const inputs: ReadonlyArray<FeedInput> = [
    { _tag: "Opened", slot: `${name}-1`, terms, ...about },
    { _tag: "Wanted", instruments: [one], ...about },
    { _tag: "Frames", frames: messages.map((message) => Buffer.from(JSON.stringify(message))), ...about }
  ]
  const out: Array<FeedEvent> = []
  const { read } = protocol()
  for (const input of inputs) read(input, out)
  return out.slice(2)
}

describe.each(cases)("$name", (venue) => {
  const world = Effect.gen(function* () {
    const registry = makeRegistry(() => {})
    const { client } = StubHttp.make(() => ({ body: venue.book }))
    const made = yield* venue.make.pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.provideService(RateLimit, { within: () => (effect) => effect }),
      Effect.provide(Layer.succeed(DriftLog, registry))
    )
    const found = () => registry.list().map(({ channel, kind, path }) => `${channel} ${kind} ${path}`)
    return { made, found, registry }
  })

  it.scoped("a message with something new is used, and told", () =>
    Effect.gen(function* () {
      const { found, made, registry } = yield* world
      const events = read(venue, made.protocol, venue.change({}), { ...venue.change({ novelty: "x" }), seq: 2 })
      assert.strictEqual(events.length, 2)
      assert.isTrue(events.every(({ _tag }) => _tag === "BookChange" || _tag === "BookDelta"))
      const known = venue.name === "polymarket" ? ["price_change unknown seq"] : []
      assert.sameMembers([...found()], [`${venue.type} unknown ${venue.prefix}novelty`, ...known])
      assert.deepInclude(
        registry.list().find(({ path }) => path.endsWith("novelty"))!,
        {
          venue: venue.name,
          count: 1,
          firstSeen: NOW,
          sample: '"x"'
        }
      )
    })
  )

  it.scoped("a message that lacks what is needed is rejected, and told", () =>
    Effect.gen(function* () {
      const { found, made } = yield* world
      const [event, ...more] = read(venue, made.protocol, venue.change({ side: undefined }))
      assert.deepInclude(event, { _tag: "MessageRejected", instrumentIds: [venue.one.id] })
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(found(), [`${venue.type} missing ${venue.prefix}side`])
    })
  )

  it.scoped("a type that nobody knows is told", () =>
    Effect.gen(function* () {
      const { found, made } = yield* world
      read(venue, made.protocol, { type: "novelty", event_type: "novelty", sid: 1 })
      assert.deepStrictEqual(found(), ["novelty unknown "])
    })
  )

  it.scoped("what is read is the same when nobody watches", () =>
    Effect.gen(function* () {
      const { made } = yield* world
      const messages = [{}, { novelty: 1 }, { side: 1 }].map((more, i) => ({ ...venue.change(more), seq: i + 1 }))
      assert.deepStrictEqual(
        read(venue, made.protocol, ...messages),
        read(venue, () => venue.unwatched(), ...messages)
      )
    })
  )

  it.scoped("an answer with something new is used, and told", () =>
    Effect.gen(function* () {
      const { found, made } = yield* world
      const { body } = yield* made.snapshot(venue.one)
      assert.notProperty(body, "novelty")
      assert.deepStrictEqual(found(), [venue.answered])
    })
  )
})
