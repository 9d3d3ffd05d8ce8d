/** Gamma's market and tag objects, in the venue's key order (venue reference, Polymarket §3). */
import type { MarketView, Tag } from "./PolymarketMarket.ts"

const round = (value: number, decimals = 4): number => Math.round(value * 10 ** decimals) / 10 ** decimals

/** The market object in the venue's key order; what is zero or unknown is left out, as the venue does. */
export const gammaMarket = (market: MarketView, withTags: boolean) => {
  const { info } = market
  const open = market.open()
  const { ask, bid } = market.quotes()
  const volume = round(market.volume())
  const liquidity = round(market.liquidity())
  const winner = market.winner()
  const last = market.lastTrade()
  const yes = winner === null ? round(((bid ?? 0) + (ask ?? 1)) / 2) : winner === 0 ? 1 : 0
  const volumes =
    volume === 0
      ? {}
      : { volumeNum: volume, volume24hr: volume, volume1wk: volume, volume1mo: volume, volume1yr: volume }
  const event = {
    id: info.event.id,
    ticker: info.event.slug,
    slug: info.event.slug,
    title: info.event.title,
    description: info.description,
    startDate: new Date(info.listedAt).toISOString(),
    creationDate: new Date(info.listedAt).toISOString(),
    endDate: new Date(info.endsAt).toISOString(),
    active: true,
    closed: !open,
    archived: false,
    liquidity,
    volume,
    negRisk: info.negRisk
  }
  return {
    id: info.gammaId,
    question: info.question,
    conditionId: info.condition,
    slug: info.slug,
    resolutionSource: "",
    endDate: new Date(info.endsAt).toISOString().replace(".000Z", "Z"),
    liquidity: String(liquidity),
    startDate: new Date(info.listedAt).toISOString(),
    image: "",
    icon: "",
    description: info.description,
    outcomes: JSON.stringify(info.outcomes).replaceAll(`","`, `", "`),
    outcomePrices: JSON.stringify([String(yes), String(round(1 - yes))]).replaceAll(`","`, `", "`),
    ...(volume === 0 ? {} : { volume: String(volume) }),
    active: true,
    closed: !open,
    marketMakerAddress: "",
    createdAt: new Date(info.listedAt).toISOString(),
    new: false,
    featured: false,
    archived: false,
    restricted: true,
    groupItemTitle: info.item,
    questionID: info.questionId,
    enableOrderBook: open,
    orderPriceMinTickSize: Number(market.tickSize()),
    orderMinSize: Number(info.minOrderSize),
    ...volumes,
    ...(liquidity === 0 ? {} : { liquidityNum: liquidity }),
    endDateIso: new Date(info.endsAt).toISOString().slice(0, 10),
    startDateIso: new Date(info.listedAt).toISOString().slice(0, 10),
    hasReviewedDates: true,
    clobTokenIds: info.version === "v2" ? null : JSON.stringify(info.tokens).replaceAll(`","`, `", "`),
    ...(info.version === "v2" ? { positionIds: info.tokens } : {}),
    ...(liquidity === 0 ? {} : { liquidityClob: liquidity }),
    makerBaseFee: 1000,
    takerBaseFee: 1000,
    acceptingOrders: open,
    negRisk: info.negRisk,
    ...(info.negRisk ? { negRiskMarketID: info.negRiskMarketId, negRiskRequestID: info.questionId } : {}),
    events: [event],
    ...(withTags ? { tags: info.tags } : {}),
    ready: false,
    funded: false,
    acceptingOrdersTimestamp: new Date(info.listedAt).toISOString(),
    cyom: false,
    approved: true,
    rewardsMinSize: 50,
    rewardsMaxSpread: 4.5,
    ...(bid === undefined || ask === undefined ? {} : { spread: round(ask - bid) }),
    ...(last === undefined ? {} : { lastTradePrice: round(last.outcome === 0 ? last.price : 1 - last.price) }),
    ...(bid === undefined ? {} : { bestBid: bid }),
    ...(ask === undefined ? {} : { bestAsk: ask }),
    automaticallyActive: true,
    clearBookOnStart: false,
    negRiskOther: false,
    umaResolutionStatuses: "[]",
    ...(open ? {} : { umaResolutionStatus: "resolved" }),
    pendingDeployment: false,
    deploying: false,
    rfqEnabled: false,
    holdingRewardsEnabled: false,
    feesEnabled: true,
    feeType: null,
    feeSchedule: { exponent: 1, rate: 0.04, takerOnly: true, rebateRate: 0.25 },
    version: info.version
  }
}

export const gammaTag = (tag: Tag) => ({
  ...tag,
  createdAt: "2024-11-13T19:58:34.318816Z",
  updatedAt: "2026-03-09T22:21:41.828275Z",
  requiresTranslation: false
})
