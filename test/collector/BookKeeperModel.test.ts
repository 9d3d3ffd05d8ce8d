/**
 * Random histories of a venue against the keeper: what it calls live must be true, whatever was lost, late, repeated
 * or made up on the way.
 */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { REST_LAG } from "../../src/collector/BookEntry.ts"
import * as BookKeeper from "../../src/collector/BookKeeper.ts"
import { InstrumentId } from "../../src/domain/Market.ts"
import type { BookChange, BookSnapshot, BookStatus, FeedEvent, Gap, MarketEvent } from "../../src/domain/MarketEvent.ts"
import * as OrderBook from "../../src/domain/OrderBook.ts"
import type { Level, Side } from "../../src/domain/OrderBook.ts"
import {
  connected,
  digest,
  disconnected,
  exactVerifier,
  levels,
  rejected,
  resolved,
  snapshot,
  subscribed,
  unsubscribed
} from "../support/Events.ts"

const CONNECTIONS = ["a", "b"] as const
type Connection = (typeof CONNECTIONS)[number]
/** The first two are fed by one connection, the third by another. */
const TOKENS: ReadonlyArray<{ readonly id: InstrumentId; readonly connection: Connection }> = [
  { id: InstrumentId.make("polymarket:1"), connection: "a" },
  { id: InstrumentId.make("polymarket:2"), connection: "a" },
  { id: InstrumentId.make("polymarket:3"), connection: "b" }
]

/** What can happen. `token` and `connection` are indexes; `wait` is milliseconds that pass before. */
type Step = { readonly wait: number } & (
  | { readonly what: "change"; readonly token: number; readonly fate: "sent" | "lost" | "twice" | "rejected" | "late" }
  | { readonly what: "trade"; readonly token: number; readonly fate: "sent" | "lost" }
  | { readonly what: "crossing"; readonly token: number }
  | { readonly what: "drop" | "connect"; readonly connection: number }
  | { readonly what: "dump"; readonly connection: number }
  | { readonly what: "repeat"; readonly token: number }
  | { readonly what: "ask" | "fail"; readonly token: number }
  | { readonly what: "answer"; readonly token: number; readonly lag: number }
  | { readonly what: "leave"; readonly token: number }
  | { readonly what: "pass" }
) & { readonly price: number; readonly size: number; readonly side: Side }

const index = (length: number) => fc.integer({ min: 0, max: length - 1 })
const common = {
  wait: fc.constantFrom(0, 0, 1, 3, 40, 300),
  price: fc.integer({ min: 30, max: 70 }),
  size: fc.constantFrom(0, 0, 1, 5, 7),
  side: fc.constantFrom<Side>("bid", "ask")
}
const token = index(TOKENS.length)
const connection = index(CONNECTIONS.length)
const of = <A extends Record<string, fc.Arbitrary<unknown>>>(fields: A) =>
  fc.record({ ...common, ...fields }) as unknown as fc.Arbitrary<Step>

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: of({ what: fc.constant("change"), token, fate: fc.constant("sent") }) },
  {
    weight: 3,
    arbitrary: of({
      what: fc.constant("change"),
      token,
      fate: fc.constantFrom("lost", "twice", "rejected", "late", "late")
    })
  },
  { weight: 2, arbitrary: of({ what: fc.constant("trade"), token, fate: fc.constantFrom("sent", "sent", "lost") }) },
  { weight: 1, arbitrary: of({ what: fc.constant("crossing"), token }) },
  { weight: 2, arbitrary: of({ what: fc.constantFrom("drop", "connect"), connection }) },
  { weight: 3, arbitrary: of({ what: fc.constant("dump"), connection }) },
  { weight: 1, arbitrary: of({ what: fc.constant("repeat"), token }) },
  { weight: 4, arbitrary: of({ what: fc.constantFrom("ask", "ask", "fail"), token }) },
  { weight: 4, arbitrary: of({ what: fc.constant("answer"), token, lag: fc.constantFrom(0, 0, 1, 2, 5) }) },
  { weight: 1, arbitrary: of({ what: fc.constant("leave"), token }) },
  { weight: 2, arbitrary: of({ what: fc.constant("pass") }) }
)
const history = fc.array(step, { maxLength: 120, size: "max" })

