/**
 * What a venue says on its sockets, kept for a test that holds a client to it: each message once, however many hear it,
 * as it was meant before any fault touched it. Nothing is kept until somebody asks.
 */

/** Messages kept; a test that asks more seldom than they pass is told that some are gone. */
const KEPT = 200_000

/** One message: its number, when it was said in milliseconds since the epoch, and its text. */
export type Saying = readonly [position: number, time: number, text: string]

export interface Said {
  readonly add: (time: number, text: string) => void
  /** What was said from a position on, a bounded part at a time. The first question starts the record. */
  readonly from: (position: number) => ReadonlyArray<Saying>
  /** The number of the next message. */
  readonly next: () => number
}

/** Messages in one answer. */
const MOST_AT_ONCE = 20_000

export const make = (): Said => {
  const ring: Array<Saying> = []
  let next = 0
  let asked = false
  return {
    add: (time, text) => {
      if (!asked) return
      ring[next % KEPT] = [next, time, text]
      next++
    },
    from: (position) => {
      asked = true
      const first = Math.max(position, next - KEPT)
      const count = Math.max(0, Math.min(MOST_AT_ONCE, next - first))
      return Array.from({ length: count }, (_, i) => ring[(first + i) % KEPT]!)
    },
    next: () => next
  }
}
