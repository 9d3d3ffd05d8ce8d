/**
 * Recordings of Kalshi's socket: the frames of a file in their order, one a line, and the markets and books that follow
 * from them. Sequence numbers are those of the recording.
 */
import { type Price, SCALE, type Size, parseDecimal } from "../domain/Money.ts"
import * as OrderBook from "../domain/OrderBook.ts"
import * as KalshiCandles from "./KalshiCandles.ts"
import type { Structure } from "./KalshiGrid.ts"
import type { KalshiMarket } from "./KalshiMarket.ts"
import * as Recording from "./Recording.ts"

type Fields = Readonly<Record<string, unknown>>

export interface KalshiFrame {
  readonly text: string
  readonly type: string
  /** 0 where the frame names none. */
  readonly sid: number
  readonly seq: number
  readonly msg: Fields
  /** Tickers that it is about. */
  readonly tickers: ReadonlyArray<string>
  /** Milliseconds since the epoch, where the frame says. */
  readonly time: number | undefined
}

const YEAR = 365 * 86_400_000
/** Recorded markets pass every filter of volume. */
const PLENTY = 1_000_000 * SCALE

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const textOf = (fields: Fields, key: string): string => (typeof fields[key] === "string" ? fields[key] : "")
const numberOf = (fields: Fields, key: string): number | undefined =>
  typeof fields[key] === "number" ? fields[key] : undefined

const tickersOf = (msg: Fields): ReadonlyArray<string> => {
  const list = msg["market_tickers"]
  const listed = Array.isArray(list) ? list.filter((one) => typeof one === "string") : []
  return [textOf(msg, "market_ticker"), ...listed].filter((ticker) => ticker !== "")
}

/** The frames of a file; lines that are none of Kalshi's are left out. */
export const parse = (file: string): ReadonlyArray<KalshiFrame> =>
  Recording.parse(file).flatMap(({ json, receivedAt, text }) => {
    if (!isFields(json) || typeof json["type"] !== "string") return []
    const msg = isFields(json["msg"]) ? json["msg"] : {}
    const [sid = 0, seq = 0] = [numberOf(json, "sid"), numberOf(json, "seq")]
    return [
      { text, type: json["type"], sid, seq, msg, tickers: tickersOf(msg), time: numberOf(msg, "ts_ms") ?? receivedAt }
    ]
  })

/** The subscription id of each channel. */
export const sidsOf = (frames: ReadonlyArray<KalshiFrame>): ReadonlyMap<string, number> =>
  new Map(
    frames
      .filter(({ type }) => type === "subscribed")
      .map(({ msg }) => [textOf(msg, "channel"), numberOf(msg, "sid") ?? 0])
  )

const levelsOf = (value: unknown): ReadonlyArray<readonly [string, string]> =>
  Array.isArray(value) ? value.filter((level) => Array.isArray(level) && level.length === 2) : []

const complement = (price: string): string => ((SCALE - parseDecimal(price)) / SCALE).toFixed(4)

/** A frame with its NO prices turned from NO prices to the YES scale or back. */
export const turned = ({ msg, text, type }: KalshiFrame): string => {
  const json = JSON.parse(text) as Record<string, unknown>
  const no = msg["no_dollars_fp"]
  if (type === "orderbook_snapshot" && no !== undefined) {
    const turned = levelsOf(no).map(([price, size]) => [complement(price), size])
    return JSON.stringify({ ...json, msg: { ...msg, no_dollars_fp: turned } })
  }
  if (type !== "orderbook_delta" || msg["side"] !== "no") return text
  return JSON.stringify({ ...json, msg: { ...msg, price_dollars: complement(textOf(msg, "price_dollars")) } })
}

/** The coarsest grid that holds all recorded prices of a market. */
const structureOf = (frames: ReadonlyArray<KalshiFrame>, ticker: string): Structure => {
  let structure: Structure = "linear_cent"
  for (const { msg, tickers } of frames) {
    if (tickers[0] !== ticker) continue
    const listed = [...levelsOf(msg["yes_dollars_fp"]), ...levelsOf(msg["no_dollars_fp"])].map(([price]) => price)
    for (const price of [...listed, textOf(msg, "price_dollars") || "0"]) {
      const millionths = parseDecimal(price)
      if (millionths % 1000 !== 0) return "center_centi_edge_centi_cent"
      if (millionths % 10_000 !== 0) structure = "deci_cent"
    }
  }
  return structure
}

/** Every market whose book is recorded, before its first frame. */
export const marketsOf = (frames: ReadonlyArray<KalshiFrame>, now: number): ReadonlyMap<string, KalshiMarket> => {
  const ids = new Map<string, string>()
  for (const { msg, tickers } of frames) if ("market_id" in msg) ids.set(tickers[0] ?? "", textOf(msg, "market_id"))
  const marketOf = (ticker: string, id: string): KalshiMarket => {
    const parts = ticker.split("-")
    const event = parts.slice(0, -1).join("-") || ticker
    const series = { ticker: parts[0] ?? ticker, title: "Recorded", category: "Recording", tags: ["Recording"] }
    return {
      info: {
        ticker,
        id,
        series: { ...series, frequency: "custom", feeType: "quadratic", feeMultiplier: 1 },
        event: { ticker: event, title: `Recorded event ${event}`, subTitle: "", exclusive: false },
        title: `Recorded market ${ticker}`,
        yesSubTitle: "Yes",
        noSubTitle: "No",
        rules: "Served from a recording.",
        strike: undefined,
        createdAt: now,
        endsAt: now + YEAR,
        shard: 0
      },
      book: OrderBook.empty(),
      candles: KalshiCandles.make(),
      status: "active",
      structure: structureOf(frames, ticker),
      volume: PLENTY,
      openInterest: PLENTY,
      lastPrice: 0 as Price,
      lastSize: 0 as Size,
      updatedAt: now,
      closesAt: now + YEAR,
      result: "",
      settledAt: undefined
    }
  }
  return new Map([...ids].map(([ticker, id]) => [ticker, marketOf(ticker, id)]))
}

/** Puts a frame into the book that it is about. `yesScale` says how the recording tells NO prices. */
export const apply = (market: KalshiMarket, { msg, time, type }: KalshiFrame, yesScale: boolean): void => {
  const priceOf = (side: string, price: string) =>
    (side === "yes" || yesScale ? parseDecimal(price) : SCALE - parseDecimal(price)) as Price
  if (type === "orderbook_snapshot") {
    const side = (name: string) =>
      levelsOf(msg[`${name}_dollars_fp`]).map(([price, size]) => ({
        price: priceOf(name, price),
        size: parseDecimal(size) as Size
      }))
    OrderBook.applySnapshot(market.book, side("yes"), side("no"))
  }
  if (type === "orderbook_delta") {
    const name = textOf(msg, "side")
    const side = name === "yes" ? "bid" : "ask"
    const price = priceOf(name, textOf(msg, "price_dollars"))
    const change = textOf(msg, "delta_fp")
    const delta = change.startsWith("-") ? -parseDecimal(change.slice(1)) : parseDecimal(change)
    OrderBook.applyChange(market.book, side, price, (OrderBook.sizeAt(market.book, side, price) + delta) as Size)
  }
  market.updatedAt = time ?? market.updatedAt
}
