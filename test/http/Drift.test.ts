import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DriftLog, make, type Registry } from "../../src/resilience/DriftLog.ts"
import { ask, healthy, serving, T } from "./World.ts"

const seen = () => {
  const registry = make(() => {})
  registry.note("polymarket", "book", "bids[].size", "type", { size: 5 }, T)
  registry.note("polymarket", "book", "bids[].size", "type", { size: 6 }, T + 1_000)
  registry.note("kalshi", "trade", 'msg."new"\n', "unknown", "x", T)
  return registry
}

const served = <A, E>(registry: Registry, test: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof serving>>>) =>
  Effect.provide(test, Layer.provide(serving(healthy()), Layer.succeed(DriftLog, registry)))

describe("drift", () => {
  it.live("is listed with samples and times", () =>
    served(
      seen(),
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/drift")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, {
          drift: [
            {
              venue: "polymarket",
              channel: "book",
              path: "bids[].size",
              kind: "type",
              count: 2,
              firstSeen: "2026-11-22T10:15:00.123Z",
              lastSeen: "2026-11-22T10:15:01.123Z",
              sample: '{"size":5}'
            },
            {
              venue: "kalshi",
              channel: "trade",
              path: 'msg."new"\n',
              kind: "unknown",
              count: 1,
              firstSeen: "2026-11-22T10:15:00.123Z",
              lastSeen: "2026-11-22T10:15:00.123Z",
              sample: '"x"'
            }
          ]
        })
      })
    )
  )

  it.live("is a metric and a line in health, which stays ready", () =>
    served(
      seen(),
      Effect.gen(function* () {
        const { text } = yield* ask("/metrics")
        assert.include(
          text.split("\n"),
          'parallax_drift_total{venue="polymarket",channel="book",path="bids[].size",kind="type"} 2'
        )
        assert.include(text, String.raw`path="msg.\"new\"\n"`)
        const { json } = yield* ask("/health/ready")
        assert.strictEqual(json.status, "ready")
        const part = json.parts.find((one: { readonly part: string }) => one.part === "drift")
        assert.deepInclude(part, { state: "up", detail: "2 kinds of drift; see /api/v1/drift" })
      })
    )
  )

  it.live("is an empty list where nothing was seen", () =>
    served(
      make(() => {}),
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* ask("/api/v1/drift")).json, { drift: [] })
        const { json } = yield* ask("/health/ready")
        const part = json.parts.find((one: { readonly part: string }) => one.part === "drift")
        assert.deepInclude(part, { state: "up", since: null, detail: "messages are what the protocols say" })
      })
    )
  )
})
