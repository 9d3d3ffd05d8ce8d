/**
 * How far the history of each venue is whole in a run, so that the next run can say from when to when nobody was there:
 * from what was stored last, or from when a connection went down, to the first book of the new run.
 *
 * Plain data that never changes: what is known after one row is kept beside what is known after a later one.
 */
import type { MarketEvent } from "../domain/MarketEvent.ts"
import { type Row, venueOf, venueOfRow } from "./Rows.ts"

export interface Coverage {
  /** When the run's first book of each venue arrived. */
  readonly begins: ReadonlyMap<string, number>
  /** Connections that are down, by venue and slot, and since when. */
  readonly down: ReadonlyMap<string, ReadonlyMap<string, number>>
}

export interface VenueCoverage {
  readonly venue: string
  /** When the run's first book of the venue arrived, in milliseconds since the epoch. */
  readonly begin: number
  readonly wholeUntil: number
}

export const none: Coverage = { begins: new Map(), down: new Map() }

const withSlots = (
  { begins, down }: Coverage,
  venue: string,
  change: (slots: Map<string, number>) => void
): Coverage => {
  const slots = new Map(down.get(venue))
  change(slots)
  return { begins, down: new Map(down).set(venue, slots) }
}

/** Follows the events as they come. */
export const see = (coverage: Coverage, event: MarketEvent): Coverage => {
  switch (event._tag) {
    case "BookSnapshot": {
      const venue = venueOf(event.instrumentId)
      if (coverage.begins.has(venue)) return coverage
      return { ...coverage, begins: new Map(coverage.begins).set(venue, event.receivedTime) }
    }
    case "Disconnected": {
      const { receivedTime, slot, venue } = event
      if (coverage.down.get(venue)?.has(slot) === true) return coverage
      return withSlots(coverage, venue, (slots) => slots.set(slot, receivedTime))
    }
    case "Connected": {
      const { slot, venue } = event
      if (coverage.down.get(venue)?.has(slot) !== true) return coverage
      return withSlots(coverage, venue, (slots) => slots.delete(slot))
    }
    default:
      return coverage
  }
}

/** Up to when a venue's history is whole, when all that came up to a time is stored. */
export const wholeUntil = ({ down }: Coverage, venue: string, time: number): number =>
  Math.min(time, ...(down.get(venue)?.values() ?? []))

/** What holds once all that came up to a time is stored, of every venue whose books have begun. */
export const at = (coverage: Coverage, time: number): ReadonlyArray<VenueCoverage> =>
  Array.from(coverage.begins, ([venue, begin]) => ({ venue, begin, wholeUntil: wholeUntil(coverage, venue, time) }))

/** What holds once these rows, and all before them, are stored. Venues whose books have not begun are left out. */
export const after = (coverage: Coverage, rows: ReadonlyArray<Row>): ReadonlyArray<VenueCoverage> =>
  Array.from(lastTimes(coverage, rows)).flatMap(([venue, time]) => {
    const begin = coverage.begins.get(venue)
    return begin === undefined ? [] : [{ venue, begin, wholeUntil: wholeUntil(coverage, venue, time) }]
  })

/**
 * When the last row of each venue was received. Backwards, so that most rows are passed over by their time alone: they
 * are no later than what was found of every venue.
 */
const lastTimes = ({ begins }: Coverage, rows: ReadonlyArray<Row>): ReadonlyMap<string, number> => {
  const last = new Map<string, number>()
  let passed = Number.NEGATIVE_INFINITY
  let [prefix, time] = [":", Number.NEGATIVE_INFINITY]
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i]!
    if (row.receivedTime <= passed) continue
    if (row.receivedTime <= time && row.instrumentId?.startsWith(prefix)) continue
    const venue = venueOfRow(row)
    prefix = `${venue}:`
    time = Math.max(last.get(venue) ?? 0, row.receivedTime)
    last.set(venue, time)
    passed = Math.min(...Array.from(begins.keys(), (one) => last.get(one) ?? Number.NEGATIVE_INFINITY))
  }
  return last
}
