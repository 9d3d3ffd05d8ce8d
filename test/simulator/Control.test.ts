import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { start as startKalshi } from "./KalshiHarness.ts"
import { start } from "./Harness.ts"

const changesIn = (texts: ReadonlyArray<string>) => texts.filter((text) => text.includes(`"price_changes"`))

describe("The control endpoint", () => {
  it.scoped("keeps each message once, from the first question on, as it was before faults touched it", () =>
    Effect.gen(function* () {
      const { get, pass, post, subscribe } = yield* start({ seed: 3 })
      const [one, other] = [yield* subscribe(), yield* subscribe()]
      yield* pass(500)
      const before = changesIn(yield* one.waiting)
      assert.isNotEmpty(before)
      assert.deepStrictEqual((yield* get("/_control/said?from=0")).json, { next: 0, sayings: [] })
      yield* other.waiting
      yield* post("/_control/faults", { fault: "lost", count: 2 })
      yield* pass(500)
      const heard = changesIn(yield* one.waiting)
      const { next, sayings } = (yield* get("/_control/said?from=0")).json
      const said = changesIn(sayings.map(([, , text]: [number, number, string]) => text))
      assert.strictEqual(next, sayings.length)
      assert.strictEqual(said.length, heard.length + 2)
      assert.deepStrictEqual(said.slice(2), heard)
      assert.deepStrictEqual((yield* get(`/_control/said?from=${next}`)).json.sayings, [])
    })
  )

  it.scoped("tells all true books at one instant, and holds trading", () =>
    Effect.gen(function* () {
      const { get, pass, post, subscribe, tokens } = yield* start()
      yield* get("/_control/said?from=0")
      const client = yield* subscribe()
      yield* pass(500)
      yield* client.waiting
      assert.deepStrictEqual((yield* post("/_control/trading", false)).json, { trading: false })
      // A print follows its trade by a moment.
      yield* pass(100)
      yield* client.waiting
      yield* pass(1000)
      assert.deepStrictEqual(yield* client.waiting, [])
      const { books, position } = (yield* get("/_control/books")).json
      assert.sameMembers(Object.keys(books), [...tokens])
      assert.strictEqual(position, (yield* get("/_control/said?from=0")).json.next)
      for (const token of tokens) assert.deepStrictEqual(books[token], (yield* get(`/_control/books/${token}`)).json)
      yield* post("/_control/trading", true)
      yield* pass(1000)
      assert.isNotEmpty(yield* client.waiting)
      assert.strictEqual((yield* post("/_control/trading", "off")).status, 400)
    })
  )

  it.scoped("says of a Kalshi change what rests at its level after it", () =>
    Effect.gen(function* () {
      const { pass, simulator, subscribe } = yield* startKalshi({ seed: 3 })
      const get = (path: string) =>
        Effect.promise(async () => (await fetch(`http://127.0.0.1:${simulator.port}/_control/${path}`)).json() as any)
      yield* get("said?from=0")
      yield* subscribe(["orderbook_delta"])
      yield* pass(500)
      const { sayings } = yield* get("said?from=0")
      const { books } = yield* get("books")
      const last = new Map<string, any>()
      for (const [, , text] of sayings) {
        const { msg, rests, type } = JSON.parse(text)
        if (type === "orderbook_delta")
          last.set(`${msg.market_ticker} ${msg.side} ${msg.price_dollars}`, { msg, rests })
      }
      assert.isAbove(last.size, 10)
      for (const { msg, rests } of last.values()) {
        const { asks, bids } = books[msg.market_ticker]
        const price = msg.side === "yes" ? Number(msg.price_dollars) : 1 - Number(msg.price_dollars)
        const level = (msg.side === "yes" ? bids : asks).find((one: any) => Math.abs(Number(one.price) - price) < 1e-9)
        assert.strictEqual(Number(level?.size ?? 0), Number(rests))
      }
    })
  )
})
