/**
 * What rows a run's events make, with everything that this depends on: it can be put away at one record and taken up
 * again there, and the rows that follow come out the same, numbers included.
 */
import { deserialize, serialize } from "node:v8"
import type { MarketEvent } from "../domain/MarketEvent.ts"
import * as Coverage from "./Coverage.ts"
import * as RowMapper from "./RowMapper.ts"
import type { Row } from "./Rows.ts"

interface State {
  readonly version: number
  readonly memory: RowMapper.Memory
  coverage: Coverage.Coverage
  time: number
}

/** To be raised with every change of what is remembered, or of what rows it leads to. */
const VERSION = 2

/** What was saved, in this version's terms; `undefined` when it is of one that cannot be read. */
const read = (saved: unknown): State | undefined => {
  if (typeof saved !== "object" || saved === null || !("version" in saved)) return undefined
  if (saved.version === VERSION) return saved as State
  // The first version differs in how it remembers, not in the rows that follow.
  if (saved.version !== 1) return undefined
  const first = saved as Omit<State, "memory"> & { readonly memory: RowMapper.FirstMemory }
  return { ...first, version: VERSION, memory: RowMapper.ofFirst(first.memory) }
}

export class Mapping {
  private readonly state: State
  private readonly mapper: RowMapper.RowMapper

  private constructor(state: State) {
    this.state = state
    this.mapper = RowMapper.make(state.memory)
  }

  /** From the beginning of a run. */
  static begin(): Mapping {
    return new Mapping({ version: VERSION, memory: RowMapper.noMemory(), coverage: Coverage.none, time: 0 })
  }

  /** From what was saved; `undefined` when this version cannot read it. */
  static restore(bytes: Uint8Array): Mapping | undefined {
    try {
      const state = read(deserialize(bytes))
      return state === undefined ? undefined : new Mapping(state)
    } catch {
      return undefined
    }
  }

  save(): Uint8Array {
    return serialize(this.state)
  }

  /** The number of the last row. */
  get sequence(): number {
    return this.state.memory.sequence
  }

  get coverage(): Coverage.Coverage {
    return this.state.coverage
  }

  /** When the last event was received; 0 before the first. */
  get time(): number {
    return this.state.time
  }

  /** Appends the rows of events. Gives what it stumbled over, by event: a fault in one must not stop the others. */
  map(events: ReadonlyArray<MarketEvent>, rows: Array<Row>): ReadonlyArray<unknown> {
    const { state } = this
    const faults: Array<unknown> = []
    for (const event of events) {
      try {
        state.time = event.receivedTime
        state.coverage = Coverage.see(state.coverage, event)
        this.mapper(event, rows)
      } catch (cause) {
        faults.push(cause)
      }
    }
    return faults
  }
}
