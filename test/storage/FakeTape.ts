/** A tape in memory that survives its writers, as files survive a process, with what reads it and what follows from it. */
import { deserialize, serialize } from "node:v8"
import { Effect, Option, Stream } from "effect"
import { Bus } from "../../src/bus/Bus.ts"
import { type Input, timeOf, told } from "../../src/domain/Input.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Size } from "../../src/domain/Money.ts"
import type { Derivation, Deriver } from "../../src/tape/Deriver.ts"
import type { Tape } from "../../src/tape/Tape.ts"
import { type Record, TapeError, type TapeReader } from "../../src/tape/TapeReader.ts"

interface Segment {
  readonly after: number
  readonly begun: number
  readonly records: Array<Record>
  derivation: Uint8Array | undefined
  rows: Uint8Array | undefined
  gone: boolean
}

interface Run {
  readonly run: number
  readonly segments: Array<Segment>
  stored: number | null
}

export interface TapeWriter {
  readonly tape: Tape["Type"]
  /** Whether the disk takes nothing unless it is waited for. */
  readonly stall: (stalled: boolean) => void
  /** Nothing that is done to the tape from now on has any effect; what the disk had not taken is gone. */
  readonly kill: () => void
}

export class FakeTape {
  readonly runs: Array<Run> = []
  /** What was ever written, lost segments included, by run. */
  readonly history = new Map<number, Array<Record>>()
  private readonly segmentRecords: number

  constructor(segmentRecords = 20) {
    this.segmentRecords = segmentRecords
  }

  open(run: number): TapeWriter {
    const history: Array<Record> = []
    const first: Segment = { after: 0, begun: 0, records: [], derivation: undefined, rows: undefined, gone: false }
    const own: Run = { run, segments: [first], stored: null }
    this.runs.push(own)
    this.history.set(run, history)
    let last = 0
    let pending: Array<Record> = []
    let [stalled, killed, requested] = [false, false, false]
    const current = () => own.segments.at(-1)!
    const write = () => {
      if (killed) return
      current().records.push(...pending)
      history.push(...pending)
      pending = []
    }
    const tape: Tape["Type"] = {
      directory: "memory",
      run,
      append: (input) => {
        pending.push({ run, ordinal: ++last, input })
        if (!stalled) write()
        return last
      },
      last: () => last,
      written: () => last - pending.length,
      room: Effect.void,
      flush: Effect.sync(write),
      isRotationDue: () => requested || current().records.length + pending.length >= this.segmentRecords,
      requestRotation: () => {
        requested = true
      },
      rotate: (derivation) => {
        write()
        requested = false
        const end = current().records.at(-1)
        const begun = end === undefined ? 0 : timeOf(end.input)
        if (!killed) own.segments.push({ after: last, begun, records: [], derivation, rows: undefined, gone: false })
      },
      saveRowState: (ordinal, state) => {
        const segment = own.segments.find(({ after }) => after === ordinal)
        if (!killed && segment !== undefined) segment.rows = state
      },
      noteStored: (ordinal) =>
        Effect.sync(() => {
          if (!killed) own.stored = ordinal
        }),
      status: Effect.dieMessage("nobody asks")
    }
    return {
      tape,
      stall: (now) => {
        stalled = now
        if (!now) write()
      },
      kill: () => {
        killed = true
      }
    }
  }

  /** Removes a segment that is not the last of its run. Gives whether there was such a one. */
  lose(index: number): boolean {
    const candidates = this.runs.flatMap(({ segments }) => segments.slice(0, -1)).filter(({ gone }) => !gone)
    const segment = candidates[index % Math.max(1, candidates.length)]
    if (segment !== undefined) segment.gone = true
    return segment !== undefined
  }

  /** Whether what follows from a record can be derived no more: it is gone, or what is needed before it. */
  isLost(run: number, ordinal: number): boolean {
    const segments = this.runs.find((one) => one.run === run)?.segments ?? []
    for (const { after, derivation, gone, rows } of segments.filter(({ after }) => after < ordinal).toReversed()) {
      if (gone) return true
      if (after === 0 || (derivation !== undefined && rows !== undefined)) return false
    }
    return true
  }

