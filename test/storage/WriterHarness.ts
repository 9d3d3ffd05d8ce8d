/** An event writer on a bus of its own, and a database that can be made to fail. */
import { SqlError } from "@effect/sql/SqlError"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Context, Effect, Exit, Layer, Scope, TestServices } from "effect"
import { Bus, unrecorded } from "../../src/bus/Bus.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { CopySink } from "../../src/storage/CopySink.ts"
import { Database } from "../../src/storage/Database.ts"
import { EventWriter, type EventWriterConfig } from "../../src/storage/EventWriter.ts"

export interface Writer {
  readonly publish: (...events: ReadonlyArray<MarketEvent>) => Effect.Effect<void>
  readonly status: EventWriter["Type"]["status"]
  readonly flush: EventWriter["Type"]["flush"]
  /** Ends it as a program that is asked to stop does. */
  readonly close: Effect.Effect<void>
}

const config: EventWriterConfig = { batch_rows: 5000, batch_age_ms: 250, buffer_rows: 200_000 }

/** A writer that ends with the scope, if it was not closed before. */
export const start = (
  options: Partial<EventWriterConfig> = {}
): Effect.Effect<Writer, never, Database | SqlClient | CopySink | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const layer = EventWriter.layer({ ...config, ...options }).pipe(Layer.provideMerge(Bus.layer))
    const context = yield* Layer.buildWithScope(layer, scope)
    const { status, flush } = Context.get(context, EventWriter)
    return {
      publish: (...events) => Context.get(context, Bus).publish(unrecorded(events)),
      status,
      flush,
      close: Scope.close(scope, Exit.void)
    }
  })

/** What becomes of the transactions of a writer. `unconfirmed` commits, and reports a lost connection. */
export type Weather = "fair" | "away" | "unconfirmed"

/** Runs with a database under the given weather. */
export const under =
  (weather: () => Weather) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Database> =>
    Effect.flatMap(Database, (database) => {
      const lost = Effect.fail(new SqlError({ cause: new Error("the connection was lost") }))
      return Effect.provideService(effect, Database, {
        ...database,
        transaction: (operation) => (inner) =>
          Effect.suspend(() => {
            if (operation !== "flush") return database.transaction(operation)(inner)
            const now = weather()
            if (now === "away") return lost
            const done = database.transaction(operation)(inner)
            return now === "fair" ? done : Effect.zipRight(done, lost)
          })
      })
    })

/** Waits, in real time, until a condition holds. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  condition.pipe(
    Effect.tap((holds) => (holds ? Effect.void : TestServices.provideLive(Effect.sleep("10 millis")))),
    Effect.repeat({ until: (holds) => holds }),
    Effect.asVoid
  )
