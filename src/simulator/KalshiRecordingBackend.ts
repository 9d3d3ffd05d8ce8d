/**
 * Serves a recording as Kalshi: a socket that subscribes a channel gets the sid that the channel had, then all of its
 * recorded frames in order. Of what clients say, only the first subscription of a channel and its end have an effect:
 * sequence numbers are the recording's, so nothing can be put in between.
 */
import type { Backend } from "./KalshiBackend.ts"
import * as KalshiCommand from "./KalshiCommand.ts"
import type { Channel } from "./KalshiCommand.ts"
import type { Client, KalshiHub, Subscription } from "./KalshiHub.ts"
import * as KalshiRecording from "./KalshiRecording.ts"
import type { KalshiFrame } from "./KalshiRecording.ts"
import * as KalshiSubscriptions from "./KalshiSubscriptions.ts"

/** A socket that leaves more than this unread waits for the next tick. */
const MOST_UNREAD = 1024 * 1024

interface Playback {
  readonly subscription: Subscription
  readonly frames: ReadonlyArray<KalshiFrame>
  readonly startedAt: number
  next: number
}

export interface RecordingOptions {
  /** 1 keeps the recorded intervals, 2 halves them, 0 sends as fast as the socket takes it. */
  readonly speed: number
  /** Whether the recording tells NO prices on the YES scale; clients get them as they ask for them. */
  readonly yesScale: boolean
}

export const make = (frames: ReadonlyArray<KalshiFrame>, options: RecordingOptions, now: number): Backend => {
  const { speed, yesScale } = options
  const markets = KalshiRecording.marketsOf(frames, now)
  const sids = KalshiRecording.sidsOf(frames)
  const origin = frames.find((frame) => frame.time !== undefined)?.time ?? 0
  const playbacks = new Set<Playback>()
  const applied = new Map<number, number>()

  const dueAt = (playback: Playback, frame: KalshiFrame): number =>
    speed === 0 || frame.time === undefined ? 0 : playback.startedAt + (frame.time - origin) / speed

  /** Follows the books as far as anybody has been told of them. */
  const follow = (sid: number, reached: number, frame: KalshiFrame) => {
    if (reached <= (applied.get(sid) ?? 0)) return
    applied.set(sid, reached)
    const market = markets.get(frame.tickers[0] ?? "")
    if (market !== undefined) KalshiRecording.apply(market, frame, yesScale)
  }

  const play = (hub: KalshiHub, playback: Playback, now: number) => {
    const { subscription } = playback
    const { client, sid } = subscription
    while (client.socket.bufferedAmount < MOST_UNREAD) {
      const frame = playback.frames[playback.next]
      if (frame === undefined || client.subscriptions.get(sid) !== subscription) {
        playbacks.delete(playback)
        return
      }
      if (dueAt(playback, frame) > now) return
      playback.next++
      follow(sid, playback.next, frame)
      subscription.seq = Math.max(subscription.seq, frame.seq)
      const text = subscription.yesScale === yesScale ? frame.text : KalshiRecording.turned(frame)
      hub.post(client, frame.type, frame.tickers, text, now)
    }
  }

  /** A free sid for a channel that is not in the recording. */
  const unrecorded = (client: Client): number =>
    Math.max(0, ...sids.values(), ...[...client.subscriptions.values()].map(({ sid }) => sid)) + 1

  const subscribe = (
    hub: KalshiHub,
    client: Client,
    command: KalshiCommand.Command & { cmd: "subscribe" },
    now: number
  ) => {
    const { id, skipAck, yesPrice } = command
    const open = (channel: Channel) => {
      if ([...client.subscriptions.values()].some((one) => one.channel === channel)) {
        return hub.reply(client, "ok", id, JSON.stringify({ market_tickers: [...markets.keys()].sort() }), now)
      }
      const sid = sids.get(channel) ?? unrecorded(client)
      const names = { client, sid, channel, yesScale: yesPrice, skipAck, by: "ticker" } as const
      const subscription: Subscription = { ...names, markets: new Set(markets.keys()), seq: 0, held: undefined }
      hub.subscribe(subscription)
      hub.reply(client, "subscribed", id, JSON.stringify({ channel, sid }), now)
      const own = frames.filter((frame) => frame.sid === sid)
      playbacks.add({ subscription, frames: own, startedAt: now, next: 0 })
    }
    command.channels.forEach(open)
    for (const playback of playbacks) if (playback.subscription.client === client) play(hub, playback, now)
  }

  return {
    catalogue: { markets: () => markets.values(), byTicker: (ticker) => markets.get(ticker), trades: () => [] },
    receive: (hub, client, text, now) => {
      const command = KalshiCommand.parse(text)
      if ("refused" in command) {
        const { id, refused } = command
        return hub.reply(
          client,
          "error",
          id,
          JSON.stringify({ code: refused, msg: KalshiCommand.errors[refused] }),
          now
        )
      }
      if (command.cmd === "subscribe") return subscribe(hub, client, command, now)
      if (command.cmd === "list_subscriptions") return KalshiSubscriptions.list(hub, client, command.id, now)
      if (command.cmd !== "unsubscribe") return
      for (const subscription of command.sids.flatMap((sid) => client.subscriptions.get(sid) ?? [])) {
        hub.answer(subscription, { type: "unsubscribed", id: command.id, tickers: [] }, now)
        hub.unsubscribe(subscription)
      }
    },
    tick: (hub, now) => {
      for (const playback of playbacks) play(hub, playback, now)
    },
    strike: () => {}
  }
}
