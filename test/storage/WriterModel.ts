/**
 * What may happen to a writer over a tape, and what must hold in the end: the rows in the database are those that one
 * uninterrupted mapping of every record gives, under the same keys and positions, but for those of records that were
 * removed before they were stored; and where those are missing, a gap says so.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, FastCheck as fc, Layer, Scope } from "effect"
import { Bus } from "../../src/bus/Bus.ts"
import { timeOf } from "../../src/domain/Input.ts"
import { InstrumentId, VenueId } from "../../src/domain/Market.ts"
import type { MarketEvent } from "../../src/domain/MarketEvent.ts"
import type { Price } from "../../src/domain/Money.ts"
import { EventWriter, type EventWriterConfig, type EventWriterMode, make } from "../../src/storage/EventWriter.ts"
import type { RowStore } from "../../src/storage/FlushTransaction.ts"
import { Mapping } from "../../src/storage/Mapping.ts"
import { type FeedEventRow, type Row, venueOfRow } from "../../src/storage/Rows.ts"
import * as Events from "./Events.ts"
import { type Collector, collector, deriver, type FakeTape, type TapeWriter } from "./FakeTape.ts"
import { keyOf, type Weather } from "./MemoryStore.ts"

export type Step =
  | { readonly _tag: "feed"; readonly kinds: ReadonlyArray<number> }
  | { readonly _tag: "weather"; readonly weather: Weather }
  | { readonly _tag: "stall"; readonly stalled: boolean }
  | { readonly _tag: "wait"; readonly millis: number }
  | { readonly _tag: "kill" }
  | { readonly _tag: "stop" }
  | { readonly _tag: "lose"; readonly index: number }

const feed = fc.record({
  _tag: fc.constant("feed" as const),
  kinds: fc.array(fc.nat(39), { minLength: 1, maxLength: 40, size: "max" })
})
const weathers: ReadonlyArray<Weather> = ["fair", "fair", "away", "unconfirmed", "deadlock", "full", "slow"]

/** `losses`: whether segments of the tape may vanish. */
export const steps = (losses: boolean, maxLength = 30): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc.array(
    fc.oneof(
      { weight: 8, arbitrary: feed },
      {
        weight: 4,
        arbitrary: fc.record({ _tag: fc.constant("weather" as const), weather: fc.constantFrom(...weathers) })
      },
      { weight: 1, arbitrary: fc.record({ _tag: fc.constant("stall" as const), stalled: fc.boolean() }) },
      {
        weight: 4,
        arbitrary: fc.record({ _tag: fc.constant("wait" as const), millis: fc.constantFrom(10, 300, 5000) })
      },
      { weight: 1, arbitrary: fc.constant({ _tag: "kill" as const }) },
      { weight: 1, arbitrary: fc.constant({ _tag: "stop" as const }) },
      { weight: losses ? 2 : 0, arbitrary: fc.record({ _tag: fc.constant("lose" as const), index: fc.nat(20) }) }
    ),
    { maxLength, size: "max" }
  )

const venues = ["polymarket", "kalshi"] as const
const instrument = (n: number) => InstrumentId.make(`${venues[n % 2]}:${n % 4}`)

/** An event of some kind, at a time of its own; several share a millisecond of the venue's. */
const event = (kind: number, time: number): MarketEvent => {
  const instrumentId = instrument(kind)
  const venue = VenueId.make(venues[kind % 2] ?? "kalshi")
  const at = { receivedTime: time, venueTime: Math.floor(time / 8) * 8 }
  const slot = `${venue}-${kind % 3}`
  if (kind < 3) return Events.snapshot({ instrumentId, ...at })
  if (kind < 5) return Events.connected({ venue, slot, connection: `${slot}.${time}`, receivedTime: time })
  if (kind < 7) return Events.disconnected({ venue, slot, connection: `${slot}.${time}`, receivedTime: time })
  if (kind < 9) return Events.trade({ instrumentId, ...at, tradeId: String(time) })
  if (kind < 11) return { _tag: "BestQuote", instrumentId, bid: -1, ask: -1, ...at }
  return Events.change({ instrumentId, ...at, price: ((kind % 3) * 10_000) as Price })
}

export interface Connection {
  readonly store: RowStore
  readonly kill: () => void
}

/** One process after another, over one tape and one database. */
export interface World {
  readonly tape: FakeTape
  readonly connect: Effect.Effect<Connection>
  readonly setWeather: (weather: Weather) => void
  readonly config: EventWriterConfig
}

interface Process {
  readonly writer: EventWriter["Type"]
  readonly collector: Collector
  readonly tape: TapeWriter
  readonly connection: Connection
  readonly scope: Scope.CloseableScope
}

export const start = (world: World, run: number): Effect.Effect<Process> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const tape = world.tape.open(run)
    const connection = yield* world.connect
    const recording = { tape: tape.tape, reader: world.tape.reader, deriver }
    const layer = Layer.scoped(EventWriter, make(world.config, connection.store, recording))
    const context = yield* Layer.buildWithScope(Layer.provideMerge(layer, Bus.layer), scope)
    const collecting = yield* Effect.provide(collector(tape.tape), context)
    return { writer: Context.get(context, EventWriter), collector: collecting, tape, connection, scope }
  })

/** What happened in one run of the program is forgotten, but for what it had written. */
const kill = ({ connection, tape }: Process) =>
  Effect.sync(() => {
    tape.kill()
    connection.kill()
  })

