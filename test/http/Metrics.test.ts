import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, MetricBoundaries } from "effect"
import { METRICS_TYPE } from "../../src/http/Api.ts"
import { connection, ask, served, T } from "./World.ts"

/** A reader of the text format as strict as Prometheus's own. */
const parse = (text: string) => {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  const helped = new Set<string>()
  for (const line of text.split("\n")) {
    if (line === "") continue
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line)
    if (meta !== null) {
      const [, kind, name, rest] = meta as unknown as [string, string, string, string]
      if (kind === "TYPE") {
        assert.isFalse(types.has(name), `${name} is there twice`)
        assert.include(["counter", "gauge", "histogram", "summary"], rest)
        types.set(name, rest)
      } else helped.add(name)
      continue
    }
    const label = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"`
    const sample = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{(${label}(?:,${label})*)?\\})? (\\S+)$`).exec(line)
    assert.isNotNull(sample, `not a sample: ${line}`)
    const [, name, labels = "", value] = sample as unknown as [string, string, string | undefined, string]
    assert.isTrue(/^(NaN|[+-]Inf|Nan)$/.test(value) || Number.isFinite(Number(value)), line)
    const family = name.replace(/_(bucket|sum|count)$/, "")
    assert.isTrue(types.has(name) || types.has(family), `${name} has no type`)
    const key = `${name}{${labels
      .split(/,(?=[a-z])/)
      .toSorted()
      .join(",")}}`
    assert.isFalse(samples.has(key), `${key} is there twice`)
    samples.set(key, Number(value))
  }
  assert.deepStrictEqual([...types.keys()].toSorted(), [...helped].toSorted())
  return samples
}

const scrape = Effect.map(ask("/metrics"), ({ headers, status, text }) => {
  assert.strictEqual(status, 200)
  assert.strictEqual(headers.get("content-type"), METRICS_TYPE)
  return parse(text)
})

describe("metrics", () => {
  it.live("say what the services know", () =>
    served(
      (world) => {
        world.connections = [
          connection(),
          connection({ slot: "polymarket-2", state: "waiting", lastDataTime: null, errors: { "closed 1006": 2 } })
        ]
      },
      Effect.gen(function* () {
        const samples = yield* scrape
        const expected: Readonly<Record<string, number>> = {
          'parallax_books{status="live",venue="polymarket"}': 4,
          'parallax_books{status="suspect",venue="polymarket"}': 0,
          'parallax_connections{state="connected",venue="polymarket"}': 1,
          'parallax_connections{state="waiting",venue="polymarket"}': 1,
          'parallax_connections{state="closed",venue="polymarket"}': 0,
          'parallax_connection_up{slot="polymarket-1",venue="polymarket"}': 1,
          'parallax_connection_up{slot="polymarket-2",venue="polymarket"}': 0,
          'parallax_messages_total{type="book",venue="polymarket"}': 6,
          'parallax_messages_total{type="price_change",venue="polymarket"}': 8,
          'parallax_feed_errors_total{kind="closed 1006",venue="polymarket"}': 2,
          'parallax_frames_total{venue="polymarket"}': 20,
          'parallax_book_checks_total{outcome="verified"}': 3,
          'parallax_book_checks_total{outcome="mismatch"}': 1,
          'parallax_book_checks_total{outcome="unverifiable"}': 2,
          'parallax_book_changes_checked_total{by="digest"}': 5,
          'parallax_book_changes_checked_total{by="later_digest"}': 4,
          'parallax_book_events_total{kind="applied"}': 10,
          "parallax_resync_queue{}": 0,
          'parallax_markets{venue="polymarket"}': 2,
          'parallax_catalog_rejected_total{venue="polymarket"}': 0,
          "parallax_database_up{}": 1,
          "parallax_writer_queue_rows{}": 7,
          "parallax_writer_queue_batches{}": 1,
          "parallax_writer_last_flush_seconds{}": 0.012
        }
        for (const [name, value] of Object.entries(expected)) assert.strictEqual(samples.get(name), value, name)
        const ages = [...samples.keys()].filter((name) => name.startsWith("parallax_connection_data_age_seconds"))
        assert.deepStrictEqual(ages, ['parallax_connection_data_age_seconds{slot="polymarket-1",venue="polymarket"}'])
        assert.isAtLeast(samples.get(ages[0]!)!, 0)
        assert.isAbove(T, 0)
      })
    )
  )

  it.live("say how Node is doing, and leave out what Effect keeps of its fibers", () =>
    served(
      () => {},
      Effect.gen(function* () {
        const names = [...(yield* scrape).keys()]
        for (const name of ["nodejs_eventloop_lag_p99_seconds{}", "process_resident_memory_bytes{}"]) {
          assert.include(names, name)
        }
        assert.isFalse(names.some((name) => name.startsWith("effect_fiber")))
      })
    )
  )

  it.live("carry Effect's metrics of every kind, whatever their labels hold", () =>
    served(
      () => {},
      Effect.gen(function* () {
        const hostile = 'a"b\\c\nd{}=,'
        yield* Metric.increment(Metric.tagged(Metric.counter("test.count-total", { incremental: true }), "of", hostile))
        yield* Metric.incrementBy(Metric.counter("test_big_total", { bigint: true }), 12n)
        yield* Metric.set(Metric.gauge("test_gauge", { description: "two\nlines" }), -1.5)
        yield* Metric.update(Metric.frequency("test_frequency"), "one")
        const histogram = Metric.histogram("test_seconds", MetricBoundaries.fromIterable([0.1, 1]))
        for (const value of [0.05, 0.5, 5]) yield* Metric.update(Metric.tagged(histogram, "1 odd-label", "x"), value)
        const summary = Metric.summary({
          name: "test_summary",
          maxAge: "1 hour",
          maxSize: 10,
          error: 0.01,
          quantiles: [0.5]
        })
        yield* Metric.update(summary, 3)

        const samples = yield* scrape
        assert.strictEqual(samples.get('test_count_total{of="a\\"b\\\\c\\nd{}=,"}'), 1)
        assert.strictEqual(samples.get("test_big_total{}"), 12)
        assert.strictEqual(samples.get("test_gauge{}"), -1.5)
        assert.strictEqual(samples.get('test_frequency{key="one"}'), 1)
        assert.strictEqual(samples.get('test_seconds_bucket{_1_odd_label="x",le="0.1"}'), 1)
        assert.strictEqual(samples.get('test_seconds_bucket{_1_odd_label="x",le="1"}'), 2)
        assert.strictEqual(samples.get('test_seconds_bucket{_1_odd_label="x",le="+Inf"}'), 3)
        assert.strictEqual(samples.get('test_seconds_count{_1_odd_label="x"}'), 3)
        assert.strictEqual(samples.get('test_seconds_sum{_1_odd_label="x"}'), 5.55)
        assert.strictEqual(samples.get('test_summary{quantile="0.5"}'), 3)
      })
    )
  )

  it.live("count requests by route, not by path", () =>
    served(
      () => {},
      Effect.gen(function* () {
        yield* ask("/api/v1/markets/polymarket:a")
        yield* ask("/api/v1/markets/polymarket:unheard-of")
        yield* ask("/nowhere")
        const names = [...(yield* scrape).keys()].filter((name) =>
          name.startsWith("parallax_http_request_seconds_count")
        )
        assert.include(names, 'parallax_http_request_seconds_count{route="/api/v1/markets/:id",status="200"}')
        assert.include(names, 'parallax_http_request_seconds_count{route="/api/v1/markets/:id",status="404"}')
        assert.include(names, 'parallax_http_request_seconds_count{route="other",status="404"}')
        assert.isFalse(names.some((name) => name.includes("polymarket")))
      })
    )
  )
})
