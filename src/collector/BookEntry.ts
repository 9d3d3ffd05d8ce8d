/** What is known of one book, and the rules that look at nothing else. */
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { BookChange, BookSnapshot, BookStatus } from "../domain/MarketEvent.ts"
import type { Price } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"

/** A book as its readers see it: a copy. Levels best first; times in milliseconds. */
export interface BookView {
  readonly instrumentId: InstrumentId
  readonly venue: VenueId
  readonly connection: string
  readonly status: BookStatus
  readonly statusSince: number
  readonly statusReason: string
  /** Its messages keep being unusable: no snapshot heals it for now. */
  readonly quarantined: boolean
  readonly bids: ReadonlyArray<OrderBook.Level>
  readonly asks: ReadonlyArray<OrderBook.Level>
  readonly venueTime: number | null
  readonly receivedTime: number | null
  /** `poll`: the book is fetched now and then, and as old as `receivedTime` says; nothing is known of what came between. */
  readonly fedBy: "stream" | "poll"
  /** How the book was last proved: by the venue's digest, by its best quotes only, or not at all. */
  readonly verifiedBy: "digest" | "quotes" | "nothing"
  readonly verifiedTime: number | null
}

/** What the keeper counted since the start. */
export interface BookCounters {
  applied: number
  snapshots: number
  /** Digests that were reproduced. */
  verified: number
  /** Digests or quotes that contradicted a book. */
  mismatches: number
  unverifiable: number
  /** Changes that were compared at once with the venue's digest. */
  checkedByDigest: number
  /** Changes whose digest was put off until a later state of the book was compared; their quotes are, if they state any. */
  checkedLater: number
  /** Changes without a digest of use that were compared with the best quotes that they state. */
  checkedByQuotes: number
  /** Changes that state nothing to compare with. */
  unchecked: number
  /** Changes that changed nothing, as when a venue repeats itself. */
  duplicates: number
  /** Changes older than the snapshot that they followed. */
  outdated: number
  /** Changes before the first snapshot. */
  early: number
  /** Events of instruments that are not subscribed. */
  foreign: number
  resyncs: number
  /** Times that a book was quarantined. */
  quarantines: number
}

/**
 * A time that has not come, among those of an {@link Entry}: where a field may be `null` as well, each number put there is
 * made anew on the heap, several for every message.
 */
export const NEVER = -1

export interface Entry {
  readonly id: InstrumentId
  readonly venue: VenueId
  readonly book: OrderBook.OrderBook
  connection: string
  status: BookStatus
  since: number
  reason: string
  /** Whether the book was built from a snapshot of this connection. */
  built: boolean
  /** When that snapshot came. */
  builtTime: number
  /** The market is over: nothing that comes still counts. */
  ended: boolean
  /** The socket ceased to bring its changes: until it does again, no book of REST stays true for long. */
  frozen: boolean
  /** While what came is not read yet: a book that is `live` otherwise is shown as `stale`. */
  stall: { readonly since: number; readonly reason: string } | undefined
  /** The venue said that it keeps no book for it, and nothing has come of it since. */
  absent: boolean
  venueTime: number
  receivedTime: number
  snapshotTime: number
  fedBy: BookView["fedBy"]
  /** The loss of messages that this book shares with others. */
  loss: SharedLoss | undefined
  verifiedBy: BookView["verifiedBy"]
  verifiedTime: number
  /** Changes since the book was last trusted, oldest first, to be replayed over a snapshot that is older than they are. */
  held: Array<BookChange>
  /** When the fresh snapshot that is awaited was asked for. */
  asked: number
  /** When a message about the book was lost while a fresh snapshot was awaited. */
  lostTime: number
  /** The venue's time of the latest state that its digest proved. */
  provenTime: number
  /** The last change that neither is held nor was it what ended the trust: a fresh snapshot must know it. */
  lastSure: Moment | undefined
  /** When what last showed the book to be right happened, by the earlier of the venue's clock and ours. */
  lastGood: number
  /** Why the book is not trusted since then. */
  distrust: string | undefined
  /** The venue's quotes contradict the book, since then; an operation of several frames may explain it. */
  doubt: { readonly venueTime: number; readonly since: number; readonly why: string } | undefined
  bid: Price | -1
  bidSize: number
  ask: Price | -1
  askSize: number
}

/** When a change happened, by the venue's clock, and when it came, by ours. */
export interface Moment {
  readonly venueTime: number
  readonly receivedTime: number
}

/** Messages that went missing about several books at once: one gap, which closes when the last of them is whole. */
export interface SharedLoss {
  readonly from: number
  readonly reason: string
  remaining: number
}

/** Changes kept for the replay over a late snapshot; a book that needs more than this starts over. */
const MAX_HELD = 2_000
/** How far a REST book may be behind the socket: what it does not know by then never happened. */
export const REST_LAG = 1_500

export interface Beginning extends Pick<Entry, "id" | "venue" | "connection" | "book"> {
  readonly now: number
}

