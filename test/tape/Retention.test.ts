import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, TestClock, TestServices } from "effect"
import { nameOf, packedName, stateName, storedName } from "../../src/tape/TapeDirectory.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { frames } from "./Inputs.ts"
import { closable, eventually, files, logging, reader, records, write } from "./Tapes.ts"
import type { TapeConfig } from "../../src/tape/TapeConfig.ts"

/** What does not compress: ten kilobytes a segment. */
let seed = 1
const noise = () =>
  Array.from({ length: 20_000 }, () => {
    seed = (seed * 48_271) % 2_147_483_647
    return String.fromCharCode(33 + (seed % 90))
  }).join("")

/** A run of so many segments of one record each, and one that is open; the rows of the first ones are stored. */
const run = (directory: string, segments: number, stored: number, changes: Partial<TapeConfig> = {}) =>
  Effect.gen(function* () {
    const [tape, close] = yield* closable(write(directory, changes))
    for (let n = 1; n <= segments; n++) {
      tape.append(frames("c", n, noise()))
      tape.rotate(Buffer.from("state"))
      tape.saveRowState(n, Buffer.from("rows"))
    }
    if (stored > 0) yield* tape.noteStored(stored)
    yield* tape.flush
    return { tape, close }
  })

const left = (directory: string, run: number) =>
  Effect.map(
    Effect.flatMap(reader(directory), ({ runs }) => runs),
    (runs) => (runs.find((one) => one.run === run)?.segments ?? []).map(({ after }) => after)
  )

describe("the oldest segments go", () => {
  it.scoped("when all take too much, with their states, and never the open one", () =>
    logging((logged) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const { tape } = yield* run(directory, 6, 2, { max_mb: 0.045 })
        yield* eventually(Effect.map(left(directory, tape.run), ([first]) => first === 4))
        assert.deepStrictEqual(yield* left(directory, tape.run), [4, 5, 6])
        yield* tape.flush
        tape.requestRotation()
        tape.append(frames("c", 7, "more"))
        tape.rotate(Buffer.from("state"))
        const old = [1, 2, 3].map((after) => stateName(nameOf(tape.run, after)))
        yield* eventually(Effect.map(files(directory), (all) => !old.some((name) => all.includes(name))))
        yield* eventually(Effect.map(tape.status, ({ bytes }) => bytes < 45_000))
        assert.strictEqual((yield* Effect.flip(records(directory, tape.run))).reason, "missing")
        const gone = logged.filter((line) => line.includes("an old segment went"))
        assert.deepStrictEqual(
          gone.map((line) => line.split(" ")[0]),
          ["INFO", "INFO", "WARN", "WARN"]
        )
        assert.include(gone[2], `run=${tape.run} records=3 to 3`)
      })
    )
  )

  it.scoped("at the next start, with all that speaks of their run", () =>
    logging((logged) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const before = yield* run(directory, 2, 2)
        yield* before.close
        const { tape } = yield* run(directory, 1, 0, { max_mb: 0.000001 })
        yield* eventually(Effect.map(left(directory, tape.run), ([first]) => first === 1))
        assert.deepStrictEqual(yield* left(directory, before.tape.run), [])
        assert.notInclude(yield* files(directory), storedName(before.tape.run))
        const gone = logged.filter(
          (line) => line.includes("an old segment went") && line.includes(`run=${before.tape.run} `)
        )
        assert.deepStrictEqual(
          gone.map((line) => [line.split(" ")[0], /records=(\d+ to \d+|none)/.exec(line)?.[1]]),
          [
            ["INFO", "1 to 1"],
            ["INFO", "2 to 2"],
            ["INFO", "none"]
          ]
        )
      })
    )
  )

  it.scoped("by the age of their records, which compressing does not change", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* TestClock.setTime(yield* TestServices.provideLive(Clock.currentTimeMillis))
      const { tape } = yield* run(directory, 2, 2, { keep_days: 2 })
      yield* eventually(
        Effect.map(files(directory), (all) => all.includes(packedName(nameOf(tape.run, 1))) && all.length === 6)
      )
      yield* TestClock.adjust("47 hours")
      assert.deepStrictEqual(yield* left(directory, tape.run), [0, 1, 2])
      yield* TestClock.adjust("2 hours")
      yield* eventually(
        Effect.zipRight(
          TestClock.adjust("5 minutes"),
          Effect.map(left(directory, tape.run), ([first]) => first === 2)
        )
      )
    })
  )
})
