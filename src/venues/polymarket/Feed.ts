/** The market channel: as many sockets as the tokens need, each a stream that reconnects (Polymarket reference §5). */
import { Array as Arr, Clock, Effect, Option, Queue, type Scope } from "effect"
import { type FeedInput, told } from "../../domain/Input.ts"
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import * as Slot from "../../resilience/Slot.ts"
import * as WebSocketFeed from "../../resilience/WebSocketFeed.ts"
import { type Observer, type Observers, readable } from "../Protocol.ts"
import * as SocketFeed from "../SocketFeed.ts"
import type { Feed } from "../Venue.ts"
import type { PolymarketConfig } from "./Config.ts"
import * as Protocol from "./Protocol.ts"
import { POLYMARKET, time } from "./Reading.ts"
import type { Rest } from "./Rest.ts"

/** A single frame with thousands of ids makes the server close (§5.4). */
const IDS_PER_FRAME = 100
/** At most ten handshakes a second: many at once are answered with 429 (§5.4). */
const HANDSHAKE_SPACING = "100 millis"
/**
 * What waits at a socket before it is paused: the more a turn brings, the less each message costs. As much again may be on
 * its way to the books at each of three places.
 */
const HIGH_WATER = { frames: 4_096, bytes: 1024 * 1024 }
/** The dump of 100 deep books takes about half a megabyte. */
const MAX_PAYLOAD = 32 * 1024 * 1024
/** Books compared over REST when a socket falls silent: those that spoke last. */
const PROBES = 3
/** How long they may take, whatever a Retry-After says. */
const PROBE_PATIENCE = "15 seconds"

const PONG = Buffer.from("PONG")

const tokens = (instruments: Iterable<Instrument>) =>
  Array.from(instruments, ({ venueInstrumentId }) => venueInstrumentId)

/** The first frame of a socket names the channel, later ones an operation (§5.1). */
const firstFrame = (ids: ReadonlyArray<string>) =>
  JSON.stringify({ assets_ids: ids, type: "market", custom_feature_enabled: true })
const addFrame = (ids: ReadonlyArray<string>) =>
  JSON.stringify({ assets_ids: ids, operation: "subscribe", custom_feature_enabled: true })
const removeFrame = (ids: ReadonlyArray<string>) => JSON.stringify({ assets_ids: ids, operation: "unsubscribe" })