export const make = ({ book, connection, id, now, venue }: Beginning): Entry => ({
  id,
  venue,
  book,
  connection,
  status: "stale",
  since: now,
  reason: "",
  built: false,
  builtTime: 0,
  ended: false,
  frozen: false,
  stall: undefined,
  absent: false,
  venueTime: NEVER,
  receivedTime: NEVER,
  snapshotTime: 0,
  fedBy: "stream",
  loss: undefined,
  verifiedBy: "nothing",
  verifiedTime: NEVER,
  held: [],
  asked: 0,
  lostTime: 0,
  provenTime: 0,
  lastSure: undefined,
  lastGood: NEVER,
  distrust: undefined,
  doubt: undefined,
  bid: -1,
  bidSize: 0,
  ask: -1,
  askSize: 0
})

/** The book begins anew on a connection: nothing of before still counts, except what is owed for it. */
export const restart = (entry: Entry, connection: string): void => {
  entry.connection = connection
  entry.built = false
  entry.ended = false
  entry.absent = false
  entry.held = []
  entry.lostTime = 0
  entry.provenTime = 0
  entry.lastSure = undefined
}

/** The status for everybody else. */
export const statusOf = ({ stall, status }: Entry): BookStatus =>
  status === "live" && stall !== undefined ? "stale" : status

export const awaitsSnapshot = (entry: Entry): boolean => entry.status === "suspect" || entry.status === "resyncing"

export const momentOf = ({ receivedTime, venueTime }: Pick<Entry, "receivedTime" | "venueTime">): Moment | undefined =>
  venueTime === NEVER ? undefined : { venueTime, receivedTime }

/** How the venue's word for the best quotes contradicts the book; `null` is no word, −1 an empty side. */
export const quoteFault = ({ book }: Entry, bid: Price | -1 | null, ask: Price | -1 | null): string | undefined => {
  if (bid !== null && bid !== OrderBook.bestPrice(book, "bid")) return "the venue's best bid is not the book's"
  if (ask !== null && ask !== OrderBook.bestPrice(book, "ask")) return "the venue's best ask is not the book's"
  return undefined
}

/** Whether a change is older than another that came before it. */
export const isLate = ({ venueTime }: Entry, change: Moment): boolean => change.venueTime < venueTime

/** Keeps a change for the replay over a snapshot to come, in the venue's order. */
export const hold = (entry: Entry, event: BookChange): void => {
  if (entry.held.length >= MAX_HELD) {
    entry.lastSure = entry.held[entry.held.length - 1]
    entry.held = []
  }
  const { held } = entry
  let at = held.length
  while (at > 0 && held[at - 1]!.venueTime > event.venueTime) at--
  held.splice(at, 0, event)
}

/** Changes that the snapshot does not contain: those after the last one that led to the very same book. */
export const newerThan = (snapshot: BookSnapshot, held: ReadonlyArray<BookChange>): ReadonlyArray<BookChange> => {
  // On the socket a snapshot stands where it belongs, so that only a later time shows that a change overtook it.
  if (snapshot.source !== "rest") return held.filter((change) => change.venueTime > snapshot.venueTime)
  const same = held.findLastIndex(
    (change) => change.venueTime === snapshot.venueTime && change.hash !== null && change.hash === snapshot.hash
  )
  return held.slice(same + 1).filter((change) => change.venueTime >= snapshot.venueTime)
}

/** Whether a REST book is what was asked for and knows what happened before. */
export const isFresh = (entry: Entry, { venueTime }: BookSnapshot): boolean => {
  const { asked, lastSure, lostTime, provenTime, snapshotTime } = entry
  if (!awaitsSnapshot(entry) || asked < lostTime) return false
  if (entry.built && venueTime < Math.max(snapshotTime, provenTime)) return false
  return lastSure === undefined || venueTime >= lastSure.venueTime || lastSure.receivedTime < asked - REST_LAG
}

/** Whether a change is so old that a REST book which does not know it by now shows that it never happened. */
export const isDisowned = ({ asked }: Entry, change: Moment): boolean => change.receivedTime < asked - REST_LAG

const orNull = (time: number): number | null => (time === NEVER ? null : time)

export const view = (entry: Entry, quarantined: boolean, limit?: number): BookView => ({
  instrumentId: entry.id,
  venue: entry.venue,
  connection: entry.connection,
  status: statusOf(entry),
  statusSince: entry.stall?.since ?? entry.since,
  statusReason: entry.stall?.reason ?? entry.reason,
  quarantined,
  bids: OrderBook.levels(entry.book, "bid", limit),
  asks: OrderBook.levels(entry.book, "ask", limit),
  venueTime: orNull(entry.venueTime),
  receivedTime: orNull(entry.receivedTime),
  fedBy: entry.fedBy,
  verifiedBy: entry.verifiedBy,
  verifiedTime: orNull(entry.verifiedTime)
})
