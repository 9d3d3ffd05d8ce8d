/**
 * Listings under Kalshi's names: series, event and market tickers, titles, strikes and fees, derived from the seed and
 * the listing alone (Kalshi reference §3.2 to §3.4, §6.1, §8.4).
 */
import type { Listing } from "./Listings.ts"
import * as Prng from "./Prng.ts"

/** A family of events, such as all games of a league. */
export interface SeriesInfo {
  readonly ticker: string
  readonly title: string
  readonly category: string
  readonly tags: ReadonlyArray<string>
  readonly frequency: string
  readonly feeType: "quadratic" | "quadratic_with_maker_fees"
  readonly feeMultiplier: number
}

/** Numbers that a market turns on, with the word for how. */
export interface Strike {
  readonly type: "greater" | "less" | "between"
  readonly floor?: number
  readonly cap?: number
}

export interface EventInfo {
  readonly ticker: string
  readonly title: string
  readonly subTitle: string
  /** At most one of its markets comes true. */
  readonly exclusive: boolean
}

/** What never changes about a market. Times are milliseconds since the epoch. */
export interface MarketInfo {
  readonly ticker: string
  /** A UUID; only the socket tells it. */
  readonly id: string
  readonly series: SeriesInfo
  readonly event: EventInfo
  readonly title: string
  readonly yesSubTitle: string
  readonly noSubTitle: string
  readonly rules: string
  readonly strike: Strike | undefined
  readonly createdAt: number
  readonly endsAt: number
  /** The part of the exchange that trades it (Kalshi reference §8.6). */
  readonly shard: number
}

const categories: Record<string, string> = {
  Geopolitics: "World",
  Economy: "Economics",
  Finance: "Financials",
  Tech: "Science and Technology",
  Culture: "Entertainment",
  Weather: "Climate and Weather"
}
const coins: Record<string, string> = { Bitcoin: "BTC", Ethereum: "ETH", Solana: "SOL", Dogecoin: "DOGE" }
const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]

const letters = (text: string, most: number): string =>
  text
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "")
    .slice(0, most)
const initials = (text: string): string =>
  letters(text.replace(/\b(Will|the|a|in|by|of|on|be)\b/gi, "").replace(/\B\w+|\d+/g, ""), 5)
const numbers = (text: string): ReadonlyArray<number> =>
  [...text.replace(/,/g, "").matchAll(/\d+(?:\.\d+)?/g)].map(([number]) => Number(number))

/** `26NOV22`. */
const dateCode = (time: number): string => {
  const date = new Date(time)
  const day = String(date.getUTCDate()).padStart(2, "0")
  return `${date.getUTCFullYear() % 100}${months[date.getUTCMonth()]}${day}`
}

/** Ticker without its `KX`, title and rhythm of the series that a listing belongs to. */
const seriesName = ({ category, slug, tags }: Listing): readonly [code: string, title: string, frequency: string] => {
  const last = tags[tags.length - 1] ?? category
  const [, , coin = last] = tags
  if (category === "Crypto" && slug.includes("updown")) {
    return [`${coins[coin] ?? letters(coin, 5)}15M`, `${coin} up or down`, "fifteen_min"]
  }
  if (category === "Crypto") return [`${coins[coin] ?? letters(coin, 5)}D`, `${coin} price`, "daily"]
  if (category === "Weather") return [`HIGH${letters(last, 6)}`, `Highest temperature in ${last}`, "daily"]
  if (last === "Games") return [`${letters(tags[1] ?? last, 12)}GAME`, `${tags[1] ?? last} games`, "custom"]
  return [letters(last, 12), last, "custom"]
}

const seriesOf = (listing: Listing): SeriesInfo => {
  const { category, tags } = listing
  const [code, title, frequency] = seriesName(listing)
  return {
    ticker: `KX${code}`,
    title,
    category: categories[category] ?? category,
    tags: tags.slice(1),
    frequency,
    feeType: category === "Sports" || category === "Politics" ? "quadratic_with_maker_fees" : "quadratic",
    feeMultiplier: category === "Finance" ? 0.5 : 1
  }
}

/** The last part of a market's ticker, and the strike that it stands for. */
const suffixOf = ({ item, outcomes }: Listing): readonly [string, Strike | undefined] => {
  const [first = 0, second] = numbers(item)
  if (item.startsWith("$"))
    return [`T${first - 0.01 > 100 ? (first - 0.01).toFixed(2) : first}`, { type: "greater", floor: first }]
  if (item.endsWith("below")) return [`T${first + 1}`, { type: "less", cap: first + 1 }]
  if (item.endsWith("higher")) return [`T${first - 1}`, { type: "greater", floor: first - 1 }]
  if (item.includes("°F") && second !== undefined) {
    return [`B${first + 0.5}`, { type: "between", floor: first, cap: second }]
  }
  const [given = "", family = ""] = item.split(" ")
  if (item !== "") return [family === "" ? letters(given, 6) : `${letters(given, 1)}${letters(family, 5)}`, undefined]
  return [letters(outcomes[0], 3), undefined]
}

/** How a listing is called on Kalshi. */
export const infoOf = (seed: number, listing: Listing): MarketInfo => {
  const { endsAt, group, outcomes } = listing
  const series = seriesOf(listing)
  const title = group?.title ?? listing.question
  const code = `${initials(title)}${group === null ? listing.serial : `G${group.serial}`}`
  const event: EventInfo = {
    ticker: `${series.ticker}-${dateCode(endsAt)}${code}`,
    title,
    subTitle: `On ${dateCode(endsAt)}`,
    exclusive: group !== null
  }
  const [suffix, strike] = suffixOf(listing)
  const hex = Prng.make(seed, `kalshi ${listing.serial}`).hex(32)
  const id = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)]
  return {
    ticker: `${event.ticker}-${suffix}`,
    id: id.join("-"),
    series,
    event,
    title: listing.question,
    yesSubTitle: listing.item === "" ? outcomes[0] : listing.item,
    noSubTitle: listing.item === "" ? outcomes[1] : listing.item,
    rules: listing.description,
    strike,
    createdAt: listing.listedAt,
    endsAt,
    shard: series.category === "Crypto" ? 2 : 0
  }
}
