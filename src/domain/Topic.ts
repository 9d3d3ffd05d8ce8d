/** What markets are about, however a venue or a configuration writes it. */
import type { Market } from "./Market.ts"

/** A topic as it stands in a slug: `Climate and Weather` is `climate-and-weather`. */
export const slugOf = (topic: string): string =>
  topic
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")

/** Whether a market's category or one of its tags is among these slugs; no slugs take every market. */
export const isAbout = (market: Market, topics: ReadonlySet<string>): boolean =>
  topics.size === 0 || topics.has(slugOf(market.category ?? "")) || market.tags.some((tag) => topics.has(slugOf(tag)))
