/** Serves the exchange: every step's operations become frames, and a new subscription gets its books. */
import type { Exchange } from "./Exchange.ts"
import * as FaultState from "./FaultState.ts"
import type { MarketChannel } from "./MarketChannel.ts"
import type { Operation } from "./Operation.ts"
import * as Frames from "./PolymarketFrames.ts"
import type { Backend } from "./PolymarketServer.ts"
import type { PolymarketVenue, VenueMarket } from "./PolymarketVenue.ts"

export const make = (exchange: Exchange, venue: PolymarketVenue): Backend => {
  const publish = (channel: MarketChannel, operations: ReadonlyArray<Operation>, now: number) => {
    const watched = (market: VenueMarket) => channel.watched(market.info.tokens)
    for (const operation of operations) {
      for (const frame of venue.publish(operation, watched)) channel.broadcast(frame, now)
    }
  }

  const marketOf = (channel: MarketChannel, token: string | undefined) => {
    const wanted = token ?? channel.stats().subscribed.find((asset) => venue.find(asset)?.market.open() === true)
    return wanted === undefined ? undefined : venue.find(wanted)
  }

  return {
    catalogue: venue,
    subscribed: (channel, { assets, client, dump }, now) => {
      if (!dump) return
      const states = assets.flatMap((asset) => {
        const found = venue.find(asset)
        const state = found?.market.book(found.outcome)
        return state === undefined ? [] : [state]
      })
      channel.send(client, "dump", Frames.dump(states), now)
      const stale = FaultState.inForce(channel.faults.stale, now)
      if (stale === undefined) return
      for (const market of new Set(states.map((state) => state.market))) {
        for (const frame of channel.recent(market, stale.count)) channel.send(client, frame.type, frame.text, now)
      }
    },
    tick: (channel, now) => publish(channel, exchange.step(now), now),
    strike: (channel, fault, now) => {
      if (fault.fault === "crossed") {
        const found = marketOf(channel, fault.tokenId)
        if (found === undefined) return
        const frames = venue.crossed(found.market, found.outcome, fault.heals ?? false, now)
        for (const frame of frames) channel.broadcast(frame, now)
      }
      if (fault.fault === "resolve") {
        const found = marketOf(channel, fault.tokenId)
        if (found !== undefined) publish(channel, exchange.resolve(found.market.market, 0, now), now)
      }
    }
  }
}
