import { stat } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Fiber, Option, TestClock } from "effect"
import { makeFile, type MakeFile } from "../../src/tape/OpenSegment.ts"
import { nameOf, packedName, plainName, stateName } from "../../src/tape/TapeDirectory.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { numbered } from "./Inputs.ts"
import { closable, eventually, files, logging, numbers, reader, records, series, write } from "./Tapes.ts"

const bytes = (text: string) => Buffer.from(text)

/** Lets time pass until it holds, so that what failed is tried again. */
const retried = <E, R>(holds: Effect.Effect<boolean, E, R>) =>
  eventually(Effect.zipRight(TestClock.adjust("1 second"), holds))

/** Files that take nothing while `gate` says why not, and at most so many bytes at a time. */
const guarded =
  (gate: () => Promise<void>, most = Infinity): MakeFile =>
  async (path) => {
    await gate()
    const handle = await makeFile(path)
    return {
      write: (async (data: Buffer, offset: number, length: number, position: number) => {
        await gate()
        return handle.write(data, offset, Math.min(length, most), position)
      }) as typeof handle.write,
      datasync: () => handle.datasync(),
      close: () => handle.close()
    }
  }

/** A disk that is full at will. */
const fillable = () => {
  const disk = { full: false, tried: 0 }
  const gate = async () => {
    disk.tried++
    if (disk.full) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
  }
  return { disk, makeFile: guarded(gate) }
}

describe("a tape", () => {
  it.scoped("numbers records from 1, and has them in order for whoever reads beside", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory)
      assert.deepStrictEqual(yield* numbers(directory, tape.run), [])
      for (let n = 1; n <= 100; n++) assert.strictEqual(tape.append(numbered(n)), n)
      assert.deepStrictEqual([tape.last(), tape.written()], [100, 0])
      yield* tape.flush
      assert.strictEqual(tape.written(), 100)
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 100))
      assert.deepStrictEqual(yield* numbers(directory, tape.run, 98), series(99, 100))
      assert.deepStrictEqual(yield* numbers(directory, tape.run, 100), [])
      const size = yield* Effect.promise(() => stat(join(directory, plainName(nameOf(tape.run, 0)))))
      assert.deepStrictEqual(yield* tape.status, {
        run: tape.run,
        appended: 100,
        written: 100,
        segments: 1,
        bytes: size.size,
        waiting: 0,
        lost: 0,
        error: null
      })
    })
  )

  it.scoped("lets records gather for ten milliseconds, or until somebody waits for them", () =>
    Effect.gen(function* () {
      const writes: Array<number> = []
      const counted: MakeFile = async (path) => {
        const handle = await makeFile(path)
        const write = async (data: Buffer, offset: number, length: number, position: number) => {
          writes.push(length)
          return handle.write(data, offset, length, position)
        }
        return { write: write as typeof handle.write, datasync: () => handle.datasync(), close: () => handle.close() }
      }
      const tape = yield* write(yield* temporaryDirectory, {}, counted)
      const header = writes.length
      for (let n = 1; n <= 5; n++) {
        tape.append(numbered(n))
        yield* TestClock.adjust("1 millis")
      }
      assert.deepStrictEqual([tape.written(), writes.length], [0, header])
      yield* TestClock.adjust("5 millis")
      yield* eventually(Effect.sync(() => tape.written() === 5))
      assert.strictEqual(writes.length, header + 1)
      tape.append(numbered(6))
      yield* tape.flush
      assert.deepStrictEqual([tape.written(), writes.length], [6, header + 2])
    })
  )

  it.scoped("writes what waits when it is closed", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const [tape, close] = yield* closable(write(directory, { fsync: "second" }))
      for (let n = 1; n <= 50; n++) tape.append(numbered(n))
      tape.rotate(bytes("state"))
      tape.append(numbered(51))
      tape.saveRowState(50, bytes("rows"))
      yield* close
      assert.strictEqual(tape.written(), 51)
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 51))
      assert.isTrue(Option.isSome(yield* (yield* reader(directory)).stateUpTo(tape.run, 51)))
    })
  )

  it.scoped("gives every run a number of its own, whatever the clock says", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const runs: Array<number> = []
      for (let i = 0; i < 3; i++) {
        const [tape, close] = yield* closable(write(directory))
        tape.append(numbered(1))
        runs.push(tape.run)
        yield* close
      }
      assert.deepStrictEqual(runs, [1, 2, 3])
      assert.deepStrictEqual(
        (yield* (yield* reader(directory)).runs).map(({ run }) => run),
        runs
      )
    })
  )

  it.scoped("remembers how far a run is stored", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory)
      const stored = Effect.map(
        Effect.flatMap(reader(directory), ({ runs }) => runs),
        ([run]) => run?.stored
      )
      assert.isNull(yield* stored)
      yield* tape.noteStored(5)
      yield* tape.noteStored(3)
      assert.strictEqual(yield* stored, 5)
    })
  )

  it.scoped("whose disk is slow lets those wait who append", () =>
    Effect.gen(function* () {
      let open: (() => void) | undefined
      const directory = yield* temporaryDirectory
      const gate = () => new Promise<void>((resolve) => (open = resolve))
      const making = yield* Effect.fork(write(directory, { buffer_mb: 0.001 }, guarded(gate)))
      const pass = Effect.zipRight(
        eventually(Effect.sync(() => open !== undefined)),
        Effect.sync(() => {
          open?.()
          open = undefined
        })
      )
      yield* pass
      yield* pass
      const tape = yield* Fiber.join(making)
      yield* tape.room
      for (let n = 1; n <= 100; n++) tape.append(numbered(n))
      const room = yield* Effect.fork(tape.room)
      const flush = yield* Effect.fork(tape.flush)
      yield* eventually(Effect.sync(() => open !== undefined))
      assert.isNull(room.unsafePoll())
      assert.isAbove((yield* tape.status).waiting, 1000)
      yield* Effect.forkScoped(Effect.forever(pass))
      yield* Fiber.join(room)
      yield* Fiber.join(flush)
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 100))
    })
  )

  it.scoped("is written whole when the disk takes a few bytes at a time", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(
        directory,
        {},
        guarded(async () => {}, 7)
      )
      for (let n = 1; n <= 40; n++) tape.append(numbered(n))
      yield* tape.flush
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 40))
    })
  )
})

