/** `ccxt`'s Polymarket: a promise for each next book of a token. Its market list and its address are given to it. */
import { digestOf } from "../workload/Traffic.ts"
import { run } from "./Candidate.ts"
import { importPackage } from "./Peer.ts"

type Level = readonly [price: number, size: number]
interface Book {
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly timestamp: number
}
interface Outcome {
  readonly outcome: string
  readonly outcomeId: string
  readonly market: string
}
interface Exchange {
  readonly urls: { readonly api: { ws: string } }
  outcomes: Record<string, Outcome>
  outcomes_by_id: Record<string, Outcome>
  readonly orderbooks: Readonly<Record<string, Book>>
  /** What it needs for addresses without TLS. */
  readonly loadHttpProxyAgent: () => Promise<unknown>
  readonly watchOrderBook: (outcome: string) => Promise<Book>
}
interface Package {
  readonly default: { readonly prediction: { readonly polymarket: new (options: object) => Exchange } }
}

await run(async ({ applied, tokens, url }) => {
  const { default: ccxt } = await importPackage<Package>("ccxt/js/ccxt.js")
  const exchange = new ccxt.prediction.polymarket({ enableRateLimit: false })
  exchange.urls.api.ws = url
  await exchange.loadHttpProxyAgent()
  const outcomes = tokens.map((outcomeId, i): Outcome => ({
    outcome: `BENCH_${i}:YES`,
    outcomeId,
    market: `BENCH_${i}`
  }))
  exchange.outcomes = Object.fromEntries(outcomes.map((one) => [one.outcome, one]))
  exchange.outcomes_by_id = Object.fromEntries(outcomes.map((one) => [one.outcomeId, one]))
  const seen = new Set<string>()
  let updates = 0
  const watch = async (token: string) => {
    await exchange.watchOrderBook(token)
    seen.add(token)
    while (true) {
      const book = await exchange.watchOrderBook(token)
      updates++
      applied(book.timestamp)
    }
  }
  for (const token of tokens) void watch(token)
  const side = (levels: Iterable<Level>) => Array.from(levels, ([price, size]) => [price, size] as const)
  return {
    updates: () => updates,
    ready: () => seen.size,
    books: () =>
      new Map(
        outcomes.map(({ outcome, outcomeId }) => {
          const book = exchange.orderbooks[outcome]!
          return [outcomeId, digestOf(side(book.bids), side(book.asks))]
        })
      )
  }
})
