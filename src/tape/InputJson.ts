/** Inputs other than frames as JSON. Markets go through their schema: decimals and dates stay exact and readable. */
import { Schema } from "effect"
import type { Frames, Input, Told, Wanted } from "../domain/Input.ts"
import { type Instrument, Market } from "../domain/Market.ts"

const encodeMarket = Schema.encodeSync(Market)
const decodeMarket = Schema.decodeUnknownSync(Market)

/** A market is written once, however many of its instruments are wanted. */
const encodeWanted = ({ instruments, ...input }: Wanted): unknown => {
  const places = new Map<Market, number>()
  const markets: Array<unknown> = []
  const listed = instruments.map(({ id, market, venueInstrumentId }) => {
    let place = places.get(market)
    if (place === undefined) {
      place = markets.push(encodeMarket(market)) - 1
      places.set(market, place)
    }
    return { id, venueInstrumentId, market: place }
  })
  return { ...input, markets, instruments: listed }
}

/** Text of JSON; throws on what JSON cannot say. */
export const stringify = (input: Exclude<Input, Frames>): string => {
  if (input._tag === "Wanted") return JSON.stringify(encodeWanted(input))
  if (input._tag === "Told" && input.event._tag === "MarketListed") {
    return JSON.stringify({ ...input, event: { ...input.event, market: encodeMarket(input.event.market) } })
  }
  return JSON.stringify(input)
}

interface WantedJson extends Omit<Wanted, "instruments"> {
  readonly markets: ReadonlyArray<unknown>
  readonly instruments: ReadonlyArray<Omit<Instrument, "market"> & { readonly market: number }>
}

const decodeWanted = ({ instruments, markets, ...input }: WantedJson): Wanted => {
  const decoded = markets.map((market) => decodeMarket(market))
  return {
    ...input,
    instruments: instruments.map(({ id, market, venueInstrumentId }) => {
      const own = decoded[market]
      if (own === undefined) throw new RangeError(`there is no market ${market}`)
      return { id, venueInstrumentId, market: own }
    })
  }
}

const decodeTold = (input: Told): Told =>
  input.event._tag === "MarketListed"
    ? { ...input, event: { ...input.event, market: decodeMarket(input.event.market) } }
    : input

/** The input that {@link stringify} made text of; throws when it is none. */
export const parse = (text: string): Input => {
  const input = JSON.parse(text) as Exclude<Input, Frames>
  switch (input._tag) {
    case "Wanted":
      return decodeWanted(input as unknown as WantedJson)
    case "Told":
      return decodeTold(input)
    case "Opened":
    case "Answer":
    case "Swept":
    case "ResyncBegun":
    case "ResyncFailed":
      return input
    default:
      throw new TypeError(`there is no input ${String((input as { readonly _tag: unknown })._tag)}`)
  }
}
