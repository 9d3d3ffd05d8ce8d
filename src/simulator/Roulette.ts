/** Draws from a list where some come up more often than others. */
import type { Prng } from "./Prng.ts"

export interface Roulette {
  /** Sets how often each index comes up, in relation to the others. */
  readonly weigh: (weights: ReadonlyArray<number>) => void
  /** An index; 0 when there are none. */
  readonly spin: () => number
}

export const make = (prng: Prng): Roulette => {
  let reach: Array<number> = []
  return {
    weigh: (weights) => {
      let total = 0
      reach = weights.map((weight) => (total += weight))
    },
    spin: () => {
      const point = prng.next() * (reach[reach.length - 1] ?? 0)
      let low = 0
      let high = reach.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if (reach[middle]! <= point) low = middle + 1
        else high = middle
      }
      return low
    }
  }
}
