/** Where market events meet their readers. One interface; the in-process layer is the default. */
import { Cause, Chunk, Context, Effect, Layer, Option, Queue, type Scope, Stream } from "effect"
import type { MarketEvent } from "../domain/MarketEvent.ts"

/** Events that were applied in one turn, in order: the unit everywhere, so that costs are per batch. */
export interface Batch {
  readonly events: ReadonlyArray<MarketEvent>
  /** The record of the tape that they follow from, numbered within the run; 0 where nothing is recorded. */
  readonly ordinal: number
  /** Whether that record ends a segment of the tape, after which a reader may begin. */
  readonly endsSegment: boolean
}

/**
 * What may wait for the slowest subscriber: so many batches, and about so many events. A batch is what came in one turn,
 * and the slower everything is, the more that is.
 */
const MAX_BATCHES = 1_024
const MAX_WEIGHT = 2_048

/** A batch in memory, in events of the common size: a snapshot has as much to it as its levels. */
const weightOf = ({ events }: Batch): number => {
  let weight = events.length
  for (const event of events) {
    if (event._tag === "BookSnapshot") weight += (event.bids.length + event.asks.length) >> 2
  }
  return weight
}

/** One subscriber; what it works on still counts. */
interface Reader {
  readonly queue: Queue.Queue<Batch>
  batches: number
  weight: number
}

/** Batches that a subscriber takes at once. */
const MOST_TOGETHER = 64

/** Events that follow from no record. */
export const unrecorded = (events: ReadonlyArray<MarketEvent>): Batch => ({ events, ordinal: 0, endsSegment: false })

export class Bus extends Context.Tag("parallax/bus/Bus")<
  Bus,
  {
    /** Hands a batch to every subscriber; waits while the slowest one is too far behind. */
    readonly publish: (batch: Batch) => Effect.Effect<void>
    /** Subscribes at once; the stream then yields every batch published from now on until the scope closes. */
    readonly subscribe: Effect.Effect<Stream.Stream<Batch>, never, Scope.Scope>
  }
>() {
  /** In one process, nothing lost: a subscriber that must not hold others up keeps a bounded buffer of its own. */
  static readonly layer: Layer.Layer<Bus> = Layer.effect(
    Bus,
    Effect.gen(function* () {
      const readers = new Set<Reader>()
      const turn = yield* Effect.makeSemaphore(1)
      const room = yield* Effect.makeLatch(true)
      const hasRoom = () => {
        for (const { batches, weight } of readers) if (batches >= MAX_BATCHES || weight >= MAX_WEIGHT) return false
        return true
      }
      const deliver = (batch: Batch): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (!hasRoom()) {
            room.unsafeClose()
            return Effect.zipRight(room.await, deliver(batch))
          }
          const weight = weightOf(batch)
          for (const reader of readers) {
            reader.batches++
            reader.weight += weight
            reader.queue.unsafeOffer(batch)
          }
          return Effect.void
        })

      const read = (reader: Reader): Stream.Stream<Batch> => {
        const { queue } = reader
        let taken: Chunk.Chunk<Batch> = Chunk.empty()
        const next = Effect.suspend(() => {
          reader.batches -= taken.length
          for (const batch of taken) reader.weight -= weightOf(batch)
          taken = Chunk.empty()
          room.unsafeOpen()
          return Effect.map(Queue.takeBetween(queue, 1, MOST_TOGETHER), (chunk) => (taken = chunk))
        })
        // The end of the subscription is the end of the stream.
        const orEnd = (cause: Cause.Cause<never>) =>
          Effect.flatMap(Queue.isShutdown(queue), (isOver) =>
            isOver && Cause.isInterrupted(cause) ? Effect.fail(Option.none<never>()) : Effect.failCause(cause)
          )
        return Stream.repeatEffectChunkOption(Effect.catchAllCause(next, orEnd))
      }
      const open = Effect.map(Queue.unbounded<Batch>(), (queue): Reader => {
        const reader = { queue, batches: 0, weight: 0 }
        readers.add(reader)
        return reader
      })
      const close = (reader: Reader) =>
        Effect.suspend(() => {
          readers.delete(reader)
          room.unsafeOpen()
          return Queue.shutdown(reader.queue)
        })
      return Bus.of({
        publish: (batch) =>
          batch.events.length === 0 && !batch.endsSegment ? Effect.void : turn.withPermits(1)(deliver(batch)),
        subscribe: Effect.map(Effect.acquireRelease(open, close), read)
      })
    })
  )
}
