/**
 * Where history is not whole, told once for each cause: a connection that was away, messages lost about several books
 * together, one book that was not trusted for a while.
 */
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { Connected, Disconnected, Gap } from "../domain/MarketEvent.ts"
import { type Entry, type Moment, NEVER } from "./BookEntry.ts"

/** What all books of a slot missed while it had no connection. */
export interface OpenGap {
  readonly from: number
  readonly reason: string
}

export interface ConnectionState {
  readonly id: string
  readonly slot: string
  readonly venue: VenueId
  /** When the last data about a book happened, as `happenedAt` has it; before there was any, when it connected. */
  lastData: number
  /** Set when the slot's previous connection ended; closes when this one has brought the books. */
  gap: OpenGap | undefined
  /** Books whose first snapshot on this connection has not come. */
  readonly waiting: Set<Entry>
  firstSnapshot: number | undefined
  lastSnapshot: number
}

/** How long after a connection's first snapshot others still count as of the same dump. */
const DUMP_GRACE = 1_000

/** Books that were given up, of which it is remembered until when their history is whole. */
const MAX_DEPARTED = 10_000

/** How much earlier than it came something may have happened: a venue's clock that says more is wrong. */
const MAX_DELAY = 60_000

/**
 * From when on history may be missing if this was the last that came: what the venue sent after it happened may still
 * have been on its way when it came.
 */
export const happenedAt = ({ receivedTime, venueTime }: Moment): number =>
  Math.min(receivedTime, Math.max(venueTime, receivedTime - MAX_DELAY))

export interface BookGaps {
  readonly connected: (event: Connected) => void
  /** The connection is gone; what its slot misses from now on closes with the books of its next connection. */
  readonly disconnected: (event: Disconnected) => void
  readonly isOpen: (connection: string) => boolean
  /** When the last data about a book that a connection carried happened. */
  readonly lastData: (connection: string) => number | undefined
  readonly noteData: (connection: string, data: Moment) => void
  /** The book waits for its first snapshot on its connection. */
  readonly await: (entry: Entry) => void
  /** The book waits no longer for a snapshot that did not come. */
  readonly leave: (entry: Entry, now: number) => void
  /** The book is given up; if it is begun again, what it missed between becomes a gap. */
  readonly depart: (entry: Entry) => void
  /** The book is begun, perhaps again. */
  readonly arrive: (entry: Entry) => void
  /** The first snapshot on a connection came: what the book missed is in the common gap, or its own if it is late. */
  readonly built: (entry: Entry, now: number) => void
  /** A change came after a state of its book that contains it, so that history has no row of it. */
  readonly overtaken: (entry: Entry, change: Moment) => void
  /** What a book may have missed while it was not trusted becomes a gap, however that time ends. */
  readonly concede: (entry: Entry, now: number) => void
  /** Closes the gaps of connections whose dump is over although some book never came. */
  readonly expire: (now: number) => void
}

/** What is remembered of connections: plain data, kept in place. */
export interface Memory {
  readonly connections: Map<string, ConnectionState>
  readonly slots: Map<string, OpenGap>
  /** By book that was given up, when it was last known to be right; those longest ago first. */
  readonly departed: Map<InstrumentId, number>
}

export const memory = (): Memory => ({ connections: new Map(), slots: new Map(), departed: new Map() })

