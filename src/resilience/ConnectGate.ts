/** One gate for all handshakes with a venue: staggered while it answers, one careful probe at a time while it does not. */
import { Clock, Duration, Effect } from "effect"
import * as CircuitBreaker from "./CircuitBreaker.ts"

export interface ConnectGate<E> {
  /** Runs one handshake; the others wait their turn, and after a failure everybody waits out the same growing delay. */
  readonly handshake: <A, R>(connect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The breaker behind the gate: open while the venue does not answer. */
  readonly breaker: Effect.Effect<CircuitBreaker.Snapshot>
}

export interface ConnectGateOptions<E> extends Omit<
  CircuitBreaker.CircuitBreakerOptions<E>,
  "threshold" | "window" | "isFailure"
> {
  /** The least time between a handshake and the next. */
  readonly spacing: Duration.DurationInput
}

/**
 * Without a common gate, many connections that each back off alone still add up to a storm on a venue that is down.
 * The gate is a circuit breaker that opens at the first failure, with a queue before it: whoever would be refused waits
 * instead. The one whose turn it is waits for the delay, so that nobody ever meets the breaker open.
 */
export const make = <E>(options: ConnectGateOptions<E>): Effect.Effect<ConnectGate<E>> =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make<E>({ ...options, threshold: 1, window: "1 minutes" })
    const turn = yield* Effect.makeSemaphore(1)
    const spacing = Number(Duration.unsafeToNanos(options.spacing))
    let free = 0
    const nanos = Effect.map(Clock.currentTimeNanos, Number)
    const ready: Effect.Effect<void> = nanos.pipe(
      Effect.flatMap((now) => Effect.sleep(Duration.millis(Math.max(0, free - now) / 1e6))),
      Effect.zipRight(breaker.check),
      Effect.catchAll(({ retryAfter }) => Effect.zipRight(Effect.sleep(retryAfter), ready))
    )
    return {
      handshake: (connect) =>
        ready.pipe(
          Effect.zipRight(
            Effect.ensuring(
              breaker.protect(connect),
              Effect.map(nanos, (now) => {
                free = now + spacing
              })
            )
          ),
          Effect.catchIf((error) => error instanceof CircuitBreaker.CircuitOpen, Effect.die),
          turn.withPermits(1)
        ),
      breaker: breaker.snapshot
    }
  })
