/** A circuit breaker: leaves alone what keeps failing, and finds out with one careful call at a time when it is back. */
import { Cause, Clock, Data, Duration, Effect, type Exit, Metric, Option, Random } from "effect"
import { type DelayOptions, exponential } from "./Delay.ts"

export type BreakerState = "closed" | "half-open" | "open"

/** A breaker as it is now. Times are milliseconds since the epoch. */
export interface Snapshot {
  readonly name: string
  /** An open breaker stays so until the first call after `nextAttempt`, for which it becomes half-open. */
  readonly state: BreakerState
  /** When it opened, while it is not closed: an attempt that failed begins no new outage. Else when it closed. */
  readonly since: number
  /** Failures that count now: those of the window since the last answer; 0 unless it is closed. */
  readonly failures: number
  /** How often it opened, attempts that failed not counted again. */
  readonly openings: number
  /** From when on an open breaker lets one call through; `null` unless it is open. */
  readonly nextAttempt: number | null
  /** Empty before the first. */
  readonly lastFailure: string
}

/** The call was not made: what it would have asked has failed too often, and is left alone for a while. */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{
  readonly breaker: string
  readonly since: number
  /** `null` while the one call that may find out is under way. */
  readonly nextAttempt: number | null
  readonly lastFailure: string
  /** How long it is until `nextAttempt`. */
  readonly retryAfter: Duration.Duration
}> {
  override get message(): string {
    const until = this.nextAttempt === null ? "while one call finds out" : `until ${iso(this.nextAttempt)}`
    return `${this.breaker} is not asked since ${iso(this.since)}, ${until}: ${this.lastFailure}`
  }
}

export interface CircuitBreaker<E> {
  /**
   * Makes the call if the breaker lets it through. A call that is interrupted, and one that breaks by a defect, say
   * nothing about the other side: they count neither way, and an attempt that ends so leaves its place to the next.
   */
  readonly protect: <A, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpen, R>
  /** Fails as `protect` would, and takes no place: for calls that have something to wait for before they are made. */
  readonly check: Effect.Effect<void, CircuitOpen>
  readonly snapshot: Effect.Effect<Snapshot>
}

export interface CircuitBreakerOptions<E> extends DelayOptions {
  readonly name: string
  /** Failures within `window`, with no answer among them, that open it. */
  readonly threshold: number
  readonly window: Duration.DurationInput
  /** What is no failure is an answer, and counts like a success. Unless given, every error is a failure. */
  readonly isFailure?: (error: E) => boolean
  /** How long a failure itself asks to wait, as by a Retry-After header. */
  readonly atLeast?: (error: E) => Duration.Duration
  readonly describe: (error: E) => string
}

const stateGauge = Metric.gauge("parallax_breaker_state", {
  description: "Circuit breakers: 0 closed, 1 half-open, 2 open"
})
const openingsCounter = Metric.counter("parallax_breaker_openings_total", {
  description: "How often a circuit breaker opened",
  incremental: true
})
const GAUGE = { closed: 0, "half-open": 1, open: 2 } as const

const iso = (time: number): string => new Date(time).toISOString()

/** What decides is a clock that nobody sets; what is shown is the wall's. */
const times = Effect.zipWith(Clock.currentTimeNanos, Clock.currentTimeMillis, (nanos, wall) => ({
  now: Number(nanos / 1_000_000n),
  wall
}))

/** Admission to a call: as the one attempt, or while the breaker was closed for the so-manieth time. */
type Place = "attempt" | number

type Verdict<E> =
  { readonly _tag: "Answered" } | { readonly _tag: "Failed"; readonly error: E } | { readonly _tag: "Unknown" }

/**
 * Closed, it lets everything through, and opens at `threshold` failures within `window`. An answer in between starts the
 * count anew: one endpoint that always fails must not close the way to those that work. Open, it lets nothing through
 * until its delay is over; half-open, one call, whose answer closes it and whose failure opens it again for twice as
 * long. How calls end that were made before it opened changes nothing any more.
 */
