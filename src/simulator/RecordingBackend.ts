/** Serves a recording: every socket gets all of its frames in order, once it has subscribed. */
import { hash as digest } from "node:crypto"
import { SCALE, parseDecimal } from "../domain/Money.ts"
import type { Client, MarketChannel } from "./MarketChannel.ts"
import type { OutcomeIndex } from "./MatchingBook.ts"
import { type Catalogue, type MarketView, tagOf } from "./PolymarketMarket.ts"
import type { Backend } from "./PolymarketServer.ts"
import * as Recording from "./Recording.ts"

/** A socket that leaves more than this unread waits for the next tick. */
const MOST_UNREAD = 1024 * 1024
const YEAR = 365 * 86_400_000
/** Recorded markets pass every filter of liquidity and volume. */
const PLENTY = 1_000_000

interface Playback {
  readonly client: Client
  readonly startedAt: number
  next: number
}

/** A token for the other outcome where the recording names only one. */
const invented = (token: string): string => BigInt(`0x${digest("sha256", token)}`).toString()

const bestOf = (levels: string): number | undefined => {
  const price = /"price":"([\d.]+)"[^{]*$/.exec(levels)?.[1]
  return price === undefined ? undefined : parseDecimal(price) / SCALE
}

const viewOf = (
  market: Recording.RecordedMarket,
  books: Recording.RecordedBooks,
  serial: number,
  negRisk: boolean,
  now: number
): MarketView => {
  const first = market.tokens[0]!
  const tokens: readonly [string, string] = [first, market.tokens[1] ?? invented(first)]
  const title = `Recorded market ${serial} (${market.condition.slice(0, 10)})`
  const slug = `recorded-market-${serial}`
  return {
    info: {
      condition: market.condition,
      tokens,
      minOrderSize: "5",
      negRisk,
      version: market.version,
      gammaId: String(serial),
      questionId: market.condition,
      question: title,
      slug,
      description: "Served from a recording.",
      outcomes: ["Yes", "No"],
      tags: [tagOf("Recording")],
      event: { id: String(serial), slug, title },
      item: "",
      negRiskMarketId: "",
      listedAt: now,
      endsAt: now + YEAR
    },
    open: () => true,
    winner: () => null,
    tickSize: () => market.tickSize,
    book: (outcome) => books.book(tokens[outcome]),
    quotes: () => {
      const state = books.book(first)
      return { bid: state && bestOf(state.bids), ask: state && bestOf(state.asks) }
    },
    volume: () => PLENTY,
    liquidity: () => PLENTY,
    lastTrade: () => undefined
  }
}

/** `speed` 1 keeps the recorded intervals, 2 halves them, 0 sends as fast as the socket takes it. */
export const make = (frames: ReadonlyArray<Recording.RecordedFrame>, speed: number, now: number): Backend => {
  const markets = Recording.marketsOf(frames)
  const books = Recording.books(markets)
  const negRisk = Recording.negRiskMarkets(frames)
  const conditions = new Map<string, MarketView>()
  const tokens = new Map<string, { readonly market: MarketView; readonly outcome: OutcomeIndex }>()
  for (const market of markets.values()) {
    const view = viewOf(market, books, conditions.size + 1, negRisk.has(market.condition), now)
    conditions.set(market.condition, view)
    tokens.set(view.info.tokens[0], { market: view, outcome: 0 })
    tokens.set(view.info.tokens[1], { market: view, outcome: 1 })
  }
  const catalogue: Catalogue = {
    markets: () => conditions.values(),
    byCondition: (id) => conditions.get(id),
    byToken: (token) => tokens.get(token)
  }
  const origin = frames.find((frame) => frame.receivedAt !== undefined)?.receivedAt ?? 0
  const playbacks = new Set<Playback>()
  let applied = 0

  const dueAt = (playback: Playback, frame: Recording.RecordedFrame): number =>
    speed === 0 || frame.receivedAt === undefined ? 0 : playback.startedAt + (frame.receivedAt - origin) / speed

  const play = (channel: MarketChannel, playback: Playback, now: number) => {
    const { client } = playback
    while (client.socket.bufferedAmount < MOST_UNREAD) {
      const frame = frames[playback.next]
      if (frame === undefined || !channel.clients.has(client)) {
        playbacks.delete(playback)
        return
      }
      if (dueAt(playback, frame) > now) return
      playback.next++
      if (playback.next > applied) {
        books.apply(frame)
        applied = playback.next
      }
      const [event] = Recording.eventsOf(frame)
      const type = Array.isArray(frame.json) ? "dump" : String(event?.["event_type"] ?? "unknown")
      const assets = event === undefined ? [] : Recording.assetsOf(event)
      channel.post(client, { type, market: String(event?.["market"] ?? ""), assets, text: frame.text, delay: 0 }, now)
    }
  }

  const started = new WeakSet<Client>()
  return {
    catalogue,
    subscribed: (channel, { client }, now) => {
      if (started.has(client)) return
      started.add(client)
      const playback: Playback = { client, startedAt: now, next: 0 }
      playbacks.add(playback)
      play(channel, playback, now)
    },
    tick: (channel, now) => {
      for (const playback of playbacks) play(channel, playback, now)
    },
    strike: () => {}
  }
}
