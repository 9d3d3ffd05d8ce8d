/**
 * The only holder of book state in a process: what comes in is put on the tape, applied, and what follows goes out on the
 * bus, in that order.
 */
import { Clock, Context, Effect, Layer, Queue } from "effect"
import { type Batch, Bus } from "../bus/Bus.ts"
import { type FeedInput, type Input, told } from "../domain/Input.ts"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { BookStatus, FeedEvent, MarketEvent } from "../domain/MarketEvent.ts"
import { Tape } from "../tape/Tape.ts"
import type { MakeProtocol } from "../venues/Venue.ts"
import type { BookCounters, BookView } from "./BookEntry.ts"
import * as Core from "./Core.ts"
import type { Link } from "./EventChain.ts"

export interface ResyncRequest {
  readonly instrumentId: InstrumentId
  readonly venue: VenueId
}

/** How often books are judged by the passing of time. */
const SWEEP_MILLIS = 100
/** The same while digests are put off: short sweeps hold nothing up. */
const BUSY_SWEEP_MILLIS = 20
/** Without a sweep for so long the process stands still, or nothing can be passed on. */
const STANDSTILL_MILLIS = 4_000
/** How long after it the sockets take at most to say that they were left unread. */
const RECOVERY_MILLIS = 1_500
const STOOD_STILL = "the process stood still; what came meanwhile is being read"

export class Books extends Context.Tag("parallax/collector/Books")<
  Books,
  {
    /** Applies inputs in order and publishes what follows; waits while the bus or the tape is full. */
    readonly receive: (inputs: ReadonlyArray<FeedInput>) => Effect.Effect<void>
    /** The same for what is read already. */
    readonly ingest: (events: ReadonlyArray<FeedEvent>) => Effect.Effect<void>
    /** A book with at most `limit` levels a side, or `undefined` when it is not kept. */
    readonly view: (id: InstrumentId, limit?: number) => BookView | undefined
    readonly ids: () => Iterable<InstrumentId>
    /** Books by venue and status. */
    readonly statuses: () => ReadonlyMap<VenueId, Readonly<Record<BookStatus, number>>>
    readonly counters: Readonly<BookCounters>
    /** A digest of everything that was published; a replay of the tape has the same. */
    readonly chain: () => Link
    /** Books that need a fresh snapshot, in the order in which they lost trust. */
    readonly resyncRequests: Queue.Dequeue<ResyncRequest>
    readonly resyncing: (id: InstrumentId) => Effect.Effect<void>
    readonly resyncFailed: (id: InstrumentId, reason: string, final: boolean) => Effect.Effect<void>
    /** The socket has ceased to bring this book's changes; only what the socket brings can make it whole. */
    readonly frozen: (id: InstrumentId, reason: string) => Effect.Effect<void>
  }
>() {
  /** Books of these venues, whose inputs are read by these protocols. */
  static readonly layer = (protocols: ReadonlyMap<VenueId, MakeProtocol>): Layer.Layer<Books, never, Bus | Tape> =>
    Layer.scoped(
      Books,
      Effect.gen(function* () {
        const bus = yield* Bus
        const tape = yield* Tape
        const requests = yield* Queue.unbounded<ResyncRequest>()
        const onResync = (instrumentId: InstrumentId, venue: VenueId) => requests.unsafeOffer({ instrumentId, venue })
        const core = Core.make({ protocols, onResync })!

        /** From the tape to the bus in one piece, so that the bus has the order of the tape and misses nothing of it. */
        const take = (inputs: ReadonlyArray<Input>) =>
          Effect.suspend(() => {
            let ended: Effect.Effect<void> = Effect.void
            const apply = (): Batch => {
              const applied: Array<ReadonlyArray<MarketEvent>> = []
              let ordinal = tape.last()
              for (const input of inputs) {
                ordinal = tape.append(input)
                try {
                  applied.push(core.apply(input))
                } catch (defect) {
                  // What was applied before it is told all the same: it lies on the tape.
                  ended = Effect.die(defect)
                  break
                }
              }
              const events = applied.length === 1 ? applied[0]! : applied.flat()
              const endsSegment = tape.isRotationDue()
              if (endsSegment) tape.rotate(core.save())
              return { events, ordinal, endsSegment }
            }
            return Effect.zipRight(
              bus.produce(apply),
              Effect.suspend(() => ended)
            )
          }).pipe(Effect.uninterruptible)
        const receive = (inputs: ReadonlyArray<Input>) => Effect.zipRight(tape.room, take(inputs))
        const atOnce = (input: (receivedTime: number) => Input) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => receive([input(now)]))

        const clock = yield* Effect.clock
        const monotonic = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
        let lastBeat = monotonic()
        let doubtedUntil = 0
        const beat = Effect.sync(() => {
          const now = monotonic()
          if (now - lastBeat > STANDSTILL_MILLIS) doubtedUntil = now + RECOVERY_MILLIS
          lastBeat = now
        })
        /** A book as it can be answered for now: an answer may be due before the sockets can say that they were left unread. */
        const answerable = (view: BookView | undefined): BookView | undefined => {
          const now = monotonic()
          if (now - lastBeat <= STANDSTILL_MILLIS && now >= doubtedUntil) return view
          return view?.status === "live" && view.fedBy === "stream"
            ? { ...view, status: "stale", statusReason: STOOD_STILL }
            : view
        }

        let lastSweep = monotonic()
        const sweep = Effect.suspend(() => {
          const now = monotonic()
          const passed = now - lastSweep
          if (passed < SWEEP_MILLIS && !core.books.isBehind()) return Effect.void
          lastSweep = now
          // After a stall the frames that would settle a doubt may be here, unread; they are read before the next sweep.
          if (passed > 2 * SWEEP_MILLIS) return Effect.void
          return atOnce((receivedTime) => ({ _tag: "Swept", receivedTime }))
        })
        // An idle process is woken as seldom as it can be.
        const pause = Effect.suspend(() => Effect.sleep(core.books.isBehind() ? BUSY_SWEEP_MILLIS : SWEEP_MILLIS))
        yield* pause.pipe(
          Effect.zipRight(beat),
          Effect.zipRight(sweep),
          Effect.forever,
          Effect.interruptible,
          Effect.forkScoped
        )
        return Books.of({
          receive,
          ingest: (events) => receive(events.map(told)),
          view: (id, limit) => answerable(core.books.view(id, limit)),
          ids: core.books.ids,
          statuses: core.books.statuses,
          counters: core.books.counters,
          chain: core.chain,
          resyncRequests: requests,
          resyncing: (instrumentId) => atOnce((receivedTime) => ({ _tag: "ResyncBegun", instrumentId, receivedTime })),
          resyncFailed: (instrumentId, reason, final) =>
            atOnce((receivedTime) => ({ _tag: "ResyncFailed", instrumentId, reason, final, receivedTime })),
          frozen: (instrumentId, reason) =>
            atOnce((receivedTime) => ({ _tag: "Frozen", instrumentId, reason, receivedTime }))
        })
      })
    )
}