export const make = <E>(options: CircuitBreakerOptions<E>): Effect.Effect<CircuitBreaker<E>> =>
  Effect.gen(function* () {
    const { describe, name, threshold } = options
    const isFailure = options.isFailure ?? (() => true)
    const atLeast = options.atLeast ?? (() => Duration.zero)
    const window = Duration.toMillis(options.window)
    const delay = exponential(options)
    const gauge = Metric.tagged(stateGauge, "breaker", name)
    const counter = Metric.tagged(openingsCounter, "breaker", name)
    yield* Metric.set(gauge, GAUGE.closed)
    yield* Metric.incrementBy(counter, 0)

    let state: BreakerState = "closed"
    let since = (yield* times).wall
    /** When each that counts took place, the latest last. */
    let failures: ReadonlyArray<number> = []
    /** Failures in a row that made it wait. */
    let refused = 0
    let openings = 0
    let due = 0
    let lastFailure = ""

    const counting = (now: number) => failures.filter((time) => now - time < window)

    const enter = (next: BreakerState, log: Effect.Effect<void>) => {
      state = next
      return Effect.zipRight(Metric.set(gauge, GAUGE[next]), Effect.annotateLogs(log, { breaker: name }))
    }

    const close = (wall: number) => {
      since = wall
      failures = []
      refused = 0
      return enter("closed", Effect.logInfo("the circuit breaker closed: there are answers again"))
    }

    const open = (error: E, now: number, random: number, wall: number) => {
      const wait = Math.max(delay(refused++, random), Duration.toMillis(atLeast(error)))
      due = now + wait
      failures = []
      const about = { reason: lastFailure, nextAttempt: iso(wall + wait) }
      if (state === "half-open") {
        return enter("open", Effect.annotateLogs(Effect.logDebug("the circuit breaker's attempt failed"), about))
      }
      since = wall
      openings++
      return Effect.zipRight(
        Metric.increment(counter),
        enter("open", Effect.annotateLogs(Effect.logWarning("the circuit breaker opened"), about))
      )
    }

    const settle = (place: Place, verdict: Verdict<E>): Effect.Effect<void> =>
      Effect.flatMap(Effect.zip(times, Random.next), ([{ now, wall }, random]) => {
        if (verdict._tag === "Unknown") {
          return place === "attempt"
            ? enter("open", Effect.logDebug("the circuit breaker's attempt was given up"))
            : Effect.void
        }
        if (verdict._tag === "Answered" && place === "attempt") return close(wall)
        if (place !== "attempt" && (state !== "closed" || place !== openings)) return Effect.void
        if (verdict._tag === "Answered") {
          failures = []
          return Effect.void
        }
        lastFailure = describe(verdict.error)
        failures = [...counting(now), now]
        return place === "attempt" || failures.length >= threshold
          ? open(verdict.error, now, random, wall)
          : Effect.void
      })

    const verdictOf = <A>(exit: Exit.Exit<A, E>): Verdict<E> => {
      if (exit._tag === "Success") return { _tag: "Answered" }
      return Option.match(Cause.failureOption(exit.cause), {
        onNone: () => ({ _tag: "Unknown" }),
        onSome: (error) => (isFailure(error) ? { _tag: "Failed", error } : { _tag: "Answered" })
      })
    }

    /** The refusal of a call at this time, if it is refused. */
    const refusal = ({ now, wall }: { readonly now: number; readonly wall: number }): CircuitOpen | undefined => {
      if (state === "closed" || (state === "open" && now >= due)) return undefined
      const wait = state === "open" ? due - now : 0
      const nextAttempt = state === "open" ? wall + wait : null
      return new CircuitOpen({ breaker: name, since, nextAttempt, lastFailure, retryAfter: Duration.millis(wait) })
    }

    const admit: Effect.Effect<Place, CircuitOpen> = Effect.flatMap(times, (at): Effect.Effect<Place, CircuitOpen> => {
      const refused = refusal(at)
      if (refused !== undefined) return refused
      return state === "closed"
        ? Effect.succeed(openings)
        : Effect.as(enter("half-open", Effect.logDebug("the circuit breaker lets one call through")), "attempt")
    })

    return {
      protect: (call) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(admit, (place) => Effect.onExit(restore(call), (exit) => settle(place, verdictOf(exit))))
        ),
      check: Effect.flatMap(times, (at) => refusal(at) ?? Effect.void),
      snapshot: Effect.map(times, ({ now, wall }) => ({
        name,
        state,
        since,
        failures: counting(now).length,
        openings,
        nextAttempt: state === "open" ? wall + due - now : null,
        lastFailure
      }))
    }
  })
