/**
 * The life of markets as the socket tells it (Kalshi reference §7.6, §8.3). It speaks of every market of the venue, and is
 * silent about openings and closings that come by the clock.
 */
import { type Instrument, marketId } from "../../domain/Market.ts"
import type { FeedEvent } from "../../domain/MarketEvent.ts"
import { finestStep } from "../../domain/PriceGrid.ts"
import { Fault } from "../../resilience/Reading.ts"
import { createdMarket, isCombo, KALSHI, winnerOf, withCloseTime } from "./Normalize.ts"
import { priceGrid } from "./PriceGrid.ts"
import type { LifecycleMessage } from "./Wire.ts"

/** Results that wait for their settlement, at most. */
const MAX_RESULTS = 20_000

/** A reader that remembers results by ticker, in place: the settlement does not repeat them. */
export const make = (
  watched: (ticker: string) => Instrument | undefined,
  results = new Map<string, string>()
): ((msg: LifecycleMessage, receivedTime: number) => ReadonlyArray<FeedEvent>) => {
  return (msg, receivedTime) => {
    const ticker = msg.market_ticker
    const subject = watched(ticker)
    const resolved = (seconds: number | undefined): ReadonlyArray<FeedEvent> =>
      subject === undefined
        ? []
        : [
            {
              _tag: "MarketResolved",
              marketId: marketId(KALSHI, ticker),
              instrumentIds: [subject.id],
              winner: winnerOf(ticker, results.get(ticker)),
              venueTime: seconds === undefined ? receivedTime : seconds * 1000,
              receivedTime
            }
          ]
    switch (msg.event_type) {
      case "created":
        return isCombo(ticker)
          ? []
          : [{ _tag: "MarketListed", market: createdMarket(msg, receivedTime), venueTime: receivedTime, receivedTime }]
      case "determined":
        if (results.size >= MAX_RESULTS) results.clear()
        if (subject !== undefined && msg.result !== undefined) results.set(ticker, msg.result)
        return resolved(msg.determination_ts)
      case "settled": {
        // It does not repeat the result.
        const events = resolved(msg.settled_ts)
        results.delete(ticker)
        return events
      }
      case "close_date_updated":
        return subject === undefined || msg.close_ts === undefined
          ? []
          : [
              {
                _tag: "MarketListed",
                market: withCloseTime(subject, msg.close_ts),
                venueTime: receivedTime,
                receivedTime
              }
            ]
      case "price_level_structure_updated": {
        if (subject === undefined) return []
        const priceBands = priceGrid(msg.price_ranges, msg.price_level_structure)
        if (priceBands === null) throw new Fault("price_ranges", "a grid expected, or the name of one that is known")
        return [
          {
            _tag: "TickSizeChange",
            instrumentId: subject.id,
            tickSize: finestStep(priceBands),
            priceBands,
            venueTime: receivedTime,
            receivedTime
          }
        ]
      }
      default:
        // A pause and its end, words for people, and what is yet to be invented.
        return []
    }
  }
}
