/** What of Kalshi's messages and answers is watched for drift, and how each of them should look. */
import { Schema } from "effect"
import { type Channel, type Channels, frequent, rare } from "../../resilience/DriftLog.ts"
import * as Unread from "./Unread.ts"
import * as Wire from "./Wire.ts"

/** By the type of a message (§7.3, §7.6); those that nobody reads may say what they like. */
const messages: ReadonlyArray<readonly [string, Channel]> = [
  ["orderbook_snapshot", frequent(Wire.OrderbookSnapshotMessage)],
  ["orderbook_delta", frequent(Wire.OrderbookDeltaMessage)],
  ["trade", frequent(Wire.TradeMessage)],
  ["ticker", frequent(Wire.TickerMessage)],
  ["market_lifecycle_v2", rare(Wire.MarketLifecycleMessage)],
  ["subscribed", rare(Wire.SubscribedMessage)],
  ["error", rare(Wire.ErrorMessage)],
  ...["ok", "unsubscribed", "event_lifecycle", "event_fee_update", "multivariate_market_lifecycle"].map(
    (name): readonly [string, Channel] => [name, rare(Schema.Unknown)]
  )
]

/** Lists whose entries are decoded one by one, with what the entries are. */
const markets = Schema.optionalWith(Schema.Array(Wire.Market), { nullable: true })
const Event = Schema.Struct({ ...Wire.Event.fields, markets }).annotations(Unread.inEvent)
const EventsPage = Schema.Struct({
  ...Wire.EventsPage.fields,
  events: Schema.optionalWith(Schema.Array(Event), { nullable: true })
}).annotations(Unread.inEventsPage)

/** By the Schema that decodes an answer (§3). */
const answers = new Map<unknown, readonly [string, Channel]>([
  [Wire.MarketsPage, ["GET /markets", rare(Schema.Struct({ ...Wire.MarketsPage.fields, markets }))]],
  [Wire.SingleMarket, ["GET /markets/{ticker}", rare(Schema.Struct({ market: Wire.Market }))]],
  [Wire.EventsPage, ["GET /events", rare(EventsPage)]],
  [Wire.SingleEvent, ["GET /events/{event_ticker}", rare(Schema.Struct({ event: Event, markets }))]],
  [Wire.SeriesList, ["GET /series", rare(Wire.SeriesList)]],
  [Wire.SingleSeries, ["GET /series/{series_ticker}", rare(Wire.SingleSeries)]],
  [Wire.SeriesFeeChanges, ["GET /series/fee_changes", rare(Wire.SeriesFeeChanges)]],
  [Wire.EventFeeChanges, ["GET /events/fee_changes", rare(Wire.EventFeeChanges)]],
  [Wire.ExchangeStatus, ["GET /exchange/status", rare(Wire.ExchangeStatus)]],
  [Wire.Orderbook, ["GET /markets/{ticker}/orderbook", rare(Wire.Orderbook)]],
  [Wire.Orderbooks, ["GET /markets/orderbooks", rare(Wire.Orderbooks)]],
  [Wire.TradesPage, ["GET /markets/trades", rare(Wire.TradesPage)]],
  [Wire.Candlesticks, ["GET /series/{series_ticker}/markets/{ticker}/candlesticks", rare(Wire.Candlesticks)]],
  [Wire.CandlesticksBatch, ["GET /markets/candlesticks", rare(Wire.CandlesticksBatch)]]
])

export const channels: Channels = { messages, answers }
