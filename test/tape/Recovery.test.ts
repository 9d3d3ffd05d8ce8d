import { copyFile, readFile, rm, stat, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { draftOf, nameOf, packedName, plainName, stateName } from "../../src/tape/TapeDirectory.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { numbered } from "./Inputs.ts"
import { closable, eventually, files, logging, numbers, reader, records, series, write } from "./Tapes.ts"

const promise = <A>(work: () => Promise<A>) => Effect.promise(work)

/** A run of so many records that ended in order, in segments that begin after the given ones. */
const run = (directory: string, count: number, after: ReadonlyArray<number> = []) =>
  Effect.gen(function* () {
    const [tape, close] = yield* closable(write(directory))
    for (let n = 1; n <= count; n++) {
      tape.append(numbered(n))
      if (after.includes(n)) {
        tape.rotate(Buffer.from(`state ${n}`))
        tape.saveRowState(n, Buffer.from("rows"))
      }
    }
    yield* tape.flush
    const complete = after.length === 0 ? [] : [0, ...after.slice(0, -1)]
    yield* eventually(
      Effect.map(files(directory), (all) => complete.every((n) => !all.includes(plainName(nameOf(tape.run, n)))))
    )
    yield* close
    return { run: tape.run, file: join(directory, plainName(nameOf(tape.run, after.at(-1) ?? 0))) }
  })

const flip = (file: string, at: number) =>
  promise(async () => {
    const bytes = await readFile(file)
    bytes[at]! ^= 1
    await writeFile(file, bytes)
  })

/** What the next start makes of the tape. */
const restart = (directory: string) =>
  logging((logged) =>
    Effect.gen(function* () {
      const [, close] = yield* closable(write(directory))
      yield* eventually(
        Effect.map(files(directory), (all) => all.filter((name) => name.endsWith(".tape")).length === 1)
      )
      yield* close
      return logged
    })
  )

describe("a torn end", () => {
  it.scoped("is the end for a reader, and is cut at the next start", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10)
      const whole = yield* promise(() => readFile(before.file))
      for (const less of [1, 5, 30]) {
        yield* promise(() => truncate(before.file, whole.length - less))
        assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 9))
      }
      const logged = yield* restart(directory)
      assert.lengthOf(
        logged.filter((line) => line.startsWith("WARN the torn end of a segment was cut")),
        1
      )
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 9))
      const packed = yield* promise(() => readFile(`${before.file}.gz`))
      const length = (whole.length - 160) / 10
      assert.isBelow(gunzipSync(packed).length, whole.length - length / 2)
    })
  )

  it.scoped("of zeros, as a power failure leaves it, is cut as well", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10)
      yield* promise(async () => {
        const { size } = await stat(before.file)
        await truncate(before.file, size + 5000)
      })
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 10))
      assert.lengthOf(
        (yield* restart(directory)).filter((line) => line.includes("bytes=5000")),
        1
      )
    })
  )

  it.scoped("within the first lines is a segment without records", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10, [10])
      yield* promise(() => truncate(before.file, 20))
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 10))
      const logged = yield* restart(directory)
      assert.isTrue(logged.some((line) => line.includes("without records")))
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 10))
    })
  )

  it.scoped("before another segment is a hole", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10, [6])
      const first = join(directory, packedName(nameOf(before.run, 0)))
      const plain = gunzipSync(yield* promise(() => readFile(first)))
      yield* promise(() => writeFile(first, gzipSync(plain.subarray(0, plain.length - 3))))
      const error = yield* Effect.flip(records(directory, before.run))
      assert.deepStrictEqual([error.reason, error.where], ["missing", first])
      assert.include(error.detail, "records 6 to 6")
      assert.deepStrictEqual(yield* numbers(directory, before.run, 6), series(7, 10))
    })
  )
})

