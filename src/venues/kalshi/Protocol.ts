/** How Kalshi's inputs are read: frames by a decoder for each connection, answers of REST beside them. */
import { Either } from "effect"
import type { Answer } from "../../domain/Input.ts"
import type { Instrument, InstrumentId } from "../../domain/Market.ts"
import type { FeedEvent, MarketListed } from "../../domain/MarketEvent.ts"
import type { Watch } from "../../resilience/DriftLog.ts"
import { type Connections, type Observer, type Observers, reading, unobserved } from "../Protocol.ts"
import type { Protocol } from "../Venue.ts"
import * as Decoder from "./Decoder.ts"
import * as Lifecycle from "./Lifecycle.ts"
import { type NoPrices, restSnapshot } from "./Normalize.ts"
import * as RecentTrades from "./RecentTrades.ts"
import type { RestLevels, Trade } from "./Wire.ts"

/** Markets whose end is listened for although they are not subscribed any more. */
const MAX_WATCHED = 20_000

/** What a connection's frames do not repeat. */
export interface Terms {
  /** Which prices the NO lists have (§7.6). */
  readonly noPrices: NoPrices
  /** Whether a new market is looked up over REST before it counts as listed. */
  readonly looksUpListings: boolean
}

/** Whoever runs a connection is told besides what the venue says about its subscriptions. */
export interface KalshiObserver extends Observer {
  readonly onControl: (control: Decoder.Control) => void
  readonly onListing: (listed: MarketListed) => void
}

const nobody = (): KalshiObserver => ({ ...unobserved(), onControl: () => {}, onListing: () => {} })

interface Memory {
  readonly terms: Terms
  readonly decoder: Decoder.Memory
}

interface State {
  readonly connections: Connections<Memory>
  /** What any connection feeds or fed: the lifecycle speaks of every market. */
  readonly watched: Map<string, Instrument>
  readonly results: Map<string, string>
  readonly trades: Map<InstrumentId, RecentTrades.RecentTrades>
}

const begin = (): State => ({ connections: new Map(), watched: new Map(), results: new Map(), trades: new Map() })

/** `onMessage` follows the messages themselves, whoever runs their connection. */
export const make = (
  observers: Observers<KalshiObserver>,
  restored?: unknown,
  onMessage: Watch["message"] = () => {}
): Protocol => {
  const state = (restored as State | undefined) ?? begin()
  const { connections, results, trades, watched } = state
  const lifecycle = Lifecycle.make((ticker) => watched.get(ticker), results)

  const watch = (instruments: ReadonlyArray<Instrument>): void => {
    for (const instrument of instruments) watched.set(instrument.venueInstrumentId, instrument)
    for (const oldest of watched.keys()) {
      if (watched.size <= MAX_WATCHED) break
      watched.delete(oldest)
    }
  }

  const answer = (said: Answer, instrument: Instrument, out: Array<FeedEvent>): void => {
    if (said.of === "book") {
      const book = restSnapshot(said.body as RestLevels, instrument.id, said.receivedTime, said.source)
      if (Either.isRight(book)) out.push(book.right)
    } else RecentTrades.missing(trades, instrument.id, said.body as ReadonlyArray<Trade>, said.receivedTime, out)
  }

  return {
    state,
    verifier: undefined,
    read: reading<Memory>({
      connections,
      begin: ({ terms }) => ({ terms: terms as unknown as Terms, decoder: Decoder.memory() }),
      onWanted: (instruments, receivedTime) => {
        watch(instruments)
        for (const { id } of instruments) RecentTrades.follow(trades, id, receivedTime)
      },
      onUnwanted: (id) => trades.delete(id),
      reader: ({ instruments, memory, name }) => {
        const observer = observers.get(name) ?? nobody()
        const decoder = Decoder.make(
          {
            connection: name,
            instrument: (ticker) => instruments.get(ticker),
            instruments: () => instruments.values(),
            lifecycle,
            ...memory.terms,
            ...observer,
            onMessage
          },
          memory.decoder
        )
        return ({ frames, receivedTime }, out) => {
          const from = out.length
          for (const frame of frames) decoder.read(frame.toString("utf8"), receivedTime, out)
          for (let i = from; i < out.length; i++) {
            const event = out[i]!
            if (event._tag === "Trade") RecentTrades.note(trades, event)
          }
          observer.onEvents(out, from, receivedTime)
          decoder.settle(receivedTime, out)
        }
      },
      answer
    })
  }
}
