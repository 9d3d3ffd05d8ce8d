import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import type { Input } from "../../src/domain/Input.ts"
import { type Derivation, Deriver } from "../../src/tape/Deriver.ts"
import * as Replay from "../../src/tape/Replay.ts"
import { type Record, type Run, type Segment, type State, TapeReader } from "../../src/tape/TapeReader.ts"

/** A derivation that counts, and says each count as an event of no consequence. */
const counting = (count = 0): Derivation => ({
  apply: (input) => {
    count++
    return [
      { _tag: "BestQuote", instrumentId: "x" as never, bid: -1, ask: -1, venueTime: count, receivedTime: at(input) }
    ]
  },
  save: () => Buffer.from(String(count)),
  chain: () => String(count)
})

const at = (input: Input): number => ("receivedTime" in input ? input.receivedTime : 0)
const deriver = Layer.succeed(Deriver, {
  begin: (state) =>
    String(state) === "unusable" ? undefined : counting(Number(Buffer.from(state ?? []).toString() || 0))
})

const segment = (run: number, after: number, begun: number, hasState = true): Segment => ({
  run,
  after,
  file: "",
  bytes: 0,
  compressed: false,
  hasState,
  begun
})

/** A tape whose records are a second apart, with states as given by the number of the last record before. */
const tape = (runs: ReadonlyArray<Run & { readonly records: number }>, states: ReadonlyMap<number, string>) =>
  Layer.succeed(TapeReader, {
    runs: Effect.succeed(runs),
    records: (run, after) => {
      const { records, segments } = runs.find((one) => one.run === run)!
      const begun = segments[0]!.begun
      return Stream.fromIterable(Array.from({ length: records - after }, (_, i) => after + 1 + i)).pipe(
        Stream.map((ordinal): Record => ({
          run,
          ordinal,
          input: { _tag: "Swept", receivedTime: begun + ordinal * 1_000 }
        }))
      )
    },
    stateUpTo: (_, ordinal) =>
      Effect.succeed(
        Option.map(
          Option.fromNullable([...states].findLast(([after]) => after <= ordinal)),
          ([after, derivation]): State => ({ after, derivation: Buffer.from(derivation), rows: Buffer.of() })
        )
      )
  })

const one = { run: 1, stored: null, records: 10, segments: [segment(1, 0, 0), segment(1, 5, 5_500)] }
const two = { run: 2, stored: null, records: 3, segments: [segment(2, 0, 60_000)] }
const good = new Map([[5, "5"]])

const run = (options: Partial<Replay.ReplayOptions>, layer = tape([one, two], good)) => {
  const seams: Array<Replay.Seam> = []
  return Replay.replay({ from: 0, to: 1e9, speed: Infinity, ...options }, (seam) =>
    Effect.sync(() => void seams.push(seam))
  ).pipe(
    Stream.map(({ events, ordinal, run, time }) => [run, ordinal, time, events.length] as const),
    Stream.runCollect,
    Effect.map((all) => ({ all: Chunk.toReadonlyArray(all), seams })),
    Effect.provide(Layer.merge(layer, deriver))
  )
}

describe("a replay", () => {
  it.effect("repeats all runs from their beginnings, and compares what was saved", () =>
    Effect.gen(function* () {
      const { all, seams } = yield* run({})
      assert.lengthOf(all, 13)
      assert.deepStrictEqual(all[12], [2, 3, 63_000, 1])
      assert.deepStrictEqual(seams, [{ run: 1, after: 5, equal: true }])
    })
  )

  it.effect("begins with the last state before the stretch, and shows the stretch alone", () =>
    Effect.gen(function* () {
      const { all, seams } = yield* run({ from: 7_000, to: 8_000 })
      assert.deepStrictEqual(
        all.map(([, ordinal]) => ordinal),
        [7, 8]
      )
      assert.deepStrictEqual(seams, [])
      assert.deepStrictEqual((yield* run({ from: 61_000, to: 61_999 })).all, [[2, 1, 61_000, 1]])
      assert.deepStrictEqual((yield* run({ from: 1e10, to: 1e11 })).all, [])
    })
  )

  it.effect("says where it goes another way than was saved", () =>
    Effect.gen(function* () {
      const { seams } = yield* run({}, tape([one], new Map([[5, "4"]])))
      assert.deepStrictEqual(seams, [{ run: 1, after: 5, equal: false }])
    })
  )

  it.effect("fails where the state is of another version, or there is none to begin with", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(run({ from: 7_000 }, tape([one], new Map([[5, "unusable"]]))))
      assert.match(failed.message, /^run 1, record 5: the state .* another version/)
      const bare = { ...one, segments: [segment(1, 5, 5_500, false)] }
      assert.match((yield* Effect.flip(run({}, tape([bare], good)))).message, /no segment has the state/)
    })
  )

  it.effect("keeps the intervals of the tape, or a part of them", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(run({ to: 10_000, speed: 2 }))
      yield* TestClock.adjust("4499 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.lengthOf((yield* Fiber.join(fiber)).all, 10)
    })
  )
})
