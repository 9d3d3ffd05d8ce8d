/**
 * The numbering of messages (Kalshi reference §7.5): one counter for each subscription id, shared by all its markets,
 * from 1 and without holes. Acknowledgements count too.
 */
export type Place =
  /** The one that was due. */
  | "next"
  /** Seen before, or late after a gap that was already noticed. */
  | "duplicate"
  /** At least one message before it is missing. */
  | "gap"

export interface Sequence {
  /** The number that is due next on a subscription. */
  readonly due: (sid: number) => number
  /** Where a message stands; whatever the answer, numbers up to it are never due again. */
  readonly place: (sid: number, seq: number) => Place
  readonly forget: (sid: number) => void
}

/** `last`: the last number of each subscription, which is kept in place. */
export const make = (last = new Map<number, number>()): Sequence => {
  const due = (sid: number): number => (last.get(sid) ?? 0) + 1
  return {
    due,
    place: (sid, seq) => {
      const expected = due(sid)
      if (seq < expected) return "duplicate"
      last.set(sid, seq)
      return seq === expected ? "next" : "gap"
    },
    forget: (sid) => void last.delete(sid)
  }
}
