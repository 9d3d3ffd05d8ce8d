/** Plots as SVG, drawn by ECharts without a browser. */
import { importPackage } from "./candidates/Peer.ts"
import type { Plot } from "./Measure.ts"

interface Chart {
  readonly setOption: (option: object) => void
  readonly renderToSVGString: () => string
  readonly dispose: () => void
}
interface ECharts {
  readonly init: (
    element: null,
    theme: null,
    options: { readonly renderer: "svg"; readonly ssr: true; readonly width: number; readonly height: number }
  ) => Chart
}

const WIDTH = 760
const HEIGHT = 400
const ROW = 34
const OURS = "#1f6feb"
const OTHERS = "#9aa4b2"

const isOurs = (name: string): boolean => ["parallax", "taped", "postgres", "embedded"].includes(name)

/** What a custom series is given to draw a range with. */
interface Drawing {
  readonly value: (index: number) => number
  readonly coord: (point: readonly [number, number]) => readonly [number, number]
}

const bars = ({ bars, title, unit }: Extract<Plot, { kind: "bars" }>) => ({
  height: 110 + bars.length * ROW,
  option: {
    animation: false,
    title: { text: title, left: "center", textStyle: { fontSize: 14 } },
    grid: { left: 130, right: 60, top: 44, bottom: 46 },
    xAxis: { type: "value", name: unit, nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "category", inverse: true, data: bars.map(({ name }) => name) },
    series: [
      {
        type: "bar",
        barWidth: 18,
        data: bars.map(({ name, value }) => ({ value, itemStyle: { color: isOurs(name) ? OURS : OTHERS } })),
        label: {
          show: true,
          position: "right",
          distance: 12,
          formatter: ({ value }: { value: number }) => value.toFixed(2)
        }
      },
      {
        type: "custom",
        data: bars.map(({ max, min }, i) => [i, min, max]),
        encode: { x: [1, 2], y: 0 },
        renderItem: (_: unknown, { coord, value }: Drawing) => {
          const [x1, y] = coord([value(1), value(0)])
          const [x2] = coord([value(2), value(0)])
          return { type: "line", shape: { x1, x2, y1: y, y2: y }, style: { stroke: "#24292f", lineWidth: 2 } }
        }
      }
    ]
  }
})

const lines = ({ series, title, x, y }: Extract<Plot, { kind: "lines" }>) => ({
  height: HEIGHT,
  option: {
    animation: false,
    title: { text: title, left: "center", textStyle: { fontSize: 14 } },
    legend: { top: 32, data: series.map(({ name }) => name) },
    grid: { left: 80, right: 40, top: 72, bottom: 56 },
    xAxis: { type: x.log === true ? "log" : "value", name: x.name, nameLocation: "middle", nameGap: 32, scale: true },
    yAxis: { type: y.log === true ? "log" : "value", name: y.name, nameLocation: "middle", nameGap: 54 },
    series: series.map(({ name, points }) => ({
      type: "line",
      name,
      data: points,
      showSymbol: points.length < 50,
      symbolSize: 7,
      ...(isOurs(name) ? { lineStyle: { width: 3, color: OURS }, itemStyle: { color: OURS } } : {})
    }))
  }
})

export const draw = async (plots: ReadonlyArray<Plot>): Promise<ReadonlyMap<string, string>> => {
  const echarts = await importPackage<ECharts>("echarts/index.js")
  return new Map(
    plots.map((plot) => {
      const { height, option } = plot.kind === "bars" ? bars(plot) : lines(plot)
      const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height })
      chart.setOption({ backgroundColor: "#ffffff", ...option })
      const svg = chart.renderToSVGString()
      chart.dispose()
      return [plot.file, svg]
    })
  )
}
