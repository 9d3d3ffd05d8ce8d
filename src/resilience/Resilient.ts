/** The one order in which retries, a circuit breaker, quotas and a time limit go around an HTTP request. */
import { type Context, Duration, Effect, Option, Schedule } from "effect"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { type HttpFailure, isOutage, isTransient, pause } from "./HttpJson.ts"
import type { Metered, RateLimit } from "./RateLimit.ts"

/** Enough that a request with all its retries does not open it alone. */
const THRESHOLD = 5

/** Between the attempts of one request: from 250 ms to 10 s, give or take a fifth, in whole milliseconds, at most three more. */
const retries = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("10 seconds")),
  Schedule.jittered,
  Schedule.delayed((delay) => Duration.millis(Math.round(Duration.toMillis(delay)))),
  Schedule.intersect(Schedule.recurs(3))
)

/** The breaker of a host: no answer, a timeout, 5xx and 425 count; any other answer, 429 included, shows that it is up. */
export const makeBreaker = (name: string): Effect.Effect<CircuitBreaker.CircuitBreaker<HttpFailure>> =>
  CircuitBreaker.make<HttpFailure>({
    name,
    threshold: THRESHOLD,
    window: "1 minutes",
    base: "500 millis",
    cap: "30 seconds",
    isFailure: isOutage,
    atLeast: ({ retryAfter }) => retryAfter,
    describe: ({ message }) => message
  })

/** A call that was shed has nothing to say about quotas. */
const pauseOf = (error: HttpFailure | CircuitBreaker.CircuitOpen) =>
  error._tag === "HttpFailure" ? pause(error) : Option.none()

export interface Way extends Pick<Metered<HttpFailure>, "quotas" | "cost"> {
  readonly breaker: CircuitBreaker.CircuitBreaker<HttpFailure>
  readonly limits: Context.Tag.Service<RateLimit>
}

/**
 * From the outside in: retry, look at the breaker, wait for the quotas, pass the breaker, and nearest to the wire the
 * time limit that `HttpJson.request` has of itself.
 *
 * - The retry is outermost: each attempt is counted by the breaker, pays its own token and has its own time. It ends
 *   where the breaker is open: the breaker knows when to ask again, and a retry that waited for that moment would only be
 *   one of many that wake at once for the one place. Whoever has to have the answer has a loop of his own.
 * - The breaker is looked at before the quotas, so that a call which is shed fails at once and costs no token; and passed
 *   behind them, so that what waited for a token while the venue went down is not sent after all, and so that the one
 *   attempt of a half-open breaker holds its place only while it is on the wire, not while it stands in a queue.
 * - The time limit does not count the wait for a token: that is our doing, and no sign of a slow venue.
 */
export const resilient =
  ({ breaker, limits, ...metered }: Way) =>
  <A>(attempt: Effect.Effect<A, HttpFailure>): Effect.Effect<A, HttpFailure | CircuitBreaker.CircuitOpen> =>
    breaker.check.pipe(
      Effect.zipRight(limits.within({ ...metered, pause: pauseOf })(breaker.protect(attempt))),
      Effect.retry({ while: (error) => error._tag === "HttpFailure" && isTransient(error), schedule: retries })
    )
