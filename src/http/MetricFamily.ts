/** Metrics as the text format of Prometheus groups them, and Effect's own as such. */
import { Metric, MetricState, Option } from "effect"

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Where it is not the family's: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string
}

export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly values: ReadonlyArray<Sample>
}

type Labels = Sample["labels"]

const samplesOf = (name: string, labels: Labels, state: MetricState.MetricState.Untyped): ReadonlyArray<Sample> => {
  const named = (suffix: string, value: number, more: Labels = {}): Sample => ({
    metricName: `${name}${suffix}`,
    labels: { ...labels, ...more },
    value
  })
  if (MetricState.isCounterState(state)) return [{ labels, value: Number(state.count) }]
  if (MetricState.isGaugeState(state)) return [{ labels, value: Number(state.value) }]
  if (MetricState.isFrequencyState(state)) {
    return [...state.occurrences].map(([key, value]) => ({ labels: { ...labels, key }, value }))
  }
  if (MetricState.isHistogramState(state)) {
    // The buckets are cumulative already.
    const buckets = [...state.buckets].filter(([bound]) => Number.isFinite(bound))
    return [
      ...buckets.map(([bound, count]) => named("_bucket", count, { le: String(bound) })),
      named("_bucket", state.count, { le: "+Inf" }),
      named("_sum", state.sum),
      named("_count", state.count)
    ]
  }
  if (MetricState.isSummaryState(state)) {
    return [
      ...state.quantiles.flatMap(([quantile, value]) =>
        Option.isSome(value) ? [{ labels: { ...labels, quantile: String(quantile) }, value: value.value }] : []
      ),
      named("_sum", state.sum),
      named("_count", state.count)
    ]
  }
  return []
}

const typeOf = (state: MetricState.MetricState.Untyped): MetricFamily["type"] => {
  if (MetricState.isGaugeState(state)) return "gauge"
  if (MetricState.isHistogramState(state)) return "histogram"
  return MetricState.isSummaryState(state) ? "summary" : "counter"
}

const metricName = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=\d)/, "_")
const labelName = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, "_").replace(/^(?=\d)/, "_")

/** Families of one name become one; the first says what it is. */
export const merged = (families: Iterable<MetricFamily>): ReadonlyArray<MetricFamily> => {
  const byName = new Map<string, MetricFamily>()
  for (const family of families) {
    const known = byName.get(family.name)
    if (known === undefined) byName.set(family.name, family)
    else if (known.type === family.type) {
      byName.set(family.name, { ...known, values: [...known.values, ...family.values] })
    }
  }
  return [...byName.values()]
}

/** All of Effect's metrics, without those that it keeps of its own fibers. */
export const ofEffect = (): ReadonlyArray<MetricFamily> =>
  merged(
    Metric.unsafeSnapshot()
      .filter(({ metricKey }) => !metricKey.name.startsWith("effect_fiber_"))
      .map(({ metricKey, metricState }) => {
        const name = metricName(metricKey.name)
        const labels = Object.fromEntries(metricKey.tags.map(({ key, value }) => [labelName(key), value]))
        return {
          name,
          help: Option.getOrElse(metricKey.description, () => name),
          type: typeOf(metricState),
          values: samplesOf(name, labels, metricState)
        }
      })
  )
