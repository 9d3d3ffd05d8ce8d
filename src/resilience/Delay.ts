/** How long to wait before trying again what failed. */
import { Duration } from "effect"

export interface DelayOptions {
  readonly base: Duration.DurationInput
  readonly cap: Duration.DurationInput
}

/**
 * The milliseconds after so many failures before this one: exponential and capped, of which `random`, from 0 to 1,
 * takes half to whole, so that many who failed together do not come back together.
 */
export const exponential =
  (options: DelayOptions) =>
  (before: number, random: number): number => {
    const ceiling = Math.min(
      Duration.toMillis(options.cap),
      Duration.toMillis(options.base) * 2 ** Math.min(before, 30)
    )
    return Math.round((ceiling * (1 + random)) / 2)
  }
