import { assert, describe, it } from "@effect/vitest"
import { DateTime, Either, FastCheck as fc } from "effect"
import { clobMarket, gammaMarket } from "../../../src/venues/polymarket/Markets.ts"
import { gridOf, price, size } from "../../support/Events.ts"
import { haveRecordings, json } from "../../support/Recordings.ts"

const A = "11111111111111111111"
const B = "22222222222222222222"

const gamma = (fields: Record<string, unknown> = {}) => ({
  id: "512345",
  question: "Will it?",
  conditionId: "0xabc",
  slug: "will-it",
  active: true,
  closed: false,
  enableOrderBook: true,
  acceptingOrders: true,
  outcomes: '["Yes", "No"]',
  outcomePrices: '["0.9", "0.1"]',
  clobTokenIds: JSON.stringify([A, B]),
  orderPriceMinTickSize: 0.01,
  orderMinSize: 5,
  liquidityNum: 12_345.678_901_2,
  volume24hr: 0.1 + 0.2,
  endDate: "2026-12-31T12:00:00Z",
  ...fields
})

const clob = (fields: Record<string, unknown> = {}) => ({
  condition_id: "0xabc",
  question: "Will it?",
  market_slug: "will-it",
  active: true,
  closed: false,
  archived: false,
  accepting_orders: true,
  enable_order_book: true,
  minimum_order_size: 15,
  minimum_tick_size: 0.001,
  neg_risk: true,
  end_date_iso: "2026-12-31T00:00:00Z",
  tokens: [
    { token_id: A, outcome: "Yes", price: 0.9, winner: false },
    { token_id: B, outcome: "No", price: 0.1, winner: false }
  ],
  tags: ["Politics", "All"],
  ...fields
})

const fromGamma = (fields: Record<string, unknown> = {}) => Either.getOrThrow(gammaMarket(gamma(fields)))
const fromClob = (fields: Record<string, unknown> = {}) => Either.getOrThrow(clobMarket(clob(fields)))
const problem = (value: Either.Either<unknown, { readonly path: string; readonly problem: string }>) => {
  const { path, problem } = Either.getOrThrow(Either.flip(value))
  return `${path}: ${problem}`
}

describe("a market of Gamma", () => {
  it("has its outcomes, its grid and its amounts exactly", () => {
    const market = fromGamma()
    assert.deepInclude(market, {
      slug: "will-it",
      status: "open",
      tickSize: price("0.01"),
      priceBands: gridOf(["0.01", "0.99", "0.01"]),
      minOrderSize: size("5"),
      liquidity: size("12345.678901"),
      volume24h: size("0.3"),
      protocol: "v1"
    })
    assert.strictEqual(market.id, "polymarket:0xabc")
    assert.strictEqual(DateTime.formatIso(market.endTime!), "2026-12-31T12:00:00.000Z")
    assert.deepStrictEqual(
      market.outcomes.map(({ name, venueInstrumentId, winner }) => [name, venueInstrumentId, winner]),
      [
        ["Yes", A, null],
        ["No", B, null]
      ]
    )
  })

  it("of Protocol V2 has its positions as instruments, whatever else is there", () => {
    const positionIds = ["33333333333333333333", "44444444444444444444"]
    const instruments = (fields: Record<string, unknown>) =>
      fromGamma(fields).outcomes.map((outcome) => outcome.venueInstrumentId)
    assert.deepStrictEqual(instruments({ version: "v2", positionIds }), positionIds)
    assert.deepStrictEqual(instruments({ version: "v1", positionIds }), [A, B])
    assert.match(problem(gammaMarket(gamma({ version: "v2" }))), /^positionIds: no tokens yet/)
    assert.match(problem(gammaMarket(gamma({ version: "v3" }))), /^version: v1 or v2 expected/)
  })

  it("is open only while orders are taken for its book", () => {
    const status = (fields: Record<string, unknown>) => fromGamma(fields).status
    assert.strictEqual(status({ acceptingOrders: false }), "closed")
    assert.strictEqual(status({ enableOrderBook: false }), "closed")
    assert.strictEqual(status({ active: false }), "closed")
    assert.strictEqual(status({ archived: true }), "closed")
    assert.strictEqual(status({ closed: true }), "closed")
    assert.strictEqual(status({ closed: true, umaResolutionStatus: "proposed" }), "closed")
    assert.strictEqual(status({ closed: true, umaResolutionStatus: "resolved" }), "resolved")
  })

  it("that is resolved has the winner that is priced at one, if there is exactly one", () => {
    const winners = (outcomePrices: string | null) =>
      fromGamma({ closed: true, umaResolutionStatus: "resolved", outcomePrices }).outcomes.map(({ winner }) => winner)
    assert.deepStrictEqual(winners('["0", "1"]'), [false, true])
    assert.deepStrictEqual(winners('["0.5", "0.5"]'), [null, null])
    assert.deepStrictEqual(winners(null), [null, null])
  })

  it("may leave out, or print as text or nothing, what is not known", () => {
    const market = fromGamma({
      orderPriceMinTickSize: "0.005",
      orderMinSize: null,
      liquidityNum: undefined,
      volume24hr: "",
      endDate: undefined,
      outcomes: null
    })
    assert.deepInclude(market, {
      tickSize: price("0.005"),
      priceBands: gridOf(["0.005", "0.995", "0.005"]),
      minOrderSize: null,
      liquidity: null,
      volume24h: null,
      endTime: null
    })
    assert.deepStrictEqual(
      market.outcomes.map(({ name }) => name),
      ["Outcome 1", "Outcome 2"]
    )
  })

  it("reads every form of date that the venue prints", () => {
    for (const endDate of ["2026-04-05T19:37:33Z", "2026-04-05 19:37:33+00", "2026-04-05T19:37:33.000Z"]) {
      assert.strictEqual(DateTime.formatIso(fromGamma({ endDate }).endTime!), "2026-04-05T19:37:33.000Z")
    }
    assert.isNull(fromGamma({ endDate: "soon" }).endTime)
  })

  it("is found by the tags of its own and of its event", () => {
    const tag = (label: string, slug: string) => ({ id: "1", label, slug })
    const market = fromGamma({ tags: [tag("Politics", "politics")], events: [{ tags: [tag("US", "us")] }] })
    assert.deepStrictEqual([market.category, market.tags], ["Politics", ["politics", "us"]])
  })

  it("that cannot be used says which it is, where it is wrong and how", () => {
    assert.match(problem(gammaMarket(gamma({ clobTokenIds: "[]" }))), /^clobTokenIds: no tokens yet/)
    assert.match(problem(gammaMarket(gamma({ clobTokenIds: '["", ""]' }))), /^clobTokenIds\[0\]: a decimal token id/)
    assert.match(problem(gammaMarket(gamma({ clobTokenIds: JSON.stringify([A, A]) }))), /the same token twice/)
    assert.match(problem(gammaMarket(gamma({ conditionId: "" }))), /^conditionId: a condition id expected/)
    assert.match(problem(gammaMarket(gamma({ question: null }))), /^question: Expected string, actual null/)
    assert.match(problem(gammaMarket(null)), /Expected/)
    const wrong = Either.flip(gammaMarket(gamma({ question: 7 })))
    assert.strictEqual(Either.getOrThrow(wrong).id, "0xabc")
  })
})

