/** What is asked: templates that draft questions on crypto, sports, politics, the economy, the weather and so on. */
import type { Prng } from "./Prng.ts"

/** What a template decides; the rest is filled in alike for all. */
export interface Draft {
  readonly question: string
  readonly slug?: string
  readonly category: string
  readonly tags: ReadonlyArray<string>
  readonly outcomes?: readonly [string, string]
  readonly group?: { readonly title: string }
  readonly item?: string
  readonly endsAt: number
  readonly opening?: number
}

type Names = readonly [string, ...ReadonlyArray<string>]

const coins: Names = ["Bitcoin", "Ethereum", "Solana", "XRP", "Dogecoin", "BNB"]
const coinTickers: Record<string, string> = {
  Bitcoin: "btc",
  Ethereum: "eth",
  Solana: "sol",
  XRP: "xrp",
  Dogecoin: "doge",
  BNB: "bnb"
}
const coinLevels: Record<string, readonly [number, number]> = {
  Bitcoin: [110_000, 2_000],
  Ethereum: [4_000, 100],
  Solana: [190, 5],
  XRP: [3, 0.1],
  Dogecoin: [0.3, 0.01],
  BNB: [900, 20]
}
const companies: Names = ["NVIDIA", "Apple", "Microsoft", "Alphabet", "Amazon", "Tesla", "Meta", "Broadcom", "Netflix"]
const leagues: ReadonlyArray<readonly [string, string, Names]> = [
  [
    "nba",
    "NBA",
    [
      "Lakers",
      "Celtics",
      "Knicks",
      "Nuggets",
      "Thunder",
      "Warriors",
      "Heat",
      "Bucks",
      "Spurs",
      "Magic",
      "Hawks",
      "Suns"
    ]
  ],
  [
    "nfl",
    "NFL",
    ["Chiefs", "Eagles", "Bills", "Lions", "Ravens", "Packers", "49ers", "Cowboys", "Rams", "Broncos", "Steelers"]
  ],
  [
    "nhl",
    "NHL",
    ["Oilers", "Panthers", "Rangers", "Avalanche", "Stars", "Bruins", "Maple Leafs", "Lightning", "Kings"]
  ],
  ["epl", "Premier League", ["Arsenal", "Liverpool", "Chelsea", "Everton", "Fulham", "Brentford", "Wolves", "Burnley"]]
]
const states: Names = [
  "Ohio",
  "Texas",
  "Georgia",
  "Maine",
  "Iowa",
  "Nevada",
  "Arizona",
  "Michigan",
  "Virginia",
  "Alaska"
]
const offices: Names = ["Senate race", "governor's race", "Republican primary", "Democratic primary"]
const given: Names = ["Maria", "James", "Elena", "David", "Ruth", "Samuel", "Grace", "Victor", "Nora", "Peter", "Helen"]
const family: Names = ["Alvarez", "Whitfield", "Okafor", "Lindqvist", "Marsh", "Castellan", "Bright", "Novak", "Hale"]
const countries: Names = ["Japan", "France", "Brazil", "Germany", "Canada", "Italy", "South Korea", "Poland", "Chile"]
const cities: Names = ["New York City", "London", "Chicago", "Miami", "Seoul", "Toronto", "Dallas", "Paris", "Denver"]
const happenings: ReadonlyArray<readonly [string, string, Names]> = [
  ["Will {country} hold a snap election", "Politics", ["Politics", "World", "Elections"]],
  ["Will {country} and the EU sign a trade deal", "Geopolitics", ["Geopolitics", "World", "Trade"]],
  ["Will {country} cut interest rates", "Economy", ["Economy", "Finance", "Interest Rates"]],
  ["Will {company} announce a stock split", "Finance", ["Finance", "Stocks", "Business"]],
  ["Will {company} be the largest company in the world", "Finance", ["Finance", "Stocks", "Big Tech"]],
  ["Will {company} release a new AI model", "Tech", ["Tech", "AI"]],
  ["Will {state} enact a data center moratorium", "Politics", ["Politics", "Tech", "US States"]],
  ["Will a film from {country} win at Cannes", "Culture", ["Culture", "Movies"]]
]

const DAY = 86_400_000
const QUARTER_HOUR = 900_000

