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
const ROUNDS = 7
/** Milliseconds after which no further round begins, if there were enough. */
const TIME = 70_000
const ENOUGH = 3

/** The bar lies this far above the greatest of the calibration's ratios: other machines, other noise. */
const MARGIN = 1.2

interface Limit {
  /** The median of the calibration's runs, and their range. */
  readonly median: number
  readonly min: number
  readonly max: number
  /** What must not be exceeded. */
  readonly bar: number
}
interface Limits {
  readonly at: string
  readonly machine: string
  readonly runs: number
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
        if (taken.updates !== FRAMES)
          throw new Error(`${candidate.name}: ${taken.updates} of ${FRAMES} updates were seen`)
        if ((wrong ?? 0) > 0) throw new Error(`${candidate.name}: ${wrong} books are wrong`)
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

/** Not the very least, which may be a stroke of luck. */
const LEAST = 0.2

/** Whether nothing has become dearer than it may be. */
export const run = async (seed: number, say: (text: string) => void): Promise<boolean> => {
  const { limits } = JSON.parse(await readFile(PATH, "utf8")) as Limits
  let holds = true
  for (const [name, ratio] of await measure(seed, say)) {
    const limit = limits[name]
    if (limit === undefined) throw new Error(`no bar for ${name} in bench/guard.json`)
    if (ratio <= limit.bar) say(`${name}: holds, at most ${short(limit.bar)} × the floor`)
    else {
      holds = false
      say(
        `${name}: a message costs ${short(ratio)} × the floor, more than the bar of ${short(limit.bar)} ` +
          `(it was ${short(limit.median)} when the bar was set, on ${limits === undefined ? "" : "bench/guard.json's machine"}). ` +
          "Find what became dearer with a profile (docs/profiling.md); if it is meant to be, set the bar anew with --calibrate."
      )
    }
  }
  return holds
}

/** Runs the guard so many times, and sets the bars by what came of it. */
export const calibrate = async (runs: number, seed: number, say: (text: string) => void): Promise<void> => {
  const seen = new Map<string, Array<number>>()
  for (let i = 0; i < runs; i++) {
    for (const [name, ratio] of await measure(seed, say)) seen.set(name, [...(seen.get(name) ?? []), ratio])
  }
  const limits = Object.fromEntries(
    Array.from(seen, ([name, ratios]): [string, Limit] => {
      const max = Math.max(...ratios)
      const round = (value: number) => Math.round(value * 100) / 100
      return [
        name,
        { median: round(median(ratios)), min: round(Math.min(...ratios)), max: round(max), bar: round(max * MARGIN) }
      ]
    })
  )
  const all: Limits = { at: new Date().toISOString().slice(0, 10), machine: Machine.machine(), runs, limits }
  await writeFile(PATH, `${JSON.stringify(all, null, 2)}\n`)
  say(JSON.stringify(limits))
}
