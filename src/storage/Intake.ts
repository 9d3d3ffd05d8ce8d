/** Takes in what flows on the bus, batch by batch, without ever keeping it waiting. */
import { type Chunk, type Context, Effect, type Scope, Stream } from "effect"
import type { Batch, Bus } from "../bus/Bus.ts"

export interface Intake {
  /** Waits until what was published so far was taken in. */
  readonly quiet: Effect.Effect<void>
}

/** `add` gives what it stumbled over: a fault in one event must not stop the bus. */
export const make = (
  bus: Context.Tag.Service<Bus>,
  add: (batch: Batch) => ReadonlyArray<unknown>
): Effect.Effect<Intake, never, Scope.Scope> =>
  Effect.gen(function* () {
    let batchesSeen = 0
    const take = (batches: Chunk.Chunk<Batch>): ReadonlyArray<unknown> => {
      const faults: Array<unknown> = []
      for (const batch of batches) {
        batchesSeen++
        try {
          faults.push(...add(batch))
        } catch (cause) {
          faults.push(cause)
        }
      }
      return faults
    }
    const events = yield* bus.subscribe
    yield* Stream.runForEachChunk(events, (batches) =>
      Effect.suspend(() => {
        const [fault] = take(batches)
        return fault === undefined ? Effect.void : Effect.logError("an event cannot be stored", fault)
      })
    ).pipe(Effect.forkScoped)
    /** Lets the fiber above have what the bus holds for it. */
    const quiet = Effect.gen(function* () {
      let before: number
      do {
        before = batchesSeen
        for (let i = 0; i < 10; i++) yield* Effect.yieldNow()
      } while (before !== batchesSeen)
    })
    return { quiet }
  })
