/** What is asked of the disk, and its refusals. */
import { Data, Effect } from "effect"

/** The disk did not do what it was asked for. */
export class Refused extends Data.TaggedError("Refused")<{ readonly cause: unknown }> {}

export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, Refused> =>
  Effect.tryPromise({ try: work, catch: (cause) => new Refused({ cause }) })

export const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
