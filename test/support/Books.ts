import * as OrderBook from "../../src/domain/OrderBook.ts"

/** All that can be seen of a book, wherever it lies in memory: its bids and its asks, best first. */
export const sides = (book: OrderBook.OrderBook) => [OrderBook.levels(book, "bid"), OrderBook.levels(book, "ask")]