/** A title as it appears in addresses. */
export const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/(\d)\.(\d)/g, "$1pt$2")
    .replace(/['’.,?$]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")

const newYork = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", ...options })
const monthDay = newYork({ month: "long", day: "numeric" })
const dayYear = newYork({ month: "long", day: "numeric", year: "numeric" })
const clockTime = newYork({ hour: "numeric", minute: "2-digit" })
const timeOf = (at: number): string => clockTime.format(at).replace(/\s/g, "")
const dollars = (amount: number): string => `$${amount.toLocaleString("en-US", { maximumFractionDigits: 2 })}`

/** Drafts one question, or all of a group; nothing when the draw makes no sense. */
export type Template = (now: number) => ReadonlyArray<Draft>

/** All templates, those of ordinary questions several times so that groups do not outnumber them. */
export const templates = (prng: Prng): ReadonlyArray<Template> => {
  const later = (now: number, minimumDays: number, spreadDays: number) =>
    Math.floor((now + (minimumDays + prng.int(spreadDays)) * DAY) / DAY) * DAY + 17 * 3_600_000

  const upOrDown = (now: number): ReadonlyArray<Draft> => {
    const coin = prng.pick(coins)
    const opens = Math.floor(now / QUARTER_HOUR) * QUARTER_HOUR + prng.int(8) * QUARTER_HOUR
    const closes = opens + QUARTER_HOUR
    return [
      {
        question: `${coin} Up or Down - ${monthDay.format(opens)}, ${timeOf(opens)}-${timeOf(closes)} ET`,
        slug: `${coinTickers[coin]!}-updown-15m-${opens / 1000}`,
        category: "Crypto",
        tags: ["Crypto", "Crypto Prices", coin, "Up or Down"],
        outcomes: ["Up", "Down"],
        endsAt: closes,
        opening: 0.5 + (prng.next() - 0.5) / 5
      }
    ]
  }

  const priceAbove = (now: number): ReadonlyArray<Draft> => {
    const coin = prng.pick(coins)
    const [centre, stride] = coinLevels[coin]!
    const endsAt = later(now, 1, 40)
    const steps = prng.int(13) - 6
    const level = Math.round((centre + steps * stride) * 100) / 100
    return [
      {
        question: `Will the price of ${coin} be above ${dollars(level)} on ${monthDay.format(endsAt)}?`,
        category: "Crypto",
        tags: ["Crypto", "Crypto Prices", coin],
        item: dollars(level),
        endsAt,
        opening: 1 / (1 + Math.exp(steps / 2))
      }
    ]
  }

  const game = (now: number): ReadonlyArray<Draft> => {
    const [code, league, teams] = leagues[prng.int(leagues.length)]!
    const home = prng.pick(teams)
    const away = prng.pick(teams)
    if (home === away) return []
    const endsAt = later(now, 0, 21) + 9 * 3_600_000
    const date = new Date(endsAt).toISOString().slice(0, 10)
    return [
      {
        question: `${away} vs. ${home}`,
        slug: `${code}-${slugOf(away).slice(0, 3)}-${slugOf(home).slice(0, 3)}-${date}`,
        category: "Sports",
        tags: ["Sports", league, "Games"],
        outcomes: [away, home],
        endsAt
      }
    ]
  }

  const happening = (now: number): ReadonlyArray<Draft> => {
    const [text, category, tags] = happenings[prng.int(happenings.length)]!
    const endsAt = later(now, 10, 300)
    const question = text
      .replace("{country}", prng.pick(countries))
      .replace("{company}", prng.pick(companies))
      .replace("{state}", prng.pick(states))
    return [{ question: `${question} by ${dayYear.format(endsAt)}?`, category, tags, endsAt }]
  }

  const shares = (count: number): ReadonlyArray<number> => {
    const weights = Array.from({ length: count }, () => prng.exponential() + 0.05)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return weights.map((weight) => weight / total)
  }

  const race = (now: number): ReadonlyArray<Draft> => {
    const endsAt = later(now, 30, 400)
    const title = `${prng.pick(states)} ${prng.pick(offices)} ${new Date(endsAt).getUTCFullYear()}: who wins?`
    const names = new Set<string>()
    while (names.size < 4) names.add(`${prng.pick(given)} ${prng.pick(family)}`)
    const opening = shares(names.size)
    return [...names].map((name, index) => ({
      question: `Will ${name} win the ${title.replace(": who wins?", "")}?`,
      category: "Politics",
      tags: ["Politics", "Elections", "US Elections"],
      group: { title },
      item: name,
      endsAt,
      opening: opening[index]!
    }))
  }

  const temperature = (now: number): ReadonlyArray<Draft> => {
    const endsAt = later(now, 0, 6)
    const city = prng.pick(cities)
    const title = `Highest temperature in ${city} on ${monthDay.format(endsAt)}?`
    const lowest = 40 + prng.int(20)
    const opening = shares(5)
    return opening.map((share, index) => {
      const from = lowest + index * 2
      const range =
        index === 0 ? `${from + 1}°F or below` : index === 4 ? `${from}°F or higher` : `${from}-${from + 1}°F`
      return {
        question: `Will the highest temperature in ${city} be ${range} on ${monthDay.format(endsAt)}?`,
        category: "Weather",
        tags: ["Weather", "Daily Temperature", city],
        group: { title },
        item: range,
        endsAt,
        opening: share
      }
    })
  }

  const ordinary = [upOrDown, priceAbove, priceAbove, game, game, game, happening, happening, happening]
  return [...ordinary, ...ordinary, race, temperature]
}
