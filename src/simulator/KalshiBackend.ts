/** Serves the exchange as Kalshi: every step's operations become messages, and what clients say is answered. */
import type { Exchange } from "./Exchange.ts"
import * as FaultState from "./FaultState.ts"
import type { Fault } from "./Faults.ts"
import type { Client, KalshiHub } from "./KalshiHub.ts"
import type { Catalogue, KalshiMarket } from "./KalshiMarket.ts"
import type { Message } from "./KalshiMessage.ts"
import * as KalshiSubscriptions from "./KalshiSubscriptions.ts"
import type { KalshiVenue } from "./KalshiVenue.ts"
import type { Operation } from "./Operation.ts"

/** What a server serves. */
export interface Backend {
  readonly catalogue: Catalogue
  /** A client said something; answer it. */
  readonly receive: (hub: KalshiHub, client: Client, text: string, now: number) => void
  /** Lets time pass. */
  readonly tick: (hub: KalshiHub, now: number) => void
  /** The part of a fault that is about markets: crossed books, resolutions, pauses, grids. */
  readonly strike: (hub: KalshiHub, fault: Fault, now: number) => void
}

const isAboutMarket = (
  fault: Fault
): fault is Extract<Fault, { fault: "crossed" | "resolve" | "pause" | "structure" }> =>
  fault.fault === "crossed" || fault.fault === "resolve" || fault.fault === "pause" || fault.fault === "structure"

export const make = (exchange: Exchange, venue: KalshiVenue): Backend => {
  const subscriptions = KalshiSubscriptions.make(venue)
  /** Suspended markets, and when each goes on. */
  const paused = new Map<KalshiMarket, number>()

  const tell = (hub: KalshiHub, messages: ReadonlyArray<Message>, now: number) => {
    for (const message of messages) hub.broadcast(message, now)
  }

  const publish = (hub: KalshiHub, operations: ReadonlyArray<Operation>, now: number) => {
    for (const operation of operations) tell(hub, venue.publish(operation, hub.watched), now)
  }

  /** The market that a fault names, or one that somebody watches. */
  const marketOf = (hub: KalshiHub, ticker: string | undefined): KalshiMarket | undefined => {
    const candidates = ticker === undefined ? hub.stats().subscribed : [ticker]
    return candidates.flatMap((one) => venue.byTicker(one) ?? []).find(({ status }) => status === "active")
  }

  const pause = (hub: KalshiHub, market: KalshiMarket, until: number, now: number) => {
    const of = venue.exchangeMarket(market)
    if (of === undefined) return
    paused.set(market, until)
    exchange.halt(of)
    tell(hub, venue.suspend(market, true, now), now)
  }

  const resume = (hub: KalshiHub, market: KalshiMarket, now: number) => {
    paused.delete(market)
    const of = venue.exchangeMarket(market)
    if (of !== undefined) publish(hub, exchange.resume(of, now), now)
    tell(hub, venue.suspend(market, false, now), now)
  }

  return {
    catalogue: venue,
    receive: subscriptions.receive,
    tick: (hub, now) => {
      for (const [market, until] of paused) if (now >= until) resume(hub, market, now)
      publish(hub, exchange.step(now), now)
      tell(hub, venue.due(now), now)
    },
    strike: (hub, fault, now) => {
      if (fault.fault === "heal") for (const market of paused.keys()) resume(hub, market, now)
      if (!isAboutMarket(fault)) return
      const market = marketOf(hub, fault.tokenId)
      if (market === undefined) return
      if (fault.fault === "pause") return pause(hub, market, FaultState.until(now, fault.durationMs), now)
      if (fault.fault === "structure") return tell(hub, venue.regrid(market, fault.structure, now, hub.watched), now)
      if (fault.fault === "crossed") return tell(hub, venue.crossed(market, fault.heals ?? false, now), now)
      const of = venue.exchangeMarket(market)
      if (of !== undefined) publish(hub, exchange.resolve(of, 0, now), now)
    }
  }
}
