/**
 * The state of every book and the rules of its integrity, synchronous and venue-blind. A book is `live` only from a
 * snapshot on, and only while nothing that the venue says contradicts it.
 */
import * as LevelPool from "../domain/LevelPool.ts"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type {
  BookChange,
  BookDelta,
  BookSnapshot,
  BookStatus,
  FeedEvent,
  MarketEvent,
  SequenceGap,
  Trade
} from "../domain/MarketEvent.ts"
import type { Size } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type { BookVerifier, Verdict } from "../venues/Venue.ts"
import {
  awaitsSnapshot,
  type BookCounters,
  type BookView,
  type Entry,
  hold,
  isDisowned,
  isFresh,
  isLate,
  type Moment,
  momentOf,
  NEVER,
  newerThan,
  quoteFault,
  type SharedLoss,
  statusOf,
  view as viewOf
} from "./BookEntry.ts"
import * as BookGaps from "./BookGaps.ts"
import * as BookMembership from "./BookMembership.ts"
import * as BookProof from "./BookProof.ts"
import * as BookTrust from "./BookTrust.ts"
import * as Quarantine from "./Quarantine.ts"

export type { BookCounters, BookView } from "./BookEntry.ts"

const HEALED_BY = { socket: "snapshot received", rest: "resynced over REST", poll: "polled" } as const

/** How long best quotes may contradict a book before it is suspect: one operation's frames come within milliseconds. */
const QUOTE_GRACE = 250
/** How long a subscription may go without its first snapshot before it is asked for over REST. */
const SNAPSHOT_GRACE = 10_000

export interface BookKeeperOptions {
  readonly verifier: (venue: VenueId) => BookVerifier | undefined
  /** Told which book needs a fresh snapshot. */
  readonly onResync: (id: InstrumentId, venue: VenueId) => void
  /** When a book whose messages keep being rejected is left alone for a while. */
  readonly quarantine?: Quarantine.Rule
}

export interface BookKeeper {
  /** Applies events in order and returns what held, with what follows from it. */
  readonly apply: (events: ReadonlyArray<FeedEvent>) => Array<MarketEvent>
  /** Judges what only the passing of time can judge; call ten times a second, and more often while it is behind. */
  readonly sweep: (now: number) => Array<MarketEvent>
  /** Whether digests are put off until the next sweeps. */
  readonly isBehind: () => boolean
  /** A fresh snapshot is on its way; called each time before one is asked for. */
  readonly resyncing: (id: InstrumentId, now: number) => Array<MarketEvent>
  /** No fresh snapshot could be had: `final` when the venue has none to give. */
  readonly resyncFailed: (id: InstrumentId, now: number, reason: string, final: boolean) => Array<MarketEvent>
  /** The socket has ceased to bring the changes of a book: a book of REST is shown, but makes nothing whole. */
  readonly frozen: (id: InstrumentId, now: number, reason: string) => Array<MarketEvent>
  /** What a connection brought is not read yet: its live books are stale until it has caught up. */
  readonly stalled: (connection: string, now: number, reason: string) => Array<MarketEvent>
  readonly caughtUp: (connection: string, now: number) => Array<MarketEvent>
  readonly view: (id: InstrumentId, limit?: number) => BookView | undefined
  readonly ids: () => Iterable<InstrumentId>
  readonly statuses: () => ReadonlyMap<VenueId, Readonly<Record<BookStatus, number>>>
  readonly counters: Readonly<BookCounters>
}

/** All that a keeper remembers: plain data, kept in place. */
export interface Memory {
  readonly entries: Map<InstrumentId, Entry>
  /** The levels of their books. */
  readonly levels: LevelPool.LevelPool
  readonly doubted: Set<Entry>
  readonly unbuilt: Set<Entry>
  readonly gaps: BookGaps.Memory
  readonly quarantine: Quarantine.Memory
  readonly counters: BookCounters
}

export const memory = (): Memory => ({
  entries: new Map(),
  levels: LevelPool.make(),
  doubted: new Set(),
  unbuilt: new Set(),
  gaps: BookGaps.memory(),
  quarantine: Quarantine.memory(),
  counters: {
    applied: 0,
    snapshots: 0,
    verified: 0,
    mismatches: 0,
    unverifiable: 0,
    checkedByDigest: 0,
    checkedLater: 0,
    checkedByQuotes: 0,
    unchecked: 0,
    duplicates: 0,
    outdated: 0,
    early: 0,
    foreign: 0,
    resyncs: 0,
    quarantines: 0
  }
})

