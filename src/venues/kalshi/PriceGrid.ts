/**
 * The grid of prices at which a market trades (Kalshi reference §2.2). `price_ranges` is the truth; the label is only
 * asked when the ranges are not sent, since new labels may come at any time.
 */
import { parsePrice, type Price, SCALE } from "../../domain/Money.ts"
import type { PriceRange } from "./Wire.ts"

/** The finest step of each structure that had a label in autumn 2026, in millionths. */
const FINEST: Readonly<Record<string, number>> = {
  linear_cent: 10_000,
  deci_cent: 1_000,
  tapered_deci_cent: 1_000,
  center_whole_edge_half_cent: 5_000,
  center_whole_edge_quint_cent: 2_000,
  center_half_edge_half_cent: 5_000,
  center_half_edge_quint_cent: 2_000,
  center_half_edge_deci_cent: 1_000,
  center_quint_edge_quint_cent: 2_000,
  center_quint_edge_deci_cent: 1_000,
  center_centi_edge_centi_cent: 100,
  center_deci_edge_centi_cent: 100
}

const isStep = (step: Price | -1): step is Price => step > 0 && step < SCALE

/**
 * The finest step anywhere on the grid; coarser bands trade at a part of its multiples only. `null` when neither the
 * ranges nor the label tell it.
 */
export const finestStep = (ranges: ReadonlyArray<PriceRange> | undefined, label: string | undefined): Price | null => {
  const steps = (ranges ?? []).map(({ step }) => parsePrice(step)).filter(isStep)
  if (steps.length > 0) return steps.reduce((finest, step) => (step < finest ? step : finest))
  const known = label === undefined || !Object.hasOwn(FINEST, label) ? undefined : FINEST[label]
  return known === undefined ? null : (known as Price)
}
