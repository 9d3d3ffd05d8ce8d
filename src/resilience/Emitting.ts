/** Streams that are filled from the inside. */
import { Effect, Mailbox, type Scope, Stream } from "effect"

/** Hands elements to whoever reads the stream, in order; waits while too many wait there. */
export type Emit<A> = (elements: Iterable<A>) => Effect.Effect<unknown>

/**
 * What an effect emits while it runs, as a stream that ends as the effect does; whoever reads it no longer interrupts the
 * effect. Cheaper by far than a tower of streams where little is emitted at a time.
 */
export const emitting = <A, R>(
  run: (emit: Emit<A>) => Effect.Effect<void, never, R>,
  capacity: number
): Stream.Stream<A, never, Exclude<R, Scope.Scope>> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const output = yield* Mailbox.make<A>({ capacity })
      yield* run((elements) => output.offerAll(elements)).pipe(
        Effect.exit,
        Effect.flatMap((exit) => output.done(exit)),
        Effect.forkScoped
      )
      return Mailbox.toStream(output)
    })
  )
