/** How long a change takes from the venue's socket to whoever waits for it. */
import { type Candidate, bare, floor, parallax, peers, taped } from "../Candidates.ts"
import { paced, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { quantile, short, spread, spreadText } from "../Statistics.ts"
import { DEPTH } from "./Cpu.ts"

const TOKENS = 500
const RATE = 10_000
const P50_BAR = 0.4
const P99_BAR = 5
/** The first frames meet code that is not compiled yet. */
const WARM_UP_MILLIS = 3_000

interface Result {
  readonly candidate: Candidate
  readonly p50: Array<number>
  readonly p99: Array<number>
  readonly p999: Array<number>
  readonly worst: Array<number>
  /** Share of the frames that had an effect of their own. */
  readonly seen: Array<number>
  readonly wrong: Array<number | undefined>
}

const run = async (bench: Bench): Promise<Finding> => {
  const millis = bench.quick ? 6_000 : 12_000
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: (RATE * millis) / 1000 })
  const results = [bare, floor, parallax, taped, ...peers]
    .filter(({ name }) => bench.candidates === undefined || bench.candidates.includes(name))
    .map((candidate): Result => ({ candidate, p50: [], p99: [], p999: [], worst: [], seen: [], wrong: [] }))
  try {
    for (let round = 0; round < bench.rounds; round++) {
      for (let i = 0; i < results.length; i++) {
        const result = results[(i + round) % results.length]!
        const { delays, wrong } = await paced(
          result.candidate,
          sender,
          { listing },
          { rate: RATE, millis, isTimed: true }
        )
        const warm = delays.subarray((RATE * WARM_UP_MILLIS) / 1000)
        const known = warm.filter((delay) => !Number.isNaN(delay))
        result.p50.push(quantile(known, 0.5))
        result.p99.push(quantile(known, 0.99))
        result.p999.push(quantile(known, 0.999))
        result.worst.push(quantile(known, 1))
        result.seen.push(known.length / warm.length)
        result.wrong.push(wrong)
        bench.say(
          `latency ${round + 1}/${bench.rounds} ${result.candidate.name.padEnd(16)} p50 ${short(result.p50.at(-1)!)} ms, ` +
            `p99 ${short(result.p99.at(-1)!)} ms, ${short(100 * result.seen.at(-1)!)} % seen, ${wrong ?? "–"} wrong books`
        )
      }
    }
  } finally {
    await sender.dispose()
  }
  const ours = results.find(({ candidate }) => candidate === parallax)
  const base = results.find(({ candidate }) => candidate === floor)
  const [p50, p99] = [spread(ours?.p50 ?? []), spread(ours?.p99 ?? [])]
  return {
    rounds: bench.rounds,
    goals:
      ours === undefined
        ? []
        : [
            {
              goal: "latency at a paced 10,000 messages/s, send to book applied",
              bar: `p50 ≤ ${P50_BAR} ms, p99 ≤ ${P99_BAR} ms`,
              measured: `p50 ${spreadText(p50)}, p99 ${spreadText(p99)} ms`,
              holds: p50.median <= P50_BAR && p99.median <= P99_BAR,
              obstacle:
                base === undefined
                  ? "the machine's own load"
                  : `in the same rounds the floor, which keeps no book, had p50 ${spreadText(spread(base.p50))} and p99 ${spreadText(spread(base.p99))} ms`
            }
          ],
    tables: [
      {
        title: `Milliseconds from sending to effect, at ${RATE.toLocaleString("en-US")} messages/s`,
        head: ["Candidate", "p50 (min–max)", "p99", "p99.9", "Worst", "Frames with an effect", "Wrong books"],
        rows: results.map(({ candidate, p50, p99, p999, seen, worst, wrong }) => [
          candidate.title,
          spreadText(spread(p50)),
          spreadText(spread(p99)),
          spreadText(spread(p999)),
          spreadText(spread(worst)),
          `${short(100 * Math.min(...seen))} %`,
          candidate.keepsBooks ? String(Math.max(...wrong.map((one) => one ?? 0))) : "keeps none"
        ])
      }
    ],
    plots: [
      {
        kind: "bars",
        file: "latency",
        title: "99th percentile from sending to effect",
        unit: "ms",
        bars: results.map(({ candidate, p99 }) => {
          const { max, median, min } = spread(p99)
          return { name: candidate.name, value: median, min, max }
        })
      }
    ],
    remarks: [],
    data: results.map(({ candidate, ...rest }) => ({ name: candidate.name, ...rest }))
  }
}

export const latency: Measure = {
  name: "latency",
  title: "Latency",
  how:
    "The second process writes 10,000 frames a second, those that are due every millisecond, and notes when, on the clock that all " +
    "processes of a machine share. The receiver notes when the change has had its effect: for Parallax, when a listener of " +
    "the bus hears of it, after the book was changed and verified; for a peer, when its user is told. The first three seconds do not count.",
  run
}
