import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { RateLimit } from "../../../src/resilience/RateLimit.ts"
import * as Kalshi from "../../../src/venues/kalshi/Kalshi.ts"
import { BASIC, costOf, quotaOf } from "../../../src/venues/kalshi/Quotas.ts"
import type { Venue } from "../../../src/venues/Venue.ts"
import { instrumentOf } from "./Fixtures.ts"
import { type Answer, configOf, layerOf, type Request } from "./Http.ts"

const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const key = { key_id: "k", private_key: pem, ws_url: "ws://127.0.0.1:1/" }

it("costs are those of the venue's list", () => {
  assert.strictEqual(costOf("/markets"), 10)
  assert.strictEqual(costOf("/markets/KX-1/orderbook"), 10)
  assert.strictEqual(costOf("/cfbenchmarks"), 150)
  assert.strictEqual(costOf("/cfbenchmarks/values"), 150)
  assert.strictEqual(costOf("/portfolio/orders/7"), 2)
  assert.strictEqual(costOf("/portfolio/orders"), 10)
})

it("an account's bucket fills in the time that its rate says", () => {
  const [account, own] = quotaOf({ refill_rate: 1000, bucket_capacity: 1500 }, 20).windows
  assert.strictEqual(account!.limit, 1500)
  assert.deepInclude(own, { limit: 200, window: "1 seconds" })
  assert.strictEqual(quotaOf(BASIC, 20).windows[0]!.limit, 400)
})

/** When the venue is asked for a book, by how many at once. */
const books = (venue: Venue, count: number) =>
  Effect.forkScoped(
    Effect.all(
      Array.from({ length: count }, () => Effect.exit(venue.snapshot(instrumentOf("A")))),
      { concurrency: "unbounded" }
    )
  )

const world = (fields: object, limits: () => Answer) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const seen: Array<Request> = []
    const times: Array<number> = []
    const answer = ({ path }: Request): Answer => {
      if (path === "/account/limits") return limits()
      times.push(clock.unsafeCurrentTimeMillis())
      return { body: { orderbook_fp: { yes_dollars: [["0.4700", "1.00"]] } } }
    }
    const venue = yield* Kalshi.make(configOf(fields)).pipe(Effect.provide(layerOf(answer, seen, RateLimit.layer)))
    yield* TestClock.adjust("1 minutes")
    return { venue, times, asked: () => seen.filter(({ path }) => path === "/account/limits").length }
  })

/** Makes more requests than are allowed: so many have to be made at once, and so many in the second after it. */
const allows = (
  { times, venue }: { readonly times: Array<number>; readonly venue: Venue },
  atOnce: number,
  perSecond: number
) =>
  Effect.gen(function* () {
    yield* books(venue, atOnce + perSecond + 5)
    yield* TestClock.adjust(0)
    assert.lengthOf(times, atOnce)
    yield* TestClock.adjust("1 seconds")
    assert.closeTo(times.length - atOnce, perSecond, 1)
  })

describe("requests", () => {
  it.scoped("are as many as the configuration allows, within the basic tier", () =>
    Effect.gen(function* () {
      const few = yield* world({ max_requests_per_second: 5 }, () => ({ body: {} }))
      yield* allows(few, 5, 5)
      assert.strictEqual(few.asked(), 0, "without a key there is no account")
      const many = yield* world({ max_requests_per_second: 1_000 }, () => ({ body: {} }))
      yield* allows(many, 40, 20)
    })
  )

  it.scoped("are as many as the account is granted, where there is a key", () =>
    Effect.gen(function* () {
      const granted = yield* world({ ...key, max_requests_per_second: 1_000 }, () => ({
        body: { usage_tier: "expert", read: { refill_rate: 600, bucket_capacity: 900 }, write: {}, grants: [] }
      }))
      assert.strictEqual(granted.asked(), 1)
      yield* allows(granted, 90, 60)
    })
  )

  it.scoped("go on with the basic tier's share when the account's cannot be had", () =>
    Effect.gen(function* () {
      for (const answer of [
        { status: 500, body: "down" },
        { status: 401, body: {} },
        { body: { read: { refill_rate: 0, bucket_capacity: -1 } } }
      ]) {
        const world_ = yield* world({ ...key, max_requests_per_second: 1_000 }, () => answer)
        yield* allows(world_, 40, 20)
      }
    })
  )
})
