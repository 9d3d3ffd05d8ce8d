/**
 * How far our clock is from the venue's, by the dates of its answers. Signatures more than some 10 s off are refused, so
 * that they are made for the venue's time where ours is wrong.
 */
import { Effect, Metric } from "effect"

/** How the skew is described once it matters; a signature is surely good up to 5 s and surely bad from 30 s on (§1.3). */
const WORRYING_MILLIS = 5_000
/** Estimates that are kept; their median counts, so that one slow answer does not. */
const KEPT = 9

const gauge = Metric.gauge("parallax_kalshi_clock_skew_seconds", {
  description: "Our clock minus Kalshi's, by the dates of its answers"
})

export interface ClockSkew {
  /** Takes in an answer's `date` and `age` headers; `age` is there when a cache answered. */
  readonly observe: (
    headers: Readonly<Record<string, string | undefined>>,
    sent: number,
    received: number
  ) => Effect.Effect<void>
  /** Milliseconds by which our clock is ahead; `null` before the first answer. */
  readonly current: () => number | null
  /** Milliseconds to take from our clock for the time of a signature: 0 while the skew does not endanger it. */
  readonly correction: () => number
  /**
   * A signature was refused that was made with the correction `used`: what was measured before the last answer is
   * forgotten. True when a signature would now be made for another time, so that it is worth trying again.
   */
  readonly refused: (used: number) => boolean
  /** The skew in words while it endangers signatures, else empty. */
  readonly warning: () => string
}

const inWords = (skew: number): string =>
  Math.abs(skew) < WORRYING_MILLIS
    ? ""
    : `our clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? "ahead of" : "behind"} the venue's`

export const make = (): ClockSkew => {
  const estimates: Array<number> = []
  let warned = false
  const current = (): number | null => {
    const sorted = [...estimates].sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? null
  }
  const correction = (): number => {
    const skew = current() ?? 0
    return Math.abs(skew) < WORRYING_MILLIS ? 0 : skew
  }
  const warning = (): string => inWords(current() ?? 0)
  return {
    current,
    correction,
    refused: (used) => {
      estimates.splice(0, estimates.length - 1)
      return Math.abs(correction() - used) >= WORRYING_MILLIS
    },
    warning,
    observe: (headers, sent, received) =>
      Effect.suspend(() => {
        const date = Date.parse(headers["date"] ?? "")
        if (!Number.isFinite(date)) return Effect.void
        const age = Number(headers["age"] ?? 0)
        // The date is cut to a whole second: on average it lies half a second back.
        const venue = date + 500 + (Number.isFinite(age) ? age * 1000 : 0)
        if (estimates.push(Math.round((sent + received) / 2 - venue)) > KEPT) estimates.shift()
        const text = warning()
        const changed = warned !== (text !== "")
        warned = text !== ""
        const log = warned
          ? Effect.logWarning(`${text}; signatures are made for the venue's time`)
          : Effect.logInfo("our clock agrees with the venue's again")
        return Effect.zipRight(Metric.set(gauge, (current() ?? 0) / 1000), changed ? log : Effect.void)
      })
  }
}
