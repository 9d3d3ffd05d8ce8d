/**
 * What a question is worth over time: a walk in log-odds that depends on the seed, the listing and the time since it
 * was listed, and on nothing else. Exchanges with one seed therefore price the same questions alike; each may be late
 * in seeing the walk and wrong by an error of its own.
 */
import type { Listing } from "./Listings.ts"
import * as Prng from "./Prng.ts"
import * as Traders from "./Traders.ts"

/** How well an exchange's traders know the fair value. */
export interface Vision {
  /** Tells one exchange's errors from another's. */
  readonly venue: string
  /** Milliseconds by which they are behind. */
  readonly lagMs: number
  /** Deviation of their error in log-odds; near a price of one half, 0.04 is one cent. */
  readonly noise: number
}

export interface FairValue {
  /** Log-odds of the first outcome as the traders see it. Time does not run backwards. */
  readonly at: (now: number) => number
}

/** Milliseconds from one point of the walk to the next. */
const STEP = 250
/** How much of an error is left after one step; it fades within half a minute. */
const KEEPS = 1 - STEP / 30_000

/** `since` is when the listing was made, in milliseconds since the epoch. */
export const make = (seed: number, listing: Listing, since: number, vision: Vision): FairValue => {
  const walk = Traders.make(Prng.make(seed, `fair value ${listing.serial}`), listing, 0)
  const own = Prng.make(seed, `${vision.venue} error ${listing.serial}`)
  const shock = vision.noise * Math.sqrt(1 - KEEPS ** 2)
  let error = vision.noise === 0 ? 0 : vision.noise * own.normal()
  let steps = 0
  return {
    at: (now) => {
      const due = Math.floor((now - vision.lagMs - since) / STEP)
      for (; steps < due; steps++) {
        Traders.move(walk, (steps + 1) * STEP)
        if (vision.noise !== 0) error = error * KEEPS + shock * own.normal()
      }
      return walk.logit + error
    }
  }
}

/** Which outcome a question has at a time: the likelier one, without anybody's lag or error. */
export const outcome = (seed: number, listing: Listing, since: number, now: number): 0 | 1 =>
  make(seed, listing, since, { venue: "", lagMs: 0, noise: 0 }).at(now) > 0 ? 0 : 1
