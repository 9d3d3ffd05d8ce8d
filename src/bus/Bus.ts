/** Where market events meet their readers. One interface; the in-process layer is the default. */
import { Chunk, Context, Effect, Layer, Option, type Scope, Stream } from "effect"
import { Bell } from "../resilience/Bell.ts"
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

interface Weighed {
  readonly batch: Batch
  readonly weight: number
}

/** One subscriber; what it works on still counts. */
interface Reader {
  waiting: Array<Weighed>
  batches: number
  weight: number
  isOver: boolean
  readonly arrived: Bell
  /** Without it everything does. */
  readonly concerns: ((event: MarketEvent) => boolean) | undefined
}

interface Listener {
  readonly who: string
  readonly handle: (batch: Batch) => void
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
    /** Waits in the same way, and only then makes the batch: in one turn with handing it on, so that what is made is told. */
    readonly produce: (make: () => Batch) => Effect.Effect<void>
    /** Subscribes at once; the stream then yields every batch published from now on until the scope closes. */
    readonly subscribe: Effect.Effect<Stream.Stream<Batch>, never, Scope.Scope>
    /** The same with only the events that concern the subscriber, and only the batches that hold any. */
    readonly subscribeTo: (
      concerns: (event: MarketEvent) => boolean
    ) => Effect.Effect<Stream.Stream<Batch>, never, Scope.Scope>
    /**
     * Calls `handle` with every batch in the turn in which it is published, until the scope closes: for what is quick and
     * waits for nothing. What it throws is logged under the name `who`, and holds nobody up.
     */
    readonly listen: (who: string, handle: (batch: Batch) => void) => Effect.Effect<void, never, Scope.Scope>
  }
>() {
  /** In one process, nothing lost: a subscriber that must not hold others up keeps a bounded buffer of its own, or listens. */
  static readonly layer: Layer.Layer<Bus> = Layer.effect(
    Bus,
    Effect.gen(function* () {
      const readers = new Set<Reader>()
      const listeners = new Set<Listener>()
      const room = yield* Effect.makeLatch(true)
      const hasRoom = () => {
        for (const { batches, weight } of readers) if (batches >= MAX_BATCHES || weight >= MAX_WEIGHT) return false
        return true
      }
      const hand = (reader: Reader, batch: Batch, weight: number): void => {
        reader.batches++
        reader.weight += weight
        reader.waiting.push({ batch, weight })
        reader.arrived.ring()
      }
      /** Gives what is to be logged of it. */
      const deliver = (batch: Batch): Effect.Effect<void> => {
        if (batch.events.length === 0 && !batch.endsSegment) return Effect.void
        let faults: Effect.Effect<void> = Effect.void
        for (const { handle, who } of listeners) {
          try {
            handle(batch)
          } catch (fault) {
            faults = Effect.zipRight(faults, Effect.logError(`${who} could not use an event`, fault))
          }
        }
        const weight = readers.size === 0 ? 0 : weightOf(batch)
        for (const reader of readers) {
          if (reader.concerns === undefined) hand(reader, batch, weight)
          else {
            const events = batch.events.filter(reader.concerns)
            if (events.length > 0) hand(reader, { ...batch, events }, weightOf({ ...batch, events }))
          }
        }
        return faults
      }
      const produce = (make: () => Batch): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (!hasRoom()) {
            room.unsafeClose()
            return Effect.zipRight(room.await, produce(make))
          }
          return deliver(make())
        })

      const read = (reader: Reader): Stream.Stream<Batch> => {
        let taken: ReadonlyArray<Weighed> = []
        const next: Effect.Effect<Chunk.Chunk<Batch>, Option.Option<never>> = Effect.suspend(() => {
          reader.batches -= taken.length
          for (const { weight } of taken) reader.weight -= weight
          taken = []
          room.unsafeOpen()
          // The end of the subscription is the end of the stream.
          if (reader.isOver) return Effect.fail(Option.none())
          if (reader.waiting.length === 0) return Effect.zipRight(reader.arrived.rung, next)
          taken = reader.waiting.splice(0, MOST_TOGETHER)
          return Effect.succeed(Chunk.unsafeFromArray(taken.map(({ batch }) => batch)))
        })
        return Stream.repeatEffectChunkOption(next)
      }
      const open = (concerns: Reader["concerns"]) => {
        const reader: Reader = {
          concerns,
          waiting: [],
          batches: 0,
          weight: 0,
          isOver: false,
          arrived: new Bell(() => reader.waiting.length > 0 || reader.isOver)
        }
        readers.add(reader)
        return reader
      }
      const close = (reader: Reader) =>
        Effect.sync(() => {
          readers.delete(reader)
          room.unsafeOpen()
          reader.isOver = true
          reader.waiting = []
          reader.arrived.ring()
        })
      const subscribeTo = (concerns: Reader["concerns"]) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => open(concerns)),
            close
          ),
          read
        )
      return Bus.of({
        publish: (batch) => produce(() => batch),
        produce,
        subscribe: subscribeTo(undefined),
        subscribeTo,
        listen: (who, handle) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => {
                const listener = { who, handle }
                listeners.add(listener)
                return listener
              }),
              (listener) => Effect.sync(() => listeners.delete(listener))
            )
          )
      })
    })
  )
}
