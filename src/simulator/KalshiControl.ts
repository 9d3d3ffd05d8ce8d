/** What is done to a running Kalshi server from outside: faults that act on sockets at once, and the true books. */
import { formatDecimal } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type * as Agenda from "./Agenda.ts"
import type { Fault } from "./Faults.ts"
import * as FaultState from "./FaultState.ts"
import * as KalshiCommand from "./KalshiCommand.ts"
import type { Client, KalshiHub } from "./KalshiHub.ts"
import type { Catalogue, KalshiMarket } from "./KalshiMarket.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import { type Reply, json } from "./Rest.ts"
import * as SocketStrikes from "./SocketStrikes.ts"

const dialect: SocketStrikes.Dialect = {
  begun: { text: `{"type":"orderbook_delta","sid":1,"seq":`, digit: "1" },
  unknown: `{"type":"liquidity_report","sid":4000000,"msg":{"values":[1,2,{"deep":null}]}}`
}

/** Ends the book subscription of a client as the venue does when it can no longer serve it (Kalshi reference §7.4). */
const endBooks = (hub: KalshiHub, client: Client, code: 10 | 25, now: number) => {
  for (const subscription of client.subscriptions.values()) {
    if (subscription.channel !== "orderbook_delta") continue
    const msg = JSON.stringify({ code, msg: KalshiCommand.errors[code] })
    hub.answer(subscription, { type: "error", id: 0, tickers: [], msg }, now)
    hub.unsubscribe(subscription)
  }
}

/** Carries out the part of a fault that hits sockets at once. */
export const strike = (hub: KalshiHub, agenda: Agenda.Agenda, fault: Fault, now: number): void => {
  SocketStrikes.strike(hub, dialect, agenda, fault, now)
  if (fault.fault !== "channel_error") return
  for (const client of SocketStrikes.targetsOf(hub.clients, fault)) endBooks(hub, client, fault.code ?? 25, now)
}

/** Channels that a command is about. */
const channelsOf = (client: Client, command: KalshiCommand.Command): ReadonlyArray<string> => {
  if (command.cmd === "subscribe") return command.channels
  if (command.cmd === "list_subscriptions") return []
  const sids = command.cmd === "unsubscribe" ? command.sids : [command.sid]
  return sids.flatMap((sid) => client.subscriptions.get(sid)?.channel ?? [])
}

/** Refuses what a client says if that is in force, and tells whether it did; what is no command is left alone. */
export const refuse = (
  hub: KalshiHub,
  faults: FaultState.FaultState,
  client: Client,
  text: string,
  now: number
): boolean => {
  if (faults.commands.length === 0) return false
  const command = KalshiCommand.parse(text)
  if ("refused" in command) return false
  const code = FaultState.refusedCommand(faults, channelsOf(client, command))
  if (code === undefined) return false
  hub.reply(client, "error", command.id, JSON.stringify({ code, msg: KalshiCommand.errors[code] }), now)
  return true
}

const HITS = new Set(["lost", "duplicate", "reorder"])

/** A fault as it stands in force here: what hits frames hits changes of books unless it says otherwise. */
export const localized = (fault: Fault): Fault =>
  HITS.has(fault.fault) && !("type" in fault && fault.type !== undefined)
    ? ({ ...fault, type: "orderbook_delta" } as Fault)
    : fault

/** The reply of a refusing fault in Kalshi's words. */
export const worded = (reply: Reply): Reply => {
  const { headers = {}, status } = reply
  if (headers["content-type"] === "text/html") return reply
  const local =
    status === 429
      ? KalshiErrors.tooManyRequests
      : status === 502 || status === 504
        ? KalshiErrors.badGateway(status)
        : KalshiErrors.nested(status, status === 401 ? "authentication_error" : "service_unavailable")
  return { ...local, headers: { ...headers, ...local.headers } }
}

/** A catalogue that stands still as it is. */
export const frozen = (catalogue: Catalogue): Catalogue => {
  const markets = new Map<string, KalshiMarket>()
  for (const market of catalogue.markets()) {
    markets.set(market.info.ticker, { ...market, book: OrderBook.copy(market.book) })
  }
  const trades = [...catalogue.trades()]
  return { markets: () => markets.values(), byTicker: (ticker) => markets.get(ticker), trades: () => trades }
}

const levelsOf = (book: OrderBook.OrderBook, side: OrderBook.Side) =>
  OrderBook.levels(book, side).map(({ price, size }) => ({ price: formatDecimal(price), size: formatDecimal(size) }))

/** A book as it is, whatever the faults in force make clients see: in YES prices, best level first. */
export const trueBook = (market: KalshiMarket | undefined): Reply =>
  market === undefined
    ? KalshiErrors.notFound
    : json(200, {
        market_ticker: market.info.ticker,
        status: market.status,
        timestamp: String(market.updatedAt),
        bids: levelsOf(market.book, "bid"),
        asks: levelsOf(market.book, "ask")
      })
