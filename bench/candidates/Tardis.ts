/** `tardis-dev`'s order book over `ws` and `JSON.parse`: prices and sizes as floating-point numbers in a red-black tree. */
import WebSocket from "ws"
import { digestOf } from "../workload/Traffic.ts"
import { run } from "./Candidate.ts"
import { load } from "./Peer.ts"
import { subscriptions } from "./Subscribing.ts"

interface Level {
  readonly price: number
  readonly amount: number
}
interface OrderBook {
  readonly update: (change: {
    readonly isSnapshot: boolean
    readonly bids: ReadonlyArray<Level>
    readonly asks: ReadonlyArray<Level>
  }) => void
  readonly bestBid: () => Level | undefined
  readonly bestAsk: () => Level | undefined
  readonly bids: () => Iterable<Level>
  readonly asks: () => Iterable<Level>
}
interface Wire {
  readonly price: string
  readonly size: string
}
interface Book {
  readonly event_type: "book"
  readonly asset_id: string
  readonly bids: ReadonlyArray<Wire>
  readonly asks: ReadonlyArray<Wire>
}
interface PriceChange {
  readonly event_type: "price_change"
  readonly timestamp: string
  readonly price_changes: ReadonlyArray<Wire & { readonly asset_id: string; readonly side: "BUY" | "SELL" }>
}

const { OrderBook } = load<{ readonly OrderBook: new () => OrderBook }>("tardis-dev")
const level = ({ price, size }: Wire): Level => ({ price: Number(price), amount: Number(size) })

await run(({ applied, options, tokens, url }) => {
  const books = new Map<string, OrderBook>()
  const timed = options.timed > 0
  let updates = 0
  let best: Level | undefined
  const socket = new WebSocket(url, { perMessageDeflate: false })
  socket.on("open", () => {
    for (const text of subscriptions(tokens)) socket.send(text)
  })
  const read = (message: Book | PriceChange): void => {
    if (message.event_type === "book") {
      const book = new OrderBook()
      book.update({ isSnapshot: true, bids: message.bids.map(level), asks: message.asks.map(level) })
      books.set(message.asset_id, book)
      return
    }
    for (const change of message.price_changes) {
      const book = books.get(change.asset_id)
      if (book === undefined) continue
      const changed = [level(change)]
      book.update({
        isSnapshot: false,
        bids: change.side === "BUY" ? changed : [],
        asks: change.side === "SELL" ? changed : []
      })
      best = book.bestBid() ?? book.bestAsk()
      updates++
    }
    if (timed) applied(Number(message.timestamp))
  }
  socket.on("message", (data) => {
    const message = JSON.parse((data as Buffer).toString("utf8")) as Book | PriceChange | ReadonlyArray<Book>
    if (Array.isArray(message)) message.forEach(read)
    else read(message as PriceChange)
  })
  const side = (levels: Iterable<Level>) => Array.from(levels, ({ amount, price }) => [price, amount] as const)
  return {
    updates: () => updates,
    ready: () => books.size,
    books: () => new Map(Array.from(books, ([id, book]) => [id, digestOf(side(book.bids()), side(book.asks()))])),
    facts: () => ({ best: best?.price ?? 0 })
  }
})
