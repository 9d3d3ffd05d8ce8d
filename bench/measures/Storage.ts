/** How many ticks are stored for good, second after second. */
import type { Candidate } from "../Candidates.ts"
import { type Paced, paced, startSender } from "../Contest.ts"
import type { Bench, Finding, Goal, Measure } from "../Measure.ts"
import { short } from "../Statistics.ts"
import { DEPTH } from "./Cpu.ts"
import * as Databases from "./Databases.ts"

const TOKENS = 500
const RATE = 20_000
/** What may still wait when the last frame was sent, in seconds' worth of it. */
const REST = 2

interface Kept {
  readonly candidate: Candidate
  readonly run: Paced
  /** Changes that lie in the database by its own count. */
  readonly counted: number | undefined
}

const perSecond = ({ run: { sent, taken } }: Kept): number => sent.frames / (taken.millis / 1000)

const holds = ({ counted, run }: Kept): boolean =>
  run.taken.millis <= run.sent.millis + REST * 1000 &&
  run.wrong === 0 &&
  run.facts["lost"] === 0 &&
  (counted === undefined || counted === run.sent.frames)

const run = async (bench: Bench): Promise<Finding> => {
  const millis = bench.quick ? 10_000 : 60_000
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: (RATE * millis) / 1000 })
  const server = await Databases.postgres(bench)
  const kept: Array<Kept> = []
  try {
    for (const candidate of [server?.candidate(), Databases.embedded]) {
      if (candidate === undefined) continue
      const run = await paced(candidate, sender, { listing }, { rate: RATE, millis, isTimed: false })
      const counted = candidate === Databases.embedded ? undefined : await server?.count()
      kept.push({ candidate, run, counted })
      bench.say(
        `storage ${candidate.name}: ${short(perSecond(kept.at(-1)!))} ticks/s, all stored ${short((run.taken.millis - run.sent.millis) / 1000)} s ` +
          `after the last, ${short(run.taken.cpu)} s CPU, ${counted ?? "–"} counted, ${JSON.stringify(run.facts)}`
      )
    }
  } finally {
    await sender.dispose()
    await server?.dispose()
  }
  const seconds = millis / 1000
  const goalOf = (one: Kept, where: string): Goal => ({
    goal: `storage sustained for ${seconds} s into ${where}`,
    bar: `≥ ${RATE.toLocaleString("en-US")} ticks/s`,
    measured:
      `${RATE.toLocaleString("en-US")} ticks/s offered, ${one.run.facts["lost"]} lost, the last stored ` +
      `${short((one.run.taken.millis - one.run.sent.millis) / 1000)} s after it came (${short(perSecond(one))} ticks/s with that)`,
    holds: holds(one) && seconds >= 60,
    obstacle: `the collector took ${short(one.run.taken.cpu / seconds)} CPUs of this machine's, beside the database and the sender`
  })
  return {
    rounds: 1,
    goals: kept.map((one) =>
      goalOf(one, one.candidate === Databases.embedded ? "the embedded database" : "PostgreSQL with fsync on")
    ),
    tables: [
      {
        title: `${RATE.toLocaleString("en-US")} ticks/s for ${seconds} s`,
        head: [
          "Database",
          "Ticks/s stored",
          "Rows",
          "Lost",
          "Last stored after",
          "CPU of the collector",
          "Wrong books"
        ],
        rows: kept.map((one) => [
          one.candidate === Databases.embedded ? "embedded (PGlite, in the process)" : "PostgreSQL, fsync on",
          short(perSecond(one)),
          Number(one.run.facts["stored"]).toLocaleString("en-US"),
          String(one.run.facts["lost"]),
          `${short((one.run.taken.millis - one.run.sent.millis) / 1000)} s`,
          `${short(one.run.taken.cpu / (one.run.taken.millis / 1000))} CPUs`,
          String(one.run.wrong)
        ])
      }
    ],
    plots: [],
    remarks: [
      "A tick is one change of one book. Rows are more: a best quote that changed is a row of its own. Where the database takes less than is offered, the rest waits on the tape, and the time until all is stored counts."
    ],
    data: kept.map(({ candidate, counted, run: { facts, sent, taken } }) => ({
      name: candidate.name,
      counted,
      facts,
      sentMillis: sent.millis,
      storedMillis: taken.millis,
      cpu: taken.cpu
    }))
  }
}

export const storage: Measure = {
  name: "storage",
  title: "Storage",
  how:
    "The second process writes 20,000 frames a second; the collector verifies, tapes and stores them. It is done when the writer says that all is " +
    "committed, and the server is asked how many changes it has. The server commits with `fsync` and `synchronous_commit` on; the embedded database keeps its own defaults.",
  run
}
