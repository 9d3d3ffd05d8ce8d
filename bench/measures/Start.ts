/** How long it takes until very many books are live, and what that does to everything else in the process. */
import * as LoopDelay from "../candidates/LoopDelay.ts"
import { parallax } from "../Candidates.ts"
import { startReceiver, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { median, short, spread, spreadText } from "../Statistics.ts"
import type { Memory } from "../workload/Messages.ts"
import { DEPTH } from "./Cpu.ts"

const PER_CONNECTION = 200
const SECONDS_BAR = 30
const DELAY_BAR = 100
/** It is asked for no more often than this many times: it is long. */
const MOST_ROUNDS = 3

interface Started {
  readonly seconds: number
  readonly p99: number
  readonly max: number
  /** The 99th percentile of a process that does nothing, at the same time: what the machine adds. */
  readonly idle: number
  readonly resident: number
}

const run = async (bench: Bench): Promise<Finding> => {
  const tokens = bench.quick ? 4_000 : 20_000
  const listing = { seed: bench.seed, tokens, entries: "both" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: 1 })
  const starts: Array<Started> = []
  try {
    for (let round = 0; round < Math.min(bench.rounds, MOST_ROUNDS); round++) {
      const idle = LoopDelay.watch()
      const receiver = await startReceiver(parallax, sender, { listing, extra: { perConnection: PER_CONNECTION } })
      const { loopP99 } = idle()
      const facts = await receiver.ask<Record<string, number>>({ do: "facts" })
      const { resident } = await receiver.ask<Memory>({ do: "memory", collect: false })
      await receiver.dispose()
      starts.push({
        seconds: facts["readyMillis"]! / 1000,
        p99: facts["loopP99"]!,
        max: facts["loopMax"]!,
        idle: loopP99,
        resident: resident / 2 ** 20
      })
      bench.say(`start ${round + 1}: ${JSON.stringify(starts.at(-1))}, ${facts["live"]} live`)
    }
  } finally {
    await sender.dispose()
  }
  const seconds = starts.map(({ seconds }) => seconds)
  const p99 = starts.map(({ p99 }) => p99)
  return {
    rounds: starts.length,
    goals: [
      {
        goal: `start with ${tokens.toLocaleString("en-US")} tokens`,
        bar: `all live ≤ ${SECONDS_BAR} s, event-loop delay p99 ≤ ${DELAY_BAR} ms`,
        measured: `all live after ${spreadText(spread(seconds))} s, delay p99 ${spreadText(spread(p99))} ms (a process that does nothing: ${spreadText(spread(starts.map(({ idle }) => idle)))})`,
        holds: median(seconds) <= SECONDS_BAR && median(p99) <= DELAY_BAR,
        obstacle: `${tokens / PER_CONNECTION} connections with at least 100 ms between two handshakes, which the venue's limits ask for; and a dump of 100 books is read in one piece`
      }
    ],
    tables: [
      {
        title: "From the start of the process to the last book",
        head: [
          "Books",
          "Connections",
          "Seconds (min–max)",
          "Event-loop delay p99, ms",
          "Worst, ms",
          "Resident memory, MB"
        ],
        rows: [
          [
            tokens.toLocaleString("en-US"),
            String(tokens / PER_CONNECTION),
            spreadText(spread(seconds)),
            spreadText(spread(p99)),
            spreadText(spread(starts.map(({ max }) => max))),
            short(median(starts.map(({ resident }) => resident)))
          ]
        ]
      }
    ],
    plots: [],
    remarks: [
      "The market list is given to it: paging through a venue's REST takes as long as the venue's quotas say, and is left out."
    ],
    data: starts
  }
}

export const start: Measure = {
  name: "start",
  title: "Start",
  how:
    "A process is started with so many tokens to watch, two to a market, and 200 to a connection, as by default. The time runs from the start of the " +
    "process until its last book is live: built from the venue's dump, and verified. The event loop's delay is sampled every 10 ms over that time.",
  run
}