describe("damage", () => {
  it.scoped("in the middle is neither read over nor cut", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10)
      const { size } = yield* promise(() => stat(before.file))
      yield* flip(before.file, size - 100)
      const error = yield* Effect.flip(records(directory, before.run))
      assert.strictEqual(error.reason, "damaged")
      assert.match(error.where, /\.tape at \d+$/)
      const logged = yield* restart(directory)
      assert.isTrue(logged.some((line) => line.startsWith("ERROR a segment is damaged")))
      assert.strictEqual((yield* Effect.flip(records(directory, before.run))).reason, "damaged")
    })
  )

  it.scoped("of compressed data is found", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 200, [200])
      const packed = join(directory, packedName(nameOf(before.run, 0)))
      const { size } = yield* promise(() => stat(packed))
      for (const at of [Math.floor(size / 2), size - 6]) {
        yield* flip(packed, at)
        assert.strictEqual((yield* Effect.flip(records(directory, before.run))).reason, "damaged")
        yield* flip(packed, at)
      }
      yield* promise(() => truncate(packed, size - 20))
      assert.strictEqual((yield* Effect.flip(records(directory, before.run))).reason, "damaged")
    })
  )

  it.scoped("of a segment's name or first lines is found", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 3)
      const other = join(directory, plainName(nameOf(before.run, 3)))
      yield* promise(() => copyFile(before.file, other))
      const error = yield* Effect.flip(records(directory, before.run))
      assert.deepStrictEqual([error.reason, error.where], ["damaged", `${other} at 0`])
      yield* flip(before.file, 30)
      assert.strictEqual((yield* Effect.flip(records(directory, before.run))).reason, "damaged")
    })
  )

  it.scoped("of a state makes an earlier one serve", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10, [3, 6])
      const { stateUpTo } = yield* reader(directory)
      const afterOf = Effect.map(
        stateUpTo(before.run, 10),
        Option.map(({ after }) => after)
      )
      assert.deepStrictEqual(yield* afterOf, Option.some(6))
      const file = join(directory, stateName(nameOf(before.run, 6)))
      const { size } = yield* promise(() => stat(file))
      for (let at = 0; at < size; at++) {
        yield* flip(file, at)
        assert.deepStrictEqual(yield* afterOf, Option.some(3), `byte ${at}`)
        yield* flip(file, at)
      }
      yield* promise(() => truncate(file, size - 1))
      assert.deepStrictEqual(yield* afterOf, Option.some(3))
      yield* promise(() => writeFile(file, ""))
      assert.deepStrictEqual(yield* afterOf, Option.some(3))
    })
  )
})

describe("what a killed process leaves", () => {
  it.scoped("half done is removed, and what was done twice is there once", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10)
      const packed = `${before.file}.gz`
      yield* promise(async () => {
        await writeFile(packed, gzipSync(await readFile(before.file)))
        await writeFile(draftOf(packed), "half")
        await writeFile(draftOf(join(directory, stateName(nameOf(before.run, 0)))), "half")
        await writeFile(join(directory, "notes.txt"), "of somebody else")
      })
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 10))
      yield* restart(directory)
      assert.deepStrictEqual(yield* files(directory), [
        packedName(nameOf(before.run, 0)),
        plainName(nameOf(before.run + 1, 0)),
        "notes.txt"
      ])
      assert.deepStrictEqual(yield* numbers(directory, before.run), series(1, 10))
    })
  )
})

describe("a segment that is gone", () => {
  it.scoped("is missing, whether it was the first or another", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* run(directory, 10, [3, 6])
      const gone = join(directory, packedName(nameOf(before.run, 3)))
      yield* promise(() => rm(gone))
      const error = yield* Effect.flip(records(directory, before.run))
      assert.deepStrictEqual([error.reason, error.detail], ["missing", "records 4 to 6 are not on the tape"])
      assert.deepStrictEqual(yield* numbers(directory, before.run, 6), series(7, 10))
      assert.strictEqual((yield* Effect.flip(records(directory, before.run + 5))).reason, "missing")
      assert.strictEqual((yield* Effect.flip(records(join(directory, "none"), 1))).reason, "io")
    })
  )
})
