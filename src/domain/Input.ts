/**
 * What comes in, before anything is made of it. The state of every book, and all that is said of it, follows from these
 * inputs and their order alone: this is what a tape records and a replay repeats.
 *
 * `receivedTime` is in milliseconds since the epoch, by our clock, as are all times here.
 */
import type { Instrument, InstrumentId, VenueId } from "./Market.ts"
import type { FeedEvent } from "./MarketEvent.ts"

/** A connection opened. `slot` stays over reconnects (`polymarket-1`), `connection` is new each time. */
export interface Opened {
  readonly _tag: "Opened"
  readonly venue: VenueId
  readonly slot: string
  readonly connection: string
  /** What was agreed on this connection that its frames do not repeat but their reader must know; plain JSON. */
  readonly terms: Readonly<Record<string, unknown>>
  readonly receivedTime: number
}

/** From here on the connection is to feed these instruments, with what is known of their markets now. */
export interface Wanted {
  readonly _tag: "Wanted"
  readonly venue: VenueId
  readonly connection: string
  readonly instruments: ReadonlyArray<Instrument>
  readonly receivedTime: number
}

/** Frames of one connection in the order of their arrival; possibly none, when only time has passed. */
export interface Frames {
  readonly _tag: "Frames"
  readonly venue: VenueId
  readonly connection: string
  readonly frames: ReadonlyArray<Buffer>
  readonly receivedTime: number
}

/** What the venue answered over REST, where it changes the state of an instrument. */
export interface Answer {
  readonly _tag: "Answer"
  readonly venue: VenueId
  readonly instrumentId: InstrumentId
  /** What was asked for: the whole book, or the latest trades. */
  readonly of: "book" | "trades"
  /** `rest`: asked for beside a socket. `poll`: asked for now and then, instead of one. */
  readonly source: "rest" | "poll"
  /** The answer's own JSON. */
  readonly body: unknown
  readonly receivedTime: number
}

/** What needed no reading: the end of a connection, instruments given up, a market that was looked up. */
export interface Told {
  readonly _tag: "Told"
  readonly event: FeedEvent
}

/** What a connection brought for a while is not read yet, by our own fault: its books are as old as that. */
export interface Stalled {
  readonly _tag: "Stalled"
  readonly venue: VenueId
  readonly connection: string
  readonly reason: string
  readonly receivedTime: number
}

/** All that a stalled connection had brought is read. */
export interface CaughtUp {
  readonly _tag: "CaughtUp"
  readonly venue: VenueId
  readonly connection: string
  readonly receivedTime: number
}

/** What a venue's feed brings. */
export type FeedInput = Opened | Wanted | Frames | Answer | Told | Stalled | CaughtUp

/** Time passed; what only its passing can judge is judged. */
export interface Swept {
  readonly _tag: "Swept"
  readonly receivedTime: number
}

/** A fresh snapshot of this instrument is being asked for. */
export interface ResyncBegun {
  readonly _tag: "ResyncBegun"
  readonly instrumentId: InstrumentId
  readonly receivedTime: number
}

/** No fresh snapshot could be had: `final` when the venue has none to give. */
export interface ResyncFailed {
  readonly _tag: "ResyncFailed"
  readonly instrumentId: InstrumentId
  readonly reason: string
  readonly final: boolean
  readonly receivedTime: number
}

/** The venue's other books show that this instrument's changes have ceased to come on its socket. */
export interface Frozen {
  readonly _tag: "Frozen"
  readonly instrumentId: InstrumentId
  readonly reason: string
  readonly receivedTime: number
}

export type Input = FeedInput | Swept | ResyncBegun | ResyncFailed | Frozen

/** When an input arrived. */
export const timeOf = (input: Input): number => (input._tag === "Told" ? input.event.receivedTime : input.receivedTime)

export const told = (event: FeedEvent): Told => ({ _tag: "Told", event })
