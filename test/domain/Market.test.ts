import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, FastCheck as fc, Schema } from "effect"
import { Market, VenueId, instrumentId, instruments, marketId } from "../../src/domain/Market.ts"
import { price, priceGrid, size } from "./Arbitraries.ts"

/** Schemas give the text; money is drawn from its whole range, and times from what RFC 3339 can write. */
const market: fc.Arbitrary<Market> = fc
  .tuple(
    Arbitrary.make(Market),
    fc.option(price, { nil: null }),
    fc.option(priceGrid, { nil: null }),
    fc.option(size, { nil: null }),
    fc.option(size, { nil: null })
  )
  .map(([drawn, tickSize, priceBands, minOrderSize, liquidity]) => ({
    ...drawn,
    tickSize,
    priceBands,
    minOrderSize,
    liquidity
  }))

describe("Market", () => {
  it.prop("survives JSON", [market], ([subject]) => {
    const text = JSON.stringify(Schema.encodeSync(Market)(subject))
    assert.deepStrictEqual(Schema.decodeUnknownSync(Market)(JSON.parse(text)), subject)
  })

  it.prop("carries one instrument for each outcome, in order", [market], ([subject]) => {
    const all = instruments(subject)
    assert.deepStrictEqual(
      all.map((one) => [one.id, one.venueInstrumentId]),
      subject.outcomes.map((outcome) => [outcome.instrumentId, outcome.venueInstrumentId])
    )
    for (const one of all) assert.strictEqual(one.market, subject)
  })

  it("prefixes ids with the venue", () => {
    const venue = VenueId.make("kalshi")
    assert.strictEqual(marketId(venue, "KXHIGH-26"), "kalshi:KXHIGH-26")
    assert.strictEqual(instrumentId(venue, "KXHIGH-26"), "kalshi:KXHIGH-26")
  })
})
