/** What the protocols of all venues have in common: connections, and which instruments each of them is to feed. */
import { Chunk, Stream } from "effect"
import type { Answer, FeedInput, Frames, Opened } from "../domain/Input.ts"
import type { Instrument, InstrumentId } from "../domain/Market.ts"
import type { FeedEvent } from "../domain/MarketEvent.ts"
import { makeTally, type Tally } from "../resilience/Slot.ts"
import type { Feed, MakeProtocol, Protocol } from "./Venue.ts"

/** One connection, as its inputs tell of it. `S` is what the venue's reader remembers besides. */
export interface Connection<S> {
  readonly slot: string
  readonly name: string
  /** What it is to feed, by the venue's own id. */
  readonly instruments: Map<string, Instrument>
  readonly memory: S
}

export type Connections<S> = Map<string, Connection<S>>

/** Follows the reading of a connection for those who run it. What it does must not change what is read. */
export interface Observer {
  readonly tally: Tally
  /** A fault of a kind, with a sample for the log. */
  readonly onFault: (kind: string, detail: string, sample: string) => void
  /** What frames became: the events of `out` from an index on. */
  readonly onEvents: (out: ReadonlyArray<FeedEvent>, from: number, receivedTime: number) => void
}

/** Whoever follows connections, by their names. */
export type Observers<O extends Observer> = Map<string, O>

/** Nobody, for a tape. */
export const unobserved = (): Observer => ({ tally: makeTally(), onFault: () => {}, onEvents: () => {} })

/** Reads the frames of one connection. */
export type ReadFrames = (input: Frames, out: Array<FeedEvent>) => void

export interface ReadingOptions<S> {
  readonly connections: Connections<S>
  readonly begin: (opened: Opened) => S
  /** Made once for each connection, and again after a state was restored. */
  readonly reader: (connection: Connection<S>) => ReadFrames
  readonly answer: (answer: Answer, instrument: Instrument, out: Array<FeedEvent>) => void
  readonly onWanted?: (instruments: ReadonlyArray<Instrument>, receivedTime: number) => void
  readonly onUnwanted?: (id: InstrumentId) => void
}

/** Reads every kind of input; a venue supplies what its frames and answers mean. */
export const reading = <S>(options: ReadingOptions<S>): Protocol["read"] => {
  const { connections } = options
  const readers = new Map<string, ReadFrames>()

  const open = (input: Opened): void => {
    const { connection: name, slot } = input
    // A slot that fell empty ended without a word.
    for (const other of connections.values()) if (other.slot === slot) close(other.name)
    connections.set(name, { slot, name, instruments: new Map(), memory: options.begin(input) })
  }
  const close = (name: string): void => {
    connections.delete(name)
    readers.delete(name)
  }
  const readerOf = (connection: Connection<S>): ReadFrames => {
    let reader = readers.get(connection.name)
    if (reader === undefined) readers.set(connection.name, (reader = options.reader(connection)))
    return reader
  }
  const known = ({ instrumentId, venue }: Answer): Instrument | undefined => {
    const id = instrumentId.slice(venue.length + 1)
    for (const { instruments } of connections.values()) {
      const found = instruments.get(id)
      if (found !== undefined) return found
    }
    return undefined
  }

  return (input: FeedInput, out: Array<FeedEvent>) => {
    switch (input._tag) {
      case "Frames": {
        const connection = connections.get(input.connection)
        if (connection !== undefined) readerOf(connection)(input, out)
        return
      }
      case "Opened": {
        const { connection, receivedTime, slot, venue } = input
        open(input)
        out.push({ _tag: "Connected", venue, slot, connection, receivedTime })
        return
      }
      case "Wanted": {
        const { connection, instruments, receivedTime, venue } = input
        const items = connections.get(connection)?.instruments
        for (const instrument of instruments) items?.set(instrument.venueInstrumentId, instrument)
        options.onWanted?.(instruments, receivedTime)
        out.push({
          _tag: "Subscribed",
          venue,
          connection,
          instrumentIds: instruments.map(({ id }) => id),
          receivedTime
        })
        return
      }
      case "Answer": {
        const instrument = known(input)
        if (instrument !== undefined) options.answer(input, instrument, out)
        return
      }
      case "Told": {
        const { event } = input
        if (event._tag === "Disconnected") close(event.connection)
        else if (event._tag === "Unsubscribed") {
          const items = connections.get(event.connection)?.instruments
          for (const id of event.instrumentIds) {
            items?.delete(id.slice(event.venue.length + 1))
            options.onUnwanted?.(id)
          }
        }
        out.push(event)
      }
    }
  }
}

/** A feed that can also be had read. */
export const readable = (feed: Omit<Feed, "events">, protocol: MakeProtocol): Feed => ({
  ...feed,
  events: (desired) =>
    Stream.suspend(() => {
      const { read } = protocol()
      return Stream.mapChunks(feed.inputs(desired), (inputs) => {
        const events: Array<FeedEvent> = []
        for (const input of inputs) read(input, events)
        return Chunk.unsafeFromArray(events)
      })
    })
})
