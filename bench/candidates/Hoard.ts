/** Books, and nothing that happens to them: what the product holds in memory for each. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { Bus } from "../../src/bus/Bus.ts"
import { Books } from "../../src/collector/Books.ts"
import type { FeedInput } from "../../src/domain/Input.ts"
import { Tape } from "../../src/tape/Tape.ts"
import * as Venues from "../../src/venues/Venues.ts"
import { answer } from "../Talk.ts"
import { instrumentsOf, type ListingOptions } from "../workload/Listing.ts"
import { EPOCH } from "../workload/Traffic.ts"
import { memoryUsage } from "./Candidate.ts"

export type HoardRequest =
  | { readonly do: "memory" }
  /** What a catalogue holds of the markets, whether their books are kept or not. */
  | { readonly do: "list"; readonly listing: ListingOptions }
  /** What a connection brings when it is opened for the listing of this number. */
  | { readonly do: "fill"; readonly part: number; readonly dump: string }
  | { readonly do: "live" }

const runtime = ManagedRuntime.make(
  Books.layer(Venues.protocols).pipe(Layer.provideMerge(Layer.merge(Bus.layer, Tape.layerNone)))
)
const books = await runtime.runPromise(Books)
const listed: Array<ReturnType<typeof instrumentsOf>> = []

const fill = (part: number, dump: string): Promise<void> => {
  const instruments = listed[part]!
  const { venue } = instruments[0]!.market
  const about = { venue, connection: `${venue}-${part}-a`, receivedTime: EPOCH }
  const inputs: ReadonlyArray<FeedInput> = [
    { _tag: "Opened", slot: `${venue}-${part}`, terms: {}, ...about },
    { _tag: "Wanted", instruments, ...about },
    // A connection goes on with small frames: what a reader keeps of its last one is not what a book takes.
    { _tag: "Frames", frames: [Buffer.from(dump), Buffer.from("[]")], ...about }
  ]
  return runtime.runPromise(books.receive(inputs))
}

answer<HoardRequest>({}, (request) => {
  switch (request.do) {
    case "list":
      listed.push(instrumentsOf(request.listing))
      return undefined
    case "fill":
      return fill(request.part, request.dump)
    case "live":
      return [...books.statuses().values()].reduce((sum, { live }) => sum + live, 0)
    case "memory":
      // What was read lately is let go of first.
      return Effect.runPromise(
        Effect.delay(
          Effect.sync(() => memoryUsage(true)),
          "500 millis"
        )
      )
  }
})
