/** What of Polymarket's messages and answers is watched for drift, and how each of them should look. */
import { Schema } from "effect"
import { type Channel, type Channels, frequent, rare } from "../../resilience/DriftLog.ts"
import * as Unread from "./Unread.ts"
import * as Wire from "./Wire.ts"

/** By `event_type` (§5.2), in the forms since 2025-09-15: an older one would be news. */
const messages: ReadonlyArray<readonly [string, Channel]> = [
  ["book", frequent(Wire.BookMessage)],
  ["price_change", frequent(Wire.PriceChangeMessage)],
  ["last_trade_price", frequent(Wire.LastTradePriceMessage)],
  ["best_bid_ask", frequent(Wire.BestBidAskMessage)],
  ["tick_size_change", rare(Wire.TickSizeChangeMessage)],
  ["new_market", rare(Wire.NewMarketMessage)],
  ["market_resolved", rare(Wire.MarketResolvedMessage)]
]

/** Lists whose entries are decoded one by one, with what the entries are. */
const GammaPage = Schema.Struct({ ...Wire.GammaPage.fields, markets: Schema.Array(Wire.GammaMarket) }).annotations(
  Unread.inGammaPage
)
const ClobPage = Schema.Struct({ ...Wire.ClobPage.fields, data: Schema.Array(Wire.ClobMarket) }).annotations(
  Unread.inClobPage
)

/** By the Schema that decodes an answer (§2, §3). */
const answers = new Map<unknown, readonly [string, Channel]>([
  [Wire.GammaPage, ["GET gamma /markets/keyset", rare(GammaPage)]],
  [Wire.ClobPage, ["GET clob /markets", rare(ClobPage)]],
  [Wire.GammaTag, ["GET gamma /tags/slug/{slug}", rare(Wire.GammaTag)]],
  [Wire.RestBook, ["GET clob /book", rare(Wire.RestBook)]]
])

export const channels: Channels = { messages, answers }
