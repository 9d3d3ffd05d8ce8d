/** Reconnecting a stream that ends, with a delay that grows until the connection has proved itself. */
import {
  Cause,
  Chunk,
  Duration,
  Effect,
  Option,
  Random,
  Schedule,
  ScheduleDecision,
  ScheduleInterval,
  Stream
} from "effect"
import { type DelayOptions, exponential } from "./Delay.ts"

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

export interface ReconnectOptions<A, E, R> {
  readonly schedule: Schedule.Schedule<Duration.Duration, SessionEnd>
  /** Reads off the failure how the session went. */
  readonly ended: (error: E) => SessionEnd
  /** Runs when a session failed, before the wait; what it returns becomes part of the stream. */
  readonly onEnd: (error: E, attempt: number) => Effect.Effect<ReadonlyArray<A>, never, R>
}

/**
 * Runs `session` again each time it fails or ends, waiting as the schedule says; the stream itself never ends and
 * never fails. Flat in memory over any number of reconnects.
 */
export const reconnecting = <A, E, R>(
  session: Stream.Stream<A, E, R>,
  onClean: () => E,
  options: ReconnectOptions<A, E, R>
): Stream.Stream<A, never, R> =>
  Stream.unwrap(
    Effect.map(Schedule.driver(options.schedule), (driver) => {
      let attempt = 0
      const again = (error: E): Stream.Stream<A, never, R> => {
        const end = options.ended(error)
        attempt = end.healthyMillis > 0 ? 1 : attempt + 1
        return Stream.concat(
          Stream.unwrap(
            Effect.map(options.onEnd(error, attempt), (items) => Stream.fromChunk(Chunk.unsafeFromArray(items)))
          ),
          Stream.drain(Stream.fromEffect(Effect.ignore(driver.next(end))))
        )
      }
      const failing = Stream.concat(session, Stream.fail(onClean())).pipe(
        // A defect is a fault of ours: it is told, and costs one connection.
        Stream.catchAllCause((cause) =>
          Cause.isDie(cause) && Option.isNone(Cause.failureOption(cause))
            ? Stream.fromEffect(Effect.zipRight(Effect.logError("a session broke", cause), Effect.fail(onClean())))
            : Stream.failCause(cause)
        )
      )
      return Stream.repeatValue(undefined).pipe(
        // One chunk of one element at a time, so that a session starts only when the one before it is over.
        Stream.rechunk(1),
        Stream.flatMap(() => Stream.catchAll(failing, again))
      )
    })
  )
