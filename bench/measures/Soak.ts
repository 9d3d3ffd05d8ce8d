/** Whether memory grows as time goes on. */
import { taped } from "../Candidates.ts"
import { judge, startReceiver, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { short, slope } from "../Statistics.ts"
import type { Memory, Sent, Taken } from "../workload/Messages.ts"
import { DEPTH } from "./Cpu.ts"
import * as Databases from "./Databases.ts"

const TOKENS = 500
const RATE = 5_000
const BAR = 1
const GOAL_MINUTES = 30
const SAMPLE_MILLIS = 5_000
/** The part of the time in which the heap finds its size. */
const WARM_UP = 1 / 3
const MEGABYTE = 2 ** 20

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const run = async (bench: Bench): Promise<Finding> => {
  const millis = bench.soakMillis
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: 0 })
  const server = await Databases.postgres(bench)
  const candidate = server?.candidate() ?? taped
  const receiver = await startReceiver(candidate, sender, { listing })
  const samples: Array<readonly [minutes: number, resident: number, heap: number]> = []
  try {
    await receiver.ask({ do: "begin" })
    const start = performance.now()
    const sending = sender.ask<Sent>({ do: "pace", rate: RATE, millis })
    while (performance.now() - start < millis) {
      await Promise.race([sleep(SAMPLE_MILLIS), sending])
      const { heap, resident } = await receiver.ask<Memory>({ do: "memory", collect: false })
      samples.push([(performance.now() - start) / 60_000, resident / MEGABYTE, heap / MEGABYTE])
    }
    const { frames } = await sending
    const taken = await receiver.ask<Taken>({ do: "await", updates: frames, patience: 5_000 })
    const { facts, wrong } = await judge(candidate, sender, receiver)
    const collected = await receiver.ask<Memory>({ do: "memory", collect: true })
    const minutes = millis / 60_000
    const after = samples.filter(([at]) => at > minutes * WARM_UP)
    const growth = slope(after.map(([at, resident]) => [at, resident] as const))
    const isShort = minutes < GOAL_MINUTES
    bench.say(
      `soak: ${short(growth)} MB a minute, ${taken.updates} of ${frames} updates, ${wrong} wrong, ${JSON.stringify(facts)}`
    )
    return {
      rounds: 1,
      goals: [
        {
          goal: `soak at ${RATE.toLocaleString("en-US")} messages/s: growth of resident memory after warm-up`,
          bar: `≤ ${BAR} MB/min over ${GOAL_MINUTES} min`,
          measured: `${short(growth)} MB/min over ${short(minutes)} min${isShort ? " (**short form**)" : ""}, ${taken.updates === frames ? "every update seen" : "**updates missing**"}, ${wrong} wrong books`,
          holds: growth <= BAR && taken.updates === frames && wrong === 0,
          ...(isShort
            ? {
                obstacle:
                  "in so short a time the heap has not found its size yet; `--soak-minutes 30` is what the goal means"
              }
            : {})
        }
      ],
      tables: [],
      plots: [
        {
          kind: "lines",
          file: "soak",
          title: `Memory at ${RATE.toLocaleString("en-US")} messages/s`,
          x: { name: "minutes" },
          y: { name: "MB" },
          series: [
            { name: "resident", points: samples.map(([at, resident]) => [at, resident] as const) },
            { name: "heap in use", points: samples.map(([at, , heap]) => [at, heap] as const) }
          ]
        }
      ],
      remarks: [
        `Rows went ${server === undefined ? "nowhere, after they were encoded" : "into PostgreSQL"}, inputs onto the tape. ` +
          `After a last garbage collection: heap ${short(collected.heap / MEGABYTE)} MB, resident ${short(collected.resident / MEGABYTE)} MB. ` +
          `CPU of the collector: ${short((100 * taken.cpu) / (taken.millis / 1000))} % of one core.`
      ],
      data: { growth, facts, cpu: taken.cpu }
    }
  } finally {
    await receiver.ask({ do: "stop" }).catch(() => {})
    await receiver.dispose()
    await sender.dispose()
    await server?.dispose()
  }
}

export const soak: Measure = {
  name: "soak",
  title: "Soak",
  how:
    "5,000 messages a second for as long as `--soak-minutes` says, 3 by default; the goal means 30. Resident memory is read every " +
    "five seconds; its growth is the slope of the line with the least squares through what comes after the first third.",
  run
}
