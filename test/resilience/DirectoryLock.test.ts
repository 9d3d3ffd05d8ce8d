import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, TestClock, TestServices } from "effect"
import * as DirectoryLock from "../../src/resilience/DirectoryLock.ts"
import { temporaryDirectory } from "../storage/Databases.ts"

/** A database directory that does not exist yet. */
const directory = Effect.map(temporaryDirectory, (base) => join(base, "data", "db"))

const take = (path: string) => Effect.scoped(DirectoryLock.acquire(path))

/** What a holder would have written, with some of it changed. */
const forge = (path: string, change: (holder: Record<string, unknown>) => Record<string, unknown>) =>
  Effect.gen(function* () {
    const text = yield* Effect.scoped(
      Effect.zipRight(
        DirectoryLock.acquire(path),
        Effect.promise(() => readFile(`${path}.lock`, "utf8"))
      )
    )
    const holder = change(JSON.parse(text) as Record<string, unknown>)
    yield* Effect.promise(() => writeFile(`${path}.lock`, JSON.stringify({ ...holder, token: "another" })))
  })

const files = (path: string) => Effect.promise(() => readdir(join(path, "..")))

const touch = (path: string, seconds: number) => Effect.promise(() => utimes(`${path}.lock`, seconds, seconds))

describe("the lock of a directory", () => {
  it.scoped("is there while it is held, and gone afterwards", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const scope = yield* Scope.make()
      yield* Scope.extend(DirectoryLock.acquire(path), scope)
      assert.deepStrictEqual(yield* files(path), ["db.lock"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* files(path), [])
      yield* take(path)
    })
  )

  it.scoped("names the directory and the process that holds it", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* DirectoryLock.acquire(path)
      const refused = yield* Effect.flip(take(path))
      assert(refused._tag === "DirectoryLocked")
      assert.strictEqual(refused.message, `${path} is in use by process ${process.pid}`)
      assert.deepStrictEqual(yield* files(path), ["db.lock"])
    })
  )

  it.scoped("of a dead process is taken over", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const dead = yield* Effect.promise(async () => {
        const child = spawn(process.execPath, ["-e", ""])
        await once(child, "exit")
        return child.pid
      })
      yield* forge(path, (holder) => ({ ...holder, pid: dead }))
      yield* DirectoryLock.acquire(path)
      assert.lengthOf(yield* files(path), 1)
    })
  )

  it.scoped("of an earlier process with our own number is taken over", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* forge(path, (holder) => ({ ...holder, started: "1" }))
      yield* take(path)
    })
  )

  it.scoped("that is damaged is taken over", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.promise(() => mkdir(join(path, ".."), { recursive: true }))
      yield* Effect.promise(() => writeFile(`${path}.lock`, "{"))
      yield* take(path)
    })
  )

  it.scoped("of a holder elsewhere counts while it is touched", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* forge(path, (holder) => ({ ...holder, realm: "another container" }))
      yield* touch(path, 1)
      const attempt = yield* Effect.fork(take(path))
      yield* TestServices.provideLive(Effect.sleep("100 millis"))
      yield* touch(path, 3)
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(attempt)))._tag, "DirectoryLocked")
      const again = yield* Effect.fork(take(path))
      yield* TestServices.provideLive(Effect.sleep("100 millis"))
      yield* TestClock.adjust("7 seconds")
      yield* Fiber.join(again)
    })
  )

  it.scoped("goes to one of many", () =>
    Effect.gen(function* () {
      const path = yield* directory
      for (let round = 0; round < 20; round++) {
        yield* forge(path, (holder) => ({ ...holder, started: "1" }))
        const scope = yield* Scope.make()
        const exits = yield* Effect.all(
          Array.from({ length: 8 }, () => Effect.exit(Scope.extend(DirectoryLock.acquire(path), scope))),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(exits.filter(Exit.isSuccess), 1)
        yield* Scope.close(scope, Exit.void)
      }
    })
  )

  it.scoped("says why it cannot be taken", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.promise(() => writeFile(join(path, "../../data"), "a file"))
      const refused = yield* Effect.flip(take(path))
      assert.strictEqual(refused._tag, "DirectoryUnusable")
      assert.include(refused.message, path)
    })
  )
})
