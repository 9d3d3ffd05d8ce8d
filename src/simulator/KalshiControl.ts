/** What is done to a running Kalshi server from outside: faults that act on sockets at once, and the true books. */
import { Socket } from "node:net"
import { formatDecimal } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import type * as Agenda from "./Agenda.ts"
import * as FaultState from "./FaultState.ts"
import type { Fault } from "./Faults.ts"
import * as KalshiCommand from "./KalshiCommand.ts"
import type { Client, KalshiHub } from "./KalshiHub.ts"
import type { KalshiMarket } from "./KalshiMarket.ts"
import * as KalshiErrors from "./KalshiErrors.ts"
import { type Reply, json } from "./Rest.ts"

/** Long enough for the half frame to arrive before the reset overtakes it. */
const RESET_AFTER = 20

/** The first half of a text frame that announces a thousand bytes. */
const halfFrame = (): Buffer => {
  const payload = Buffer.from(`{"type":"orderbook_delta","sid":1,"seq":`.padEnd(500, "1"))
  return Buffer.concat([Buffer.from([0x81, 126, 1000 >> 8, 1000 & 0xff]), payload])
}

/** The head of a text frame with a length of eight bytes. */
const announcement = (bytes: number): Buffer => {
  const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64BE(BigInt(bytes), 2)
  return head
}

const unknownMessages = [
  `{"type":"liquidity_report","sid":4000000,"msg":{"values":[1,2,{"deep":null}]}}`,
  "null",
  "[]",
  "{}",
  "42"
]

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
  const targets = [...hub.clients].slice(0, "sockets" in fault ? fault.sockets : undefined)
  switch (fault.fault) {
    case "drop":
      return targets.forEach(({ socket }) => socket.terminate())
    case "close":
      return targets.forEach(({ socket }) => socket.close(fault.code, fault.reason ?? ""))
    case "reset":
      return targets.forEach(({ socket, stream }) => {
        stream.write(halfFrame())
        agenda.at(now + RESET_AFTER, () => {
          if (stream instanceof Socket) stream.resetAndDestroy()
          else socket.terminate()
        })
      })
    case "stall":
      return targets.forEach((client) => {
        client.stalledUntil = FaultState.until(now, fault.durationMs)
      })
    case "silent":
      return targets.forEach((client) => {
        client.silentUntil = FaultState.until(now, fault.durationMs)
      })
    case "malformed": {
      const bytes = fault.base64 ?? Buffer.from(fault.text ?? "{not json")
      return targets.forEach(({ socket }) => socket.send(bytes, { binary: fault.binary ?? false }))
    }
    case "oversized":
      return targets.forEach(({ stream }) => stream.write(announcement(fault.bytes ?? 200 * 1024 * 1024)))
    case "unknown_event":
      return targets.forEach((client) => {
        for (const message of unknownMessages) hub.send(client, "unknown", message, now)
      })
    case "channel_error":
      return targets.forEach((client) => endBooks(hub, client, fault.code ?? 25, now))
    case "heal":
      return targets.forEach((client) => {
        client.stalledUntil = 0
        client.silentUntil = 0
      })
  }
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
