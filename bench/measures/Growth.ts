/** How the cost grows with what is asked for: more books, more messages. */
import { floor, parallax } from "../Candidates.ts"
import { burst, paced, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { median, short, slope } from "../Statistics.ts"
import { DEPTH } from "./Cpu.ts"

const MOST_ROUNDS = 3
const WATCHED = [floor, parallax]

type Points = Map<string, Array<readonly [x: number, y: number]>>

const add = (points: Points, name: string, x: number, values: ReadonlyArray<number>): void => {
  points.set(name, [...(points.get(name) ?? []), [x, median(values)] as const])
}

const run = async (bench: Bench): Promise<Finding> => {
  const rounds = Math.min(bench.rounds, MOST_ROUNDS)
  const counts = bench.quick ? [50, 500, 2_000] : [50, 200, 500, 2_000, 5_000, 20_000]
  const frames = bench.quick ? 30_000 : 100_000
  const byCount: Points = new Map()
  for (const tokens of counts) {
    const listing = { seed: bench.seed, tokens, entries: "one" } as const
    const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: frames })
    try {
      for (const candidate of WATCHED) {
        const costs: Array<number> = []
        for (let round = 0; round < rounds; round++) {
          const { taken } = await burst(candidate, sender, { listing }, frames)
          costs.push((taken.cpu / frames) * 1e6)
        }
        add(byCount, candidate.name, tokens, costs)
        bench.say(`growth ${tokens} tokens ${candidate.name}: ${short(median(costs))} s per million`)
      }
    } finally {
      await sender.dispose()
    }
  }
  const rates = bench.quick ? [1_000, 5_000, 10_000] : [1_000, 2_500, 5_000, 10_000, 20_000, 40_000]
  const millis = bench.quick ? 3_000 : 6_000
  const byRate: Points = new Map()
  const listing = { seed: bench.seed, tokens: 500, entries: "one" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: (Math.max(...rates) * millis) / 1000 })
  try {
    for (const rate of rates) {
      for (const candidate of WATCHED) {
        const shares: Array<number> = []
        for (let round = 0; round < rounds; round++) {
          const { sent, taken } = await paced(candidate, sender, { listing }, { rate, millis, isTimed: false })
          shares.push((100 * taken.cpu) / (Math.max(sent.millis, taken.millis) / 1000))
        }
        add(byRate, candidate.name, rate, shares)
        bench.say(`growth ${rate} /s ${candidate.name}: ${short(median(shares))} % of one core`)
      }
    }
  } finally {
    await sender.dispose()
  }
  const series = (points: Points) => Array.from(points, ([name, points]) => ({ name, points }))
  const [first, last] = [byCount.get("parallax")![0]!, byCount.get("parallax")!.at(-1)!]
  const line = byRate.get("parallax")!
  const each = slope(line) * 10_000
  return {
    rounds,
    goals: [],
    tables: [],
    plots: [
      {
        kind: "lines",
        file: "growth-books",
        title: "CPU per message by the number of books",
        x: { name: "books", log: true },
        y: { name: "CPU s per million messages" },
        series: series(byCount)
      },
      {
        kind: "lines",
        file: "growth-rate",
        title: "CPU by the rate of messages",
        x: { name: "messages/s" },
        y: { name: "% of one core" },
        series: series(byRate)
      }
    ],
    remarks: [
      `With ${last[0].toLocaleString("en-US")} books a message costs ${short(last[1] / first[1])} times what it costs with ${first[0]}: ` +
        "what is done for a message does not depend on how many books there are, but more of them fit no cache of the processor; and every 500 need a connection of their own.",
      `By the line with the least squares, a message at a steady rate costs ${short(each)} µs. A steady trickle comes in many small reads, each with its own wake-up, ` +
        "which is why the line begins above nothing and is steepest where the rate is low; a burst shares them. Beyond 100 % the process is behind."
    ],
    data: { byCount: Object.fromEntries(byCount), byRate: Object.fromEntries(byRate) }
  }
}

export const growth: Measure = {
  name: "growth",
  title: "Growth",
  how: "The cost of a message in a burst over ever more books, and the CPU that the process takes at ever higher steady rates over 500 books; beside the floor, which keeps no books.",
  run
}
