/**
 * One connection's life: handshake, subscriptions, frames to events (Kalshi reference §7). It fails when the connection
 * ends, whatever the reason.
 */
import { Clock, Effect, Option, Queue } from "effect"
import { type FeedInput, told } from "../../domain/Input.ts"
import type { Instrument } from "../../domain/Market.ts"
import type { FeedEvent, MarketListed } from "../../domain/MarketEvent.ts"
import type { ConnectGate } from "../../resilience/ConnectGate.ts"
import * as Slot from "../../resilience/Slot.ts"
import * as WebSocketFeed from "../../resilience/WebSocketFeed.ts"
import type { Observers } from "../Protocol.ts"
import * as SocketFeed from "../SocketFeed.ts"
import { refusal } from "./Client.ts"
import type { ClockSkew } from "./ClockSkew.ts"
import type { KalshiConfig } from "./Config.ts"
import type { Control } from "./Decoder.ts"
import type { Markets } from "./Markets.ts"
import { KALSHI } from "./Normalize.ts"
import type { KalshiObserver, Terms } from "./Protocol.ts"
import type { Rest } from "./Rest.ts"
import type { Signer } from "./Signing.ts"
import * as Subscriptions from "./Subscriptions.ts"
import * as TradeHistory from "./TradeHistory.ts"

/** The server pings as well, but only a ping of our own shows within one period that nothing leaves any more (§7.1). */
const HEARTBEAT = { every: "10 seconds", timeout: "4 seconds" } as const
/**
 * What waits at a socket before it is paused: the more a turn brings, the less each message costs. As much again may be on
 * its way to the books at each of three places.
 */
const HIGH_WATER = { frames: 4_096, bytes: 1024 * 1024 }
/** The venue's own limit for a message. */
const MAX_PAYLOAD = 64 * 1024 * 1024
/** Markets compared over REST when a socket falls silent: those that spoke last. */
const PROBES = 3
/** A trade that REST knows and the socket did not bring is proof only when it had the time to come. */
const PROBE_GRACE = 5_000
/** New markets that wait to be looked up, and how long REST may know nothing of them (§3.4). */
const MAX_LISTINGS = 256
const LISTING_DELAY = "5 seconds"
/** How long the venue's list of trades may lag behind the socket before what is missing is looked for. */
const TRADES_DELAY = "5 seconds"

/** A line, and what is open in it now. */
export interface Line extends SocketFeed.Line {
  subscriptions: Subscriptions.Subscriptions | undefined
}

export interface SessionOptions {
  readonly config: KalshiConfig
  readonly signer: Signer
  readonly clockSkew: ClockSkew
  readonly rest: Rest
  readonly markets: Markets
  readonly gate: ConnectGate<WebSocketFeed.SocketError>
  readonly observers: Observers<KalshiObserver>
}

const tickers = (instruments: Iterable<Instrument>) =>
  Array.from(instruments, ({ venueInstrumentId }) => venueInstrumentId)