export const make = (options: BookKeeperOptions, remembered: Memory = memory()): BookKeeper => {
  const { counters, doubted, entries, unbuilt } = remembered
  let out: Array<MarketEvent> = []
  const gaps = BookGaps.make((gap) => out.push(gap), remembered.gaps)
  const quarantine = Quarantine.make(remembered.quarantine, options.quarantine)
  const push = (event: MarketEvent): void => void out.push(event)
  const { onResync } = options
  const trust = BookTrust.make({ doubted, counters, gaps, quarantine, push, onResync })
  const { clearDoubt, contradicted, heal, setStatus, suspect } = trust
  const proof = BookProof.make({ verifier: options.verifier, counters, trust })
  for (const { venue } of entries.values()) proof.begin(venue)
  const membership = BookMembership.make({
    entries,
    levels: remembered.levels,
    unbuilt,
    gaps,
    trust,
    quarantine,
    onArrived: proof.begin,
    onLeft: proof.forget
  })

  const collect = (run: () => void): Array<MarketEvent> => {
    out = []
    run()
    return out
  }

  const publishBest = (entry: Entry, at: Moment): void => {
    const bid = OrderBook.bestPrice(entry.book, "bid")
    const ask = OrderBook.bestPrice(entry.book, "ask")
    const bidSize = OrderBook.bestSize(entry.book, "bid")
    const askSize = OrderBook.bestSize(entry.book, "ask")
    if (bid === entry.bid && ask === entry.ask && bidSize === entry.bidSize && askSize === entry.askSize) return
    entry.bid = bid
    entry.ask = ask
    entry.bidSize = bidSize
    entry.askSize = askSize
    const { receivedTime, venueTime } = at
    out.push({ _tag: "BestChanged", instrumentId: entry.id, bid, bidSize, ask, askSize, venueTime, receivedTime })
  }

  /** The book of what came on its socket, which shows how far its connection has come. */
  const found = (event: BookChange | BookDelta | BookSnapshot | Trade): Entry | undefined => {
    const entry = entries.get(event.instrumentId)
    if (entry === undefined) {
      counters.foreign++
      return undefined
    }
    // What was fetched says nothing of how far the socket has come.
    if (event._tag !== "BookSnapshot" || event.source !== "rest") gaps.noteData(entry.connection, event)
    return entry
  }

  /** Makes the book this snapshot with these changes on top, and judges it. */
  const rebuild = (entry: Entry, event: BookSnapshot, changes: ReadonlyArray<BookChange>): Verdict => {
    OrderBook.applySnapshot(entry.book, event.bids, event.asks)
    let verdict = proof.check(entry, event, true)
    for (const change of changes) {
      OrderBook.applyChange(entry.book, change.side, change.price, change.size)
      verdict = proof.check(entry, change, true)
    }
    return verdict
  }

  const applySnapshot = (event: BookSnapshot): void => {
    const entry = found(event)
    if (entry === undefined) return
    const now = event.receivedTime
    if (entry.ended || (event.source === "rest" && !isFresh(entry, event))) return
    if (event.source === "socket" && entry.status === "live" && event.venueTime < entry.provenTime) {
      counters.outdated++
      entry.provenTime = 0
      return contradicted(entry, "a snapshot came that is older than the book", now)
    }
    counters.snapshots++
    entry.fedBy = event.source === "poll" ? "poll" : "stream"
    let newer = newerThan(event, entry.held)
    let verdict = rebuild(entry, event, newer)
    const wrong = () => verdict === "mismatch" || OrderBook.isCrossed(entry.book)
    if (event.source === "rest" && wrong() && newer.every((one) => isDisowned(entry, one))) {
      newer = []
      verdict = rebuild(entry, event, newer)
    }
    const last = newer[newer.length - 1] ?? event
    entry.snapshotTime = event.venueTime
    entry.venueTime = last.venueTime
    entry.receivedTime = now
    // What is passed on is the book that resulted, so that history can be rebuilt without our replay.
    out.push(
      last === event
        ? event
        : {
            ...event,
            bids: OrderBook.levels(entry.book, "bid"),
            asks: OrderBook.levels(entry.book, "ask"),
            venueTime: last.venueTime,
            hash: last.hash
          }
    )
    const moment = { venueTime: last.venueTime, receivedTime: now }
    if (!entry.built) {
      entry.built = true
      entry.builtTime = now
      unbuilt.delete(entry)
      gaps.built(entry, now)
      // Its history begins here, even if it is not trusted yet.
      if (entry.lastGood === NEVER) entry.lastGood = BookGaps.happenedAt(moment)
    }
    publishBest(entry, moment)
    if (OrderBook.isCrossed(entry.book)) suspect(entry, "the snapshot is crossed", now)
    else if (verdict === "mismatch") {
      suspect(entry, "the venue's digest does not match after the snapshot", now)
    } else if (entry.frozen && event.source === "rest") setStatus(entry, "suspect", entry.reason, now)
    else heal(entry, HEALED_BY[event.source], moment)
  }

  const applyChange = (event: BookChange): void => {
    const entry = found(event)
    if (entry === undefined || entry.ended) return
    if (entry.absent) suspect(entry, "the venue keeps a book for it after all", event.receivedTime)
    if (!entry.built) {
      counters.early++
      hold(entry, event)
      return
    }
    if (event.venueTime < entry.snapshotTime) {
      counters.outdated++
      return gaps.overtaken(entry, event)
    }
    const late = isLate(entry, event)
    // Out of order or said again: it would make the book what it was before, with a digest that proves just that.
    if (late && entry.status === "live") {
      counters.outdated++
      gaps.overtaken(entry, event)
      if (OrderBook.sizeAt(entry.book, event.side, event.price) === event.size) return
      entry.provenTime = 0
      return contradicted(entry, "a change came that is older than the book", event.receivedTime)
    }
    setLevel(entry, event, late)
  }

  const setLevel = (entry: Entry, event: BookChange, late: boolean): void => {
    const now = event.receivedTime
    const { receivedTime, venueTime } = entry
    const before = OrderBook.applyChange(entry.book, event.side, event.price, event.size)
    if (!late) entry.venueTime = event.venueTime
    entry.receivedTime = now
    counters.applied++
    if (before === event.size) counters.duplicates++
    else {
      out.push(event)
      publishBest(entry, event)
    }
    const states = event.bestBid !== null || event.bestAsk !== null
    const fault = states ? quoteFault(entry, event.bestBid, event.bestAsk) : undefined
    // Where anything speaks against the book its digest is compared at once, which settles it either way.
    const isUrgent = entry.status !== "live" || fault !== undefined || entry.doubt !== undefined
    const verdict = proof.check(entry, event, isUrgent)
    proof.count(verdict, states)
    const crossed = OrderBook.isCrossed(entry.book)
    if (entry.status !== "live") {
      hold(entry, event)
      if (verdict === "verified" && !crossed && !late) heal(entry, "the venue's digest matches again", event)
      return
    }
    if (crossed) suspect(entry, "the book is crossed", now, event)
    else if (verdict === "mismatch") contradicted(entry, "the venue's digest does not match the book", now, event)
    else if (verdict === "verified") {
      clearDoubt(entry)
      entry.lastGood = BookGaps.happenedAt(event)
    } else if (verdict === "deferred") {
      if (states) proof.noteQuotes(entry, now)
    } else if (verdict === "unverifiable") {
      if (states) proof.judgeQuotes(entry, event, fault)
      if (entry.doubt === undefined) entry.lastGood = BookGaps.happenedAt(event)
    }
    if ((entry.status as BookStatus) !== "live") entry.lastSure = momentOf({ receivedTime, venueTime })
  }

  /** Counted changes make sense only on a whole book: until the snapshot comes, it will contain them. */
  const applyDelta = (event: BookDelta): void => {
    const entry = found(event)
    if (entry === undefined) return
    if (entry.status !== "live") {
      counters.early++
      return
    }
    const { delta, ...change } = event
    const size = OrderBook.sizeAt(entry.book, event.side, event.price) + delta
    if (size < 0) return contradicted(entry, "a level fell below zero", event.receivedTime)
    // In sequence, whatever the times say: the snapshot's may be our own clock's.
    setLevel(
      entry,
      { ...change, _tag: "BookChange", size: size as Size, hash: null, bestBid: null, bestAsk: null },
      false
    )
  }

  const loseTogether = (event: SequenceGap): void => {
    const books = event.instrumentIds.map((id) => entries.get(id)).filter((entry) => entry?.status === "live")
    const from = gaps.lastData(event.connection) ?? event.receivedTime
    const reason = `messages are missing: ${event.received} came where ${event.expected} was due`
    const loss: SharedLoss = { from, reason, remaining: books.length }
    for (const entry of books) {
      contradicted(entry!, reason, event.receivedTime)
      entry!.loss = loss
    }
  }

  const reject = (entry: Entry, why: string, now: number): void => {
    const begins = quarantine.rejected(entry.id, why, now)
    if (begins) counters.quarantines++
    if (entry.status !== "live") entry.lostTime = now
    if (begins || entry.status === "live") suspect(entry, `a message was rejected: ${why}`, now)
  }

  const applyEvent = (event: FeedEvent): void => {
    switch (event._tag) {
      case "BookChange":
        return applyChange(event)
      case "BookDelta":
        return applyDelta(event)
      case "BookSnapshot":
        return applySnapshot(event)
      case "SequenceGap":
        return loseTogether(event)
      case "Trade": {
        const entry = found(event)
        if (entry === undefined) return
        proof.hear(entry, event)
        out.push(event)
        return
      }
      case "TickSizeChange": {
        const entry = entries.get(event.instrumentId)
        if (entry === undefined) return void counters.foreign++
        proof.hear(entry, event)
        out.push(event)
        if (entry.status === "live") suspect(entry, "the tick size changed", event.receivedTime)
        return
      }
      case "BestQuote": {
        const entry = entries.get(event.instrumentId)
        if (entry === undefined) return void counters.foreign++
        if (entry.status === "live") proof.judgeQuotes(entry, event, quoteFault(entry, event.bid, event.ask))
        return
      }
      case "MessageRejected":
        out.push(event)
        for (const id of event.instrumentIds) {
          const entry = entries.get(id)
          if (entry !== undefined && !entry.ended) reject(entry, event.reason, event.receivedTime)
        }
        return
      case "Connected":
        gaps.connected(event)
        out.push(event)
        return
      case "Subscribed":
        out.push(event)
        membership.subscribed(event)
        return
      case "Unsubscribed":
        out.push(event)
        membership.unsubscribed(event)
        return
      case "Disconnected":
        out.push(event)
        membership.disconnected(event)
        return
      case "MarketListed":
        out.push(event)
        return
      case "MarketResolved":
        out.push(event)
        membership.resolved(event)
    }
  }

  return {
    counters,
    apply: (events) =>
      collect(() => {
        for (const event of events) applyEvent(event)
      }),
    sweep: (now) =>
      collect(() => {
        // A digest says more than quotes do, so that it may end a doubt.
        for (const { instrumentId, why } of proof.expire(now)) {
          const entry = entries.get(instrumentId)
          if (entry === undefined) continue
          if (why === undefined) proof.proveLate(entry, now)
          else contradicted(entry, why, now)
        }
        for (const entry of doubted) {
          if (now - entry.doubt!.since >= QUOTE_GRACE) contradicted(entry, entry.doubt!.why, now)
        }
        for (const entry of unbuilt) {
          if (now - entry.since < SNAPSHOT_GRACE) continue
          unbuilt.delete(entry)
          setStatus(entry, "suspect", "no snapshot came", now)
          trust.askSnapshot(entry)
        }
        for (const id of quarantine.expire(now)) {
          const entry = entries.get(id)
          if (entry === undefined || !awaitsSnapshot(entry)) continue
          setStatus(entry, "suspect", "the quarantine is over; a fresh snapshot is due", now)
          options.onResync(id, entry.venue)
        }
        gaps.expire(now)
      }),
    isBehind: proof.isBehind,
    resyncing: (id, now) =>
      collect(() => {
        const entry = entries.get(id)
        if (entry === undefined || !awaitsSnapshot(entry) || quarantine.reason(id) !== undefined) return
        entry.asked = now
        if (entry.status === "resyncing") return
        counters.resyncs++
        setStatus(entry, "resyncing", entry.reason, now)
      }),
    resyncFailed: (id, now, reason, final) =>
      collect(() => {
        const entry = entries.get(id)
        if (entry === undefined || !awaitsSnapshot(entry)) return
        entry.absent = final
        setStatus(entry, final ? "stale" : "suspect", reason, now)
        if (!final || entry.distrust === undefined) return
        // It may stay like that for long: what is missing up to now is told now.
        gaps.concede(entry, now)
        entry.distrust = reason
        if (entry.lastGood !== NEVER) entry.lastGood = now
      }),
    frozen: (id, now, reason) =>
      collect(() => {
        const entry = entries.get(id)
        if (entry?.status !== "live") return
        entry.frozen = true
        contradicted(entry, `frozen: ${reason}`, now)
      }),
    stalled: (connection, now, reason) =>
      collect(() => {
        for (const entry of entries.values()) {
          const isHit = entry.connection === connection && entry.fedBy === "stream" && entry.status === "live"
          if (isHit && entry.stall?.reason !== reason) trust.setStall(entry, { since: now, reason }, now)
        }
      }),
    caughtUp: (connection, now) =>
      collect(() => {
        for (const entry of entries.values()) {
          if (entry.connection === connection && entry.stall !== undefined) trust.setStall(entry, undefined, now)
        }
      }),
    view: (id, limit) => {
      const entry = entries.get(id)
      return entry === undefined ? undefined : viewOf(entry, quarantine.reason(id) !== undefined, limit)
    },
    ids: () => entries.keys(),
    statuses: () => {
      const byVenue = new Map<VenueId, Record<BookStatus, number>>()
      for (const entry of entries.values()) {
        let counts = byVenue.get(entry.venue)
        if (counts === undefined) byVenue.set(entry.venue, (counts = { live: 0, stale: 0, suspect: 0, resyncing: 0 }))
        counts[statusOf(entry)]++
      }
      return byVenue
    }
  }
}
