/** Frames of the market channel through everything that judges them: decoder, books and verifier. */
import * as BookKeeper from "../../../src/collector/BookKeeper.ts"
import { type Instrument, type InstrumentId, instrumentId } from "../../../src/domain/Market.ts"
import type { FeedEvent, MarketEvent } from "../../../src/domain/MarketEvent.ts"
import { formatDecimal } from "../../../src/domain/Money.ts"
import type { Level } from "../../../src/domain/OrderBook.ts"
import { makeTally } from "../../../src/resilience/Slot.ts"
import { makeDecoder } from "../../../src/venues/polymarket/Normalize.ts"
import { POLYMARKET } from "../../../src/venues/polymarket/Reading.ts"
import * as Verifier from "../../../src/venues/polymarket/Verifier.ts"
import { connected, instrument as makeInstrument, market, subscribed } from "../../support/Events.ts"

/** Every object that a frame holds and that names a market. */
const named = (value: unknown): ReadonlyArray<Record<string, unknown>> => {
  if (Array.isArray(value)) return value.flatMap(named)
  return typeof value === "object" && value !== null ? [value as Record<string, unknown>] : []
}

/** The instruments that these frames tell of, as a market list would have them. */
export const instrumentsOf = (
  frames: ReadonlyArray<string>,
  fields: Partial<Instrument["market"]> = {}
): ReadonlyMap<string, Instrument> => {
  const byMarket = new Map<string, Set<string>>()
  for (const message of frames.flatMap((frame) => named(JSON.parse(frame)))) {
    const condition = message["market"]
    if (typeof condition !== "string") continue
    const tokens = byMarket.get(condition) ?? new Set()
    byMarket.set(condition, tokens)
    const entries = [message, ...named(message["price_changes"] ?? [])]
    for (const { asset_id: token } of entries) if (typeof token === "string") tokens.add(token)
  }
  const found = new Map<string, Instrument>()
  for (const [condition, tokens] of byMarket) {
    const one = { ...market(condition, fields, [...tokens]), venueMarketId: condition }
    for (const [i, token] of [...tokens].entries()) found.set(token, makeInstrument(one, i))
  }
  return found
}

/** A frame and when it was received. */
export interface Frame {
  readonly text: string
  readonly at: number
}

const stampOf = (events: ReadonlyArray<FeedEvent>): number => {
  const [first] = events
  return first !== undefined && "venueTime" in first ? first.venueTime : 0
}

const shown = (levels: ReadonlyArray<Level>) =>
  levels.map(({ price, size }) => ({ price: formatDecimal(price), size: formatDecimal(size) }))

/** A connection that is subscribed to these instruments and about to get its first frame. */
export const make = (instruments: ReadonlyMap<string, Instrument>) => {
  const tally = makeTally()
  const faults: Array<string> = []
  const decode = makeDecoder({
    connection: "polymarket-1-a",
    instrument: (token) => instruments.get(token),
    instruments: () => instruments.values(),
    tally,
    onFault: (kind, detail) => faults.push(`${kind}: ${detail}`)
  })
  const asked: Array<InstrumentId> = []
  const verifier = Verifier.make()
  const keeper = BookKeeper.make({ verifier: () => verifier, onResync: (id) => asked.push(id) })
  const ids = Array.from(instruments.values(), (one) => one.id)
  keeper.apply([connected(0), subscribed(0, { instrumentIds: ids })])

  let now = 0

  const decoded = (frame: string, receivedTime = 0): ReadonlyArray<FeedEvent> => {
    const events: Array<FeedEvent> = []
    decode(frame, receivedTime, events)
    return events
  }
  const idOf = (token: string) => instrumentId(POLYMARKET, token)
  return {
    keeper,
    tally,
    faults,
    asked,
    /** The events of a frame, which are applied to nothing. */
    decoded,
    /** Applies events that did not come in a frame. */
    apply: (...events: ReadonlyArray<FeedEvent>): ReadonlyArray<MarketEvent> => keeper.apply(events),
    /**
     * Applies frames in order, with the sweeps in between that a collector makes. A frame arrives when it was recorded,
     * or at the time with which it is stamped.
     */
    play: (frames: ReadonlyArray<Frame | string>): ReadonlyArray<MarketEvent> =>
      frames.flatMap((frame) => {
        const text = typeof frame === "string" ? frame : frame.text
        const at = typeof frame === "string" ? stampOf(decoded(frame)) : frame.at
        const swept: Array<MarketEvent> = []
        for (now = Math.max(now, at - 5_000); now < at; now = Math.min(now + 100, at)) swept.push(...keeper.sweep(now))
        return [...swept, ...keeper.apply(decoded(text, at))]
      }),
    /** Lets time pass without a frame. */
    wait: (millis: number): ReadonlyArray<MarketEvent> => keeper.sweep((now += millis)),
    status: (token: string) => keeper.view(idOf(token))?.status,
    view: (token: string) => keeper.view(idOf(token))!,
    /** The book in the venue's own order: the best level last. */
    wire: (token: string) => {
      const { asks, bids } = keeper.view(idOf(token))!
      return { bids: shown(bids.toReversed()), asks: shown(asks.toReversed()) }
    }
  }
}
export type Replay = ReturnType<typeof make>
