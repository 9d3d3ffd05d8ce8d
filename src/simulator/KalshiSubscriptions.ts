/**
 * What the exchange does when a client speaks: subscriptions are opened, merged, changed and ended, each answered in the
 * venue's order, the answer before the data (Kalshi reference §7.2 to §7.6).
 */
import * as KalshiCommand from "./KalshiCommand.ts"
import type { Channel, Command, Markets } from "./KalshiCommand.ts"
import type { Client, KalshiHub, Subscription } from "./KalshiHub.ts"
import type { KalshiMarket } from "./KalshiMarket.ts"
import * as KalshiMessage from "./KalshiMessage.ts"
import * as RateLimits from "./RateLimits.ts"

/** Limits of one socket. */
const MOST_MARKETS = 500_000
const MOST_COMMANDS = 10_000

/** What the exchange knows of markets. */
export interface Directory {
  readonly byTicker: (ticker: string) => KalshiMarket | undefined
  readonly byId: (id: string) => KalshiMarket | undefined
}

export interface KalshiSubscriptions {
  readonly receive: (hub: KalshiHub, client: Client, text: string, now: number) => void
}

/** Tells a client what it has subscribed; the `msg` of this `ok` is a list, and it has no sequence number. */
export const list = (hub: KalshiHub, client: Client, id: number, now: number): void => {
  const subscriptions = [...client.subscriptions.values()].map(({ channel, sid }) => ({ channel, sid }))
  hub.reply(client, "ok", id, JSON.stringify(subscriptions), now)
}

