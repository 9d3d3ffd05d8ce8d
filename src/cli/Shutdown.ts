/** Shutting down in order, within a bound, and able to say what holds it up. */
import { Clock, type Context, Effect, ExecutionStrategy, Exit, Layer, Scope } from "effect"

/** From the first signal to giving up. */
export const DEADLINE_MILLIS = 30_000

/** What is being closed at this moment; a process has one shutdown. */
const closing = new Set<string>()

/** The stages that have begun to close and have not ended. */
export const hanging = (): ReadonlyArray<string> => [...closing]

/**
 * The same layer, whose closing is a named stage: logged, timed, and listed by {@link hanging} while it lasts.
 * `name` completes "closing …".
 */
export const stage =
  (name: string) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.scopedContext(
      Effect.gen(function* () {
        const outer = yield* Effect.scope
        const scope = yield* Scope.make(ExecutionStrategy.sequential)
        const close = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.gen(function* () {
            closing.add(name)
            const began = yield* Clock.currentTimeMillis
            const closed = yield* Effect.exit(Scope.close(scope, exit))
            closing.delete(name)
            const millis = (yield* Clock.currentTimeMillis) - began
            yield* Exit.match(closed, {
              onSuccess: () => Effect.logInfo("closed"),
              onFailure: (cause) => Effect.logError("closed badly", cause)
            }).pipe(Effect.annotateLogs({ stage: name, millis }))
          })
        yield* Scope.addFinalizerExit(outer, close)
        return yield* Layer.buildWithScope(layer, scope) as Effect.Effect<Context.Context<A>, E, R>
      })
    )