/** A state of a venue's book: what it holds, when it changed, and how it is printed. */
interface State {
  readonly time: number
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly hash: string
}

/** The venue's own books, every state that they ever had, and the frames that tell of them. */
const makeVenue = (digests: boolean) => {
  const make = () => {
    const book = OrderBook.empty()
    OrderBook.applySnapshot(book, levels("0.2 5"), levels("0.8 5"))
    const states: Array<State> = []
    const push = (time: number): State => {
      const state = {
        time,
        bids: OrderBook.levels(book, "bid"),
        asks: OrderBook.levels(book, "ask"),
        hash: digest(time, book)
      }
      states.push(state)
      return state
    }
    push(1_000)
    return { book, states, push, sent: undefined as BookChange | undefined }
  }
  const books = TOKENS.map(make)
  const snapshotOf = (token: number, state: State, now: number, source: BookSnapshot["source"]): BookSnapshot => ({
    ...snapshot(state.time, "", "", { instrumentId: TOKENS[token]!.id, receivedTime: now, source }),
    bids: state.bids,
    asks: state.asks,
    hash: digests ? state.hash : null
  })
  return {
    books,
    last: (token: number) => books[token]!.states.at(-1)!,
    snapshotOf,
    change: (token: number, now: number, { price, side, size }: Step): BookChange => {
      const one = books[token]!
      const at = (side === "bid" ? Math.min(price, 49) : Math.max(price, 51)) * 10_000
      const level = { price: at as Level["price"], size: (size * 1_000_000) as Level["size"] }
      OrderBook.applyChange(one.book, side, level.price, level.size)
      const state = one.push(now)
      return {
        _tag: "BookChange",
        instrumentId: TOKENS[token]!.id,
        side,
        ...level,
        venueTime: now,
        receivedTime: now,
        sequence: null,
        hash: digests ? state.hash : null,
        bestBid: digests ? null : OrderBook.bestPrice(one.book, "bid"),
        bestAsk: digests ? null : OrderBook.bestPrice(one.book, "ask")
      }
    }
  }
}

const text = (bids: ReadonlyArray<Level>, asks: ReadonlyArray<Level>) =>
  JSON.stringify([bids.map(({ price, size }) => [price, size]), asks.map(({ price, size }) => [price, size])])

/** Follows what a keeper puts out as a reader of history would, and complains where that is not consistent. */
const makeReader = () => {
  const books = new Map<InstrumentId, OrderBook.OrderBook>()
  const statuses = new Map<InstrumentId, BookStatus>()
  const bests = new Map<InstrumentId, readonly [number, number, number, number]>()
  const gaps: Array<Gap> = []
  /** Times of the venue at which something was told of a book. */
  const told = new Map<InstrumentId, Set<number>>()
  const tell = ({ instrumentId, venueTime }: BookChange | BookSnapshot) => {
    const times = told.get(instrumentId) ?? new Set()
    told.set(instrumentId, times.add(venueTime))
  }
  return {
    gaps,
    told,
    books,
    statuses,
    bests,
    read: (events: ReadonlyArray<MarketEvent>) => {
      for (const event of events) {
        if (event._tag === "BookSnapshot") {
          const book = OrderBook.empty()
          OrderBook.applySnapshot(book, event.bids, event.asks)
          books.set(event.instrumentId, book)
          tell(event)
        } else if (event._tag === "BookChange") {
          const book = books.get(event.instrumentId)
          assert.isDefined(book, "no change is passed on before a snapshot")
          OrderBook.applyChange(book, event.side, event.price, event.size)
          tell(event)
        } else if (event._tag === "BookStatusChanged") {
          assert.strictEqual(event.previous, statuses.get(event.instrumentId) ?? "stale", "statuses follow each other")
          statuses.set(event.instrumentId, event.status)
        } else if (event._tag === "BestChanged") {
          bests.set(event.instrumentId, [event.bid, event.bidSize, event.ask, event.askSize])
        } else if (event._tag === "Gap") {
          assert.isAtMost(event.from, event.to, "a gap does not end before it begins")
          gaps.push(event)
        } else if (event._tag === "Unsubscribed") {
          for (const id of event.instrumentIds) {
            books.delete(id)
            statuses.delete(id)
            bests.delete(id)
          }
        }
      }
    }
  }
}

