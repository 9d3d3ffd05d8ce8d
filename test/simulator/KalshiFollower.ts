/** Follows books through frames as any client would, and insists on the rules of sequence numbers while doing it. */
import { assert } from "@effect/vitest"
import { parseDecimal } from "../../src/domain/Money.ts"

const SCALE = 1_000_000

export interface Level {
  readonly price: number
  readonly size: number
}

/** Books by ticker, levels in YES prices, best first, as `/_control/books` shows them. */
export interface Follower {
  readonly see: (frame: any) => void
  readonly book: (ticker: string) => { readonly bids: ReadonlyArray<Level>; readonly asks: ReadonlyArray<Level> }
  /** The last sequence number of a sid. */
  readonly seq: (sid: number) => number
}

const signed = (text: string) => (text.startsWith("-") ? -parseDecimal(text.slice(1)) : parseDecimal(text))

export const make = (yesScale: boolean): Follower => {
  const books = new Map<string, { readonly yes: Map<number, number>; readonly no: Map<number, number> }>()
  const seqs = new Map<number, number>()
  const yesPrice = (side: string, price: string) => {
    const value = parseDecimal(price)
    return side === "yes" || yesScale ? value : SCALE - value
  }
  const levels = (side: Map<number, number>, sign: number) =>
    [...side].map(([price, size]) => ({ price, size })).sort((a, b) => sign * (a.price - b.price))
  return {
    seq: (sid) => seqs.get(sid) ?? 0,
    book: (ticker) => {
      const book = books.get(ticker)
      return { bids: levels(book?.yes ?? new Map(), -1), asks: levels(book?.no ?? new Map(), 1) }
    },
    see: (frame) => {
      if (frame.seq !== undefined) {
        assert.strictEqual(frame.seq, (seqs.get(frame.sid) ?? 0) + 1, JSON.stringify(frame))
        seqs.set(frame.sid, frame.seq)
      }
      const { msg } = frame
      if (frame.type === "orderbook_snapshot") {
        const side = (name: string) =>
          new Map<number, number>(
            (msg[`${name}_dollars_fp`] ?? []).map(([price, size]: [string, string]) => [
              yesPrice(name, price),
              parseDecimal(size)
            ])
          )
        books.set(msg.market_ticker, { yes: side("yes"), no: side("no") })
      }
      if (frame.type !== "orderbook_delta") return
      const side = books.get(msg.market_ticker)![msg.side as "yes" | "no"]
      const price = yesPrice(msg.side, msg.price_dollars)
      const size = (side.get(price) ?? 0) + signed(msg.delta_fp)
      assert.isAtLeast(size, 0, JSON.stringify(frame))
      if (size === 0) side.delete(price)
      else side.set(price, size)
    }
  }
}

/** The answer of `/_control/books` in the same form. */
export const truth = (json: any) => {
  const side = (levels: ReadonlyArray<{ readonly price: string; readonly size: string }>) =>
    levels.map(({ price, size }) => ({ price: parseDecimal(price), size: parseDecimal(size) }))
  return { bids: side(json.bids), asks: side(json.asks) }
}
