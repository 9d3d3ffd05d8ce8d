/**
 * The regression guard: the product against the floor, as a ratio, so that it holds on any machine. What it may cost stands
 * in `bench/guard.json`, which `--calibrate` writes from runs of the guard itself.
 */
import { readFile, writeFile } from "node:fs/promises"
import { type Candidate, floor, parallax, taped } from "./Candidates.ts"
import { burst, startSender } from "./Contest.ts"
import * as Machine from "./Machine.ts"
import { inRoot } from "./Root.ts"
import { median, quantile, short } from "./Statistics.ts"

const PATH = inRoot("bench/guard.json")
const TOKENS = 500
const DEPTH = 40
const FRAMES = 60_000
const ROUNDS = 5
/** Milliseconds after which no further round begins, if there were enough. */
const TIME = 60_000
const ENOUGH = 3

/** The bar lies this far above the greatest ratio of the calibration: other machines make other noise. */
const MARGIN = 1.2

/** The share of rounds that are better than what counts: not the very least, which may be a stroke of luck. */
const LEAST = 0.2

interface Limit {
  /** One for each run of the calibration. */
  readonly ratios: ReadonlyArray<number>
  readonly median: number
  /** What must not be exceeded. */
  readonly bar: number
}
interface Limits {
  readonly at: string
  readonly machine: string
  /** By candidate. */
  readonly limits: Readonly<Record<string, Limit>>
}

const guarded: ReadonlyArray<Candidate> = [parallax, taped]

/** The least that each candidate took, against the least that the floor took: noise only ever adds. */
const measure = async (seed: number, say: (text: string) => void): Promise<ReadonlyMap<string, number>> => {
  const listing = { seed, tokens: TOKENS, entries: "one" } as const
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: FRAMES })
  const start = performance.now()
  const costs = new Map<string, Array<number>>()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      if (round >= ENOUGH && performance.now() - start > TIME) break
      for (const candidate of [floor, ...guarded]) {
        const { taken, wrong } = await burst(candidate, sender, { listing }, FRAMES)
        if (taken.updates !== FRAMES || (wrong ?? 0) > 0) {
          throw new Error(
            `${candidate.name}: ${taken.updates} of ${FRAMES} updates were seen, ${wrong} books are wrong`
          )
        }
        costs.set(candidate.name, [...(costs.get(candidate.name) ?? []), taken.cpu])
      }
    }
  } finally {
    await sender.dispose()
  }
  const least = (name: string) => quantile(costs.get(name) ?? [], LEAST)
  const ratios = new Map(guarded.map(({ name }) => [name, least(name) / least(floor.name)]))
  for (const [name, ratio] of ratios) {
    const pairs = costs.get(name)!.map((cost, i) => cost / costs.get(floor.name)![i]!)
    say(
      `${name.padEnd(9)} ${short(ratio)} × the floor (median of pairs ${short(median(pairs))}), ${pairs.length} rounds`
    )
  }
  return ratios
}

/** Whether nothing has become dearer than it may be. */
export const run = async (seed: number, say: (text: string) => void): Promise<boolean> => {
  const { at, limits, machine } = JSON.parse(await readFile(PATH, "utf8")) as Limits
  let holds = true
  for (const [name, ratio] of await measure(seed, say)) {
    const limit = limits[name]
    if (limit === undefined) throw new Error(`no bar for ${name} in bench/guard.json`)
    const { bar, median: usual } = limit
    if (ratio <= bar) say(`${name}: holds, at most ${short(bar)} × the floor`)
    else {
      holds = false
      say(
        `${name}: a message costs ${short(ratio)} × the floor, more than the bar of ${short(bar)}. It cost ${short(usual)} × ` +
          `when the bar was set (${at}, ${machine}). A profile shows what became dearer (docs/profiling.md); if that is ` +
          "meant to be, remove bench/guard.json and set the bars anew with --calibrate 10."
      )
    }
  }
  return holds
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000

/** Runs the guard so many times more, and sets the bars by all runs so far. */
export const calibrate = async (runs: number, seed: number, say: (text: string) => void): Promise<void> => {
  const before = await readFile(PATH, "utf8").then(
    (text) => (JSON.parse(text) as Limits).limits,
    () => ({}) as Limits["limits"]
  )
  const seen = new Map(guarded.map(({ name }) => [name, [...(before[name]?.ratios ?? [])]]))
  for (let i = 0; i < runs; i++) {
    for (const [name, ratio] of await measure(seed, say)) seen.get(name)!.push(rounded(ratio))
  }
  const limits = Object.fromEntries(
    Array.from(seen, ([name, ratios]): [string, Limit] => [
      name,
      { ratios, median: rounded(median(ratios)), bar: rounded(Math.max(...ratios) * MARGIN) }
    ])
  )
  const all: Limits = { at: new Date().toISOString().slice(0, 10), machine: Machine.machine(), limits }
  await writeFile(PATH, `${JSON.stringify(all, null, 2)}\n`)
  for (const [name, { bar, median, ratios }] of Object.entries(limits)) {
    say(`${name}: ${short(median)} × the floor in the median of ${ratios.length} runs; bar ${short(bar)}`)
  }
}
