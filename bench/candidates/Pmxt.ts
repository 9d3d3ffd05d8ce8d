/** `pmxt-core`'s Polymarket: a promise for each next book of a token, over `@nevuamarkets/poly-websockets`. */
import { createRequire } from "node:module"
import { inRoot } from "../Root.ts"
import { digestOf } from "../workload/Traffic.ts"
import { run } from "./Candidate.ts"
import { load, redirect } from "./Peer.ts"

interface Level {
  readonly price: number
  readonly size: number
}
interface Book {
  readonly bids: ReadonlyArray<Level>
  readonly asks: ReadonlyArray<Level>
  readonly timestamp: number
}
interface Exchange {
  readonly watchOrderBook: (token: string) => Promise<Book>
}
interface Package {
  readonly PolymarketExchange: new (options: {
    readonly websocket: { readonly watchTimeoutMs: number }
    readonly credentials: Record<string, never>
  }) => Exchange
}

await run(async ({ applied, tokens, url }) => {
  // The sockets are those of the package that it builds on.
  const own = createRequire(createRequire(inRoot("bench/peers/package.json")).resolve("pmxt-core"))
  redirect(own.resolve("@nevuamarkets/poly-websockets"), url)
  const { PolymarketExchange } = load<Package>("pmxt-core")
  const exchange = new PolymarketExchange({ websocket: { watchTimeoutMs: 0 }, credentials: {} })
  const latest = new Map<string, Book>()
  let updates = 0
  const watch = async (token: string) => {
    // The first book is the snapshot.
    latest.set(token, await exchange.watchOrderBook(token))
    while (true) {
      const book = await exchange.watchOrderBook(token)
      latest.set(token, book)
      updates++
      applied(book.timestamp)
    }
  }
  for (const token of tokens) void watch(token)
  const side = (levels: ReadonlyArray<Level>) => levels.map(({ price, size }) => [price, size] as const)
  return {
    updates: () => updates,
    ready: () => latest.size,
    books: () => new Map(Array.from(latest, ([id, { asks, bids }]) => [id, digestOf(side(bids), side(asks))]))
  }
})
