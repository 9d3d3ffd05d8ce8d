/** The two halves of the states: what the derivation saved comes with a new segment, what the rows need comes later. */
import { join } from "node:path"
import { Effect } from "effect"
import { attempt } from "./Disk.ts"
import * as StateFile from "./StateFile.ts"
import { draftOf, nameOf, stateName } from "./TapeDirectory.ts"

export class States {
  private readonly directory: string
  private readonly run: number
  /** Segments whose first half lies on the disk, by the record that they begin after. */
  private readonly begun = new Set<number>()
  private readonly rows = new Map<number, Uint8Array>()

  constructor(directory: string, run: number) {
    this.directory = directory
    this.run = run
  }

  /** Whether the first half is there. */
  has(after: number): boolean {
    return this.begun.has(after)
  }

  /** Writes the first half. */
  async begin(after: number, derivation: Uint8Array): Promise<void> {
    const final = join(this.directory, stateName(nameOf(this.run, after)))
    await StateFile.begin(draftOf(final), this.run, after, derivation)
    this.begun.add(after)
  }

  /** Keeps the second half until {@link complete}. */
  add(after: number, rows: Uint8Array): void {
    this.rows.set(after, rows)
  }

  /** Completes the states of which both halves are there. What fails leaves a segment without a state. */
  readonly complete: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      [...this.rows].filter(([after]) => this.begun.has(after)),
      ([after, rows]) => {
        this.rows.delete(after)
        this.begun.delete(after)
        const name = nameOf(this.run, after)
        return attempt(() => StateFile.complete(this.directory, name, [this.run, after], rows)).pipe(
          Effect.catchAll(({ cause }) => Effect.logWarning("a state could not be written to the tape", cause)),
          Effect.annotateLogs({ segment: name })
        )
      },
      { discard: true }
    )
  )
}