describe("a market of the CLOB", () => {
  it("has its outcomes and its grid; liquidity and volume are not known", () => {
    const market = fromClob()
    assert.deepInclude(market, {
      slug: "will-it",
      status: "open",
      category: "Politics",
      negRisk: true,
      tickSize: price("0.001"),
      priceBands: gridOf(["0.001", "0.999", "0.001"]),
      minOrderSize: size("15"),
      liquidity: null,
      volume24h: null
    })
  })

  it("is not open when it is closed although it says that it accepts orders", () => {
    assert.strictEqual(fromClob({ closed: true, accepting_orders: true }).status, "closed")
  })

  it("is resolved when it is closed and has one winner", () => {
    const tokens = [
      { token_id: A, outcome: "Yes", winner: false },
      { token_id: B, outcome: "No", winner: true }
    ]
    const market = fromClob({ closed: true, tokens })
    assert.strictEqual(market.status, "resolved")
    assert.deepStrictEqual(
      market.outcomes.map(({ winner }) => winner),
      [false, true]
    )
    assert.strictEqual(fromClob({ tokens }).status, "open", "a winner while it trades is none")
  })

  it("whose tokens are not there yet is rejected for the moment", () => {
    const tokens = [
      { token_id: "", outcome: "Yes" },
      { token_id: "", outcome: "No" }
    ]
    assert.match(problem(clobMarket(clob({ tokens }))), /^tokens\[0\]: a decimal token id expected/)
  })
})

it("whatever an entry of a list holds, reading it never throws", () => {
  const mutated = fc
    .tuple(fc.constantFrom(gamma(), clob()), fc.string(), fc.jsonValue())
    .chain(([entry, name, any]) =>
      fc.constantFrom(...Object.keys(entry), name).map((key) => ({ ...entry, [key]: any }))
    )
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue() as fc.Arbitrary<unknown>, mutated), (entry) => {
      for (const read of [gammaMarket, clobMarket]) {
        const market = read(entry)
        if (Either.isRight(market)) assert.isAbove(market.right.outcomes.length, 0)
        else assert.isAbove(market.left.problem.length, 0)
      }
    }),
    { numRuns: 500 }
  )
})

/** Objects with these keys, however deep they lie. */
const find = (value: unknown, keys: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value.flatMap((one) => find(one, keys))
  if (typeof value !== "object" || value === null) return []
  return keys.every((key) => key in value) ? [value] : Object.values(value).flatMap((one) => find(one, keys))
}

