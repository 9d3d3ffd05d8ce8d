/** Quotas, one for each scope that a venue meters, shared by everything that calls that scope. */
import { Cause, Clock, Context, Duration, Effect, type Exit, Layer, Option } from "effect"

/** A token bucket: `limit` at once, and as many again in the course of each window. */
export interface Window {
  readonly limit: number
  readonly window: Duration.DurationInput
}

export interface Quota {
  /** What the venue meters together: `polymarket clob /book`. */
  readonly scope: string
  /** All of them hold at once, as for bursts and for the long run. They may change from call to call. */
  readonly windows: ReadonlyArray<Window>
}

/** A call as its quotas see it. */
export interface Metered<E> {
  /** Every scope that meters it, from the narrowest to the widest; the narrowest is the one that a refusal pauses. */
  readonly quotas: readonly [Quota, ...ReadonlyArray<Quota>]
  /** Tokens, 1 unless given. A call that costs more than a bucket holds goes when the bucket is full. */
  readonly cost?: number
  /** How long an error asks everybody to keep away, where it does. */
  readonly pause?: (error: E) => Option.Option<Duration.Duration>
}

interface Bucket {
  tokens: number
  at: number
}

interface Meter {
  /** Held by who is next, and after a pause by the one call that finds out whether it is over. */
  readonly turn: Effect.Semaphore
  readonly buckets: Map<number, Bucket>
  pausedUntil: number
  /** Whether no call has been let in since the pause. */
  unproven: boolean
}

const makeMeter = (): Meter => ({
  turn: Effect.unsafeMakeSemaphore(1),
  buckets: new Map(),
  pausedUntil: 0,
  unproven: false
})

/** A clock that nobody sets. */
const clock = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

const SMALLEST = 1e-6

/** The bucket as filled by now. */
const filled = (meter: Meter, index: number, { limit, window }: Window, now: number): Bucket => {
  const before = meter.buckets.get(index) ?? { tokens: limit, at: now }
  const gained = (Math.max(0, now - before.at) * limit) / Duration.toMillis(window)
  const bucket = { tokens: Math.min(limit, before.tokens + gained), at: now }
  meter.buckets.set(index, bucket)
  return bucket
}

/** Milliseconds until a scope has what a call costs. */
const waitFor = (meter: Meter, { windows }: Quota, cost: number, now: number): number =>
  windows.reduce(
    (longest, one, index) => {
      const missing = Math.min(cost, one.limit) - filled(meter, index, one, now).tokens
      const wait = missing <= SMALLEST ? 0 : Math.ceil((missing * Duration.toMillis(one.window)) / one.limit)
      return Math.max(longest, wait)
    },
    Math.ceil(Math.max(0, meter.pausedUntil - now))
  )

const take = (meter: Meter, cost: number): void => {
  for (const bucket of meter.buckets.values()) bucket.tokens -= cost
}

export class RateLimit extends Context.Tag("parallax/resilience/RateLimit")<
  RateLimit,
  {
    /**
     * Waits until all quotas allow the call, in the order in which calls came, then makes it. Whoever gives up waiting has
     * used up nothing. When the call's error asks for a pause, the scope is left alone for that long by everybody, what
     * its buckets still held is forgotten (who refuses knows better), and then one call goes ahead: the others follow when
     * it is not refused too.
     */
    readonly within: <E>(
      call: Metered<E>
    ) => <A, E1 extends E, R>(effect: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1, R>
  }
>() {
  static readonly layer: Layer.Layer<RateLimit> = Layer.sync(RateLimit, () => {
    const meters = new Map<string, Meter>()
    const meterOf = ({ scope }: Quota): Meter => {
      const meter = meters.get(scope) ?? makeMeter()
      meters.set(scope, meter)
      return meter
    }

    const release = (held: Iterable<Meter>) => Effect.forEach(held, ({ turn }) => turn.release(1), { discard: true })

    /**
     * Takes the turns of all scopes one after the other, the narrowest first, so that who waits for a narrow scope does
     * not stand in the way of others in the wide one. Returns the meters whose turn it keeps until the call is over.
     */
    const admission = (
      quotas: Metered<never>["quotas"],
      cost: number,
      restore: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
    ): Effect.Effect<ReadonlyArray<Meter>> =>
      Effect.suspend(() => {
        const held: Array<Meter> = []
        const line = quotas.map((quota) => ({ quota, meter: meterOf(quota) }))
        return Effect.gen(function* () {
          for (const { meter, quota } of line) {
            yield* restore(meter.turn.take(1))
            held.push(meter)
            for (;;) {
              const wait = waitFor(meter, quota, cost, yield* clock)
              if (wait === 0) break
              yield* restore(Effect.sleep(wait))
            }
          }
          const now = yield* clock
          // A narrow scope may have been paused while the wide one was waited for.
          const ready = line.every(({ meter, quota }) => waitFor(meter, quota, cost, now) === 0)
          if (ready) for (const { meter } of line) take(meter, cost)
          const kept = ready ? held.filter(({ unproven }) => unproven) : []
          yield* release(held.filter((meter) => !kept.includes(meter)))
          return ready ? kept : undefined
        }).pipe(
          Effect.onError(() => release(held)),
          Effect.flatMap((kept) => (kept === undefined ? admission(quotas, cost, restore) : Effect.succeed(kept)))
        )
      })

    const pause = (quota: Quota, wait: Duration.Duration) =>
      Effect.flatMap(clock, (now) => {
        const meter = meterOf(quota)
        const known = meter.pausedUntil > now
        meter.pausedUntil = Math.max(meter.pausedUntil, now + Duration.toMillis(wait))
        meter.unproven = true
        quota.windows.forEach((window, index) => {
          const bucket = filled(meter, index, window, now)
          bucket.tokens = Math.min(0, bucket.tokens)
        })
        return known
          ? Effect.void
          : Effect.logInfo("a scope is left alone, as the other side asks").pipe(
              Effect.annotateLogs({ scope: quota.scope, seconds: Duration.toSeconds(wait) })
            )
      })

    const settle = <A, E>(call: Metered<E>, kept: ReadonlyArray<Meter>, exit: Exit.Exit<A, E>): Effect.Effect<void> => {
      const error = exit._tag === "Failure" ? Cause.failureOption(exit.cause) : Option.none<E>()
      const wait = Option.flatMap(error, (error) => call.pause?.(error) ?? Option.none())
      if (Option.isSome(wait)) return Effect.zipRight(pause(call.quotas[0], wait.value), release(kept))
      // A call that was given up proves nothing.
      if (exit._tag === "Success" || Option.isSome(error)) for (const meter of kept) meter.unproven = false
      return release(kept)
    }

    return RateLimit.of({
      within: (call) => (effect) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(admission(call.quotas, call.cost ?? 1, restore), (kept) =>
            Effect.onExit(restore(effect), (exit) => settle(call, kept, exit))
          )
        )
    })
  })
}
