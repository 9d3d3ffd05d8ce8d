/** A clock whose time passes as fast as nobody has anything to do: hours of waiting in no time, in the right order. */
import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** Turns of the event loop for what is woken to come to rest. */
const REST = 3

export const make = (start: number): Clock.Clock => {
  let now = start
  let sleepers: Array<Sleeper> = []
  let ticking = false
  const tick = (rest: number): void => {
    if (sleepers.length === 0) {
      ticking = false
      return
    }
    if (rest > 0) {
      setImmediate(() => tick(rest - 1))
      return
    }
    now = Math.max(now, Math.min(...sleepers.map(({ until }) => until)))
    const due = sleepers.filter(({ until }) => until <= now)
    sleepers = sleepers.filter(({ until }) => until > now)
    for (const { wake } of due) wake()
    setImmediate(() => tick(REST))
  }
  const nanos = () => BigInt(Math.round(now * 1e6))
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async((resume) => {
        const sleeper = { until: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.push(sleeper)
        if (!ticking) {
          ticking = true
          setImmediate(() => tick(REST))
        }
        return Effect.sync(() => {
          sleepers = sleepers.filter((one) => one !== sleeper)
        })
      })
  }
}
