/** Where market events meet their readers. One interface; the in-process layer is the default. */
import { Context, Effect, Layer, PubSub, type Scope, Stream } from "effect"
import type { MarketEvent } from "../domain/MarketEvent.ts"

/** Events that were applied in one turn, in order: the unit everywhere, so that costs are per batch. */
export interface Batch {
  readonly events: ReadonlyArray<MarketEvent>
  /** The record of the tape that they follow from, numbered within the run; 0 where nothing is recorded. */
  readonly ordinal: number
  /** Whether that record ends a segment of the tape, after which a reader may begin. */
  readonly endsSegment: boolean
}

/** Events that follow from no record. */
export const unrecorded = (events: ReadonlyArray<MarketEvent>): Batch => ({ events, ordinal: 0, endsSegment: false })

export class Bus extends Context.Tag("parallax/bus/Bus")<
  Bus,
  {
    /** Hands a batch to every subscriber; waits while the slowest one is `capacity` batches behind. */
    readonly publish: (batch: Batch) => Effect.Effect<void>
    /** Subscribes at once; the stream then yields every batch published from now on until the scope closes. */
    readonly subscribe: Effect.Effect<Stream.Stream<Batch>, never, Scope.Scope>
  }
>() {
  /** In one process, nothing lost: a subscriber that must not hold others up keeps a bounded buffer of its own. */
  static readonly layer: Layer.Layer<Bus> = Layer.effect(
    Bus,
    Effect.gen(function* () {
      const pubsub = yield* PubSub.bounded<Batch>(1024)
      return Bus.of({
        publish: (batch) =>
          batch.events.length === 0 && !batch.endsSegment ? Effect.void : PubSub.publish(pubsub, batch),
        subscribe: Effect.map(PubSub.subscribe(pubsub), (queue) => Stream.fromQueue(queue))
      })
    })
  )
}
