/** Streams that are filled from the inside. */
import { Chunk, Effect, Exit, Option, type Scope, Stream } from "effect"
import { Bell } from "./Bell.ts"

/** Hands elements to whoever reads the stream, in order; waits while too many wait there. */
export type Emit<A> = (elements: Iterable<A>) => Effect.Effect<void>

/**
 * What an effect emits while it runs, as a stream that ends as the effect does; whoever reads it no longer interrupts the
 * effect. Up to `capacity` elements wait for the reader, and what was emitted together with the last of them.
 */
export const emitting = <A, R>(
  run: (emit: Emit<A>) => Effect.Effect<void, never, R>,
  capacity: number
): Stream.Stream<A, never, Exclude<R, Scope.Scope>> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      let waiting: Array<A> = []
      let end: Exit.Exit<void> | undefined
      const arrived = new Bell(() => waiting.length > 0 || end !== undefined)
      const room = yield* Effect.makeLatch(true)

      const emit: Emit<A> = (elements) =>
        Effect.suspend(() => {
          if (waiting.length >= capacity) {
            room.unsafeClose()
            return Effect.zipRight(room.await, emit(elements))
          }
          for (const element of elements) waiting.push(element)
          arrived.ring()
          return Effect.void
        })
      const next: Effect.Effect<Chunk.Chunk<A>, Option.Option<never>> = Effect.suspend(() => {
        if (waiting.length > 0) {
          const taken = waiting
          waiting = []
          room.unsafeOpen()
          return Effect.succeed(Chunk.unsafeFromArray(taken))
        }
        if (end === undefined) return Effect.zipRight(arrived.rung, next)
        return Exit.isFailure(end) ? Effect.failCause(end.cause) : Effect.fail(Option.none())
      })
      yield* Effect.forkScoped(
        Effect.map(Effect.exit(run(emit)), (exit) => {
          end = exit
          arrived.ring()
        })
      )
      return Stream.repeatEffectChunkOption(next)
    })
  )