export const make = (directory: Directory): KalshiSubscriptions => {
  const speaking = new WeakMap<Client, (now: number) => boolean>()

  const mayCommand = (client: Client, now: number): boolean => {
    const known = speaking.get(client) ?? RateLimits.perSecond(MOST_COMMANDS)
    speaking.set(client, known)
    return known(now)
  }

  /** Tickers of the markets that a client names; an id that nobody knows stands for nothing. */
  const tickersOf = (markets: Markets | undefined): ReadonlyArray<string> =>
    markets === undefined || markets.by === "ticker"
      ? (markets?.names ?? [])
      : markets.names.flatMap((id) => directory.byId(id)?.info.ticker ?? [])

  const found = (tickers: ReadonlyArray<string>): ReadonlyArray<KalshiMarket> =>
    tickers.flatMap((ticker) => directory.byTicker(ticker) ?? [])

  /** `ok` with all markets of the subscription as they are after a change. */
  const confirm = (hub: KalshiHub, subscription: Subscription, id: number, now: number) => {
    const { by, markets, skipAck } = subscription
    const tickers = [...(markets ?? [])].sort()
    const names = by === "ticker" ? tickers : found(tickers).map(({ info }) => info.id)
    const msg = skipAck ? "{}" : JSON.stringify({ [by === "ticker" ? "market_tickers" : "market_ids"]: names })
    hub.answer(subscription, { type: "ok", id, tickers, msg }, now)
  }

  /** The first data of markets: books on the book channel, and on the ticker channel what was asked for. */
  const begin = (
    hub: KalshiHub,
    subscription: Subscription,
    tickers: ReadonlyArray<string>,
    initialSnapshot: boolean,
    now: number,
    id = 0
  ) => {
    if (subscription.channel === "orderbook_delta" && id === 0) hub.renewed(tickers)
    for (const market of found(tickers)) {
      if (subscription.channel === "orderbook_delta") {
        const msg = KalshiMessage.snapshot(market, subscription.yesScale)
        hub.answer(subscription, { type: "orderbook_snapshot", id, tickers: [market.info.ticker], msg }, now)
      } else if (subscription.channel === "ticker" && initialSnapshot) {
        const { msg } = KalshiMessage.ticker(market, now)
        const text = `{"type":"ticker","sid":${subscription.sid},"msg":${msg},"sending_ts_ms":${now}}`
        hub.post(subscription.client, "ticker", [market.info.ticker], text, now)
      }
    }
  }

  const add = (subscription: Subscription, tickers: ReadonlyArray<string>): ReadonlyArray<string> => {
    const { markets } = subscription
    const fresh = markets === undefined ? [] : tickers.filter((ticker) => !markets.has(ticker))
    fresh.forEach((ticker) => markets?.add(ticker))
    return fresh
  }

  const subscribe = (hub: KalshiHub, client: Client, command: Command & { cmd: "subscribe" }, now: number) => {
    const { id, initialSnapshot, skipAck, yesPrice: yesScale } = command
    const tickers = tickersOf(command.markets)
    const all = command.markets === undefined || command.markets.names.length === 0
    const open = (channel: Channel): (() => void) => {
      const known = [...client.subscriptions.values()].find((one) => one.channel === channel)
      if (known !== undefined) {
        const fresh = add(known, tickers)
        if (all) known.markets = undefined
        confirm(hub, known, id, now)
        return () => begin(hub, known, fresh, initialSnapshot, now)
      }
      const unfiltered = all || channel === "market_lifecycle_v2"
      const markets = unfiltered ? undefined : new Set(tickers)
      const by = command.markets?.by ?? "ticker"
      const sid = client.nextSid++
      const state = { markets, seq: 0, held: undefined }
      const subscription: Subscription = { client, sid, channel, yesScale, skipAck, by, ...state }
      hub.subscribe(subscription)
      hub.reply(client, "subscribed", id, JSON.stringify({ channel, sid }), now)
      return () => begin(hub, subscription, tickers, initialSnapshot, now)
    }
    for (const start of command.channels.map(open)) start()
  }

  const update = (hub: KalshiHub, client: Client, command: Command & { cmd: "update_subscription" }, now: number) => {
    const { action, id, initialSnapshot } = command
    const subscription = client.subscriptions.get(command.sid)
    if (subscription === undefined) return refuse(hub, client, 7, id, now)
    const books = subscription.channel === "orderbook_delta"
    if (books && command.markets?.by === "id") return refuse(hub, client, 14, id, now)
    const tickers = tickersOf(command.markets)
    switch (action) {
      case "add_markets": {
        const fresh = add(subscription, tickers)
        confirm(hub, subscription, id, now)
        return begin(hub, subscription, fresh, initialSnapshot, now)
      }
      case "delete_markets":
        for (const ticker of tickers) subscription.markets?.delete(ticker)
        return confirm(hub, subscription, id, now)
      case "get_snapshot":
        if (!books) return refuse(hub, client, 13, id, now)
        return begin(hub, subscription, tickers, false, now, id)
    }
  }

  const refuse = (hub: KalshiHub, client: Client, code: KalshiCommand.ErrorCode, id: number, now: number) =>
    hub.reply(client, "error", id, JSON.stringify({ code, msg: KalshiCommand.errors[code] }), now)

  const receive: KalshiSubscriptions["receive"] = (hub, client, text, now) => {
    const command = KalshiCommand.parse(text)
    if (!mayCommand(client, now)) return refuse(hub, client, 27, command.id, now)
    if ("refused" in command) return refuse(hub, client, command.refused, command.id, now)
    const { id } = command
    if (command.cmd === "subscribe" || command.cmd === "update_subscription") {
      const held = [...client.subscriptions.values()].reduce((sum, { markets }) => sum + (markets?.size ?? 0), 0)
      const wanted = command.markets?.names.length ?? 0
      if (held + wanted > MOST_MARKETS) return refuse(hub, client, 26, id, now)
    }
    switch (command.cmd) {
      case "subscribe":
        return subscribe(hub, client, command, now)
      case "update_subscription":
        return update(hub, client, command, now)
      case "list_subscriptions":
        return list(hub, client, id, now)
      case "unsubscribe":
        for (const sid of command.sids) {
          const subscription = client.subscriptions.get(sid)
          if (subscription === undefined) refuse(hub, client, 7, id, now)
          else {
            hub.answer(subscription, { type: "unsubscribed", id, tickers: [] }, now)
            hub.unsubscribe(subscription)
          }
        }
    }
  }

  return { receive }
}
