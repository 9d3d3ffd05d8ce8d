/** One gate for all handshakes with a venue: staggered while it answers, one careful probe at a time while it does not. */
import { type Duration, Effect, Exit, Schedule, type Scope } from "effect"
import { type BackoffOptions, backoff } from "./Reconnect.ts"

export interface ConnectGate<E> {
  /** Runs one handshake; the others wait their turn, and after a failure everybody waits out the same growing delay. */
  readonly handshake: <A, R>(connect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export interface ConnectGateOptions<E> extends Omit<BackoffOptions, "healthyAfter"> {
  /** The least time between two handshakes. */
  readonly spacing: Duration.DurationInput
  /** How long a failed handshake itself asks everybody to wait, as by a Retry-After header. */
  readonly atLeast: (error: E) => Duration.Duration
}

/**
 * Without a common gate, many connections that each back off alone still add up to a storm on a venue that is down.
 * Handshakes run one at a time, `spacing` apart; after a failure the turn passes on only when the delay is over, and a
 * success resets the delay.
 */
export const make = <E>(options: ConnectGateOptions<E>): Effect.Effect<ConnectGate<E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const turn = yield* Effect.makeSemaphore(1)
    const scope = yield* Effect.scope
    const schedule = yield* Schedule.driver(backoff({ ...options, healthyAfter: "1 millis" }))
    const passTurnAfter = (wait: Effect.Effect<unknown, unknown>) =>
      wait.pipe(
        Effect.ignore,
        // It is forked where nothing may be interrupted; the end of the scope does not wait for it.
        Effect.interruptible,
        Effect.ensuring(turn.release(1)),
        Effect.forkIn(scope),
        Effect.asVoid
      )
    return {
      handshake: (connect) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(turn.take(1)), () =>
            restore(connect).pipe(
              Effect.onExit(
                Exit.match({
                  onSuccess: () => Effect.zipRight(schedule.reset, passTurnAfter(Effect.sleep(options.spacing))),
                  onFailure: (cause) =>
                    cause._tag === "Fail"
                      ? passTurnAfter(schedule.next({ healthyMillis: 0, atLeast: options.atLeast(cause.error) }))
                      : Effect.asVoid(turn.release(1))
                })
              )
            )
          )
        )
    }
  })
