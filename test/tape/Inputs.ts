/** Every input that there can be, for property tests, and short ways to make some. */
import { Arbitrary, FastCheck as fc } from "effect"
import type { Answer, Frames, Input, Opened, Swept, Told, Wanted } from "../../src/domain/Input.ts"
import { InstrumentId, type Instrument, Market, MarketId, VenueId } from "../../src/domain/Market.ts"
import type { FeedEvent } from "../../src/domain/MarketEvent.ts"
import type { Price } from "../../src/domain/Money.ts"
import { levels, price, side, size } from "../domain/Arbitraries.ts"
import { gridOf } from "../support/Events.ts"

const text = fc.string({ unit: "grapheme", maxLength: 20 })
/** Whole characters, as names of connections are. */
const name = fc.oneof(
  text,
  fc.string({ unit: "binary", maxLength: 20 }).filter((value) => !/\p{Cs}/u.test(value))
)
const venue = fc.constantFrom("polymarket", "kalshi", "v").map((id) => VenueId.make(id))
const instrument = fc.constantFrom("polymarket:1", "kalshi:A-B").map((id) => InstrumentId.make(id))
const time = fc.integer({ min: 0, max: 4e12 })
const sequence = fc.option(fc.nat())
const market = Arbitrary.make(Market)

/** JSON as a venue may send it; keys that mean something to JavaScript among them. Zero has no sign in JSON. */
const json: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const body = fc.oneof(
  json,
  json.map((value) => JSON.parse(`{"__proto__":${JSON.stringify(value)},"constructor":1,"toString":[]}`) as unknown)
)

const quote: fc.Arbitrary<Price | -1> = fc.oneof(price, fc.constant(-1 as const))
const about = { venue, connection: name, receivedTime: time }
const change = { instrumentId: instrument, venueTime: time, receivedTime: time, sequence }
const hash = fc.option(text)
const ids = fc.array(instrument, { maxLength: 3 })

const event: fc.Arbitrary<FeedEvent> = fc.oneof(
  fc.record({
    _tag: fc.constant("BookSnapshot" as const),
    ...change,
    bids: levels(),
    asks: levels(),
    hash,
    source: fc.constantFrom("socket" as const, "rest" as const, "poll" as const),
    proof: body
  }),
  fc.record({
    _tag: fc.constant("BookChange" as const),
    ...change,
    side,
    price,
    size,
    hash,
    bestBid: fc.option(quote),
    bestAsk: fc.option(quote)
  }),
  fc.record({ _tag: fc.constant("BookDelta" as const), ...change, side, price, delta: fc.integer() }),
  fc.record({
    _tag: fc.constant("Trade" as const),
    ...change,
    price,
    size,
    takerSide: fc.constantFrom("buy" as const, "sell" as const, null),
    tradeId: hash
  }),
  fc.record({
    _tag: fc.constant("TickSizeChange" as const),
    instrumentId: instrument,
    tickSize: price,
    priceBands: fc.constant(gridOf(["0", "0.1", "0.001"], ["0.1", "0.9", "0.01"])),
    venueTime: time,
    receivedTime: time
  }),
  fc.record({
    _tag: fc.constant("BestQuote" as const),
    instrumentId: instrument,
    bid: quote,
    ask: quote,
    venueTime: time,
    receivedTime: time
  }),
  fc.record({
    _tag: fc.constant("MarketListed" as const),
    market,
    venueTime: time,
    receivedTime: time
  }),
  fc.record({
    _tag: fc.constant("MarketResolved" as const),
    marketId: fc.constant(MarketId.make("polymarket:0x1")),
    instrumentIds: ids,
    winner: fc.option(instrument),
    venueTime: time,
    receivedTime: time
  }),
  fc.record({ _tag: fc.constant("MessageRejected" as const), ...about, instrumentIds: ids, reason: text }),
  fc.record({
    _tag: fc.constant("SequenceGap" as const),
    ...about,
    instrumentIds: ids,
    expected: time,
    received: time
  }),
  fc.record({ _tag: fc.constant("Subscribed" as const), ...about, instrumentIds: ids }),
  fc.record({ _tag: fc.constant("Unsubscribed" as const), ...about, instrumentIds: ids }),
  fc.record({ _tag: fc.constant("Connected" as const), ...about, slot: text }),
  fc.record({ _tag: fc.constant("Disconnected" as const), ...about, slot: text, reason: text })
)

const instruments: fc.Arbitrary<Array<Instrument>> = fc
  .array(market, { maxLength: 3 })
  .chain((markets) =>
    markets.length === 0
      ? fc.constant([])
      : fc.array(fc.record({ id: instrument, venueInstrumentId: text, market: fc.constantFrom(...markets) }))
  )

const framesInput: fc.Arbitrary<Frames> = fc.record({
  _tag: fc.constant("Frames" as const),
  ...about,
  frames: fc.array(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 5 }
  )
})

export const input: fc.Arbitrary<Input> = fc.oneof(
  { weight: 3, arbitrary: framesInput },
  fc.record({
    _tag: fc.constant("Opened" as const),
    ...about,
    slot: text,
    terms: fc.dictionary(text, json)
  }) satisfies fc.Arbitrary<Opened>,
  fc.record({ _tag: fc.constant("Wanted" as const), ...about, instruments }) satisfies fc.Arbitrary<Wanted>,
  fc.record({
    _tag: fc.constant("Answer" as const),
    venue,
    instrumentId: instrument,
    of: fc.constantFrom("book" as const, "trades" as const),
    source: fc.constantFrom("rest" as const, "poll" as const),
    body,
    receivedTime: time
  }) satisfies fc.Arbitrary<Answer>,
  fc.record({ _tag: fc.constant("Told" as const), event }) satisfies fc.Arbitrary<Told>,
  fc.record({ _tag: fc.constant("Swept" as const), receivedTime: time }) satisfies fc.Arbitrary<Swept>,
  fc.record({ _tag: fc.constant("ResyncBegun" as const), instrumentId: instrument, receivedTime: time }),
  fc.record({
    _tag: fc.constant("ResyncFailed" as const),
    instrumentId: instrument,
    reason: text,
    final: fc.boolean(),
    receivedTime: time
  })
)

/** Frames of one connection. */
export const frames = (connection: string, receivedTime: number, ...texts: ReadonlyArray<string>): Frames => ({
  _tag: "Frames",
  venue: VenueId.make("polymarket"),
  connection,
  frames: texts.map((text) => Buffer.from(text)),
  receivedTime
})

/** The numbered input of a series. */
export const numbered = (n: number): Frames => frames("c", n, `{"n":${n}}`)

/** The number of an input of {@link numbered}. */
export const numberOf = (input: Input): number =>
  input._tag === "Frames" ? (JSON.parse(input.frames[0]!.toString()) as { readonly n: number }).n : NaN