export const make = (
  config: PolymarketConfig,
  rest: Rest,
  observers: Observers<Observer> = new Map()
): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const gate = yield* SocketFeed.gate(POLYMARKET, HANDSHAKE_SPACING)

    /** One connection's life, a turn's frames at a time. */
    const session: SocketFeed.Session<SocketFeed.Line> = (line, emit) =>
      Effect.gen(function* () {
        const { shard, slot } = line
        const connection = yield* Slot.begin(slot)
        yield* Effect.annotateLogsScoped({ venue: POLYMARKET, slot: slot.name, connection })
        const latest = new Map<InstrumentId, number>()

        const socket = yield* gate.handshake(
          WebSocketFeed.open({
            url: config.ws_url,
            openTimeout: "10 seconds",
            maxPayload: MAX_PAYLOAD,
            highWater: HIGH_WATER,
            heartbeat: {
              ping: "PING",
              isReply: (frame) => frame.length === PONG.length && frame.equals(PONG),
              every: "10 seconds",
              timeout: "4 seconds"
            },
            silence: { after: config.stale_after, probe: probe(shard, latest) }
          })
        )
        const { inputs: first, wanted } = yield* SocketFeed.opening(POLYMARKET, line, {})
        let control = first
        observers.set(connection, {
          tally: slot.tally,
          onFault: yield* SocketFeed.faultLog,
          onEvents: (out, from, receivedTime) => {
            // The books that spoke last, with their last word: a probe asks for no others.
            const spoke: Array<InstrumentId> = []
            for (let i = out.length - 1; i >= from && spoke.length < PROBES; i--) {
              const event = out[i]!
              if (event._tag !== "BookChange" && event._tag !== "BookSnapshot") continue
              if (spoke.includes(event.instrumentId)) continue
              spoke.push(event.instrumentId)
              latest.set(event.instrumentId, event.venueTime)
            }
            if (spoke.length > 0) slot.firstData ??= receivedTime
          }
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => observers.delete(connection)))
        for (const [i, part] of Arr.chunksOf(tokens(wanted), IDS_PER_FRAME).entries()) {
          yield* socket.send(i === 0 ? firstFrame(part) : addFrame(part))
        }
        yield* socket.wake

        const send = (frame: typeof addFrame, ids: ReadonlyArray<string>) =>
          Effect.forEach(Arr.chunksOf(ids, IDS_PER_FRAME), (part) => socket.send(frame(part)), { discard: true })
        yield* SocketFeed.controlled(line, {
          // A token that is subscribed is refused as known (§5.1), so that its subscription has to end first.
          renew: (instruments) =>
            Effect.zipRight(send(removeFrame, tokens(instruments)), send(addFrame, tokens(instruments))),
          abort: socket.abort
        })
        const follow = Effect.gen(function* () {
          const { added, removed } = yield* Queue.take(shard.changes)
          const receivedTime = yield* Clock.currentTimeMillis
          const about = { venue: POLYMARKET, connection, receivedTime }
          if (removed.length > 0)
            control.push(told({ _tag: "Unsubscribed", ...about, instrumentIds: SocketFeed.ids(removed) }))
          if (added.length > 0) control.push({ _tag: "Wanted", ...about, instruments: added })
          yield* socket.wake
          yield* send(removeFrame, tokens(removed))
          yield* send(addFrame, tokens(added))
        })
        // A write that fails means a connection that ends, which the reader sees.
        yield* Effect.forkScoped(Effect.ignore(Effect.forever(follow)))

        const taken = (batch: WebSocketFeed.FrameBatch): ReadonlyArray<FeedInput> => {
          const inputs = control
          control = []
          Slot.received(slot, batch)
          inputs.push(...SocketFeed.inputsOf({ venue: POLYMARKET, connection }, batch, false))
          return inputs
        }
        yield* Slot.reportUp(slot)
        return yield* Effect.forever(Effect.flatMap(socket.next, (batch) => emit(taken(batch))))
      })

    /**
     * Whether REST knows of news that a silent socket did not bring; no answer counts as bad news. Where nothing came at
     * all, any book is news.
     */
    const probe = (shard: SocketFeed.Line["shard"], latest: ReadonlyMap<InstrumentId, number>) =>
      Effect.suspend(() => {
        const spoke = [...latest].flatMap(([id, time]) => {
          const item = shard.items.get(id.slice(POLYMARKET.length + 1))
          return item === undefined ? [] : [[item, time] as const]
        })
        const all = spoke.length > 0 ? spoke : Array.from(shard.items.values(), (one) => [one, 0] as const)
        const candidates = all.sort(([, a], [, b]) => b - a).slice(0, PROBES)
        return Effect.forEach(candidates, ([instrument, seen]) =>
          rest.snapshot(instrument).pipe(
            Effect.map((answer) =>
              time(answer.body.timestamp, "timestamp") > seen
                ? Option.some("the venue has a newer book over REST")
                : Option.none<string>()
            ),
            Effect.catchIf(
              (error) => error.reason === "not-found",
              () => Effect.succeedNone
            )
          )
        ).pipe(
          Effect.map((answers) => Option.firstSomeOf(answers)),
          Effect.catchAll((error) => Effect.succeedSome(`and REST fails: ${error.reason}`)),
          Effect.timeoutTo({
            duration: PROBE_PATIENCE,
            onSuccess: (news) => news,
            onTimeout: () => Option.some("and REST does not answer")
          })
        )
      })

    const feed = yield* SocketFeed.make({
      venue: POLYMARKET,
      perConnection: config.max_assets_per_connection,
      line: (line) => line,
      session
    })
    return readable(
      {
        inputs: feed.inputs,
        renew: feed.renew,
        connections: Effect.zipWith(feed.lines, gate.breaker, (lines, breaker) =>
          lines.map((line) => SocketFeed.info(POLYMARKET, line, breaker))
        )
      },
      () => Protocol.make(observers)
    )
  })
