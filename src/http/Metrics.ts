/** The metrics page: what Effect's metrics hold, what the services say when asked, and Node's own measures. */
import { Effect, type Scope } from "effect"
import { collectDefaultMetrics, type Metric as PromMetric, Registry } from "prom-client"
import { type MetricFamily, merged, ofEffect } from "./MetricFamily.ts"
import * as ServiceMetrics from "./ServiceMetrics.ts"

/** The text of families, formatted and escaped by the library. */
export const render = (families: ReadonlyArray<MetricFamily>): Promise<string> => {
  const registry = new Registry()
  for (const family of families) {
    const source = { name: family.name, get: () => Promise.resolve(family) }
    // All that a registry asks of a metric.
    registry.registerMetric(source as unknown as PromMetric)
  }
  return registry.metrics()
}

/** Event-loop delay, memory, garbage collection and the like, measured from now on. */
const nodeMetrics: Effect.Effect<Registry, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const register = new Registry()
    collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 20 })
    return register
  }),
  (register) => Effect.sync(() => register.clear())
)

export interface Page {
  /** Makes the page anew. */
  readonly scrape: Effect.Effect<string>
}

export const make: Effect.Effect<Page, never, Scope.Scope | ServiceMetrics.Services> = Effect.gen(function* () {
  const node = yield* nodeMetrics
  const services = yield* Effect.context<ServiceMetrics.Services>()
  const scrape = Effect.gen(function* () {
    const families = yield* Effect.provide(ServiceMetrics.families, services)
    const own = yield* Effect.promise(() => render(merged([...families, ...ofEffect()])))
    const nodes = yield* Effect.promise(() => node.metrics())
    return `${own}\n${nodes}`
  })
  return { scrape }
})