/** Takes the steps, then lets the writer come to rest, and stops it. Gives what the last process said of itself. */
export const run = (world: World, history: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    let time = Events.epoch
    const modes = new Set<EventWriterMode>()
    // Each begins with a book of every venue, as feeds do.
    const begin = Effect.gen(function* () {
      const process = yield* start(world, (time += 3) * 1000)
      yield* process.collector.publish(event(0, (time += 3)), event(1, (time += 3)))
      return process
    })
    let process = yield* begin
    for (const step of history) {
      const { buffered, mode } = yield* process.writer.status
      modes.add(mode)
      assert.isAtMost(buffered, world.config.buffer_rows)
      switch (step._tag) {
        case "feed":
          for (const kind of step.kinds) yield* process.collector.publish(event(kind, (time += 3)))
          break
        case "weather":
          world.setWeather(step.weather)
          break
        case "stall":
          process.tape.stall(step.stalled)
          break
        case "wait":
          yield* Effect.sleep(step.millis)
          break
        case "kill":
          yield* kill(process)
          process = yield* begin
          break
        case "stop":
          yield* Scope.close(process.scope, Exit.void)
          process = yield* begin
          break
        case "lose":
          world.tape.lose(step.index)
      }
    }
    world.setWeather("fair")
    process.tape.stall(false)
    yield* process.collector.publish(event(20, (time += 3)))
    yield* process.writer.flush
    const status = yield* process.writer.status.pipe(
      Effect.tap(() => Effect.sleep("1 millis")),
      Effect.repeat({ until: ({ mode }) => mode === "live" })
    )
    yield* Scope.close(process.scope, Exit.void)
    return { status, modes, last: process.tape.tape.last() }
  })

export interface ExpectedRow {
  readonly row: Row
  readonly run: number
  readonly ordinal: number
}

/** The rows of every record that was ever written, in order, under their keys. */
export const expected = (tape: FakeTape): ReadonlyMap<string, ReadonlyArray<ExpectedRow>> => {
  const byKey = new Map<string, Array<ExpectedRow>>()
  for (const [run, records] of tape.history) {
    const derivation = deriver.begin()!
    const mapping = Mapping.begin()
    for (const { input, ordinal } of records) {
      const rows: Array<Row> = []
      mapping.map(derivation.apply(input), rows)
      for (const row of rows) {
        const key = keyOf(row)
        byKey.set(key, [...(byKey.get(key) ?? []), { row, run, ordinal }])
      }
    }
  }
  return byKey
}

/** What the database holds: rows under their keys, the run on the tape and the number within. */
export type Held = ReadonlyMap<string, { readonly row: Partial<Row>; readonly run: number; readonly sequence: number }>

const isGap = (row: Partial<Row>): row is FeedEventRow => row.table === "feed_events" && row.kind === "gap"

/** Checks that the database holds what it should. Gives the number of rows that are missing, all of them excused. */
export const check = (tape: FakeTape, held: Held): number => {
  const all = expected(tape)
  const gaps = [...held.values()].flatMap(({ row }) => (isGap(row) ? [row] : []))
  let missing = 0
  for (const [key, occurrences] of all) {
    const found = held.get(key)
    if (found === undefined) {
      missing++
      for (const { ordinal, row, run } of occurrences) {
        assert.isTrue(tape.isLost(run, ordinal), `${key} of record ${ordinal} of run ${run} is missing`)
        const excuse = gaps.some(
          ({ from, to, venue }) =>
            venue === venueOfRow(row) && from <= row.receivedTime && row.receivedTime <= (to ?? from)
        )
        const isKnown = tape.readable(run).some(({ input }) => JSON.stringify(input).includes(venueOfRow(row)))
        assert.isTrue(excuse || !isKnown, `nothing is said of ${key} of record ${ordinal} of run ${run}`)
      }
      continue
    }
    const [first] = occurrences
    const same = occurrences.find(({ row, run }) => run === found.run && row.sequence === found.sequence)
    assert(same !== undefined, `${key} is stored as ${found.sequence} of ${found.run}`)
    if (same !== first) assert.isTrue(tape.isLost(first!.run, first!.ordinal), `${key} is not the first`)
    assert.deepInclude(same.row, found.row)
  }
  for (const [key, { row }] of held) {
    if (!isGap(row)) assert.isTrue(all.has(key), `${key} never was`)
  }
  const lostTimes = [...tape.history].flatMap(([run, records]) =>
    records.flatMap(({ input, ordinal }) => (tape.isLost(run, ordinal) ? [timeOf(input)] : []))
  )
  for (const { from, reason, to } of gaps.filter(({ reason }) => reason.startsWith("records of the tape are gone"))) {
    assert.isTrue(
      lostTimes.some((time) => from <= time && time <= (to ?? from)),
      `nothing was lost: ${reason}`
    )
  }
  const ends = [...all.values()].flatMap(([{ row } = { row: undefined }]) =>
    row?.table === "feed_events" && row.kind === "disconnected" ? [row] : []
  )
  for (const gap of gaps) {
    // What a connection that was down had to say may be missing among what others said.
    const { from, venue } = gap
    if (ends.some((row) => row.venue === venue && row.from === from)) continue
    for (const { row } of held.values()) {
      if (row.table === "feed_events" || venueOfRow(row as Row) !== gap.venue) continue
      const time = row.receivedTime ?? 0
      const isWithin = gap.from < time && time < (gap.to ?? gap.from)
      assert.isFalse(isWithin, `a row at ${time - Events.epoch} lies in ${JSON.stringify(gap)}`)
    }
  }
  return missing
}
