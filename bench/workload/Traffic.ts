/**
 * Books that move, from a seed, and the venue's own words for it: frames with the true best quotes and the true hash of the
 * whole book after each change. Made of the simulator's books, which share nothing with the client that is measured.
 */
import { createHash } from "node:crypto"
import type { Price, Size } from "../../src/domain/Money.ts"
import type { OutcomeIndex } from "../../src/simulator/MatchingBook.ts"
import * as PolymarketBook from "../../src/simulator/PolymarketBook.ts"
import * as Frames from "../../src/simulator/PolymarketFrames.ts"
import * as Prng from "../../src/simulator/Prng.ts"
import { list, type Listed, type ListingOptions, perMarket } from "./Listing.ts"

export interface TrafficOptions extends ListingOptions {
  /** Levels on each side of each book, about. */
  readonly depth: number
}

/** The `timestamp` of the n-th frame is n milliseconds past this, so that whoever sees a frame's effect can name it. */
export const EPOCH = 1_790_000_000_000

const CENT = 10_000
/** Places for levels beyond the depth, some of which are empty at any time. */
const SPARE = 1.1
/** How many changes take a level away, where there is one and there are enough. */
const REMOVALS = 0.15

interface Moving {
  readonly listed: Listed
  readonly book: PolymarketBook.PolymarketBook
  /** Sizes in hundredths of a contract by side and distance from the middle; 0 where there is no level. */
  readonly sizes: { readonly buy: Int32Array; readonly sell: Int32Array }
  readonly middle: number
}

/** One book by its levels, for comparing: equal books have equal digests. Levels are best first, as decimals. */
export const digestOf = (
  bids: Iterable<readonly [price: string | number, size: string | number]>,
  asks: Iterable<readonly [price: string | number, size: string | number]>
): string => {
  const side = (levels: typeof bids) =>
    Array.from(levels, ([price, size]) => `${Number(price)}:${Number(size)}`).join(" ")
  return createHash("sha1")
    .update(`${side(bids)}|${side(asks)}`)
    .digest("hex")
    .slice(0, 16)
}

export interface Traffic {
  /** The next change: which market moved, and the frame that says so. */
  readonly next: () => { readonly market: number; readonly frame: string }
  /** Frames so far. */
  readonly made: () => number
  /** Of these, the entries after which the best price or its size was another one. */
  readonly bestMoves: () => number
  /** The book of a token as the first frame after subscribing has it. */
  readonly state: (token: number) => Frames.BookState
  /** {@link digestOf} of the books as they are now, by token id. */
  readonly digests: () => Map<string, string>
}

export const make = (options: TrafficOptions): Traffic => {
  const { depth, seed } = options
  const shown = perMarket(options)
  const places = Math.ceil(depth * SPARE)
  const prng = Prng.make(seed, "bench traffic")
  const sizeOf = () => 500 + prng.int(200_000)
  const set = ({ book, middle, sizes }: Moving, side: "buy" | "sell", place: number, size: number): void => {
    sizes[side][place] = size
    const price = (middle + (side === "buy" ? -1 : 1) * (place + 1) * CENT) as Price
    book.apply({ outcome: 0, side, price, size: (size * CENT) as Size })
  }
  const markets = list(options).map((listed): Moving => {
    const { condition, tokens } = listed
    const book = PolymarketBook.make(
      { condition, tokens, minOrderSize: "5", negRisk: false, version: "v1" },
      CENT as Price,
      EPOCH
    )
    const moving: Moving = {
      listed,
      book,
      sizes: { buy: new Int32Array(places), sell: new Int32Array(places) },
      middle: (46 + prng.int(9)) * CENT
    }
    for (const side of ["buy", "sell"] as const) {
      for (let place = 0; place < depth; place++) set(moving, side, place, sizeOf())
    }
    return moving
  })
  let made = 0
  let bestMoves = 0

  /** Most changes happen near the middle. */
  const placeOf = () => Math.min(places - 1, Math.floor(prng.exponential() * (depth / 8)))

  const next = () => {
    const market = prng.int(markets.length)
    const moving = markets[market]!
    const { book, listed } = moving
    const side = prng.chance(0.5) ? "buy" : "sell"
    const sizes = moving.sizes[side]
    const place = placeOf()
    const before = sizes[place]!
    let present = 0
    for (const size of sizes) if (size > 0) present++
    let size = before > 0 && present > depth * 0.8 && prng.chance(REMOVALS) ? 0 : sizeOf()
    if (size === before) size++
    const firstBefore = sizes.findIndex((size) => size > 0)
    set(moving, side, place, size)
    if (place <= firstBefore) bestMoves += shown
    const timestamp = EPOCH + ++made
    book.stamp(timestamp)
    const entries: Array<Frames.PriceChange> = []
    for (let outcome = 0; outcome < shown; outcome++) {
      const own = outcome === 0
      const best = book.best(outcome as OutcomeIndex)
      const price = (moving.middle + (side === "buy" ? -1 : 1) * (place + 1) * CENT) as Price
      entries.push({
        asset: listed.tokens[outcome]!,
        price: PolymarketBook.priceLexeme(own ? price : 1_000_000 - price),
        size: String(size / 100),
        side: (side === "buy") === own ? "BUY" : "SELL",
        hash: book.state(outcome as OutcomeIndex).hash,
        bestBid: best.bid,
        bestAsk: best.ask
      })
    }
    return { market, frame: Frames.priceChange(listed.condition, entries, String(timestamp)) }
  }

  const levelsOf = ({ middle, sizes }: Moving, side: "buy" | "sell", mirrored: boolean) => {
    const levels: Array<readonly [number, number]> = []
    for (const [place, size] of sizes[side].entries()) {
      const price = middle + (side === "buy" ? -1 : 1) * (place + 1) * CENT
      if (size > 0) levels.push([(mirrored ? 1_000_000 - price : price) / 1_000_000, size / 100])
    }
    return levels
  }
  return {
    next,
    made: () => made,
    bestMoves: () => bestMoves,
    state: (token) => markets[Math.floor(token / shown)]!.book.state((token % shown) as OutcomeIndex),
    digests: () =>
      new Map(
        markets.flatMap((moving) =>
          moving.listed.tokens.slice(0, shown).map((token, outcome) => {
            const [bids, asks] = outcome === 0 ? (["buy", "sell"] as const) : (["sell", "buy"] as const)
            const mirrored = outcome === 1
            return [token, digestOf(levelsOf(moving, bids, mirrored), levelsOf(moving, asks, mirrored))] as const
          })
        )
      )
  }
}
