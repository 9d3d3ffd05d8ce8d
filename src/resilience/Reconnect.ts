/** Connecting again after a session's end, with a delay that grows until the connection has proved itself. */
import {
  Cause,
  Duration,
  Effect,
  Option,
  Random,
  Schedule,
  ScheduleDecision,
  ScheduleInterval,
  type Scope,
  Stream
} from "effect"
import { type DelayOptions, exponential } from "./Delay.ts"
import { type Emit, emitting } from "./Emitting.ts"

/** How a session ended, as far as the delay before the next one depends on it. */
export interface SessionEnd {
  /** Milliseconds during which real data came; 0 when none did, however long the connection stood. */
  readonly healthyMillis: number
  /** Wait at least this long, because the other side asked for it or because trying again cannot help. */
  readonly atLeast: Duration.Duration
}

export interface BackoffOptions extends DelayOptions {
  /** A session whose data flowed this long starts the schedule anew. */
  readonly healthyAfter: Duration.DurationInput
}

/**
 * Exponential delays with jitter of half to whole, capped, and reset only by a session that carried data for
 * `healthyAfter`: a server that accepts, says a word and drops is not a reason to hurry.
 */
export const backoff = (options: BackoffOptions): Schedule.Schedule<Duration.Duration, SessionEnd> => {
  const delayAfter = exponential(options)
  const healthyAfter = Duration.toMillis(options.healthyAfter)
  return Schedule.makeWithState(0, (now, end: SessionEnd, failures: number) =>
    Effect.map(Random.next, (random) => {
      const attempt = end.healthyMillis >= healthyAfter ? 0 : failures
      const delay = Math.max(delayAfter(attempt, random), Duration.toMillis(end.atLeast))
      return [
        attempt + 1,
        Duration.millis(delay),
        ScheduleDecision.continueWith(ScheduleInterval.after(now + delay))
      ] as const
    })
  )
}

export interface SessionOptions<E, R> {
  readonly schedule: Schedule.Schedule<Duration.Duration, SessionEnd>
  /** Reads off the failure how the session went. */
  readonly ended: (error: E) => SessionEnd
  /** Runs when a session failed and is closed, before the wait. */
  readonly onEnd: (error: E, attempt: number) => Effect.Effect<unknown, never, R>
}

/**
 * Runs `session` again each time it fails or ends, in a scope of its own, waiting as the schedule says; never ends and
 * never fails.
 */
export const persistently = <E, R, R2>(
  session: Effect.Effect<unknown, E, R>,
  onClean: () => E,
  { ended, onEnd, schedule }: SessionOptions<E, R2>
): Effect.Effect<never, never, Exclude<R, Scope.Scope> | R2> =>
  Effect.suspend(() => {
    let attempt = 0
    const over = (error: E) => {
      const end = ended(error)
      attempt = end.healthyMillis > 0 ? 1 : attempt + 1
      return Effect.zipRight(onEnd(error, attempt), Effect.fail(end))
    }
    return Effect.scoped(session).pipe(
      Effect.zipRight(Effect.failSync(onClean)),
      // A defect is a fault of ours: it is told, and costs one connection.
      Effect.catchAllCause((cause) =>
        Cause.isDie(cause) && Option.isNone(Cause.failureOption(cause))
          ? Effect.zipRight(Effect.logError("a session broke", cause), Effect.failSync(onClean))
          : Effect.failCause(cause)
      ),
      Effect.catchAll(over),
      Effect.retry(schedule),
      Effect.orDieWith(() => new Error("the schedule of reconnects ended"))
    )
  })

export interface ReconnectOptions<A, E, R> extends Omit<SessionOptions<E, R>, "onEnd"> {
  /** Runs when a session failed, before the wait; what it returns becomes part of the stream. */
  readonly onEnd: (error: E, attempt: number) => Effect.Effect<ReadonlyArray<A>, never, R>
}

/** The same of a stream: its sessions' elements, one session after the other. */
export const reconnecting = <A, E, R>(
  session: Stream.Stream<A, E, R>,
  onClean: () => E,
  { ended, onEnd, schedule }: ReconnectOptions<A, E, R>
): Stream.Stream<A, never, R> =>
  emitting(
    (emit: Emit<A>) =>
      persistently(Stream.runForEachChunk(session, emit), onClean, {
        schedule,
        ended,
        onEnd: (error, attempt) => Effect.flatMap(onEnd(error, attempt), emit)
      }),
    1
  )