/** Plays a history and checks after every step; then lets everything be well, and checks that all books recover. */
const play = (steps: ReadonlyArray<Step>, digests: boolean): void => {
  const truth = makeVenue(digests)
  const reader = makeReader()
  const verifier = exactVerifier()
  const keeper = BookKeeper.make({ verifier: () => (digests ? verifier : undefined), onResync: () => {} })
  const up = new Map<Connection, string>()
  /** Tokens that got a snapshot since they were subscribed last. */
  const dumped = new Set<number>()
  /** The venue's time of the last true message of a token that arrived. */
  const arrived = new Map<number, number>()
  const subscribedTokens = new Set<number>()
  /** By token, times at which nothing needs to be told: what was lost on the way, and what made the book what it was. */
  const excused = TOKENS.map(() => new Set<number>())
  /** By token, a change that is to come after the next one. */
  const overtaken = new Map<number, BookChange>()
  /** By token, when its book was asked for over REST. */
  const asked = new Map<number, number>()
  let now = 1_000
  let connections = 0

  const feed = (...events: ReadonlyArray<FeedEvent>) => reader.read(keeper.apply(events))
  const isUp = (token: number) => up.has(TOKENS[token]!.connection) && subscribedTokens.has(token)
  const deliver = (token: number, event: BookChange | BookSnapshot) => {
    if (!isUp(token)) return
    feed(event)
    arrived.set(token, Math.max(arrived.get(token) ?? 0, event.venueTime))
    if (event._tag === "BookSnapshot") dumped.add(token)
    const view = keeper.view(event.instrumentId)
    const { asks, bids } = truth.last(token)
    if (view?.status === "live" && text(view.bids, view.asks) === text(bids, asks)) excused[token]!.add(now)
  }
  /** A later change may undo it, and then nothing shows that it ever was. */
  const lose = (token: number) => {
    if (isUp(token)) excused[token]!.add(now)
  }
  const connect = (name: Connection) => {
    if (up.has(name)) return
    const id = `${name}-${++connections}`
    up.set(name, id)
    const tokens = TOKENS.flatMap((one, i) => (one.connection === name ? [i] : []))
    for (const one of tokens) {
      subscribedTokens.add(one)
      dumped.delete(one)
      arrived.delete(one)
      overtaken.delete(one)
    }
    const instrumentIds = tokens.map((one) => TOKENS[one]!.id)
    feed(connected(now, { slot: name, connection: id }), subscribed(now, { connection: id, instrumentIds }))
  }
  const drop = (name: Connection) => {
    const id = up.get(name)
    if (id === undefined) return
    up.delete(name)
    feed(disconnected(now, { slot: name, connection: id }))
  }

  const act = (one: Step) => {
    now += one.wait
    switch (one.what) {
      case "change": {
        const event = truth.change(one.token, now, one)
        if (one.fate === "lost") return lose(one.token)
        if (one.fate === "late") {
          lose(one.token)
          overtaken.set(one.token, event)
          return
        }
        if (one.fate === "rejected") {
          const { connection, id } = TOKENS[one.token]!
          if (isUp(one.token)) feed(rejected(now, { connection: up.get(connection)!, instrumentIds: [id] }))
          return
        }
        deliver(one.token, event)
        if (one.fate === "twice") deliver(one.token, event)
        truth.books[one.token]!.sent = event
        const late = overtaken.get(one.token)
        if (late === undefined || !isUp(one.token)) return
        overtaken.delete(one.token)
        excused[one.token]!.delete(late.venueTime)
        feed({ ...late, receivedTime: now })
        return
      }
      case "trade": {
        const event = truth.change(one.token, now, one)
        if (one.fate === "sent") {
          deliver(one.token, truth.snapshotOf(one.token, truth.last(one.token), event.receivedTime, "socket"))
        } else lose(one.token)
        return
      }
      case "crossing": {
        if (!isUp(one.token)) return
        const change = { ...truth.change(one.token, now, { ...one, size: 0 }), side: "bid" as const }
        feed({
          ...change,
          price: 810_000 as Level["price"],
          size: 1 as Level["size"],
          hash: digests ? "made up" : null
        })
        return
      }
      case "drop":
        return drop(CONNECTIONS[one.connection]!)
      case "connect":
        return connect(CONNECTIONS[one.connection]!)
      case "dump":
        for (const [token, { connection }] of TOKENS.entries()) {
          if (connection !== CONNECTIONS[one.connection] || dumped.has(token)) continue
          deliver(token, truth.snapshotOf(token, truth.last(token), now, "socket"))
        }
        return
      case "repeat": {
        const event = truth.books[one.token]!.sent
        // A repetition is right only while nothing newer is known of its level, as right after the dump.
        if (event === undefined || !dumped.has(one.token) || event.venueTime >= truth.last(one.token).time) return
        if (isUp(one.token) && event.venueTime < (arrived.get(one.token) ?? 0)) {
          const before = keeper.view(event.instrumentId)
          if (before !== undefined && before.status === "live") feed({ ...event, venueTime: 1, receivedTime: now })
        }
        return
      }
      case "ask":
        reader.read(keeper.resyncing(TOKENS[one.token]!.id, now))
        if (keeper.view(TOKENS[one.token]!.id)?.status === "resyncing") asked.set(one.token, now)
        return
      case "fail":
        return reader.read(keeper.resyncFailed(TOKENS[one.token]!.id, now, "503", one.size === 1))
      case "answer": {
        const { states } = truth.books[one.token]!
        const since = asked.get(one.token)
        if (since === undefined) return
        asked.delete(one.token)
        // As it was when asked for, or `lag` states before that, but no older than REST may be.
        const latest = states.findLastIndex(({ time }) => time <= since)
        const oldest = states.findLastIndex(({ time }) => time < since - REST_LAG)
        const lagging = states[Math.max(0, oldest, latest - one.lag)]!
        feed(truth.snapshotOf(one.token, lagging, now, "rest"))
        return
      }
      case "leave": {
        const { connection, id } = TOKENS[one.token]!
        if (!isUp(one.token)) return
        if (one.size === 0) feed(resolved(now, { instrumentIds: [id] }))
        subscribedTokens.delete(one.token)
        feed(unsubscribed(now, { connection: up.get(connection)!, instrumentIds: [id] }))
        return
      }
      case "pass":
        return reader.read(keeper.sweep(now))
    }
  }

  const check = () => {
    for (const [token, { id }] of TOKENS.entries()) {
      const view = keeper.view(id)
      if (view === undefined) continue
      assert.strictEqual(view.status, reader.statuses.get(id) ?? "stale", "every change of status is told")
      const known = reader.books.get(id)
      const levels = known === undefined ? [[], []] : [OrderBook.levels(known, "bid"), OrderBook.levels(known, "ask")]
      assert.strictEqual(text(view.bids, view.asks), text(levels[0]!, levels[1]!), "history leads to the same book")
      const [bid, ask] = [view.bids[0], view.asks[0]]
      assert.deepStrictEqual(
        reader.bests.get(id) ?? [-1, 0, -1, 0],
        [bid?.price ?? -1, bid?.size ?? 0, ask?.price ?? -1, ask?.size ?? 0],
        "the best quotes told last are the book's"
      )
      if (view.quarantined) assert.notStrictEqual(view.status, "live", "no book in quarantine is live")
      if (view.status !== "live") continue
      assert.isTrue(isUp(token), "no book is live without its connection")
      assert.isFalse(bid !== undefined && ask !== undefined && bid.price >= ask.price, "no live book is crossed")
      if (!digests) continue
      const states = truth.books[token]!.states.filter((state) => state.time === view.venueTime)
      const held = states.some((state) => text(state.bids, state.asks) === text(view.bids, view.asks))
      assert.isTrue(held, `a live book is what the venue's book was at ${view.venueTime}`)
      assert.isAtLeast(view.venueTime!, arrived.get(token) ?? 0, "a live book knows all that arrived")
    }
  }

  for (const one of steps) {
    act(one)
    check()
  }

  // Then nothing goes wrong any more, and every quarantine ends.
  now += 60_000
  reader.read(keeper.sweep(now))
  check()
  for (const name of CONNECTIONS) connect(name)
  for (const [token] of TOKENS.entries()) {
    if (!subscribedTokens.has(token)) continue
    const { id } = TOKENS[token]!
    if (!dumped.has(token)) deliver(token, truth.snapshotOf(token, truth.last(token), now, "socket"))
    now += 2_000
    deliver(token, truth.change(token, now, { ...steps[0]!, price: 40, side: "bid", size: 9, wait: 0 }))
    reader.read(keeper.sweep(now))
    now += 2_000
    reader.read(keeper.sweep(now))
    reader.read(keeper.resyncing(id, now))
    feed(truth.snapshotOf(token, truth.last(token), now, "rest"))
    check()
    const view = keeper.view(id)!
    assert.strictEqual(view.status, "live", `live in the end: ${view.statusReason}`)
    if (digests) {
      const { asks, bids } = truth.last(token)
      assert.strictEqual(text(view.bids, view.asks), text(bids, asks), "true in the end")
    }
  }
  if (digests) account(reader, truth, excused)
}

