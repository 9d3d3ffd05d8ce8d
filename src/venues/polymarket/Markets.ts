/** Polymarket's market objects as markets: Gamma's, the CLOB's, and those of the `new_market` event (§2.2, §3, §5.2). */
import { DateTime, Either, Option } from "effect"
import { instrumentId, type Market, marketId } from "../../domain/Market.ts"
import { complement, parseDecimal, type Price, SCALE, type Size } from "../../domain/Money.ts"
import { make as makeGrid, type PriceGrid } from "../../domain/PriceGrid.ts"
import { decodeWith, Fault, idAt, type Json, shown } from "../../resilience/Reading.ts"
import { POLYMARKET } from "./Reading.ts"
import { ClobMarket, GammaMarket, NewMarketMessage } from "./Wire.ts"

/** Metadata prints numbers; they are decimals with few digits, so their shortest text is exact. */
const amount = (value: number | string): Size | null => {
  const parsed = parseDecimal(typeof value === "number" ? numberText(value) : value)
  return parsed === -1 ? null : (parsed as Size)
}

/** Amounts of dollars are reported with binary noise past the sixth decimal; that much is cut, not read. */
const numberText = (value: number): string => (Number.isFinite(value) ? value.toFixed(6) : "")

const tick = (value: number | string): Price | null => {
  const parsed = amount(value)
  return parsed === null || parsed === 0 || parsed >= SCALE ? null : (parsed as number as Price)
}

/** One band for all prices, from the tick to 1 − tick (§7.1); `null` for a tick that leaves none. */
export const gridOf = (tick: Price): PriceGrid | null =>
  Either.getOrElse(makeGrid([{ start: tick, end: complement(tick), step: tick }]), () => null)

const gridFields = (tickSize: Price | null): Pick<Market, "tickSize" | "priceBands"> => ({
  tickSize,
  priceBands: tickSize === null ? null : gridOf(tickSize)
})

const endTime = (value: string | null): DateTime.Utc | null =>
  value === null ? null : Option.getOrNull(DateTime.make(value.replace(" ", "T").replace(/\+00$/, "Z")))

const outcomesOf = (ids: ReadonlyArray<string>, names: ReadonlyArray<string>, winner: string | null) =>
  ids.map((id, i) => ({
    instrumentId: instrumentId(POLYMARKET, id),
    venueInstrumentId: id,
    name: names[i] ?? `Outcome ${i + 1}`,
    winner: winner === null ? null : winner === id
  }))

const checkTokens = (ids: ReadonlyArray<string>, path: string): ReadonlyArray<string> => {
  if (ids.length === 0) throw new Fault(path, "no tokens yet")
  ids.forEach((id, i) => {
    if (!/^\d{1,80}$/.test(id)) throw new Fault(`${path}[${i}]`, `a decimal token id expected, not ${shown(id)}`)
  })
  if (new Set(ids).size !== ids.length) throw new Fault(path, "the same token twice")
  return ids
}

const checkCondition = (id: string, path: string): string => {
  if (!/^0x[0-9a-fA-F]{1,64}$/.test(id)) throw new Fault(path, `a condition id expected, not ${shown(id)}`)
  return id
}

/** The one outcome that a resolved Gamma market prices at 1 (§3). */
const gammaWinner = (market: GammaMarket, ids: ReadonlyArray<string>): string | null => {
  const prices = Option.getOrElse(market.outcomePrices, () => [])
  const winners = ids.filter((_, i) => prices[i] === "1")
  return winners.length === 1 ? winners[0]! : null
}

