/**
 * The grid of prices at which a market trades (Kalshi reference §2.2). `price_ranges` is the truth; the label is only
 * asked when the ranges are not sent, since new labels may come at any time.
 */
import { Either } from "effect"
import * as PriceGrid from "../../domain/PriceGrid.ts"
import { Fault } from "../../resilience/Reading.ts"
import { price } from "./Reading.ts"
import type { PriceRange } from "./Wire.ts"

type Ranges = ReadonlyArray<PriceRange>

const even = (step: string): Ranges => [{ start: "0", end: "1", step }]
const edged = (edge: string, centre: string, low = "0.10", high = "0.90"): Ranges => [
  { start: "0", end: low, step: edge },
  { start: low, end: high, step: centre },
  { start: high, end: "1", step: edge }
]

/** Each structure that had a label in autumn 2026 and whose bands are known. */
const STRUCTURES: ReadonlyMap<string, Ranges> = new Map([
  ["linear_cent", even("0.01")],
  ["deci_cent", even("0.001")],
  ["tapered_deci_cent", edged("0.001", "0.01")],
  ["center_whole_edge_half_cent", edged("0.005", "0.01")],
  ["center_whole_edge_quint_cent", edged("0.002", "0.01")],
  ["center_half_edge_half_cent", even("0.005")],
  ["center_half_edge_quint_cent", edged("0.002", "0.005")],
  ["center_half_edge_deci_cent", edged("0.001", "0.005")],
  ["center_quint_edge_quint_cent", even("0.002")],
  ["center_quint_edge_deci_cent", edged("0.001", "0.002")],
  ["center_centi_edge_centi_cent", even("0.0001")],
  ["center_deci_edge_centi_cent", edged("0.0001", "0.001", "0.01", "0.99")]
])

/**
 * The bands that a market object or a message tells, in whatever order; `null` when neither the ranges nor the label tell
 * any. Throws a {@link Fault} for ranges that are no grid.
 */
export const priceGrid = (ranges: Ranges | undefined, label: string | undefined): PriceGrid.PriceGrid | null => {
  const told = ranges !== undefined && ranges.length > 0 ? ranges : STRUCTURES.get(label ?? "")
  if (told === undefined) return null
  const bands = told
    .map(({ end, start, step }, i) => {
      const path = `price_ranges[${i}]`
      const band = {
        start: price(start, `${path}.start`),
        end: price(end, `${path}.end`),
        step: price(step, `${path}.step`)
      }
      return { path, band }
    })
    .sort((a, b) => a.band.start - b.band.start)
  return Either.getOrThrowWith(
    PriceGrid.make(bands.map(({ band }) => band)),
    ({ band, message }) => new Fault(bands[band]?.path ?? "price_ranges", message)
  )
}
