/** Quotas, one for each scope that a venue meters, shared by everything that calls that scope. */
import * as Limiter from "@effect/experimental/RateLimiter"
import { Context, type Duration, Effect, Layer } from "effect"

export interface Quota {
  /** What the venue meters together: `clob /book`. */
  readonly scope: string
  readonly limit: number
  readonly window: Duration.DurationInput
}

export class RateLimit extends Context.Tag("parallax/resilience/RateLimit")<
  RateLimit,
  {
    /** Waits until the quota allows one more call, then runs it. */
    readonly within: (quota: Quota) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>() {
  static readonly layer: Layer.Layer<RateLimit> = Layer.effect(
    RateLimit,
    Effect.map(Limiter.RateLimiter, (limiter) =>
      RateLimit.of({
        within: (quota) => (effect) =>
          limiter.consume({ ...quota, key: quota.scope, algorithm: "token-bucket", onExceeded: "delay" }).pipe(
            // The memory store cannot fail, and exceeding is answered by a delay.
            Effect.orDie,
            Effect.flatMap(({ delay }) => Effect.sleep(delay)),
            Effect.zipRight(effect)
          )
      })
    )
  ).pipe(Layer.provide(Limiter.layer), Layer.provide(Limiter.layerStoreMemory))
}
