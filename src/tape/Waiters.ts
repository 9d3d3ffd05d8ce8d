/** Those who wait until something about mutable state holds; whoever changes the state tells them to look. */
import { Deferred, Effect, FiberId } from "effect"

export class Waiters {
  private readonly waiting = new Set<{ readonly holds: () => boolean; readonly done: Deferred.Deferred<void> }>()

  /** Waits until it holds, not at all when it does already. */
  until(holds: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (holds()) return Effect.void
      const one = { holds, done: Deferred.unsafeMake<void>(FiberId.none) }
      this.waiting.add(one)
      return Effect.ensuring(
        Deferred.await(one.done),
        Effect.sync(() => this.waiting.delete(one))
      )
    })
  }

  look(): void {
    for (const { done, holds } of this.waiting) if (holds()) Deferred.unsafeDone(done, Effect.void)
  }
}
