/** Waking a fiber that waits for something to happen, over and over. */
import { Effect } from "effect"

/**
 * For one fiber at a time, which waits until something holds; whoever makes it hold rings.
 *
 * What Effect has for this (queues, mailboxes, latches, deferreds) can be cancelled while it waits, and each wait that can
 * be ties what is passed on to what comes after it, until all of it is old: a tenth of what flowed was collected late and
 * dear, in pauses of milliseconds. A wait that is interrupted needs no word here, for who is gone hears no ring.
 */
export class Bell {
  private resume: (() => void) | undefined

  /** Waits for the next ring, not at all when it holds already. */
  readonly rung: Effect.Effect<void>

  constructor(holds: () => boolean) {
    this.rung = Effect.async((resume) => {
      if (holds()) return resume(Effect.void)
      this.resume = () => resume(Effect.void)
    })
  }

  ring(): void {
    const { resume } = this
    this.resume = undefined
    resume?.()
  }

  /** Whether anybody waits. */
  get isAwaited(): boolean {
    return this.resume !== undefined
  }
}
