/** How much one process takes at once. */
import { type Candidate, bare, floor, parallax, peers, taped } from "../Candidates.ts"
import { type Heat, burst, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { median, short, spread, spreadText } from "../Statistics.ts"
import { DEPTH } from "./Cpu.ts"

const TOKENS = 500
const FRAMES = 150_000
const BAR = 100_000

const speed = ({ sent, taken }: Heat): number => sent.frames / (taken.millis / 1000)

const run = async (bench: Bench): Promise<Finding> => {
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const frames = bench.quick ? 40_000 : FRAMES
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: frames })
  const results = [bare, floor, parallax, taped, ...peers]
    .filter(({ name }) => bench.candidates === undefined || bench.candidates.includes(name))
    .map((candidate): { candidate: Candidate; heats: Array<Heat> } => ({ candidate, heats: [] }))
  try {
    for (let round = 0; round < bench.rounds; round++) {
      for (let i = 0; i < results.length; i++) {
        const { candidate, heats } = results[(i + round) % results.length]!
        const heat = await burst(candidate, sender, { listing }, frames)
        heats.push(heat)
        bench.say(
          `bursts ${round + 1}/${bench.rounds} ${candidate.name.padEnd(16)} ${short(speed(heat))} /s, ` +
            `${heat.taken.updates} updates, ${heat.wrong ?? "–"} wrong books`
        )
      }
    }
  } finally {
    await sender.dispose()
  }
  const ours = results.find(({ candidate }) => candidate === parallax)?.heats
  const base = results.find(({ candidate }) => candidate === floor)?.heats
  const whole = ours?.every(({ sent, taken, wrong }) => taken.updates === sent.frames && wrong === 0) ?? false
  return {
    rounds: bench.rounds,
    goals:
      ours === undefined
        ? []
        : [
            {
              goal: "throughput of one process in bursts, no wrong book, every update seen",
              bar: `≥ ${BAR.toLocaleString("en-US")} messages/s`,
              measured: `${spreadText(spread(ours.map(speed)))} messages/s, ${whole ? "every update seen, no wrong book" : "**not every update seen, or a wrong book**"}`,
              holds: whole && median(ours.map(speed)) >= BAR,
              ...(base === undefined
                ? {}
                : {
                    obstacle: `the floor itself took ${spreadText(spread(base.map(speed)))} messages/s on this machine`
                  })
            }
          ],
    tables: [
      {
        title: `A burst of ${frames.toLocaleString("en-US")} messages`,
        head: [
          "Candidate",
          "Messages/s (min–max)",
          "Messages per second of CPU",
          "Updates seen",
          "Wrong books",
          "Resident memory after it"
        ],
        rows: results.map(({ candidate, heats }) => [
          candidate.title,
          spreadText(spread(heats.map(speed))),
          short(median(heats.map(({ sent, taken }) => sent.frames / taken.cpu))),
          `${short(Math.min(...heats.map(({ sent, taken }) => (100 * taken.updates) / sent.frames)))} %`,
          candidate.keepsBooks ? String(Math.max(...heats.map(({ wrong }) => wrong ?? 0))) : "keeps none",
          `${short(median(heats.map(({ memory }) => memory.resident / 2 ** 20)))} MiB`
        ])
      }
    ],
    plots: [
      {
        kind: "bars",
        file: "bursts",
        title: "Messages per second in a burst",
        unit: "thousand messages/s",
        bars: results.map(({ candidate, heats }) => {
          const { max, median, min } = spread(heats.map((heat) => speed(heat) / 1000))
          return { name: candidate.name, value: median, min, max }
        })
      }
    ],
    remarks: [],
    data: results.map(({ candidate, heats }) => ({ name: candidate.name, perSecond: heats.map(speed) }))
  }
}

export const bursts: Measure = {
  name: "bursts",
  title: "Bursts",
  how:
    "All frames at once, in writes of 64 KB, to a process that was just started; the time from the first frame to the last " +
    "update that the candidate's user sees. “Seen” is what that user was told of, against the changes that were sent; the books " +
    "are compared with the generator's own at the end.",
  run
}
