/**
 * Which trades of a market were told of already, so that what REST lists of a time without a socket can be told apart
 * from what the socket brought (Kalshi reference §3.4, §7.6: both bear the same `trade_id`).
 */
import { Either } from "effect"
import type { InstrumentId } from "../../domain/Market.ts"
import type { FeedEvent, Trade } from "../../domain/MarketEvent.ts"
import { KALSHI, restTrade } from "./Normalize.ts"
import type * as Wire from "./Wire.ts"

/** Plain data, kept in place. */
export interface RecentTrades {
  /** Trades of before this time are not told of: they were, or nobody was watching. */
  since: number
  /** Those told of since, with their times, the oldest first. */
  readonly told: Map<string, number>
}

/** Trades remembered of one market. */
const MAX_TOLD = 1_000

export type ByInstrument = Map<InstrumentId, RecentTrades>

/** From now on trades of this market are of interest. */
export const follow = (all: ByInstrument, id: InstrumentId, now: number): void => {
  if (!all.has(id)) all.set(id, { since: now, told: new Map() })
}

/** A trade is told of. */
export const note = (all: ByInstrument, { instrumentId, tradeId, venueTime }: Trade): void => {
  const recent = all.get(instrumentId)
  if (recent === undefined || tradeId === null) return
  recent.told.set(tradeId, venueTime)
  if (recent.told.size <= MAX_TOLD) return
  const [oldest, time] = recent.told.entries().next().value!
  recent.told.delete(oldest)
  recent.since = Math.max(recent.since, time)
}

/**
 * Of trades that REST lists, latest first, tells those that were not told of, in the order in which they happened, and of
 * those that cannot be read that they are missing.
 */
export const missing = (
  all: ByInstrument,
  id: InstrumentId,
  listed: ReadonlyArray<Wire.Trade>,
  receivedTime: number,
  out: Array<FeedEvent>
): void => {
  const recent = all.get(id)
  if (recent === undefined) return
  for (const wire of listed.toReversed()) {
    const trade = restTrade(wire, receivedTime)
    if (Either.isLeft(trade)) {
      const about = { venue: KALSHI, connection: "", instrumentIds: [], receivedTime }
      out.push({ _tag: "MessageRejected", ...about, reason: `a trade of REST: ${trade.left}` })
      continue
    }
    const { tradeId, venueTime } = trade.right
    if (venueTime < recent.since || (tradeId !== null && recent.told.has(tradeId))) continue
    note(all, trade.right)
    out.push(trade.right)
  }
}
