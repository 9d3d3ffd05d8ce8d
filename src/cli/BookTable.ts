/** The busiest books, one line each. */
import type { BookStatus } from "../domain/MarketEvent.ts"
import { formatFixed, SCALE } from "../domain/Money.ts"
import { type BookRow, type Quote, TRAIL } from "./LiveState.ts"
import { type Column, type Line, span, type Style, table } from "./Painting.ts"
import { grouped } from "./Summary.ts"
import { clean, width } from "./Text.ts"

export const statusStyles: Readonly<Record<BookStatus, Style>> = {
  live: "green",
  stale: "yellow",
  suspect: "boldRed",
  resyncing: "cyan"
}

const signs: Readonly<Record<BookRow["verifiedBy"], string>> = { digest: "✓", quotes: "~", nothing: " " }

const BARS = "▁▂▃▄▅▆▇█"
/** The least height of a trail in millionths: below a cent, a movement looks as small as it is. */
const SPAN = 20_000

/** The way of a price as bars, coloured by where it led. */
const trailOf = (points: ReadonlyArray<number>): Line => {
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined) return []
  const low = Math.min(...points)
  const high = Math.max(...points)
  const floor = Math.min(low, (low + high - SPAN) / 2)
  const height = Math.max(high - low, SPAN)
  const bars = points.map((point) => BARS[Math.min(7, Math.floor(((point - floor) / height) * 8))] ?? "▁").join("")
  return [span(bars, last > first ? "green" : last < first ? "red" : "dim")]
}

/** A size in contracts, short: `340`, `1,203`, `2.5`, `1.2M`. */
const sizeText = (size: number): string => {
  const contracts = size / SCALE
  if (contracts >= 1e9) return `${grouped(contracts / 1e9)}B`
  if (contracts >= 1e6) return `${(contracts / 1e6).toFixed(1)}M`
  return contracts < 10 && !Number.isInteger(contracts) ? contracts.toFixed(1) : grouped(contracts)
}

const priceOf = (quote: Quote | null, decimals: number, plain: Style, fresh: Style): Line =>
  quote === null ? [span("–", "dim")] : [span(formatFixed(quote.price, decimals), quote.fresh ? fresh : plain)]

const sizeOf = (quote: Quote | null): Line => (quote === null ? [] : [span(sizeText(quote.size))])

const spreadOf = ({ ask, bid, decimals }: BookRow): Line => {
  if (bid === null || ask === null) return [span("–", "dim")]
  const spread = ask.price - bid.price
  return spread > 0 ? [span(formatFixed(spread, decimals))] : [span("crossed", "red")]
}

const lastOf = ({ decimals, lastTrade }: BookRow): Line => {
  if (lastTrade === null) return [span("–", "dim")]
  const price = span(formatFixed(lastTrade.price, decimals))
  if (lastTrade.takerSide === null) return [price]
  return [price, lastTrade.takerSide === "buy" ? span(" ▲", "green") : span(" ▼", "red")]
}

const columnsFor = (rows: ReadonlyArray<BookRow>): ReadonlyArray<Column<BookRow>> => {
  const venue = Math.max(5, ...rows.map(({ venue }) => width(clean(venue))))
  const outcome = Math.min(12, Math.max(7, ...rows.map(({ outcome }) => width(clean(outcome)))))
  return [
    { title: "Market", width: 22, grows: true, cut: "middle", cell: ({ question }) => [span(question)] },
    { title: "Venue", width: Math.min(12, venue), optional: 3, cell: ({ venue }) => [span(venue, "dim")] },
    { title: "Outcome", width: outcome, optional: 1, cell: ({ outcome }) => [span(outcome, "bold")] },
    { title: "Size", width: 6, align: "right", optional: 5, cell: ({ bid }) => sizeOf(bid) },
    {
      title: "Bid",
      width: 6,
      align: "right",
      cell: ({ bid, decimals }) => priceOf(bid, decimals, "green", "boldGreen")
    },
    { title: "Ask", width: 6, align: "right", cell: ({ ask, decimals }) => priceOf(ask, decimals, "red", "boldRed") },
    { title: "Size", width: 6, align: "right", optional: 5, cell: ({ ask }) => sizeOf(ask) },
    { title: "Spread", width: 7, align: "right", optional: 2, cell: spreadOf },
    { title: "Last", width: 8, align: "right", optional: 4, cell: lastOf },
    { title: "Trend", width: TRAIL, optional: 6, cell: ({ trail }) => trailOf(trail) },
    { title: "Upd/s", width: 5, align: "right", optional: 3, cell: ({ rate }) => [span(rate.toFixed(1))] },
    {
      title: "  Book",
      width: 11,
      cell: ({ status, verifiedBy }) => [
        span(status === "live" ? signs[verifiedBy] : "!", statusStyles[status]),
        span(` ${status}`, statusStyles[status])
      ]
    }
  ]
}

/** The table with as many rows as fit into `height` lines, and a word about the others. */
export const bookTable = (books: ReadonlyArray<BookRow>, room: number, height: number): Array<Line> => {
  if (books.length === 0) return [[span("No books yet: waiting for the market list.", "dim")]]
  const all = books.length <= height - 1
  const shown = books.slice(0, Math.max(0, all ? books.length : height - 2))
  const lines = table(columnsFor(shown), shown, room)
  if (!all && lines.length < height) {
    lines.push([span(`and ${grouped(books.length - shown.length)} quieter markets`, "dim")])
  }
  return lines
}
