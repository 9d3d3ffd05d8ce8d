/** Markets and frames of Kalshi as tests write them. */
import { type Instrument, instruments, type Market } from "../../../src/domain/Market.ts"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import * as BookKeeper from "../../../src/collector/BookKeeper.ts"
import * as Slot from "../../../src/resilience/Slot.ts"
import * as Decoder from "../../../src/venues/kalshi/Decoder.ts"
import * as Lifecycle from "../../../src/venues/kalshi/Lifecycle.ts"
import { KALSHI, market, type NoPrices } from "../../../src/venues/kalshi/Normalize.ts"
import { Either } from "effect"

export const marketOf = (ticker: string): Market =>
  Either.getOrThrow(market({ ticker, event_ticker: "EVENT", status: "active", title: `Will ${ticker} happen?` }))

export const instrumentOf = (ticker: string): Instrument => instruments(marketOf(ticker))[0]!

export const marketObject = (ticker: string, over: Readonly<Record<string, unknown>> = {}) => ({
  ticker,
  event_ticker: `${ticker}-EVENT`,
  market_type: "binary",
  title: `Will ${ticker} happen?`,
  yes_sub_title: "Yes",
  status: "active",
  result: "",
  close_time: "2027-01-01T00:00:00Z",
  updated_time: "2026-11-01T00:00:00.123456Z",
  yes_bid_dollars: "0.4000",
  yes_ask_dollars: "0.4200",
  volume_24h_fp: "5000.00",
  volume_fp: "90000.00",
  price_level_structure: "linear_cent",
  price_ranges: [{ start: "0.0000", end: "1.0000", step: "0.0100" }],
  ...over
})

type Levels = ReadonlyArray<readonly [string, string]>

export const snapshot = (sid: number, seq: number, ticker: string, yes: Levels, no: Levels) =>
  JSON.stringify({
    type: "orderbook_snapshot",
    sid,
    seq,
    msg: {
      market_ticker: ticker,
      market_id: "9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1",
      ...(yes.length > 0 ? { yes_dollars_fp: yes } : {}),
      ...(no.length > 0 ? { no_dollars_fp: no } : {})
    }
  })

export const delta = (
  sid: number,
  seq: number,
  ticker: string,
  side: "yes" | "no",
  price: string,
  change: string,
  ts = 1_790_000_000_000
) =>
  JSON.stringify({
    type: "orderbook_delta",
    sid,
    seq,
    msg: { market_ticker: ticker, price_dollars: price, delta_fp: change, side, ts_ms: ts }
  })

export const NOW = 1_790_000_000_500

/** A decoder with a keeper behind it, as the collector has them. */
export const makeReader = (tickers: ReadonlyArray<string>, noPrices: NoPrices = "yes") => {
  const instruments = new Map(tickers.map((ticker) => [ticker, instrumentOf(ticker)]))
  const slot = Slot.make("kalshi-1", NOW)
  const resyncs: Array<string> = []
  const keeper = BookKeeper.make({ verifier: () => undefined, onResync: (id) => resyncs.push(id) })
  const controls: Array<Decoder.Control> = []
  const faults: Array<string> = []
  const decoder = Decoder.make({
    connection: "kalshi-1-test",
    instrument: (ticker) => instruments.get(ticker),
    instruments: () => instruments.values(),
    lifecycle: Lifecycle.make((ticker) => instruments.get(ticker)),
    looksUpListings: false,
    noPrices,
    tally: slot.tally,
    onFault: (kind) => faults.push(kind),
    onControl: (control) => controls.push(control),
    onListing: () => {}
  })
  const about = { venue: KALSHI, connection: "kalshi-1-test", receivedTime: NOW }
  keeper.apply([
    { _tag: "Connected", slot: "kalshi-1", ...about },
    { _tag: "Subscribed", instrumentIds: Array.from(instruments.values(), ({ id }) => id), ...about }
  ])
  const read = (...frames: ReadonlyArray<string>): Array<FeedEvent> => {
    const out: Array<FeedEvent> = []
    for (const frame of frames) decoder.read(frame, NOW, out)
    return out
  }
  return {
    keeper,
    decoder,
    tally: slot.tally,
    resyncs,
    controls,
    faults,
    read,
    /** Reads frames, and applies what they say. */
    feed: (...frames: ReadonlyArray<string>) => keeper.apply(read(...frames)),
    view: (ticker: string) => keeper.view(instruments.get(ticker)!.id)!
  }
}
