/**
 * A server's connection is given up when it is silent for longer than a statement may take. A statement of which it is
 * known that it takes longer asks for patience first.
 */
import { TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { Context, Effect, Option } from "effect"

export class Patience extends Context.Reference<Patience>()("parallax/storage/Patience", {
  /** Lets a connection be silent until the end of its transaction. */
  defaultValue: () => (_connection: Connection) => Effect.void as Effect.Effect<void>
}) {}

/** Waits for the statements of the surrounding transaction from here on, however long they take. */
export const beg: Effect.Effect<void> = Effect.gen(function* () {
  const connection = yield* Effect.serviceOption(TransactionConnection)
  const patience = yield* Patience
  if (Option.isSome(connection)) yield* patience(connection.value[0])
})
