/** What passes on the bus, counted: cheap enough to see every event, so that nobody waits for it. */
import type { MarketEvent } from "../domain/MarketEvent.ts"
import type { InstrumentId } from "../domain/Market.ts"
import type { Price } from "../domain/Money.ts"

/** One book since it was subscribed. */
export interface BookActivity {
  /** Snapshots, changes and trades. */
  readonly updates: number
  readonly lastTrade: { readonly price: Price; readonly takerSide: "buy" | "sell" | null } | null
}

export interface Activity {
  readonly see: (events: ReadonlyArray<MarketEvent>) => void
  readonly book: (id: InstrumentId) => BookActivity | undefined
  /** Snapshots, changes and trades of all books, those that ended too. */
  readonly updates: () => number
  /** Connections that ended. */
  readonly drops: () => number
  /** Stretches of history that are not whole. */
  readonly gaps: () => number
  /** Ids of the connections that opened. */
  readonly connections: ReadonlySet<string>
}

interface Mutable {
  updates: number
  lastTrade: BookActivity["lastTrade"]
}

export const make = (): Activity => {
  const books = new Map<InstrumentId, Mutable>()
  const connections = new Set<string>()
  let updates = 0
  let drops = 0
  let gaps = 0

  const touch = (id: InstrumentId): Mutable => {
    let book = books.get(id)
    if (book === undefined) books.set(id, (book = { updates: 0, lastTrade: null }))
    book.updates++
    updates++
    return book
  }
  const seeOne = (event: MarketEvent): void => {
    switch (event._tag) {
      case "BookSnapshot":
      case "BookChange":
        touch(event.instrumentId)
        return
      case "Trade":
        touch(event.instrumentId).lastTrade = { price: event.price, takerSide: event.takerSide }
        return
      case "Unsubscribed":
        for (const id of event.instrumentIds) books.delete(id)
        return
      case "Connected":
        connections.add(event.connection)
        return
      case "Disconnected":
        drops++
        return
      case "Gap":
        gaps++
    }
  }
  return {
    see: (events) => events.forEach(seeOne),
    book: (id) => books.get(id),
    updates: () => updates,
    drops: () => drops,
    gaps: () => gaps,
    connections
  }
}
