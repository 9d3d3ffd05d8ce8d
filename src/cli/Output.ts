/** Standard output for other programs, which may stop reading at any time: `parallax tape cat | head`. */
import { Data, Effect } from "effect"

/** Whoever read has gone. */
export class OutputClosed extends Data.TaggedError("OutputClosed") {}

/** Writes and waits until it was taken. */
export const write = (text: string): Effect.Effect<void, OutputClosed> =>
  Effect.async((resume) => {
    process.stdout.write(text, (error) => resume(error ? new OutputClosed() : Effect.void))
  })

const ignore = (): void => undefined

/** Ends quietly when nobody reads any more. */
export const quietly = <A, E, R>(effect: Effect.Effect<A, E | OutputClosed, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    // What was refused is told once more, as an event, perhaps only after the end.
    process.stdout.on("error", ignore)
    return Effect.catchAll(Effect.asVoid(effect), (error) =>
      error instanceof OutputClosed ? Effect.void : Effect.fail(error)
    )
  })
