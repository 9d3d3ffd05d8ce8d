/**
 * How far the history of each venue is whole in this run, so that the next run can say from when to when nobody was
 * there: from what was stored last, or from when a connection went down, to the first book of the new run.
 */
import type { MarketEvent } from "../domain/MarketEvent.ts"
import { type Row, venueOf, venueOfRow } from "./Rows.ts"

export interface VenueCoverage {
  readonly venue: string
  /** When this run's first book of the venue arrived, in milliseconds since the epoch. */
  readonly begin: number
  readonly wholeUntil: number
}

export class Coverage {
  private readonly begins = new Map<string, number>()
  private readonly down = new Map<string, Map<string, number>>()

  /** Follows the events as they come. */
  see(event: MarketEvent): void {
    switch (event._tag) {
      case "BookSnapshot": {
        const venue = venueOf(event.instrumentId)
        if (!this.begins.has(venue)) this.begins.set(venue, event.receivedTime)
        return
      }
      case "Disconnected": {
        const slots = this.down.get(event.venue) ?? new Map<string, number>()
        this.down.set(event.venue, slots)
        if (!slots.has(event.slot)) slots.set(event.slot, event.receivedTime)
        return
      }
      case "Connected":
        this.down.get(event.venue)?.delete(event.slot)
        return
      default:
    }
  }

  /** What will hold once these rows, and all before them, are stored. Venues whose books have not begun are left out. */
  after(rows: ReadonlyArray<Row>): ReadonlyArray<VenueCoverage> {
    const last = new Map<string, number>()
    for (const row of rows) {
      const venue = venueOfRow(row)
      last.set(venue, Math.max(last.get(venue) ?? 0, row.receivedTime))
    }
    const out: Array<VenueCoverage> = []
    for (const [venue, time] of last) {
      const begin = this.begins.get(venue)
      if (begin === undefined) continue
      const downSince = this.down.get(venue)?.values() ?? []
      out.push({ venue, begin, wholeUntil: Math.min(time, ...downSince) })
    }
    return out
  }
}
