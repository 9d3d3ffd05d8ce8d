/**
 * One at a time, in the order of asking. A semaphore of one permit is not fair: who releases it and asks again at once,
 * as a writer with much to write does, has it again before those who wait.
 */
import { Effect } from "effect"

export interface Turns {
  /** Waits for the turn. An interruption gives up waiting. */
  readonly take: Effect.Effect<void>
  /** Ends a turn that was had. */
  readonly end: Effect.Effect<void>
  /** Runs an effect in a turn of its own. */
  readonly during: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make = (): Turns => {
  const waiting: Array<() => void> = []
  let isTaken = false
  const pass = (): void => {
    const next = waiting.shift()
    if (next === undefined) isTaken = false
    else next()
  }
  const take = Effect.async<void>((resume) => {
    if (!isTaken) {
      isTaken = true
      return resume(Effect.void)
    }
    const go = () => resume(Effect.void)
    waiting.push(go)
    return Effect.sync(() => {
      const at = waiting.indexOf(go)
      if (at >= 0) waiting.splice(at, 1)
      // Its turn had come.
      else pass()
    })
  })
  const end = Effect.sync(pass)
  return {
    take,
    end,
    during: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(take), () => Effect.ensuring(restore(effect), end))
      )
  }
}
