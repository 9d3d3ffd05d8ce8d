/** One fault: what it is, how it is brought about, what is promised, and how that is measured. */
import type { World, WorldOptions } from "./World.ts"

/** One thing that the promise says, and whether it held. */
export interface Check {
  readonly what: string
  readonly ok: boolean
  readonly seen: string
}

export interface Measures {
  /** Milliseconds from the fault to its being noticed, and to everything being live again. */
  detect: number | undefined
  recover: number | undefined
  /** Rows. */
  lost: number | undefined
  doubled: number | undefined
  readonly checks: Array<Check>
  /** What was seen besides. */
  readonly notes: Array<string>
}

export interface Kit {
  readonly seed: number
  readonly short: boolean
  /** How often the program is killed where it is killed over and over. */
  readonly kills: number
  readonly measures: Measures
  /** Notes whether a part of the promise held. */
  readonly check: (what: string, ok: boolean, seen?: unknown) => void
  readonly note: (text: string) => void
}

export interface Scenario {
  /** The fault's number in the list of faults; a letter for what is not in it. */
  readonly row: string
  readonly fault: string
  readonly injection: string
  readonly promise: string
  /** Part of the short form. */
  readonly short?: boolean
  /** Scenarios that name the same object follow each other in the same world. */
  readonly world?: WorldOptions
  /** For a fault that cannot happen yet: what is missing. */
  readonly absent?: string
  readonly run?: (world: World, kit: Kit) => Promise<void>
  /** In place of `run`, when the collector has to be started in the scenario's own way. */
  readonly alone?: (kit: Kit, begin: (options: WorldOptions) => Promise<World>) => Promise<void>
}

export interface Outcome {
  readonly scenario: Scenario
  readonly measures: Measures
  /** `absent`: there is nothing yet that the fault could happen to. */
  readonly result: "pass" | "fail" | "absent"
  readonly seconds: number
}

export const blank = (): Measures => ({
  detect: undefined,
  recover: undefined,
  lost: undefined,
  doubled: undefined,
  checks: [],
  notes: []
})
