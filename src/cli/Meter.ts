/** How fast counters grow, smoothed. */

/** Takes a counter's value at a time in milliseconds and gives its growth a second, averaged over about `window`. */
export type Meter = (time: number, total: number) => number

export const make = (window: number): Meter => {
  let last: { readonly time: number; readonly total: number } | undefined
  let rate: number | undefined
  return (time, total) => {
    if (last !== undefined && time > last.time) {
      const elapsed = time - last.time
      // A counter that went back began anew.
      const grown = total >= last.total ? total - last.total : total
      const now = (grown * 1000) / elapsed
      rate = rate === undefined ? now : rate + (now - rate) * (1 - Math.exp(-elapsed / window))
    }
    if (last === undefined || time > last.time) last = { time, total }
    return rate ?? 0
  }
}

/** Meters by name, made when they are asked for. */
export interface Meters {
  readonly read: (name: string, time: number, total: number) => number
  /** Forgets all but these. */
  readonly keep: (names: ReadonlySet<string>) => void
}

export const family = (window: number): Meters => {
  const meters = new Map<string, Meter>()
  return {
    read: (name, time, total) => {
      let meter = meters.get(name)
      if (meter === undefined) meters.set(name, (meter = make(window)))
      return meter(time, total)
    },
    keep: (names) => {
      for (const name of meters.keys()) if (!names.has(name)) meters.delete(name)
    }
  }
}
