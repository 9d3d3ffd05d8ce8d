/** `@nevuamarkets/poly-websockets`, which keeps a book of strings and calls back with each change before it applies it. */
import { digestOf } from "../workload/Traffic.ts"
import { run } from "./Candidate.ts"
import { load, redirect } from "./Peer.ts"

const NAME = "@nevuamarkets/poly-websockets"

interface Level {
  readonly price: string
  readonly size: string
}
interface PriceChange {
  readonly timestamp: string
  readonly price_changes: ReadonlyArray<unknown>
}
interface Manager {
  readonly addSubscriptions: (ids: ReadonlyArray<string>) => Promise<void>
  /** Its own, asked for the final books alone. */
  readonly bookCache: {
    readonly bookCache: Readonly<
      Record<string, { readonly bids: ReadonlyArray<Level>; readonly asks: ReadonlyArray<Level> }>
    >
  }
}
interface Package {
  readonly WSSubscriptionManager: new (handlers: {
    readonly onBook: (events: ReadonlyArray<unknown>) => Promise<void>
    readonly onPriceChange: (events: ReadonlyArray<PriceChange>) => Promise<void>
    readonly onPolymarketPriceUpdate: (events: ReadonlyArray<unknown>) => Promise<void>
    readonly onError: (error: Error) => Promise<void>
  }) => Manager
}

await run(async ({ applied, tokens, url }) => {
  redirect(NAME, url)
  const { WSSubscriptionManager } = load<Package>(NAME)
  let books = 0
  let updates = 0
  const manager = new WSSubscriptionManager({
    onBook: async (events) => {
      books += events.length
    },
    onPriceChange: async (events) => {
      for (const { price_changes, timestamp } of events) {
        updates += price_changes.length
        applied(Number(timestamp))
      }
    },
    onPolymarketPriceUpdate: async () => {},
    onError: async (error) => {
      throw error
    }
  })
  await manager.addSubscriptions(tokens)
  // It keeps the best level last.
  const side = (levels: ReadonlyArray<Level>) => levels.map(({ price, size }) => [price, size] as const).reverse()
  return {
    updates: () => updates,
    ready: () => books,
    books: () =>
      new Map(
        Object.entries(manager.bookCache.bookCache).map(([id, { asks, bids }]) => [
          id,
          digestOf(side(bids), side(asks))
        ])
      )
  }
})
