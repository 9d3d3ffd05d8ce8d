/** Which books are kept: how one begins on a connection, and each of the ways in which its time there ends. */
import type { LevelPool } from "../domain/LevelPool.ts"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { Disconnected, MarketResolved, Subscribed, Unsubscribed } from "../domain/MarketEvent.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import { type Entry, make as makeEntry, restart } from "./BookEntry.ts"
import type { BookGaps } from "./BookGaps.ts"
import type { BookTrust } from "./BookTrust.ts"
import type { Quarantine } from "./Quarantine.ts"

export interface BookMembership {
  /** The books begin, perhaps again. */
  readonly subscribed: (event: Subscribed) => void
  /** The books are given up, but for those that another connection carries by now. */
  readonly unsubscribed: (event: Unsubscribed) => void
  /** What the connection carried is stale until another one brings it. */
  readonly disconnected: (event: Disconnected) => void
  /** The markets are over: their books stay as they are, and count no more. */
  readonly resolved: (event: MarketResolved) => void
}

export interface BookMembershipOptions {
  readonly entries: Map<InstrumentId, Entry>
  /** Where the books lie. */
  readonly levels: LevelPool
  /** Books that wait for the first snapshot on their connection. */
  readonly unbuilt: Set<Entry>
  readonly gaps: BookGaps
  readonly trust: BookTrust
  readonly quarantine: Quarantine
  readonly onArrived: (venue: VenueId) => void
  readonly onLeft: (entry: Entry) => void
}

export const make = (options: BookMembershipOptions): BookMembership => {
  const { entries, gaps, levels, onArrived, onLeft, quarantine, trust, unbuilt } = options
  /** What may be missing of a book up to now is told, and nothing that comes still settles it. */
  const conclude = (entry: Entry, now: number): void => {
    gaps.concede(entry, now)
    trust.clearDoubt(entry)
    unbuilt.delete(entry)
  }
  const subscribe = (id: InstrumentId, { connection, receivedTime: now, venue }: Subscribed): void => {
    let entry = entries.get(id)
    if (entry === undefined) {
      entry = makeEntry({ id, venue, connection, book: OrderBook.empty(levels), now })
      entries.set(id, entry)
      gaps.arrive(entry)
    } else {
      gaps.leave(entry, now)
      conclude(entry, now)
      if (entry.ended) entry.distrust = "the market was resolved"
    }
    restart(entry, connection)
    unbuilt.add(entry)
    gaps.await(entry)
    onArrived(venue)
    trust.setStatus(entry, "stale", "waiting for the first snapshot", now)
    entry.since = now
  }
  const forget = (id: InstrumentId, { connection, receivedTime: now }: Unsubscribed): void => {
    const entry = entries.get(id)
    // It may have moved to another connection by now, which is not asked to give it up.
    const moved = entry?.connection !== connection && gaps.isOpen(entry?.connection ?? "")
    if (entry === undefined || moved) return
    gaps.leave(entry, now)
    conclude(entry, now)
    gaps.depart(entry)
    entries.delete(id)
    quarantine.forget(id)
    onLeft(entry)
    OrderBook.release(entry.book)
  }

  return {
    subscribed: (event) => {
      for (const id of event.instrumentIds) subscribe(id, event)
    },
    unsubscribed: (event) => {
      for (const id of event.instrumentIds) forget(id, event)
    },
    disconnected: (event) => {
      gaps.disconnected(event)
      for (const entry of entries.values()) {
        if (entry.connection !== event.connection) continue
        conclude(entry, event.receivedTime)
        entry.held = []
        entry.built = false
        entry.absent = false
        trust.setStatus(entry, "stale", `disconnected: ${event.reason}`, event.receivedTime)
      }
    },
    resolved: (event) => {
      for (const id of event.instrumentIds) {
        const entry = entries.get(id)
        if (entry === undefined) continue
        gaps.leave(entry, event.receivedTime)
        conclude(entry, event.receivedTime)
        quarantine.forget(id)
        entry.ended = true
        trust.setStatus(entry, "stale", "the market is resolved", event.receivedTime)
      }
    }
  }
}
