/**
 * What the venues really said: their books as a client can know them, change by change, and a ledger of every change and
 * trade. A model of its own, made from the simulators' record alone; it shares no code with the program under test.
 */
import type { Saying } from "../../src/simulator/Said.ts"
import type { Level } from "./Collector.ts"
import type { Simulator, TrueBook, VenueName } from "./Simulators.ts"

/** How long a former state of a book is remembered. */
const HISTORY = 120_000

interface State {
  readonly fingerprint: string
  /** When it began and, once it has, ended to be the book. */
  readonly from: number
  until: number
}

interface ModelBook {
  /** Size by side and price, all in millionths. */
  readonly levels: Map<string, number>
  first: number
  second: number
  /** By fingerprint, the latest time at which the book was like that. */
  readonly states: Map<string, State>
  current: State
}

/** Something that must be stored, or its loss recorded. */
export interface Item {
  readonly key: string
  readonly instrumentId: string
  readonly kind: "change" | "trade"
  /** When it was said. */
  readonly time: number
}

const millionths = (text: string): number => Math.round(Number(text) * 1e6)

const hash = (text: string, seed: number): number => {
  let h = seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}

const lanes = (level: string, size: number): readonly [number, number] => {
  const text = `${level}=${size}`
  return [hash(text, 0x811c9dc5), hash(text, 0x9747b28c)]
}

const toggle = (book: Pick<ModelBook, "first" | "second">, level: string, size: number): void => {
  const [first, second] = lanes(level, size)
  book.first = (book.first ^ first) >>> 0
  book.second = (book.second ^ second) >>> 0
}

type Sides = { readonly bids: ReadonlyArray<Level>; readonly asks: ReadonlyArray<Level> }

const levelsOf = ({ asks, bids }: Sides): Map<string, number> =>
  new Map([
    ...bids.map(({ price, size }) => [`bid ${millionths(price)}`, millionths(size)] as const),
    ...asks.map(({ price, size }) => [`ask ${millionths(price)}`, millionths(size)] as const)
  ])

/** A book's content as a short text; equal books have equal ones. */
export const fingerprintOf = (sides: Sides): string => {
  const sum = { first: 0, second: 0 }
  for (const [level, size] of levelsOf(sides)) toggle(sum, level, size)
  return `${sum.first}:${sum.second}`
}

export const changeKey = (id: string, venueTime: number, side: string, price: number, size: number): string =>
  `${id} ${venueTime} ${side} ${price} ${size}`

export const tradeKey = (id: string, venueTime: number, price: number, size: number): string =>
  `${id} ${venueTime} traded ${price} ${size}`

export interface Truth {
  /** Reads on in the simulators' records. */
  readonly follow: () => Promise<void>
  /** Everything said so far. */
  readonly items: ReadonlyArray<Item>
  /**
   * How long ago, in milliseconds before `now`, the venue's book was like this: 0 when it is so still, `undefined` when
   * it never was.
   */
  readonly ageOf: (instrumentId: string, fingerprint: string, now: number) => number | undefined
  readonly knows: (instrumentId: string) => boolean
  /** Whether some of the record was missed because it was read too seldom. */
  readonly missed: () => boolean
}