/** What happened to a book between its first snapshot and its last is told, or lies in a gap. */
const account = (
  reader: ReturnType<typeof makeReader>,
  truth: ReturnType<typeof makeVenue>,
  excused: ReadonlyArray<ReadonlySet<number>>
): void => {
  for (const [token, { connection, id }] of TOKENS.entries()) {
    const told = reader.told.get(id)
    if (told === undefined) continue
    const [begin, end] = [Math.min(...told), Math.max(...told)]
    const gaps = reader.gaps.filter((gap) =>
      gap.instrumentId === null ? gap.connection.startsWith(connection) : gap.instrumentId === id
    )
    const { states } = truth.books[token]!
    for (const [i, { asks, bids, time }] of states.entries()) {
      const before = states[i - 1]
      if (before === undefined || time < begin || time > end || told.has(time) || excused[token]!.has(time)) continue
      if (text(bids, asks) === text(before.bids, before.asks)) continue
      const isOwned = gaps.some(({ from, to }) => from <= time && time <= to)
      assert.isTrue(isOwned, `${id} changed at ${time}, which is neither told nor in a gap`)
    }
  }
}

const first: Step = { what: "connect", connection: 0, wait: 0, price: 40, size: 1, side: "bid" }
const second: Step = { ...first, connection: 1 }

describe("over any history", () => {
  it("of a venue with digests, a live book is true", () => {
    fc.assert(
      fc.property(history, (steps) => play([first, second, ...steps], true)),
      { numRuns: 400 }
    )
  })

  it("of a venue without digests, the books are consistent", () => {
    fc.assert(
      fc.property(history, (steps) => play([first, second, ...steps], false)),
      { numRuns: 200 }
    )
  })
})