describe("a new segment", () => {
  it.scoped("is due when the last is full, or asked for, and begins with the state", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory, { segment_mb: 0.001 })
      let n = 0
      while (!tape.isRotationDue()) tape.append(numbered(++n))
      assert.approximately(n, 1000 / 45, 5)
      tape.rotate(bytes("state"))
      assert.isFalse(tape.isRotationDue())
      tape.append(numbered(n + 1))
      tape.requestRotation()
      assert.isTrue(tape.isRotationDue())
      yield* tape.flush
      const { runs, stateUpTo } = yield* reader(directory)
      const [run] = yield* runs
      assert.deepStrictEqual(
        run?.segments.map(({ after }) => after),
        [0, n]
      )
      assert.isTrue(Option.isNone(yield* stateUpTo(tape.run, n)))
      tape.saveRowState(n - 1, bytes("of no segment"))
      tape.saveRowState(n, bytes("rows"))
      yield* TestClock.adjust("10 millis")
      yield* eventually(Effect.map(files(directory), (all) => all.includes(stateName(nameOf(tape.run, n)))))
      const found = Option.getOrThrow(yield* stateUpTo(tape.run, n + 5))
      assert.deepStrictEqual([found.after, String(found.derivation), String(found.rows)], [n, "state", "rows"])
      assert.isTrue(Option.isNone(yield* stateUpTo(tape.run, n - 1)))
      assert.isTrue(Option.isNone(yield* stateUpTo(tape.run + 1, n)))
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, n + 1))
    })
  )

  it.scoped("is not begun where the last one has no records yet", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory)
      tape.rotate(bytes("first"))
      tape.rotate(bytes("second"))
      tape.saveRowState(0, bytes(""))
      tape.append(numbered(1))
      yield* tape.flush
      yield* eventually(Effect.map(files(directory), (all) => all.includes(stateName(nameOf(tape.run, 0)))))
      const { runs, stateUpTo } = yield* reader(directory)
      assert.lengthOf((yield* runs)[0]!.segments, 1)
      assert.strictEqual(String(Option.getOrThrow(yield* stateUpTo(tape.run, 0)).derivation), "second")
    })
  )

  it.scoped("lets the one before be compressed, and readers never notice", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const tape = yield* write(directory)
      for (let n = 1; n <= 300; n++) {
        tape.append(numbered(n))
        if (n % 100 === 0) tape.rotate(bytes(`state ${n}`))
      }
      yield* tape.flush
      const packed = [0, 100, 200].map((after) => packedName(nameOf(tape.run, after)))
      const isPacked = Effect.map(files(directory), (all) =>
        packed.every((file) => all.includes(file) && !all.includes(file.slice(0, -3)))
      )
      yield* eventually(
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 300))
          return yield* isPacked
        })
      )
      assert.deepStrictEqual(yield* numbers(directory, tape.run, 150), series(151, 300))
      yield* eventually(Effect.map(tape.status, ({ segments }) => segments === 4))
    })
  )

  it.scoped.prop(
    "keeps the order, whenever it comes, for readers beside and after",
    { cuts: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 3, maxLength: 12 }) },
    ({ cuts }) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const [tape, close] = yield* closable(write(directory))
        const seen: Array<number> = []
        const reading = yield* Effect.fork(
          Effect.forever(
            Effect.gen(function* () {
              const read = yield* numbers(directory, tape.run)
              assert.deepStrictEqual(read, series(1, read.length))
              seen.push(read.length)
            })
          )
        )
        for (const cut of cuts) {
          for (let i = 0; i < cut; i++) tape.append(numbered(tape.last() + 1))
          if (cut % 3 === 0) yield* tape.flush
          if (cut % 3 === 1) yield* Effect.yieldNow()
          tape.rotate(bytes(`state ${tape.last()}`))
        }
        yield* eventually(Effect.sync(() => seen.length > 2 || reading.unsafePoll() !== null))
        yield* Fiber.interrupt(reading)
        assert.isAtLeast(seen.length, 3)
        yield* close
        assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, tape.last()))
      }),
    { fastCheck: { numRuns: 10 } }
  )
})

