/** Trades of a time in which nothing brought them, from the venue's own list (Kalshi reference §3.4). */
import { Chunk, Clock, Effect, Stream } from "effect"
import { type FeedInput, told } from "../../domain/Input.ts"
import type { Instrument } from "../../domain/Market.ts"
import type { VenueError } from "../Venue.ts"
import { KALSHI } from "./Normalize.ts"
import { type Rest, TRADES_PER_PAGE } from "./Rest.ts"
import type * as Wire from "./Wire.ts"

/** The list has the trades of every market of the venue; a stretch with more pages than this is not fetched whole. */
const MAX_PAGES = 20
/** How far behind the end of the list may be, and clocks apart. */
const OVERLAP = 10_000

/**
 * The trades of these instruments since a time, in milliseconds, as inputs; where the list is too long the latest part of
 * it, and word of what is missing.
 */
export const since = (
  rest: Rest,
  connection: string,
  instruments: ReadonlyMap<string, Instrument>,
  time: number,
  source: "rest" | "poll"
): Effect.Effect<ReadonlyArray<FeedInput>, VenueError> =>
  Effect.gen(function* () {
    if (instruments.size === 0) return []
    const pages = yield* rest
      .tradesSince(Math.floor((time - OVERLAP) / 1_000))
      .pipe(Stream.take(MAX_PAGES), Stream.runCollect)
    const receivedTime = yield* Clock.currentTimeMillis
    const listed = Chunk.toReadonlyArray(pages).flat()
    const byTicker = new Map<string, Array<Wire.Trade>>()
    for (const trade of listed) {
      if (!instruments.has(trade.ticker)) continue
      const trades = byTicker.get(trade.ticker) ?? []
      byTicker.set(trade.ticker, trades)
      trades.push(trade)
    }
    const inputs: Array<FeedInput> = Array.from(byTicker, ([ticker, body]) => {
      const instrumentId = instruments.get(ticker)!.id
      return { _tag: "Answer", venue: KALSHI, instrumentId, of: "trades", source, body, receivedTime }
    })
    if (pages.length === MAX_PAGES && listed.length >= MAX_PAGES * TRADES_PER_PAGE) {
      const reason = `trades are missing: the venue lists more than ${listed.length}, up to ${listed.at(-1)!.created_time}`
      inputs.push(told({ _tag: "MessageRejected", venue: KALSHI, connection, instrumentIds: [], reason, receivedTime }))
    }
    return inputs
  })
