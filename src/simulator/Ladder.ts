/**
 * One side of a book as it is printed: levels in wire order, each kept as the text that stands for it, so that a whole
 * side is one join and a change costs one splice. Wire order has the best level last: bids ascend, asks descend
 * (venue reference, Polymarket §2.3).
 */

export interface Ladder {
  /** Replaces the level at this price (millionths); `undefined` removes it. */
  readonly set: (price: number, level: string | undefined) => void
  /** All levels in wire order, joined by commas. */
  readonly text: () => string
  /** The best price in millionths, −1 when the side is empty. */
  readonly best: () => number
}

export const make = (side: "bid" | "ask"): Ladder => {
  const prices: Array<number> = []
  const levels: Array<string> = []
  let joined: string | undefined = ""
  const find = (price: number): number => {
    let low = 0
    let high = prices.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (side === "bid" ? prices[middle]! < price : prices[middle]! > price) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    set: (price, level) => {
      const index = find(price)
      const present = prices[index] === price
      if (level !== undefined && present) levels[index] = level
      else if (level !== undefined) {
        prices.splice(index, 0, price)
        levels.splice(index, 0, level)
      } else if (present) {
        prices.splice(index, 1)
        levels.splice(index, 1)
      } else return
      joined = undefined
    },
    text: () => (joined ??= levels.join(",")),
    best: () => prices[prices.length - 1] ?? -1
  }
}
