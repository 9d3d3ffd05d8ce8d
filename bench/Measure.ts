/** What a measurement is, and what comes of it. */

export interface Bench {
  /** Rounds that are interleaved; the median counts. */
  readonly rounds: number
  /** Shorter, for a look: not what is to be published. */
  readonly quick: boolean
  readonly seed: number
  /** Milliseconds that the soak lasts. */
  readonly soakMillis: number
  /** The names of the candidates that are wanted, where not all are. */
  readonly candidates: ReadonlyArray<string> | undefined
  /** Tells how it goes. */
  readonly say: (text: string) => void
}

/** A goal with its bar, and what was measured. */
export interface Goal {
  readonly goal: string
  readonly bar: string
  readonly measured: string
  readonly holds: boolean
  /** What stands in the way, where it does not hold. */
  readonly obstacle?: string
}

export interface Table {
  readonly title: string
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

/** `bars`: a value for each name with its range. `lines`: values over numbers. */
export type Plot =
  | {
      readonly kind: "bars"
      readonly file: string
      readonly title: string
      readonly unit: string
      readonly bars: ReadonlyArray<{
        readonly name: string
        readonly value: number
        readonly min: number
        readonly max: number
      }>
    }
  | {
      readonly kind: "lines"
      readonly file: string
      readonly title: string
      readonly x: { readonly name: string; readonly log?: boolean }
      readonly y: { readonly name: string; readonly log?: boolean }
      readonly series: ReadonlyArray<Series>
    }

export interface Finding {
  /** How often it was measured. */
  readonly rounds: number
  readonly goals: ReadonlyArray<Goal>
  readonly tables: ReadonlyArray<Table>
  readonly plots: ReadonlyArray<Plot>
  /** What a reader should know: what stands in the way of a goal, what was done otherwise. */
  readonly remarks: ReadonlyArray<string>
  /** The numbers themselves, for programs. */
  readonly data: unknown
}

export interface Measure {
  /** As `--only` names it. */
  readonly name: string
  readonly title: string
  /** How it is measured, for the reader of the page. */
  readonly how: string
  readonly run: (bench: Bench) => Promise<Finding>
}