export const make = (push: (gap: Gap) => void, { connections, departed, slots }: Memory = memory()): BookGaps => {
  const pushGap = (
    { connection, venue }: Pick<Entry, "connection" | "venue">,
    instrumentId: InstrumentId | null,
    { from, reason }: OpenGap,
    to: number,
    now: number
  ): void =>
    // Our clock may have been set back in between.
    push({
      _tag: "Gap",
      venue,
      connection,
      instrumentId,
      from: Math.min(from, to),
      to,
      reason,
      receivedTime: now
    })

  const close = (connection: ConnectionState, now: number): void => {
    if (connection.gap === undefined || connection.firstSnapshot === undefined) return
    const { gap, id, lastSnapshot, venue } = connection
    connection.gap = undefined
    pushGap({ connection: id, venue }, null, gap, lastSnapshot, now)
  }

  const leaveLoss = (entry: Entry, now: number): void => {
    const { loss } = entry
    entry.loss = undefined
    if (loss === undefined || --loss.remaining > 0) return
    pushGap(entry, null, loss, now, now)
  }

  const waitNoMore = (connection: ConnectionState, entry: Entry, now: number): void => {
    if (connection.waiting.delete(entry) && connection.waiting.size === 0) close(connection, now)
  }

  /** What a book missed of which no snapshot came; a distrust tells of it as well. */
  const missed = (entry: Entry, reason: string, now: number): void => {
    const { distrust, id, lastGood } = entry
    if (lastGood !== NEVER && distrust === undefined) pushGap(entry, id, { from: lastGood, reason }, now, now)
  }

  /** Most data comes on the connection of the data before. */
  let latest: ConnectionState | undefined
  const stateOf = (id: string): ConnectionState | undefined =>
    latest?.id === id ? latest : (latest = connections.get(id))

  return {
    connected: ({ connection, receivedTime, slot, venue }) => {
      latest = undefined
      // A slot that fell empty ended without a word.
      for (const [id, other] of connections) if (other.slot === slot) connections.delete(id)
      connections.set(connection, {
        id: connection,
        slot,
        venue,
        lastData: receivedTime,
        gap: slots.get(slot),
        waiting: new Set(),
        firstSnapshot: undefined,
        lastSnapshot: 0
      })
      slots.delete(slot)
    },
    disconnected: ({ connection: id, reason, receivedTime, slot }) => {
      latest = undefined
      const connection = connections.get(id)
      connections.delete(id)
      if (connection === undefined) return
      close(connection, receivedTime)
      // A gap that is closed says nothing of those that still waited; one that is open goes on.
      if (connection.gap === undefined) {
        for (const entry of connection.waiting) missed(entry, "its snapshot did not come", receivedTime)
      }
      slots.set(slot, { from: connection.gap?.from ?? connection.lastData, reason })
    },
    isOpen: (connection) => connections.has(connection),
    lastData: (connection) => connections.get(connection)?.lastData,
    noteData: (id, data) => {
      const connection = stateOf(id)
      if (connection !== undefined) connection.lastData = happenedAt(data)
    },
    await: (entry) => connections.get(entry.connection)?.waiting.add(entry),
    leave: (entry, now) => {
      const connection = connections.get(entry.connection)
      if (!connection?.waiting.has(entry)) return
      missed(entry, "its snapshot did not come", now)
      waitNoMore(connection, entry, now)
    },
    depart: ({ id, lastGood }) => {
      if (lastGood === NEVER) return
      departed.set(id, lastGood)
      if (departed.size <= MAX_DEPARTED) return
      for (const oldest of departed.keys()) return void departed.delete(oldest)
    },
    arrive: (entry) => {
      const lastGood = departed.get(entry.id)
      if (lastGood === undefined) return
      departed.delete(entry.id)
      entry.lastGood = lastGood
      entry.distrust = "it was not subscribed"
    },
    built: (entry, now) => {
      const connection = connections.get(entry.connection)
      if (connection?.gap !== undefined) {
        connection.firstSnapshot ??= now
        connection.lastSnapshot = now
      } else missed(entry, "its snapshot came late", now)
      if (connection !== undefined) waitNoMore(connection, entry, now)
    },
    overtaken: (entry, change) => {
      const { builtTime, id, provenTime, snapshotTime } = entry
      const from = happenedAt(change)
      const now = change.receivedTime
      // What precedes the connection's first snapshot is in the connection's gap.
      if (from < builtTime) return
      const to = Math.max(from, Math.min(Math.max(snapshotTime, provenTime), now))
      pushGap(entry, id, { from, reason: "a change came after the book that contains it" }, to, now)
    },
    concede: (entry, now) => {
      const { distrust, lastGood } = entry
      entry.distrust = undefined
      if (entry.loss !== undefined) leaveLoss(entry, now)
      else if (distrust !== undefined && lastGood !== NEVER) {
        pushGap(entry, entry.id, { from: lastGood, reason: distrust }, now, now)
      }
    },
    expire: (now) => {
      for (const connection of connections.values()) {
        const { firstSnapshot, gap } = connection
        if (gap !== undefined && firstSnapshot !== undefined && now - firstSnapshot >= DUMP_GRACE) {
          close(connection, now)
        }
      }
    }
  }
}
