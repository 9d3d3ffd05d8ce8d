import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { Tape } from "../../src/tape/Tape.ts"
import * as TapeMetrics from "../../src/tape/TapeMetrics.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { numbered } from "./Inputs.ts"
import { config, files, numbers, series } from "./Tapes.ts"

describe("the layer", () => {
  it.scoped("has a folder to itself as long as it lives", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const layer = Tape.layer(config, dataDir)
      const [directory, run] = yield* Effect.gen(function* () {
        const tape = yield* Tape
        tape.append(numbered(1))
        const refused = yield* Effect.flip(Layer.build(Tape.layer(config, dataDir)))
        assert.strictEqual(refused._tag, "DirectoryLocked")
        return [tape.directory!, tape.run] as const
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(yield* files(dataDir), ["tape"])
      assert.deepStrictEqual(yield* numbers(directory, run), series(1, 1))
    })
  )

  it.scoped("records nothing where that is turned off", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const tape = yield* Effect.provide(Tape, Tape.layer({ ...config, enabled: false }, dataDir))
      assert.deepStrictEqual([tape.append(numbered(1)), tape.last(), tape.directory], [1, 1, null])
      yield* tape.flush
      assert.deepStrictEqual(yield* files(dataDir), [])
    })
  )

  it.scoped("says in metrics what it does", () =>
    Effect.gen(function* () {
      const before = yield* Metric.value(TapeMetrics.writtenRecords)
      const tape = yield* Effect.provide(
        Effect.gen(function* () {
          const tape = yield* Tape
          for (let n = 1; n <= 7; n++) tape.append(numbered(n))
          yield* tape.flush
          return { status: yield* tape.status, disk: yield* Metric.value(TapeMetrics.diskBytes) }
        }),
        Tape.layer(config, yield* temporaryDirectory)
      )
      assert.strictEqual((yield* Metric.value(TapeMetrics.writtenRecords)).count - before.count, 7)
      assert.strictEqual((yield* Metric.value(TapeMetrics.waitingBytes)).value, 0)
      assert.strictEqual(tape.disk.value, tape.status.bytes)
    })
  )
})
