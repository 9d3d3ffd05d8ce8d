/**
 * The market channel: sockets, what each subscribed, and frames on their way to them through whatever faults are in
 * force (venue reference, Polymarket §5.1, §5.2 and §5.4). Synchronous; whoever calls says what time it is.
 */
import type { Duplex } from "node:stream"
import type { WebSocket } from "ws"
import type * as Agenda from "./Agenda.ts"
import * as FaultState from "./FaultState.ts"
import type { Frame } from "./Frame.ts"
import type { Said } from "./Said.ts"
import * as Sockets from "./Sockets.ts"

/** A subscribe frame with more ids makes the venue hang up. */
const MOST_IDS_IN_A_FRAME = 1000
/** Above this many assets on one socket the venue sends no more dumps. */
const MOST_ASSETS_WITH_DUMP = 500
/** Price changes kept of each market for the `stale` fault. */
const KEPT = 8
/** Types that only sockets with `custom_feature_enabled` get. */
const customTypes = new Set(["best_bid_ask", "new_market", "market_resolved"])

/** One client. */
export interface Client extends Sockets.Peer {
  readonly assets: Set<string>
  custom: boolean
}

/** What a client subscribed anew; `dump` tells whether the venue would send the books. */
export interface Subscription {
  readonly client: Client
  readonly assets: ReadonlyArray<string>
  readonly dump: boolean
}

export interface MarketChannel extends Pick<Sockets.Sockets<Client>, "clients" | "send" | "together"> {
  readonly faults: FaultState.FaultState
  readonly open: (socket: WebSocket, stream: Duplex, now: number) => Client
  readonly broadcast: (frame: Frame, now: number) => void
  /** Sends a frame to one client, through the faults in force. */
  readonly post: (client: Client, frame: Frame, now: number) => void
  readonly watched: (assets: ReadonlyArray<string>) => boolean
  /** The last price changes sent of a market, oldest first. */
  readonly recent: (market: string, count: number) => ReadonlyArray<Frame>
  /** Frames by `event_type`; `dump`, `PONG`, `complaint` and `unknown` for what has none. */
  readonly stats: () => Sockets.Counts & { readonly subscribed: ReadonlyArray<string> }
}

export interface MarketChannelOptions {
  readonly agenda: Agenda.Agenda
  readonly faults: FaultState.FaultState
  readonly said: Said
  readonly now: () => number
  readonly subscribed: (subscription: Subscription, now: number) => void
}

interface ClientMessage {
  readonly assets: ReadonlyArray<string>
  readonly kind: "subscribe" | "unsubscribe"
  readonly custom: boolean | undefined
  readonly dump: boolean
}

/** What a client's text asks for; `undefined` for anything that the venue would ignore. */
const parse = (text: string): ClientMessage | undefined => {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof message !== "object" || message === null || !("assets_ids" in message)) return undefined
  const { assets_ids: assets } = message
  if (!Array.isArray(assets) || !assets.every((asset) => typeof asset === "string")) return undefined
  const operation = "operation" in message ? message.operation : undefined
  const opening = "type" in message && String(message.type).toLowerCase() === "market"
  if (operation !== "subscribe" && operation !== "unsubscribe" && !opening) return undefined
  const custom = "custom_feature_enabled" in message ? message.custom_feature_enabled : undefined
  return {
    assets,
    kind: operation === "unsubscribe" ? "unsubscribe" : "subscribe",
    custom: typeof custom === "boolean" ? custom : undefined,
    dump: !("initial_dump" in message && message.initial_dump === false)
  }
}

export const make = (options: MarketChannelOptions): MarketChannel => {
  const { agenda, faults, said } = options
  const sockets = Sockets.make<Client>({ ...options, despiteStall: "PONG" })
  const { clients, send, together } = sockets
  const subscribers = new Map<string, Set<Client>>()
  const history = new Map<string, Array<Frame>>()

  const recipients = (frame: Frame): ReadonlyArray<Client> => {
    const found: Array<Client> = []
    const customOnly = customTypes.has(frame.type)
    const add = (client: Client) => {
      if (!customOnly || client.custom) found.push(client)
    }
    if (frame.assets.length === 0) clients.forEach(add)
    const [first, second] = frame.assets
    const firsts = first === undefined ? undefined : subscribers.get(first)
    firsts?.forEach(add)
    if (second === undefined) return found
    for (const client of subscribers.get(second) ?? []) if (firsts?.has(client) !== true) add(client)
    return found
  }

  const remember = (frame: Frame) => {
    if (frame.type === "market_resolved") history.delete(frame.market)
    if (frame.type !== "price_change") return
    const frames = history.get(frame.market)
    if (frames === undefined) history.set(frame.market, [frame])
    else {
      frames.push(frame)
      if (frames.length > KEPT) frames.shift()
    }
  }

  const deliver = (frame: Frame, now: number) => {
    remember(frame)
    const targets = recipients(frame)
    if (targets.length === 0) return
    said.add(now, frame.text)
    for (const text of FaultState.distort(faults, frame, now)) {
      const data = targets.length === 1 ? text : Buffer.from(text)
      for (const client of targets) send(client, frame.type, data, now)
    }
  }

  const unsubscribe = (client: Client, asset: string) => {
    if (!client.assets.delete(asset)) return
    const set = subscribers.get(asset)
    set?.delete(client)
    if (set?.size === 0) subscribers.delete(asset)
  }

  const subscribe = (client: Client, message: ClientMessage, now: number) => {
    const added = [...new Set(message.assets)].filter((asset) => !client.assets.has(asset))
    if (added.length === 0 && message.assets.length > 0) {
      return send(client, "complaint", "NO NEW ASSETS", now)
    }
    for (const asset of added) {
      client.assets.add(asset)
      const set = subscribers.get(asset)
      if (set === undefined) subscribers.set(asset, new Set([client]))
      else set.add(client)
    }
    FaultState.subscribed(faults, added)
    const dump = message.dump && client.assets.size <= MOST_ASSETS_WITH_DUMP
    options.subscribed({ client, assets: added, dump }, now)
  }

  const receive = (client: Client, text: string, now: number) => {
    if (text === "PING") return send(client, "PONG", "PONG", now)
    const message = parse(text)
    if (message === undefined) return
    if (message.custom !== undefined) client.custom = message.custom
    if (message.kind === "unsubscribe") return message.assets.forEach((asset) => unsubscribe(client, asset))
    if (message.assets.length > MOST_IDS_IN_A_FRAME) return client.socket.terminate()
    subscribe(client, message, now)
  }

  return {
    clients,
    faults,
    open: (socket, stream, now) => {
      const client: Client = { ...Sockets.peer(socket, stream, now), assets: new Set(), custom: false }
      const left = () => {
        for (const asset of client.assets) unsubscribe(client, asset)
      }
      return sockets.open(client, (text, now) => receive(client, text, now), left)
    },
    broadcast: (frame, now) => {
      if (frame.delay === 0) deliver(frame, now)
      else agenda.at(now + frame.delay, () => deliver(frame, now + frame.delay))
    },
    post: (client, frame, now) => {
      for (const text of FaultState.distort(faults, frame, now)) send(client, frame.type, text, now)
    },
    send,
    together,
    watched: (assets) => assets.some((asset) => subscribers.has(asset)),
    recent: (market, count) => (history.get(market) ?? []).slice(-count),
    stats: () => ({ ...sockets.counts(), subscribed: [...subscribers.keys()] })
  }
}