describe("a disk that refuses", () => {
  it.scoped("loses nothing while what waits fits, and is told of once", () =>
    logging((logged) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const { disk, makeFile } = fillable()
        const tape = yield* write(directory, {}, makeFile)
        disk.full = true
        for (let n = 1; n <= 10; n++) tape.append(numbered(n))
        yield* tape.flush
        yield* tape.room
        assert.match((yield* tape.status).error ?? "", /ENOSPC/)
        assert.strictEqual(tape.written(), 0)
        for (let i = 0; i < 4; i++) {
          const { tried } = disk
          yield* retried(Effect.sync(() => disk.tried > tried))
        }
        disk.full = false
        tape.append(numbered(11))
        yield* retried(Effect.sync(() => tape.written() === 11))
        assert.isNull((yield* tape.status).error)
        assert.isFalse(tape.isRotationDue())
        assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 11))
        assert.lengthOf(
          logged.filter((line) => line.startsWith("ERROR the tape cannot be written")),
          1
        )
        assert.lengthOf(
          logged.filter((line) => line.startsWith("INFO the tape is written again")),
          1
        )
      })
    )
  )

  it.scoped("loses what does not fit, and the hole is never read over", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { disk, makeFile } = fillable()
      const tape = yield* write(directory, { buffer_mb: 0.001 }, makeFile)
      tape.append(numbered(1))
      yield* tape.flush
      disk.full = true
      tape.append(numbered(2))
      yield* tape.flush
      for (let n = 3; n <= 100; n++) assert.strictEqual(tape.append(numbered(n)), n)
      const { lost, waiting } = yield* tape.status
      assert.isAbove(lost, 50)
      assert.approximately(waiting, 1000, 100)
      tape.requestRotation()
      assert.isFalse(tape.isRotationDue(), "there is nowhere to begin it")
      disk.full = false
      yield* retried(Effect.map(tape.status, ({ error, waiting }) => error === null && waiting === 0))
      const kept = 100 - lost
      assert.deepStrictEqual([tape.written(), (yield* tape.status).written], [kept, kept])
      assert.isTrue(tape.isRotationDue())
      tape.append(numbered(101))
      assert.strictEqual((yield* tape.status).lost, lost + 1, "a segment has no holes")
      tape.rotate(bytes("all"))
      tape.append(numbered(102))
      tape.saveRowState(101, bytes("rows"))
      yield* tape.flush
      assert.deepStrictEqual([tape.written(), (yield* tape.status).written], [102, kept + 1])

      const missing = yield* Effect.flip(records(directory, tape.run))
      assert.strictEqual(missing.reason, "missing")
      assert.include(missing.message, `records ${kept + 1} to 101`)
      assert.strictEqual((yield* Effect.flip(records(directory, tape.run, kept))).reason, "missing")
      assert.deepStrictEqual(yield* numbers(directory, tape.run, 101), series(102, 102))
      yield* eventually(Effect.map(files(directory), (all) => all.includes(stateName(nameOf(tape.run, 101)))))
      const { stateUpTo } = yield* reader(directory)
      assert.strictEqual(Option.getOrThrow(yield* stateUpTo(tape.run, 102)).after, 101)
    })
  )

  it.scoped("from the beginning is tried until it takes something", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { disk, makeFile } = fillable()
      disk.full = true
      const tape = yield* write(directory, {}, makeFile)
      tape.append(numbered(1))
      tape.rotate(bytes("state"))
      tape.append(numbered(2))
      yield* tape.flush
      disk.full = false
      yield* retried(Effect.sync(() => tape.written() === 2))
      assert.deepStrictEqual(yield* numbers(directory, tape.run), series(1, 2))
    })
  )

  it.scoped("does not keep the tape from being closed, and what is lost is said", () =>
    logging((logged) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const { disk, makeFile } = fillable()
        const [tape, close] = yield* closable(write(directory, {}, makeFile))
        disk.full = true
        tape.append(numbered(1))
        yield* close
        assert.isTrue(logged.some((line) => line.includes("in no file written=0 last=1")))
      })
    )
  )

  it.scoped("is not to blame for an input that cannot be written", () =>
    logging((logged) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const tape = yield* write(directory)
        const { connection, receivedTime, venue } = numbered(1)
        tape.append({ _tag: "Opened", slot: "s", terms: { n: 1n }, venue, connection, receivedTime })
        assert.isTrue(tape.isRotationDue())
        yield* tape.flush
        yield* eventually(Effect.sync(() => logged.some((line) => line.startsWith("ERROR an input could not"))))
        assert.strictEqual((yield* tape.status).lost, 1)
      })
    )
  )
})
