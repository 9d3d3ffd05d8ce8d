/** What is done to a running Polymarket server from outside: faults that act on sockets at once, and the true books. */
import type * as Agenda from "./Agenda.ts"
import type { Fault } from "./Faults.ts"
import type { MarketChannel } from "./MarketChannel.ts"
import type { BookState } from "./PolymarketFrames.ts"
import type { Catalogue } from "./PolymarketMarket.ts"
import { type Reply, failure, json } from "./Rest.ts"
import * as SocketStrikes from "./SocketStrikes.ts"

const dialect: SocketStrikes.Dialect = {
  begun: { text: `{"market":"0x`, digit: "0" },
  unknown: `{"event_type":"liquidity_report", "market":"0x00", "values":[1, 2, {"deep":null}]}`
}

/** Carries out the part of a fault that hits sockets at once. */
export const strike = (channel: MarketChannel, agenda: Agenda.Agenda, fault: Fault, now: number): void =>
  SocketStrikes.strike(channel, dialect, agenda, fault, now)

/** A fault as it stands in force here: a market's two books stand still together. */
export const lasting = (catalogue: Catalogue, fault: Fault): ReadonlyArray<Fault> => {
  if (fault.fault !== "freeze") return [fault]
  const { tokens } = catalogue.byToken(fault.tokenId)?.market.info ?? { tokens: [] }
  return [fault, ...tokens.map((tokenId) => ({ ...fault, tokenId }))]
}

/** A catalogue whose books stand still as they are. */
export const frozen = (catalogue: Catalogue): Catalogue => {
  const books = new Map<string, BookState>()
  for (const market of catalogue.markets()) {
    for (const outcome of [0, 1] as const) {
      const state = market.book(outcome)
      if (state !== undefined) books.set(state.asset, state)
    }
  }
  return {
    ...catalogue,
    byToken: (token) => {
      const found = catalogue.byToken(token)
      return found && { ...found, market: { ...found.market, book: () => books.get(token) } }
    }
  }
}

const levelsOf = (levels: string): ReadonlyArray<unknown> => (JSON.parse(`[${levels}]`) as Array<unknown>).reverse()

/** A book as it is, whatever the faults in force make clients see: best level first. */
export const trueBook = (state: BookState | undefined): Reply =>
  state === undefined
    ? failure(404, "no such book")
    : json(200, {
        asset_id: state.asset,
        timestamp: state.timestamp,
        hash: state.hash,
        bids: levelsOf(state.bids),
        asks: levelsOf(state.asks)
      })
