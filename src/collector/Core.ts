/**
 * The heart of the collector: inputs in, market events out. Synchronous and deterministic: it asks no clock, no chance and
 * nobody else, so that the same inputs give the same events and the same books, live or from a tape.
 */
import { deserialize, serialize } from "node:v8"
import type { Input } from "../domain/Input.ts"
import * as LevelPool from "../domain/LevelPool.ts"
import type { InstrumentId, VenueId } from "../domain/Market.ts"
import type { FeedEvent, MarketEvent } from "../domain/MarketEvent.ts"
import type { MakeProtocol, Protocol } from "../venues/Venue.ts"
import * as BookKeeper from "./BookKeeper.ts"
import * as EventChain from "./EventChain.ts"

export interface CoreOptions {
  /** How the inputs of each venue are read. */
  readonly protocols: ReadonlyMap<VenueId, MakeProtocol>
  /** Told which book needs a fresh snapshot. */
  readonly onResync: (id: InstrumentId, venue: VenueId) => void
}

export interface Core {
  /** Applies one input and gives what follows from it, in order. */
  readonly apply: (input: Input) => ReadonlyArray<MarketEvent>
  /** All that later inputs depend on, as bytes. */
  readonly save: () => Uint8Array
  readonly books: Pick<BookKeeper.BookKeeper, "view" | "ids" | "statuses" | "counters" | "isBehind">
  /** A digest of all events so far and of the books that they led to; equal runs have equal chains. */
  readonly chain: () => EventChain.Link
}

/** Changes whenever what is remembered does: a state of another version cannot be continued. */
const VERSION = 8

interface State {
  readonly version: number
  readonly keeper: BookKeeper.Memory
  readonly protocols: Map<VenueId, unknown>
  readonly chain: EventChain.Memory
}

const begin = (): State => ({
  version: VERSION,
  keeper: BookKeeper.memory(),
  protocols: new Map(),
  chain: EventChain.memory()
})

/** What was saved, unless another version saved it. */
const restore = (saved: Uint8Array): State | undefined => {
  const restored = deserialize(saved) as { readonly version?: unknown }
  if (restored.version !== VERSION) return undefined
  const state = restored as State
  LevelPool.detach(state.keeper.levels)
  return state
}

/** Continues a saved state, or begins; `undefined` when this version cannot continue it. */
export const make = (options: CoreOptions, saved?: Uint8Array): Core | undefined => {
  const state = saved === undefined ? begin() : restore(saved)
  if (state === undefined) return undefined
  const protocols = new Map<VenueId, Protocol>()
  for (const [venue, makeProtocol] of options.protocols) {
    const protocol = makeProtocol(state.protocols.get(venue))
    protocols.set(venue, protocol)
    state.protocols.set(venue, protocol.state)
  }
  const keeper = BookKeeper.make(
    { verifier: (venue) => protocols.get(venue)?.verifier, onResync: options.onResync },
    state.keeper
  )
  const chain = EventChain.make(state.chain)

  const read = (
    input: Exclude<Input, { _tag: "Swept" | "ResyncBegun" | "ResyncFailed" | "Frozen" }>
  ): ReadonlyArray<FeedEvent> => {
    const venue = input._tag === "Told" ? venueOf(input.event) : input.venue
    const protocol = venue === undefined ? undefined : protocols.get(venue)
    if (protocol === undefined) return input._tag === "Told" ? [input.event] : []
    const events: Array<FeedEvent> = []
    protocol.read(input, events)
    return events
  }
  const derive = (input: Input): ReadonlyArray<MarketEvent> => {
    switch (input._tag) {
      case "Swept":
        return keeper.sweep(input.receivedTime)
      case "ResyncBegun":
        return keeper.resyncing(input.instrumentId, input.receivedTime)
      case "ResyncFailed":
        return keeper.resyncFailed(input.instrumentId, input.receivedTime, input.reason, input.final)
      case "Frozen":
        return keeper.frozen(input.instrumentId, input.receivedTime, input.reason)
      case "Stalled":
        return keeper.stalled(input.connection, input.receivedTime, input.reason)
      case "CaughtUp":
        return keeper.caughtUp(input.connection, input.receivedTime)
      default:
        return keeper.apply(read(input))
    }
  }

  return {
    apply: (input) => {
      const events = derive(input)
      chain.add(events)
      if (input._tag === "Swept") chain.inspect(state.keeper.entries)
      return events
    },
    save: () => {
      chain.keep()
      return serialize(state)
    },
    books: keeper,
    chain: chain.link
  }
}

const venueOf = (event: FeedEvent): VenueId | undefined => {
  if ("venue" in event) return event.venue
  return event._tag === "MarketListed" ? event.market.venue : undefined
}
