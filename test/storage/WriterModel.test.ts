import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Logger, Random } from "effect"
import * as Events from "./Events.ts"
import { FakeTape } from "./FakeTape.ts"
import { MemoryStore } from "./MemoryStore.ts"
import * as VirtualClock from "./VirtualClock.ts"
import * as Model from "./WriterModel.ts"

const config = { batch_rows: 8, batch_age_ms: 250, buffer_rows: 60 }

const simulate = async (history: ReadonlyArray<Model.Step>) => {
  const tape = new FakeTape()
  const database = new MemoryStore()
  const ahead: Array<string> = []
  database.onCommit = (run, rows, position) => {
    const written = tape.history.get(run)?.length ?? 0
    if ((position ?? 0) > written) ahead.push(`position ${position} of ${written}`)
  }
  const world: Model.World = {
    tape,
    config,
    connect: Effect.sync(() => database.connect()),
    setWeather: (weather) => {
      database.weather = weather
    }
  }
  const { last, modes, status } = await Model.run(world, history).pipe(
    Effect.withClock(VirtualClock.make(Events.epoch)),
    Effect.withRandom(Random.make("model")),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.runPromise
  )
  const held = new Map(
    [...database.rows].map(([key, { position, row, run }]) => {
      const id = database.runs.find((one) => one.tape === run)?.id ?? 0
      return [key, { row, run, sequence: position - id }] as const
    })
  )
  const missing = Model.check(tape, held)
  assert.deepStrictEqual(ahead, [])
  assert.deepInclude(status, { mode: "live", buffered: 0, error: null, lag: 0 })
  const own = database.runs.at(-1)
  assert.deepInclude(own, { position: last, ended: true })
  assert.strictEqual(tape.runs.at(-1)?.stored, last)
  return { missing, modes, lost: status.lost }
}

describe("a writer over a tape, whatever happens to it", () => {
  it("stores every row once, in its place", async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(Model.steps(false), async (history) => {
        const { lost, missing, modes } = await simulate(history)
        assert.deepStrictEqual([missing, lost], [0, 0])
        for (const mode of modes) seen.add(mode)
      }),
      { numRuns: 150, timeout: 4000, endOnFailure: true }
    )
    assert.deepStrictEqual([...seen].sort(), ["behind", "live", "recovering"])
  }, 120_000)

  it("says where rows are missing, and only there, when segments vanish", async () => {
    let lossy = 0
    await fc.assert(
      fc.asyncProperty(Model.steps(true), async (history) => {
        const { missing } = await simulate(history)
        if (missing > 0) lossy++
      }),
      { numRuns: 150, timeout: 4000, endOnFailure: true }
    )
    assert.isAbove(lossy, 0)
  }, 120_000)
})
