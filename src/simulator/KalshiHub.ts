/**
 * Kalshi's sockets: who subscribed what, and messages on their way to them through whatever faults are in force
 * (Kalshi reference §7.1, §7.5). A message that a fault keeps back has had its sequence number all the same.
 * Synchronous; whoever calls says what time it is.
 */
import type { Duplex } from "node:stream"
import type { WebSocket } from "ws"
import { formatDecimal } from "../domain/Money.ts"
import type * as Agenda from "./Agenda.ts"
import * as FaultState from "./FaultState.ts"
import type { Channel } from "./KalshiCommand.ts"
import type { Message } from "./KalshiMessage.ts"
import type { Said } from "./Said.ts"
import * as Sockets from "./Sockets.ts"

/** Milliseconds from one Ping to the next. */
const HEARTBEAT = 10_000

/** One channel on one socket. */
export interface Subscription {
  readonly client: Client
  readonly sid: number
  readonly channel: Channel
  /** NO prices are told on the YES scale. */
  readonly yesScale: boolean
  /** Changes are confirmed without the list of markets. */
  readonly skipAck: boolean
  /** How the client names markets. */
  readonly by: "ticker" | "id"
  /** By ticker; `undefined` for all. */
  markets: Set<string> | undefined
  /** The sequence number of the last message. */
  seq: number
  /** A frame that goes out after the next. */
  held: string | undefined
}

export interface Client extends Sockets.Peer {
  readonly subscriptions: Map<number, Subscription>
  nextSid: number
  pingAt: number
}

/** One answer on a subscription; `id` is that of the command, 0 for none. */
export interface Answer {
  readonly type: string
  readonly id: number
  readonly tickers: ReadonlyArray<string>
  readonly msg?: string
}

export interface KalshiHub extends Pick<Sockets.Sockets<Client>, "clients" | "send" | "together"> {
  readonly open: (socket: WebSocket, stream: Duplex, now: number) => Client
  readonly subscribe: (subscription: Subscription) => void
  readonly unsubscribe: (subscription: Subscription) => void
  readonly broadcast: (message: Message, now: number) => void
  /** Sends a sequenced answer on a subscription. */
  readonly answer: (subscription: Subscription, answer: Answer, now: number) => void
  /** Sends a frame of a subscription as it is, through the faults in force. */
  readonly post: (client: Client, type: string, tickers: ReadonlyArray<string>, text: string, now: number) => void
  /** Sends what belongs to no subscription, or precedes it. */
  readonly reply: (client: Client, type: string, id: number, msg: string, now: number) => void
  readonly watched: (channel: Channel, ticker: string) => boolean
  /** The books of these markets are subscribed anew. */
  readonly renewed: (tickers: ReadonlyArray<string>) => void
  readonly heartbeat: (now: number) => void
  /** Frames by `type`, `unknown` and `reordered` for what faults send; books are followed by ticker. */
  readonly stats: () => Sockets.Counts & { readonly subscribed: ReadonlyArray<string> }
}

export interface KalshiHubOptions {
  readonly agenda: Agenda.Agenda
  readonly faults: FaultState.FaultState
  readonly said: Said
  readonly now: () => number
  readonly receive: (client: Client, text: string, now: number) => void
}

const takes = ({ markets }: Subscription, ticker: string) => markets === undefined || markets.has(ticker)

const stamped = (head: string, msg: string | undefined, now: number) =>
  `{${head}${msg === undefined ? "" : `,"msg":${msg}`},"sending_ts_ms":${now}}`

const idOf = (id: number) => (id === 0 ? "" : `,"id":${id}`)