  /** As if another version had saved every state there is. */
  replaceStates(state: Uint8Array): void {
    for (const segment of this.runs.flatMap(({ segments }) => segments)) {
      if (segment.derivation !== undefined) segment.derivation = state
    }
  }

  /** The records of a run that can be read. */
  readable(run: number): ReadonlyArray<Record> {
    const segments = this.runs.find((one) => one.run === run)?.segments ?? []
    return segments.flatMap(({ gone, records }) => (gone ? [] : records))
  }

  readonly reader: TapeReader["Type"] = {
    runs: Effect.sync(() =>
      this.runs.map(({ run, segments, stored }) => ({
        run,
        stored,
        segments: segments
          .filter(({ gone }) => !gone)
          .map(({ after, begun, derivation, rows }) => ({
            run,
            after,
            begun,
            file: `${run}-${after}`,
            bytes: 0,
            compressed: false,
            hasState: derivation !== undefined && rows !== undefined
          }))
      }))
    ),
    records: (run, after) =>
      Stream.suspend(() => {
        const found: Array<Record> = []
        const segments = this.runs.find((one) => one.run === run)?.segments ?? []
        for (const { gone, records } of segments) {
          const left = records.filter(({ ordinal }) => ordinal > after)
          if (left.length === 0) continue
          if (gone) {
            const where = `run ${run}, record ${left[0]?.ordinal}`
            const missing = new TapeError({ reason: "missing", where, detail: "the segment was removed" })
            return Stream.concat(Stream.rechunk(Stream.fromIterable(found), 7), Stream.fail(missing))
          }
          found.push(...left)
        }
        return Stream.rechunk(Stream.fromIterable(found), 7)
      }),
    stateUpTo: (run, ordinal) =>
      Effect.sync(() => {
        const segments = this.runs.find((one) => one.run === run)?.segments ?? []
        for (const { after, derivation, gone, rows } of segments.toReversed()) {
          if (gone || after > ordinal || derivation === undefined || rows === undefined) continue
          return Option.some({ after, derivation, rows })
        }
        return Option.none()
      })
  }
}

const UNIT = 1_000_000

/** Counts changes, and gives each a size by their number: a state that is not restored shows in every row after. */
const begin = (count: number): Derivation => {
  let counted = count
  return {
    apply: (input) => {
      if (input._tag !== "Told") return []
      const { event } = input
      if (event._tag !== "BookChange") return [event]
      counted++
      return [{ ...event, size: ((counted % 5) * UNIT) as Size, hash: String(counted) }]
    },
    save: () => serialize({ version: 1, count: counted }),
    chain: () => String(counted)
  }
}

export const deriver: Deriver["Type"] = {
  begin: (state) => {
    if (state === undefined) return begin(0)
    const saved = deserialize(state) as { readonly version: number; readonly count: number }
    return saved.version === 1 ? begin(saved.count) : undefined
  }
}

export interface Collector {
  /** Records an input, and publishes what follows from it. */
  readonly collect: (input: Input) => Effect.Effect<void>
  readonly publish: (...events: ReadonlyArray<MarketEvent>) => Effect.Effect<void>
}

export const collector = (tape: Tape["Type"]): Effect.Effect<Collector, never, Bus> =>
  Effect.map(Bus, (bus) => {
    const derivation = begin(0)
    const collect = (input: Input) =>
      Effect.suspend(() => {
        const ordinal = tape.append(input)
        const events = derivation.apply(input)
        const endsSegment = tape.isRotationDue()
        if (endsSegment) tape.rotate(derivation.save())
        return bus.publish({ events, ordinal, endsSegment })
      })
    return {
      collect,
      publish: (...events) =>
        Effect.forEach(events, (event) => collect(told(event as Parameters<typeof told>[0])), { discard: true })
    }
  })