const fromGamma = (value: unknown): Market => {
  const market = decodeWith(GammaMarket)(value)
  const version = Option.getOrElse(market.version, () => "v1")
  if (version !== "v1" && version !== "v2") throw new Fault("version", `v1 or v2 expected, not ${shown(version)}`)
  // By version even when both are present: many v1 markets carry position ids without a book behind them (§3).
  const [ids, path] =
    version === "v2" ? ([market.positionIds, "positionIds"] as const) : ([market.clobTokenIds, "clobTokenIds"] as const)
  const tokens = checkTokens(
    Option.getOrElse(ids, () => []),
    path
  )
  const resolved = Option.contains(market.umaResolutionStatus, "resolved")
  const tags = [...market.tags, ...market.events.flatMap((event) => event.tags)]
  const names = [...new Set(tags.flatMap((tag) => ((tag.slug ?? tag.label) ? [tag.slug ?? tag.label!] : [])))]
  return {
    id: marketId(POLYMARKET, checkCondition(market.conditionId, "conditionId")),
    venue: POLYMARKET,
    venueMarketId: market.conditionId,
    slug: market.slug,
    question: market.question,
    category: Option.getOrElse(
      Option.orElse(market.category, () =>
        Option.fromNullable(market.events[0]).pipe(Option.flatMap((e) => e.category))
      ),
      () => tags[0]?.label ?? null
    ),
    tags: names,
    status:
      market.closed || market.archived
        ? resolved
          ? "resolved"
          : "closed"
        : market.active && market.enableOrderBook && market.acceptingOrders
          ? "open"
          : "closed",
    outcomes: outcomesOf(
      tokens,
      Option.getOrElse(market.outcomes, () => []),
      market.closed && resolved ? gammaWinner(market, tokens) : null
    ),
    ...gridFields(Option.getOrNull(Option.map(market.orderPriceMinTickSize, tick))),
    minOrderSize: Option.getOrNull(Option.map(market.orderMinSize, amount)),
    negRisk: market.negRisk,
    liquidity: Option.getOrNull(Option.map(market.liquidityNum, amount)),
    volume24h: Option.getOrNull(Option.map(market.volume24hr, amount)),
    protocol: version,
    endTime: endTime(Option.getOrNull(market.endDate))
  }
}

const fromClob = (value: unknown): Market => {
  const market = decodeWith(ClobMarket)(value)
  const ids = checkTokens(
    market.tokens.map((token) => token.token_id),
    "tokens"
  )
  const winners = market.tokens.filter((token) => token.winner)
  const winner = market.closed && winners.length === 1 ? winners[0]!.token_id : null
  const open =
    market.active && !market.closed && !market.archived && market.accepting_orders && market.enable_order_book
  return {
    id: marketId(POLYMARKET, checkCondition(market.condition_id, "condition_id")),
    venue: POLYMARKET,
    venueMarketId: market.condition_id,
    slug: market.market_slug,
    question: market.question,
    category: market.tags[0] ?? null,
    tags: market.tags,
    status: open ? "open" : winner === null ? "closed" : "resolved",
    outcomes: outcomesOf(
      ids,
      market.tokens.map((token) => token.outcome),
      winner
    ),
    ...gridFields(tick(market.minimum_tick_size)),
    minOrderSize: amount(market.minimum_order_size),
    negRisk: market.neg_risk,
    liquidity: null,
    volume24h: null,
    protocol: null,
    endTime: endTime(Option.getOrNull(market.end_date_iso))
  }
}

/** A market from the `new_market` event: what it does not say (liquidity, minimum, neg-risk) stays unknown or false. */
export const listedMarket = (message: Json): Market => {
  const listed = decodeWith(NewMarketMessage)(message)
  const tickSize = Option.getOrNull(listed.order_price_min_tick_size)
  return {
    id: marketId(POLYMARKET, checkCondition(listed.market, "market")),
    venue: POLYMARKET,
    venueMarketId: listed.market,
    slug: listed.slug,
    question: listed.question,
    category: listed.tags[0] ?? null,
    tags: listed.tags,
    status: "open",
    outcomes: outcomesOf(checkTokens(listed.assets_ids, "assets_ids"), listed.outcomes, null),
    ...gridFields(tickSize === null ? null : tick(tickSize)),
    minOrderSize: null,
    negRisk: false,
    liquidity: null,
    volume24h: null,
    protocol: null,
    endTime: null
  }
}

/** Why a market object could not be used. */
export interface Rejected {
  readonly id: string
  readonly path: string
  readonly problem: string
}

const marketWith =
  (read: (value: unknown) => Market) =>
  (value: unknown): Either.Either<Market, Rejected> => {
    try {
      return Either.right(read(value))
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      return Either.left({
        id: idAt(value, "conditionId", "condition_id", "id"),
        path: fault.path,
        problem: fault.problem
      })
    }
  }

/** A market of Gamma's lists, §3. */
export const gammaMarket = marketWith(fromGamma)

/** A market of the CLOB's lists, §2.2. */
export const clobMarket = marketWith(fromClob)
