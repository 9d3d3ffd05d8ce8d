/**
 * How often the changes of one book come, and so when its silence is worth a look. Pure; times are milliseconds on a
 * clock that nobody sets.
 */

export interface Rhythm {
  /** When its last data came. */
  last: number
  /** When it was last looked at in this silence; 0 before. */
  looked: number
  /** Until when it is not trusted to go on, since it had to be subscribed anew. */
  watchedUntil: number
  /** The last beat: data that came a second or more after the beat before, so that a burst is one. */
  beat: number
  /** From beat to beat, on average, the latest counting most; 0 before the second one. */
  mean: number
  beats: number
}

const BEAT_MILLIS = 1_000
/** Beats over which the average forgets. */
const MEMORY = 8

/**
 * A silence of so many beats is worth a look, but none shorter or longer than these, in milliseconds. A book of which
 * nothing is known yet has the shortest.
 */
const BEATS_OF_SILENCE = 4
const SHORTEST = 15_000
/** Leaves a quarter of a minute for the look itself, and for a second one. */
const LONGEST = 45_000
/** A book that had to be subscribed anew. */
const WATCHED = 5_000
const RECENT = 300_000

export const begin = (now: number): Rhythm => ({
  last: now,
  looked: 0,
  watchedUntil: 0,
  beat: now,
  mean: 0,
  beats: 1
})

/** Data came. */
export const note = (rhythm: Rhythm, now: number): void => {
  rhythm.last = now
  rhythm.looked = 0
  const gap = now - rhythm.beat
  if (gap < BEAT_MILLIS) return
  rhythm.mean += (gap - rhythm.mean) / Math.min(rhythm.beats, MEMORY)
  rhythm.beat = now
  rhythm.beats++
}

/** Whether nothing has come for longer than the last minutes. */
export const isQuiet = ({ last }: Rhythm, now: number): boolean => now - last >= RECENT

/** How long such quiet books wait when so many of them share a budget in looks a second. */
export const quietWait = (quiet: number, perSecond: number): number => Math.max(LONGEST, (quiet / perSecond) * 1_000)

/**
 * How overdue a look is: 1 and more when it is due, and the more, the more of its own waits have passed, so that the
 * busiest come first and nobody waits for ever. `patience` is what a quiet book waits.
 */
export const urgency = (rhythm: Rhythm, now: number, patience: number): number => {
  const { last, looked, mean, watchedUntil } = rhythm
  const wait =
    now < watchedUntil
      ? WATCHED
      : looked === 0
        ? Math.min(LONGEST, Math.max(SHORTEST, BEATS_OF_SILENCE * mean))
        : isQuiet(rhythm, now)
          ? patience
          : LONGEST
  return (now - Math.max(last, looked)) / wait
}