export const make = (options: SessionOptions): SocketFeed.Session<Line> => {
  const { clockSkew, config, gate, markets, observers, rest, signer } = options
  const signedPath = new URL(config.ws_url).pathname
  const terms: Terms = {
    noPrices: "yes",
    // Whether a new market can be wanted at all, and only its category is still to be found out.
    looksUpListings: config.categories.length > 0 && config.min_volume_24h === 0
  }

  const explained = (error: WebSocketFeed.SocketError): WebSocketFeed.SocketError =>
    error.reason === "refused"
      ? new WebSocketFeed.SocketError({
          reason: error.reason,
          code: error.code,
          detail: SocketFeed.isHalting(error) ? refusal(error.detail, clockSkew) : error.detail,
          retryAfter: error.retryAfter
        })
      : error

  /** Connects, and once more if it is refused for a signature of the wrong time, which the refusal tells. */
  const connect = (socket: Omit<WebSocketFeed.SocketOptions, "headers">) => {
    const attempt = Effect.gen(function* () {
      const used = clockSkew.correction()
      const sent = yield* Clock.currentTimeMillis
      const headers = Effect.sync(() => signer.headers("GET", signedPath, sent - used))
      return yield* Effect.tapError(WebSocketFeed.open({ ...socket, headers }), ({ date }) =>
        Effect.flatMap(Clock.currentTimeMillis, (received) => clockSkew.observe({ date }, sent, received))
      )
    })
    return Effect.suspend(() => {
      const used = clockSkew.correction()
      return Effect.catchIf(
        attempt,
        ({ code, reason }) => reason === "refused" && code === 401 && clockSkew.refused(used),
        () => attempt
      )
    }).pipe(Effect.mapError(explained))
  }

  /** Whether REST knows of a trade that a silent socket did not bring; no answer counts as bad news. */
  const probe = (shard: SocketFeed.Line["shard"], latest: ReadonlyMap<string, number>) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const candidates = [...latest].slice(-PROBES)
      const answers = yield* Effect.forEach(candidates, ([id, seen]) => {
        const ticker = id.slice(KALSHI.length + 1)
        if (!shard.items.has(ticker)) return Effect.succeedNone
        return Effect.map(rest.trades(ticker, 1), ([trade]) =>
          trade !== undefined && trade.venueTime > seen && trade.venueTime < now - PROBE_GRACE
            ? Option.some("the venue has newer trades over REST")
            : Option.none<string>()
        )
      })
      return Option.firstSomeOf(answers)
    }).pipe(Effect.catchAll((error) => Effect.succeedSome(`and REST fails: ${error.reason}`)))

  /** One connection's life, a turn's frames at a time; what the venue says of subscriptions comes back when it is read. */
  return (line, emit) =>
    Effect.gen(function* () {
      const { shard, slot } = line
      /** When the connection before this one last brought anything. */
      const lastHeard = slot.lastData
      const connection = yield* Slot.begin(slot)
      yield* Effect.annotateLogsScoped({ venue: KALSHI, slot: slot.name, connection })
      const latest = new Map<string, number>()

      const socket = yield* gate.handshake(
        connect({
          url: config.ws_url,
          openTimeout: "10 seconds",
          maxPayload: MAX_PAYLOAD,
          highWater: HIGH_WATER,
          heartbeat: HEARTBEAT,
          silence: { after: config.stale_after, probe: probe(shard, latest) }
        })
      )
      const { inputs: first, receivedTime: opened } = yield* SocketFeed.opening(KALSHI, line, { ...terms })
      let control = first
      let fatal: WebSocketFeed.SocketError | undefined
      const guarded = (effect: Effect.Effect<void, WebSocketFeed.SocketError>) =>
        Effect.catchAll(effect, (error) => {
          fatal ??= error
          return socket.wake
        })

      const untold = yield* Queue.unbounded<string>()
      const tell = Effect.gen(function* () {
        const reason = yield* Queue.take(untold)
        const about = { venue: KALSHI, connection, receivedTime: yield* Clock.currentTimeMillis }
        control.push(told({ _tag: "MessageRejected", ...about, instrumentIds: [], reason }))
        yield* socket.wake
      })
      yield* Effect.forkScoped(Effect.forever(tell))

      const subscriptions = yield* Subscriptions.open({
        send: socket.send,
        wanted: () => [...shard.items.keys()],
        lifecycle: shard.index === 1,
        onRefused: (channel, tickers, said) => {
          // A book without changes gets no snapshot, which shows; trades would just not come.
          if (channel === "trade") untold.unsafeOffer(`trades of ${tickers.length} markets are missing: ${said}`)
        }
      })
      line.subscriptions = subscriptions
      yield* Effect.addFinalizer(() => Effect.sync(() => (line.subscriptions = undefined)))
      yield* socket.wake

      const tasks = yield* Queue.unbounded<Effect.Effect<void, WebSocketFeed.SocketError>>()
      yield* SocketFeed.controlled(line, {
        renew: (instruments) => {
          const them = tickers(instruments)
          return Effect.asVoid(tasks.offer(Effect.zipRight(subscriptions.remove(them), subscriptions.add(them))))
        },
        abort: socket.abort
      })
      const follow = Effect.gen(function* () {
        const { added, removed } = yield* Queue.take(shard.changes)
        const receivedTime = yield* Clock.currentTimeMillis
        const about = { venue: KALSHI, connection, receivedTime }
        if (removed.length > 0)
          control.push(told({ _tag: "Unsubscribed", ...about, instrumentIds: SocketFeed.ids(removed) }))
        if (added.length > 0) control.push({ _tag: "Wanted", ...about, instruments: added })
        yield* socket.wake
        yield* tasks.offer(Effect.zipRight(subscriptions.remove(tickers(removed)), subscriptions.add(tickers(added))))
      })
      const listings = yield* Queue.dropping<MarketListed>(MAX_LISTINGS)
      const lookUp = Effect.gen(function* () {
        const listed = yield* Queue.take(listings)
        yield* Effect.sleep(LISTING_DELAY)
        const found = yield* Effect.option(markets.find(listed.market.venueMarketId))
        const market = Option.getOrElse(Option.flatten(found), () => listed.market)
        control.push(told({ ...listed, market }))
        yield* socket.wake
      })
      /** What trades the socket did not bring since a time. */
      const missed = yield* Queue.unbounded<number>()
      const fetchMissed = Effect.gen(function* () {
        const first = yield* Queue.take(missed)
        yield* Effect.sleep(TRADES_DELAY)
        const since = Math.min(first, ...(yield* Queue.takeAll(missed)))
        const found = yield* TradeHistory.since(rest, connection, shard.items, since, "rest").pipe(
          Effect.catchAll((error) => Effect.as(untold.offer(`trades are missing: ${error.message}`), []))
        )
        control.push(...found)
        yield* socket.wake
      })
      if (lastHeard !== undefined) yield* missed.offer(lastHeard)
      yield* Effect.forkScoped(Effect.forever(fetchMissed))
      yield* Effect.forkScoped(Effect.forever(follow))
      yield* Effect.forkScoped(Effect.forever(lookUp))
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(tasks), guarded)))
      yield* Effect.forkScoped(guarded(subscriptions.acknowledged))
      yield* Effect.forkScoped(Effect.forever(Effect.delay(socket.wake, "1 seconds")))

      /** When the socket last was known to have brought all trades. */
      let wholeUntil = opened
      const note = (event: FeedEvent, receivedTime: number): void => {
        if (event._tag === "MessageRejected" && event.instrumentIds.length === 0) missed.unsafeOffer(wholeUntil)
        if (event._tag === "Trade") wholeUntil = receivedTime
        if (event._tag !== "BookDelta" && event._tag !== "BookSnapshot" && event._tag !== "Trade") return
        slot.firstData ??= receivedTime
        if (event._tag !== "BookSnapshot") {
          latest.delete(event.instrumentId)
          latest.set(event.instrumentId, event.venueTime)
        }
      }
      observers.set(connection, {
        tally: slot.tally,
        onFault: yield* SocketFeed.faultLog,
        onEvents: (out, from, receivedTime) => {
          for (let i = from; i < out.length; i++) note(out[i]!, receivedTime)
        },
        onControl: (said: Control) => tasks.unsafeOffer(subscriptions.answer(said)),
        onListing: (listed) => listings.unsafeOffer(listed)
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => observers.delete(connection)))

      const taken = (batch: WebSocketFeed.FrameBatch): ReadonlyArray<FeedInput> => {
        const inputs = control
        control = []
        Slot.received(slot, batch)
        // Without frames too: quotes are compared once they have stood for a while.
        inputs.push(...SocketFeed.inputsOf({ venue: KALSHI, connection }, batch, true))
        return inputs
      }
      yield* Slot.reportUp(slot)
      return yield* Effect.forever(
        Effect.flatMap(socket.next, (batch) => (fatal === undefined ? emit(taken(batch)) : Effect.fail(fatal)))
      )
    })
}
