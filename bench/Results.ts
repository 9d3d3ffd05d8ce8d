/** `bench/results.json`: what each measurement came to when it last ran, so that a run of some renews those alone. */
import { readFile, writeFile } from "node:fs/promises"
import type { Finding } from "./Measure.ts"
import { inRoot } from "./Root.ts"

export interface Result {
  /** RFC 3339, to the minute. */
  readonly at: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  /** Processes that wanted a CPU in the minute before, by the machine's own reckoning: what others were doing. */
  readonly load: number
  readonly quick: boolean
  readonly seed: number
  readonly finding: Finding
}

/** By the measurement's name. */
export type Results = Readonly<Record<string, Result>>

const PATH = inRoot("bench/results.json")

export const read = async (): Promise<Results> => JSON.parse(await readFile(PATH, "utf8").catch(() => "{}")) as Results

export const write = async (results: Results): Promise<void> => writeFile(PATH, `${JSON.stringify(results, null, 1)}\n`)
