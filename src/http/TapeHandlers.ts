/** Answers about the record of every input, and how far what follows from it is stored. */
import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { Effect, type Layer } from "effect"
import { Books } from "../collector/Books.ts"
import { EventWriter } from "../storage/EventWriter.ts"
import { Tape } from "../tape/Tape.ts"
import { Api } from "./Api.ts"

export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"parallax", "tape">,
  never,
  Books | EventWriter | Tape
> = HttpApiBuilder.group(Api, "tape", (handlers) =>
  Effect.gen(function* () {
    const books = yield* Books
    const tape = yield* Tape
    const writer = yield* EventWriter
    return handlers.handle("status", () =>
      Effect.gen(function* () {
        const { lag, mode } = yield* writer.status
        return {
          enabled: tape.directory !== null,
          ...(yield* tape.status),
          chain: books.chain(),
          writer: { mode, lag }
        }
      })
    )
  })
)