export const make = (options: KalshiHubOptions): KalshiHub => {
  const { faults, receive, said } = options
  const sockets = Sockets.make<Client>(options)
  const { clients, send, together } = sockets
  const channels = new Map<Channel, Set<Subscription>>()

  const emit = (subscription: Subscription, type: string, text: string, fate: FaultState.Fate, now: number) => {
    const { client, held } = subscription
    if (fate === "held") {
      subscription.held = text
      return
    }
    for (const one of FaultState.texts(text, fate)) send(client, type, one, now)
    if (fate === "lost" || held === undefined) return
    subscription.held = undefined
    send(client, "reordered", held, now)
  }

  const targetsOf = (channel: Channel, ticker: string): ReadonlyArray<Subscription> => {
    const found: Array<Subscription> = []
    channels.get(channel)?.forEach((subscription) => {
      if (takes(subscription, ticker)) found.push(subscription)
    })
    return found
  }

  const broadcast: KalshiHub["broadcast"] = (message, now) => {
    const { channel, msg, rests, ticker, type } = message
    const targets = targetsOf(channel, ticker)
    if (targets.length === 0) return
    said.add(now, `{"type":"${type}"${rests === undefined ? "" : `,"rests":"${formatDecimal(rests)}"`},"msg":${msg}}`)
    if (FaultState.isFrozen(faults, [ticker], now)) return
    const holding = targets.some(({ held }) => held !== undefined)
    const fate = FaultState.fate(faults, { type, assets: [ticker] }, holding)
    for (const subscription of targets) {
      const { sid, yesScale } = subscription
      // Tickers alone are not numbered.
      const seq = channel === "ticker" ? "" : `,"seq":${++subscription.seq}`
      const body = yesScale ? (message.yesScaled ?? msg) : msg
      emit(subscription, type, stamped(`"type":"${type}","sid":${sid}${seq}`, body, now), fate, now)
    }
  }

  const answer: KalshiHub["answer"] = (subscription, { id, msg, tickers, type }, now) => {
    const { held, sid } = subscription
    const fate = FaultState.fate(faults, { type, assets: tickers }, held !== undefined)
    const head = `"type":"${type}"${idOf(id)},"sid":${sid},"seq":${++subscription.seq}`
    emit(subscription, type, stamped(head, msg, now), fate, now)
  }

  const forget = (subscription: Subscription) => {
    subscription.client.subscriptions.delete(subscription.sid)
    channels.get(subscription.channel)?.delete(subscription)
  }

  return {
    clients,
    broadcast,
    answer,
    send,
    unsubscribe: forget,
    subscribe: (subscription) => {
      subscription.client.subscriptions.set(subscription.sid, subscription)
      const others = channels.get(subscription.channel)
      if (others === undefined) channels.set(subscription.channel, new Set([subscription]))
      else others.add(subscription)
    },
    post: (client, type, tickers, text, now) => {
      if (FaultState.isFrozen(faults, tickers, now)) return
      const fate = FaultState.fate(faults, { type, assets: tickers }, true)
      for (const one of FaultState.texts(text, fate)) send(client, type, one, now)
    },
    reply: (client, type, id, msg, now) => send(client, type, stamped(`"type":"${type}"${idOf(id)}`, msg, now), now),
    open: (socket, stream, now) => {
      const subscriptions = new Map<number, Subscription>()
      const peer = Sockets.peer(socket, stream, now)
      const client: Client = { ...peer, subscriptions, nextSid: 1, pingAt: now + HEARTBEAT }
      return sockets.open(
        client,
        (text, now) => receive(client, text, now),
        () => subscriptions.forEach(forget)
      )
    },
    together,
    watched: (channel, ticker) => {
      for (const subscription of channels.get(channel) ?? []) if (takes(subscription, ticker)) return true
      return false
    },
    renewed: (tickers) => FaultState.subscribed(faults, tickers),
    heartbeat: (now) => {
      for (const client of clients) {
        if (now < client.pingAt) continue
        client.pingAt = now + HEARTBEAT
        if (now >= client.silentUntil) client.socket.ping("heartbeat")
      }
    },
    stats: () => {
      const tickers = [...(channels.get("orderbook_delta") ?? [])].flatMap(({ markets }) => [...(markets ?? [])])
      return { ...sockets.counts(), subscribed: [...new Set(tickers)] }
    }
  }
}
