/** Names that objects have by birth are names like any others: of markets, topics, messages, headers and keys. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Logger } from "effect"
import * as Logging from "../../src/cli/Logging.ts"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import { instrumentId, instruments } from "../../src/domain/Market.ts"
import type { FeedEvent } from "../../src/domain/MarketEvent.ts"
import { parse } from "../../src/Settings.ts"
import { count, makeTally } from "../../src/resilience/Slot.ts"
import { makeDecoder } from "../../src/venues/polymarket/Normalize.ts"
import { ask, book, connection, market, sendRaw, served, venue } from "../http/World.ts"
import { connected, snapshot, subscribed } from "../support/Events.ts"
import { inherited, inheritedNow } from "./Hostile.ts"

/** Runs an effect and sees to it that objects inherit what they did before. */
const unpolluted = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const before = inheritedNow()
    const result = yield* effect
    assert.deepStrictEqual(inheritedNow(), before)
    return result
  })

const counts = Object.fromEntries(inherited.map((name, i) => [name, i + 1]))

describe("names that objects inherit", () => {
  it.live("lead to nothing where nothing has them", () =>
    served(
      () => {},
      unpolluted(
        Effect.gen(function* () {
          for (const name of inherited) {
            for (const id of [name, `polymarket:${name}`]) {
              assert.strictEqual((yield* ask(`/api/v1/markets/${id}`)).status, 404, id)
              assert.strictEqual((yield* ask(`/api/v1/books/${id}`)).status, 404, id)
            }
            for (const parameter of ["venue", "category", "q"]) {
              const { json, status } = yield* ask(`/api/v1/markets?${parameter}=${name}`)
              assert.strictEqual(status, 200)
              assert.deepStrictEqual(json.markets, [])
            }
            assert.strictEqual((yield* ask(`/api/v1/markets?status=${name}`)).status, 400)
            assert.strictEqual((yield* ask(`/api/v1/books?status=${name}`)).status, 400)
            assert.deepStrictEqual((yield* ask(`/api/v1/books?market=${name}`)).json.books, [])
            for (const unknown of [`${name}=1`, `${name}=1&${name}=2`, `${name}[${name}]=1`]) {
              assert.strictEqual((yield* ask(`/api/v1/markets?${unknown}`)).status, 400, unknown)
            }
            assert.strictEqual((yield* ask(`/${name}`)).status, 404)
            const raw = `GET /api/v1/feeds HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${name}: x\r\n${name}: y\r\n\r\n`
            assert.match(yield* sendRaw(raw), /^HTTP\/1\.1 200/)
          }
        })
      )
    )
  )

  it.live("lead to whatever has them", () =>
    served(
      (world) => {
        world.markets = inherited.map((name) => market(name, { category: name, tags: [name], slug: name }))
        world.books = inherited.map((name) => book(`${name}-yes`))
        world.connections = [connection({ messages: counts, errors: counts })]
      },
      unpolluted(
        Effect.gen(function* () {
          for (const name of inherited) {
            assert.strictEqual((yield* ask(`/api/v1/markets/polymarket:${name}`)).json.category, name)
            assert.strictEqual((yield* ask(`/api/v1/markets?category=${name}`)).json.markets.length, 1, name)
            const { json } = yield* ask(`/api/v1/books/polymarket:${name}-yes`)
            assert.strictEqual(json.marketId, `polymarket:${name}`)
          }
          assert.lengthOf((yield* ask("/api/v1/books")).json.books, inherited.length)
          const { text } = yield* ask("/metrics")
          for (const [name, value] of Object.entries(counts)) {
            assert.include(text, `parallax_messages_total{venue="polymarket",type="${name}"} ${value}`)
          }
          assert.strictEqual((yield* ask("/api/v1/feeds")).status, 200)
        })
      )
    )
  )

  it.effect("are books of their own", () =>
    unpolluted(
      Effect.sync(() => {
        const keeper = BookKeeper.make({ verifier: () => undefined, onResync: () => {} })
        const ids = inherited.map((name) => instrumentId(venue, name))
        for (const id of ids) assert.isUndefined(keeper.view(id))
        keeper.apply([connected(900), subscribed(900, { instrumentIds: ids })])
        for (const instrumentId of ids) keeper.apply([snapshot(1000, undefined, undefined, { instrumentId })])
        for (const id of ids) assert.strictEqual(keeper.view(id)?.status, "live")
        assert.deepStrictEqual([...keeper.ids()].toSorted(), ids.toSorted())
      })
    )
  )

  it.effect("are tokens, markets and types of messages to a venue's reader", () =>
    unpolluted(
      Effect.sync(() => {
        const listed = inherited.map((name) => market(name))
        const tokens = new Map(listed.flatMap(instruments).map((one) => [one.venueInstrumentId, one]))
        const tally = makeTally()
        const decode = makeDecoder({
          connection: "polymarket-1-a",
          instrument: (token) => tokens.get(token),
          instruments: () => tokens.values(),
          tally,
          onFault: () => {}
        })
        const out: Array<FeedEvent> = []
        for (const name of inherited) {
          const known = { market: name, asset_id: `${name}-yes`, timestamp: "1790766981628", bids: [], asks: [] }
          decode(`{"event_type": "${name}", "${name}": {"${name}": "x"}}`, 1, out)
          decode(JSON.stringify({ ...known, event_type: "book" }).replace("}", `, "${name}": {"x": 1}}`), 1, out)
          decode(JSON.stringify({ ...known, event_type: "book", asset_id: name }), 1, out)
        }
        assert.deepStrictEqual(
          out.flatMap((event) => (event._tag === "BookSnapshot" ? [event.instrumentId] : [])),
          inherited.map((name) => instrumentId(venue, `${name}-yes`))
        )
        assert.strictEqual(tally.errors.get("unknown-type"), inherited.length)
      })
    )
  )

  it.effect("are counted as kinds of messages", () =>
    unpolluted(
      Effect.sync(() => {
        const { messages } = makeTally()
        for (const name of [...inherited, ...inherited]) count(messages, name)
        assert.deepStrictEqual(
          [...messages],
          inherited.map((name) => [name, 2])
        )
      })
    )
  )

  it.effect("are logged like others", () =>
    unpolluted(
      Effect.gen(function* () {
        const lines: Array<string> = []
        const entry = JSON.parse(`{${inherited.map((name) => `"${name}": "it"`).join(",")}}`)
        const log = Object.entries<string>(entry).reduce(
          (logged, [name, value]) => Effect.annotateLogs(logged, name, value),
          Effect.logInfo("x", entry)
        )
        for (const logger of [Logging.jsonLogger, Logging.prettyLogger({ colors: false })]) {
          const keeping = Logger.map(logger, (line) => void lines.push(line))
          yield* Effect.provide(log, Logger.replace(Logger.defaultLogger, keeping))
        }
        for (const name of inherited) for (const line of lines) assert.include(line, name)
        const read = JSON.parse(lines[0]!)
        for (const name of inherited) assert.strictEqual(Object.getOwnPropertyDescriptor(read, name)?.value, "it")
      })
    )
  )

  it.effect("are no keys of the configuration", () =>
    unpolluted(
      Effect.sync(() => {
        for (const name of inherited) {
          for (const text of [`${name}: { x: 1 }`, `http: { ${name}: 1 }`, `"${name}": 1`, `? [${name}]\n: 1`]) {
            assert.isTrue(Either.isLeft(parse({ name: "c.yaml", text }, {})), text)
          }
          const variable = `PARALLAX_${name.toUpperCase()}`
          assert.isTrue(Either.isLeft(parse(undefined, { [variable]: "1" })), variable)
          assert.isTrue(Either.isLeft(parse(undefined, { [`PARALLAX_HTTP_${name}`]: "1" })), variable)
        }
      })
    )
  )
})