describe.skipIf(!haveRecordings)("captured market lists", () => {
  const GAMMA = ["conditionId", "slug", "question"]
  const CLOB = ["condition_id", "tokens"]
  const noTokens = 'tokens[0]: a decimal token id expected, not ""'
  const rest = "captures/polymarket_rest"
  const samples = "venues/samples/polymarket"
  const nautilus = "captures/polymarket_ws/nautilus_test_data"
  const resources = "captures/polymarket_ws/nautilus_py_resources"
  const page = (name: string) => `${rest}/wakeupnemo_gamma_pages/markets_page_${name}.json`
  type Row = readonly [
    file: string,
    kind: "gamma" | "clob",
    markets: number,
    rejected?: Readonly<Record<string, number>>
  ]
  const rows: ReadonlyArray<Row> = [
    [`${rest}/cepiokta_gamma_btc5m_markets.json`, "gamma", 4],
    [`${rest}/cepiokta_gamma_resolved_markets.json`, "gamma", 2],
    [`${rest}/cepiokta_gamma_updown_live_fixture.json`, "gamma", 77],
    [`${rest}/denisgorbachev_another-us-strike-on-venezuela-by.json`, "gamma", 5],
    // Old rows that never got tokens.
    [`${rest}/denisgorbachev_clob_markets_page0_1000.json`, "clob", 1000, { [noTokens]: 55 }],
    [`${rest}/denisgorbachev_market.json`, "clob", 1],
    [`${rest}/denisgorbachev_nobel-peace-prize-winner-2026-139.json`, "gamma", 71],
    [`${rest}/funkekaiser_gamma_binary_market.json`, "gamma", 1],
    [`${rest}/funkekaiser_gamma_feed_market.json`, "gamma", 1],
    [`${rest}/funkekaiser_gamma_negrisk_event.json`, "gamma", 60],
    [`${rest}/trebuchet_fed-decision-june_gamma-event.json`, "gamma", 5],
    [`${rest}/trebuchet_fed-decision-june_gamma-search.json`, "gamma", 9],
    [page("00000_offset_00000000"), "gamma", 25],
    [page("00001_offset_00000025"), "gamma", 25],
    [page("00002_offset_00000050"), "gamma", 25],
    [page("01437_offset_00035925"), "gamma", 25],
    [page("01438_offset_00035950"), "gamma", 5],
    [`${samples}/gamma-events-list-2026-03.json`, "gamma", 2],
    [`${samples}/gamma-market-2026-03.json`, "gamma", 1],
    [`${samples}/gamma-market-2026-10.json`, "gamma", 1],
    [`${samples}/gamma-market-closed-2026-03.json`, "gamma", 1],
    [`${samples}/gamma-market-closed-zero-zero.json`, "gamma", 1],
    [`${samples}/gamma-market-nonbinary-legacy.json`, "gamma", 1],
    [`${samples}/gamma-market-sports-handicap-2026-04.json`, "gamma", 1],
    [`${samples}/gamma-market-sports-resolved-2026-04.json`, "gamma", 1],
    [`${samples}/gamma-public-search-2026-03.json`, "gamma", 1],
    [`${samples}/rest-clob-market-closed-2026-04.json`, "clob", 1],
    [`${samples}/rest-clob-market-closed2-2026-03.json`, "clob", 1],
    [`${samples}/rest-clob-market-long-2024.json`, "clob", 1],
    [`${samples}/rest-clob-markets-page-2024.json`, "clob", 2],
    [`${nautilus}/gamma_event.json`, "gamma", 2],
    [`${nautilus}/gamma_market.json`, "gamma", 1],
    [`${nautilus}/gamma_market_closed_binary_accepting_true.json`, "gamma", 1],
    [`${nautilus}/search_response.json`, "gamma", 1],
    [`${resources}/http_responses__event.json`, "gamma", 3, { "clobTokenIds: no tokens yet": 3 }],
    [`${resources}/http_responses__market.json`, "clob", 1],
    [`${resources}/http_responses__market_slug.json`, "gamma", 1],
    [`${resources}/http_responses__markets.json`, "clob", 100, { [noTokens]: 1 }],
    [`${resources}/http_responses__markets_list.json`, "gamma", 3]
  ]
  for (const [file, kind, count, expected = {}] of rows) {
    it(`${file.split("/").at(-1)} decodes`, () => {
      const found = find(json(file), kind === "gamma" ? GAMMA : CLOB)
      assert.strictEqual(found.length, count)
      const rejected: Record<string, number> = {}
      for (const entry of found) {
        const read = (kind === "gamma" ? gammaMarket : clobMarket)(entry)
        if (Either.isRight(read)) assert.isAbove(read.right.outcomes.length, 1)
        else {
          const why = `${read.left.path}: ${read.left.problem}`
          rejected[why] = (rejected[why] ?? 0) + 1
        }
      }
      assert.deepStrictEqual(rejected, expected)
    })
  }
})