/** Begins the record of the simulators; before anybody subscribes, so that it holds everything. */
export const make = async (simulators: ReadonlyArray<Simulator>): Promise<Truth> => {
  const books = new Map<string, ModelBook>()
  const items: Array<Item> = []
  const positions = new Map<VenueName, number>()
  let missed = false

  const settle = (book: ModelBook, time: number) => {
    const fingerprint = `${book.first}:${book.second}`
    if (book.current.fingerprint === fingerprint) return
    book.current.until = time
    book.current = { fingerprint, from: time, until: Number.POSITIVE_INFINITY }
    book.states.delete(fingerprint)
    book.states.set(fingerprint, book.current)
    for (const [key, state] of book.states) {
      if (state.until > time - HISTORY) break
      book.states.delete(key)
    }
  }
  const bookOf = (id: string): ModelBook => {
    let book = books.get(id)
    if (book === undefined) {
      const current: State = { fingerprint: "0:0", from: 0, until: Number.POSITIVE_INFINITY }
      book = { levels: new Map(), first: 0, second: 0, states: new Map([["0:0", current]]), current }
      books.set(id, book)
    }
    return book
  }
  const set = (book: ModelBook, level: string, size: number) => {
    const before = book.levels.get(level)
    if (before !== undefined) toggle(book, level, before)
    if (size === 0) book.levels.delete(level)
    else {
      book.levels.set(level, size)
      toggle(book, level, size)
    }
  }
  const replace = (book: ModelBook, sides: Sides, time: number) => {
    const wanted = levelsOf(sides)
    for (const level of book.levels.keys()) if (!wanted.has(level)) set(book, level, 0)
    for (const [level, size] of wanted) if (book.levels.get(level) !== size) set(book, level, size)
    settle(book, time)
  }

  const hearPolymarket = (time: number, message: Record<string, any>) => {
    const venueTime = Number(message["timestamp"])
    if (message["event_type"] === "price_change") {
      const touched = new Set<ModelBook>()
      for (const change of message["price_changes"]) {
        const id = `polymarket:${change.asset_id}`
        const book = bookOf(id)
        const side = change.side === "BUY" ? "bid" : "ask"
        const [price, size] = [millionths(change.price), millionths(change.size)]
        set(book, `${side} ${price}`, size)
        touched.add(book)
        items.push({ key: changeKey(id, venueTime, side, price, size), instrumentId: id, kind: "change", time })
      }
      for (const book of touched) settle(book, time)
    } else if (message["event_type"] === "book") {
      replace(bookOf(`polymarket:${message["asset_id"]}`), message as never, time)
    } else if (message["event_type"] === "last_trade_price") {
      const id = `polymarket:${message["asset_id"]}`
      const key = tradeKey(id, venueTime, millionths(message["price"]), millionths(message["size"]))
      items.push({ key, instrumentId: id, kind: "trade", time })
    }
  }
  const hearKalshi = (time: number, { msg, rests, type }: Record<string, any>) => {
    const id = `kalshi:${msg.market_ticker}`
    const venueTime = Number(msg.ts_ms)
    if (type === "orderbook_delta") {
      const isYes = msg.side === "yes"
      const [side, price] = isYes
        ? ["bid", millionths(msg.price_dollars)]
        : ["ask", 1_000_000 - millionths(msg.price_dollars)]
      const size = millionths(rests)
      const book = bookOf(id)
      set(book, `${side} ${price}`, size)
      settle(book, time)
      items.push({
        key: changeKey(id, venueTime, String(side), Number(price), size),
        instrumentId: id,
        kind: "change",
        time
      })
    } else if (type === "trade") {
      const key = tradeKey(id, venueTime, millionths(msg.yes_price_dollars), millionths(msg.count_fp))
      items.push({ key, instrumentId: id, kind: "trade", time })
    }
  }

  const hear = (venue: VenueName, sayings: ReadonlyArray<Saying>) => {
    for (const [position, time, text] of sayings) {
      if (position !== positions.get(venue)) missed = true
      positions.set(venue, position + 1)
      const message = JSON.parse(text) as Record<string, any>
      if (venue === "polymarket") hearPolymarket(time, message)
      else hearKalshi(time, message)
    }
  }
  /** Up to a position, and from there what the simulator holds: what nobody heard is in no record. */
  const followOne = async ({ books: trueBooks, said, venue }: Simulator) => {
    const time = Date.now()
    const whole = await trueBooks()
    while ((positions.get(venue) ?? 0) < whole.position) {
      const { sayings } = await said(positions.get(venue) ?? 0)
      if (sayings.length === 0) break
      hear(
        venue,
        sayings.filter(([position]) => position < whole.position)
      )
    }
    for (const [id, book] of Object.entries<TrueBook>(whole.books)) replace(bookOf(`${venue}:${id}`), book, time)
  }

  for (const simulator of simulators) {
    await simulator.said(0)
    positions.set(simulator.venue, 0)
  }
  const follow = async () => {
    await Promise.all(simulators.map(followOne))
  }
  await follow()
  return {
    follow,
    items,
    ageOf: (id, fingerprint, now) => {
      const state = books.get(id)?.states.get(fingerprint)
      return state === undefined ? undefined : Math.max(0, now - state.until)
    },
    knows: (id) => books.has(id),
    missed: () => missed
  }
}
