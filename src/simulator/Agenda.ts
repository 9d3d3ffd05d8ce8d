/** Things to do at a later time, done by whoever drives the simulation: no timers, so a test's clock rules them too. */

export interface Agenda {
  /** Things due at the same time happen in the order in which they were added. */
  readonly at: (time: number, action: () => void) => void
  /** Does everything that is due by `now`. */
  readonly run: (now: number) => void
}

export const make = (): Agenda => {
  const entries: Array<{ readonly time: number; readonly action: () => void }> = []
  return {
    at: (time, action) => {
      let index = entries.length
      while (index > 0 && entries[index - 1]!.time > time) index--
      entries.splice(index, 0, { time, action })
    },
    run: (now) => {
      let due = 0
      while (due < entries.length && entries[due]!.time <= now) due++
      for (const entry of entries.splice(0, due)) entry.action()
    }
  }
}
