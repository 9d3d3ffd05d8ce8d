/** Bulk loading, which `SqlClient` has no word for. */
import type { SqlError } from "@effect/sql/SqlError"
import { Context, type Effect } from "effect"

export class CopySink extends Context.Tag("parallax/storage/CopySink")<
  CopySink,
  {
    /**
     * `COPY <target> FROM STDIN WITH (FORMAT binary)` of these bytes, on the connection of the surrounding transaction
     * if there is one. Gives the number of rows.
     *
     * `target` is a table with its columns: `ticks (no, price)`.
     */
    readonly copy: (target: string, bytes: Uint8Array) => Effect.Effect<number, SqlError>
  }
>() {}
