/**
 * Keys that Polymarket sends and nobody here reads, from recordings and the reference (§2, §3, §5.2): they may come, so that
 * the drift watch tells only of those that are new.
 */
import { unread } from "../../resilience/Drift.ts"

const keys = (words: string) => unread(...words.trim().split(/\s+/))

/** Gamma's market (§3). */
export const inGammaMarket = keys(`
  $schema acceptingOrdersTimestamp approved automaticallyActive automaticallyResolved bestAsk bestBid
  clearBookOnStart clobRewards closedTime comboStatus competitive createdAt creator cryptoMarketConfig
  cryptoMarketConfigId customLiveness cyom deploying deployingTimestamp description endDateIso eventStartTime
  featured feeSchedule feesEnabled feeType fpmmLive funded gameId gameStartTime groupItemThreshold
  groupItemTitle hasReviewedDates holdingRewardsEnabled icon id image lastTradePrice line liquidity liquidityAmm
  liquidityClob lowerBound mailchimpTag makerBaseFee makerRebatesFeeShareBps manualActivation marketMakerAddress
  marketType negRiskMarketID negRiskOther negRiskRequestID new oneDayPriceChange oneHourPriceChange
  oneMonthPriceChange oneWeekPriceChange oneYearPriceChange pagerDutyNotificationEnabled pendingDeployment
  questionID ready readyForCron requiresTranslation resolutionSource resolvedBy restricted rewardsMaxSpread
  rewardsMinSize rfqEnabled secondsDelay seriesColor showGmpOutcome showGmpSeries sportsMarketType spread
  startDate startDateIso submitted_by takerBaseFee twitterCardImage umaBond umaEndDate umaResolutionStatuses
  umaReward updatedAt updatedBy upperBound volume volume1mo volume1moAmm volume1moClob volume1wk volume1wkAmm
  volume1wkClob volume1yr volume1yrAmm volume1yrClob volume24hrAmm volume24hrClob volumeAmm volumeClob volumeNum
`)

/** The event inside Gamma's market. */
export const inGammaEvent = keys(`
  active archived automaticallyActive automaticallyResolved closed closedTime commentCount competitive
  countryName createdAt creationDate cumulativeMarkets cyom deploying deployingTimestamp description
  electionType enableNegRisk enableOrderBook endDate ended estimateValue eventDate eventMetadata eventWeek
  featured gameId gmpChartMode icon id image liquidity liquidityClob live markets negRisk negRiskAugmented
  negRiskMarketID new openInterest pendingDeployment period requiresTranslation resolutionSource restricted
  score series seriesSlug showAllOutcomes showMarketImages slug sortBy startDate startTime ticker updatedAt
  volume volume1mo volume1wk volume1yr volume24hr
`)

/** Gamma's tag. */
export const inTag = keys(
  "createdAt createdBy forceHide forceShow isCarousel publishedAt requiresTranslation updatedAt updatedBy"
)

/** The long market object of the CLOB (§2.2). */
export const inClobMarket = keys(`
  accepting_order_timestamp description fpmm game_start_time icon image is_50_50_outcome maker_base_fee
  neg_risk_market_id neg_risk_request_id notifications_enabled question_id rewards seconds_delay taker_base_fee
`)

/** A token of it. */
export const inClobToken = keys("price")

/** A page of its list. */
export const inClobPage = keys("count limit")

/** `new_market` (§5.2). */
export const inNewMarket = keys(`
  clob_token_ids condition_id description event_message fee_schedule fees_enabled game_start_time
  group_item_title id line sports_market_type taker_base_fee
`)

/** `market_resolved` (§5.2). */
export const inMarketResolved = keys("event_message id tags")

/** A page of Gamma's keyset list (§3). */
export const inGammaPage = keys("$schema")
