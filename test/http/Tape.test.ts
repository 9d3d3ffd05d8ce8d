import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { MemoryPressure } from "../../src/resilience/MemoryPressure.ts"
import { ask, healthy, serving, type World } from "./World.ts"

const tape = {
  run: 1_790_000_000_000_000,
  appended: 12,
  written: 11,
  bytes: 5_000,
  segments: 2,
  waiting: 70,
  lost: 0,
  error: null as string | null
}

const part = (json: unknown, name: string) =>
  (json as { readonly parts: ReadonlyArray<Record<string, unknown>> }).parts.find((one) => one["part"] === name)

const served = (world: Partial<World>) => serving({ ...healthy(), ...world })

describe("the tape", () => {
  it.live("is told of with the digest of what followed and how far it is stored", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/v1/tape")
      assert.strictEqual(status, 200)
      assert.deepInclude(json, { enabled: true, ...tape, chain: { digest: "", events: 0 } })
      assert.property((json as { readonly writer: object }).writer, "mode")
    }).pipe(Effect.provide(served({ tape })))
  )

  it.live("is up, and degraded while the disk takes nothing", () =>
    Effect.gen(function* () {
      const up = yield* Effect.provide(ask("/health/ready"), served({ tape }))
      assert.deepInclude(part(up.json, "tape"), { state: "up", detail: "2 segments" })
      const refused = { ...tape, error: "the disk is full", lost: 3 }
      const degraded = yield* Effect.provide(ask("/health/ready"), served({ tape: refused }))
      assert.strictEqual(degraded.status, 200)
      assert.deepInclude(part(degraded.json, "tape"), {
        state: "degraded",
        detail: "2 segments; 70 bytes wait: the disk is full; 3 records were lost since the start"
      })
    })
  )

  it.live("is no part of health where nothing is recorded", () =>
    Effect.gen(function* () {
      const { json } = yield* ask("/health/ready")
      assert.isUndefined(part(json, "tape"))
      assert.isUndefined(part(json, "memory"))
    }).pipe(Effect.provide(served({})))
  )
})

describe("memory", () => {
  it.live("is told of while nothing is read for want of it", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/health/ready")
      assert.strictEqual(status, 200)
      assert.deepInclude(part(json, "memory"), { state: "degraded", detail: "memory is short" })
    }).pipe(
      Effect.provide(
        Layer.provide(
          served({}),
          Layer.succeed(MemoryPressure, { reason: () => "memory is short", listen: () => () => undefined })
        )
      )
    )
  )
})
