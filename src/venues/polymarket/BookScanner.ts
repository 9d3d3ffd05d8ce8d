/**
 * Reads books from their bytes, as `ChangeScanner` reads changes: the dump that a subscription begins with, which holds up
 * to a hundred of them, and the single book after a trade (Polymarket reference §5.2). By JSON a book is a tree of 160
 * objects and texts for a moment, and a dump of them holds up everything else.
 *
 * What is not exactly of either print is left to `Normalize`, whole frames of it.
 */
import type { Instrument } from "../../domain/Market.ts"
import type { FeedEvent } from "../../domain/MarketEvent.ts"
import { type Price, SCALE, type Size } from "../../domain/Money.ts"
import type { Level } from "../../domain/OrderBook.ts"
import { Cursor, type Literal, literal, NONE } from "./Cursor.ts"
import { proofOf, type Said } from "./SnapshotProof.ts"

const COMMA = 44
const OPEN_LIST = 91
const CLOSE_LIST = 93
const SPACE = 32
const NEWLINE = 10

const MARKET = literal(`{"market":"`)
const PRICE = literal(`{"price":"`)

/** The members of a book of the dump, which is compact, in their order. */
const DUMP = {
  assetId: literal(`","asset_id":"`),
  timestamp: literal(`","timestamp":"`),
  hash: literal(`","hash":"`),
  bids: literal(`","bids":[`),
  asks: literal(`],"asks":[`),
  size: literal(`","size":"`),
  tickSize: literal(`],"tick_size":"`),
  lastTradePrice: literal(`","event_type":"book","last_trade_price":"`),
  version: literal(`","version":"`)
} as const

/** Those of the book after a trade, with a space after each comma. */
const SINGLE = {
  assetId: literal(`", "asset_id":"`),
  bids: literal(`", "bids":[`),
  asks: literal(`], "asks":[`),
  size: literal(`", "size":"`),
  hash: literal(`], "hash":"`),
  timestamp: literal(`", "timestamp":"`),
  end: literal(`", "event_type":"book"}`)
} as const

/** What a book says. */
interface Found {
  readonly said: Said
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly venueTime: number
  readonly hash: string
}

export class BookScanner {
  private readonly instruments: ReadonlyMap<string, Instrument>
  private readonly cursor = new Cursor()

  /** `instruments`: what the connection is subscribed to, by token id. */
  constructor(instruments: ReadonlyMap<string, Instrument>) {
    this.instruments = instruments
  }

  /**
   * Appends the books of a frame, those of tokens that are subscribed, and gives how many it holds in all. None, and
   * appends nothing, when it is not of the print.
   */
  read(frame: Buffer, receivedTime: number, out: Array<FeedEvent>): number {
    const { cursor } = this
    cursor.open(frame)
    const before = out.length
    const count = cursor.takesByte(OPEN_LIST) ? this.dump(receivedTime, out) : this.single(receivedTime, out) ? 1 : 0
    if (count > 0 && cursor.isAtEnd) return count
    out.length = before
    return 0
  }

  /** Takes the books of a dump, and its end. */
  private dump(receivedTime: number, out: Array<FeedEvent>): number {
    const { cursor } = this
    let count = 0
    do {
      if (!this.entry(receivedTime, out)) return 0
      count++
    } while (cursor.takesByte(COMMA))
    if (!cursor.takesByte(CLOSE_LIST)) return 0
    cursor.takesByte(NEWLINE)
    return count
  }

  private entry(receivedTime: number, out: Array<FeedEvent>): boolean {
    const { cursor } = this
    const market = cursor.takes(MARKET) ? cursor.text() : undefined
    if (market === undefined || !cursor.takes(DUMP.assetId)) return false
    const assetId = cursor.text()
    if (assetId === undefined || !cursor.takes(DUMP.timestamp)) return false
    const venueTime = cursor.time()
    if (venueTime === NONE || !cursor.takes(DUMP.hash)) return false
    const hash = cursor.text()
    if (hash === undefined || !cursor.takes(DUMP.bids)) return false
    const bids = this.levels(DUMP.size, false)
    if (bids === undefined || !cursor.takes(DUMP.asks)) return false
    const asks = this.levels(DUMP.size, false)
    if (asks === undefined || !cursor.takes(DUMP.tickSize)) return false
    const tickSize = cursor.text()
    if (tickSize === undefined || !cursor.takes(DUMP.lastTradePrice)) return false
    const lastTradePrice = cursor.text()
    if (lastTradePrice === undefined) return false
    const version = cursor.takes(DUMP.version) ? cursor.text() : null
    if (version === undefined || !cursor.takesObjectEnd()) return false
    const said = { market, assetId, tickSize, lastTradePrice, minOrderSize: null, negRisk: null, version, isDump: true }
    this.push({ said, bids, asks, venueTime, hash }, receivedTime, out)
    return true
  }

  private single(receivedTime: number, out: Array<FeedEvent>): boolean {
    const { cursor } = this
    const market = cursor.takes(MARKET) ? cursor.text() : undefined
    if (market === undefined || !cursor.takes(SINGLE.assetId)) return false
    const assetId = cursor.text()
    if (assetId === undefined || !cursor.takes(SINGLE.bids)) return false
    const bids = this.levels(SINGLE.size, true)
    if (bids === undefined || !cursor.takes(SINGLE.asks)) return false
    const asks = this.levels(SINGLE.size, true)
    if (asks === undefined || !cursor.takes(SINGLE.hash)) return false
    const hash = cursor.text()
    if (hash === undefined || !cursor.takes(SINGLE.timestamp)) return false
    const venueTime = cursor.time()
    if (venueTime === NONE || !cursor.takes(SINGLE.end)) return false
    const unsaid = { tickSize: null, lastTradePrice: null, minOrderSize: null, negRisk: null, version: null }
    this.push({ said: { market, assetId, ...unsaid, isDump: false }, bids, asks, venueTime, hash }, receivedTime, out)
    return true
  }

  /** Appends a book, if its token is subscribed. */
  private push({ asks, bids, hash, said, venueTime }: Found, receivedTime: number, out: Array<FeedEvent>): void {
    const instrument = this.instruments.get(said.assetId)
    if (instrument === undefined) return
    out.push({
      _tag: "BookSnapshot",
      instrumentId: instrument.id,
      bids,
      asks,
      venueTime,
      receivedTime,
      sequence: null,
      hash: hash === "" ? null : hash,
      source: "socket",
      proof: proofOf(said, instrument)
    })
  }

  /** Takes the levels of a side, up to the end of their list. */
  private levels(size: Literal, isSpaced: boolean): Array<Level> | undefined {
    const { cursor } = this
    const { bytes } = cursor
    const levels: Array<Level> = []
    if (bytes[cursor.at] === CLOSE_LIST) return levels
    for (;;) {
      if (!cursor.takes(PRICE)) return undefined
      const price = cursor.decimal()
      if (price <= 0 || price >= SCALE || !cursor.takes(size)) return undefined
      const contracts = cursor.decimal()
      if (contracts < 0 || !cursor.takesObjectEnd()) return undefined
      levels.push({ price: price as Price, size: contracts as Size })
      if (bytes[cursor.at] === CLOSE_LIST) return levels
      if (!cursor.takesByte(COMMA) || (isSpaced && !cursor.takesByte(SPACE))) return undefined
    }
  }
}
