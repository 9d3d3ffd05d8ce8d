/** A real disk that is full: a small one in memory, where the machine lets us have one. */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { temporaryDirectory } from "../storage/Databases.ts"
import { numbered } from "./Inputs.ts"
import { closable, eventually, numbers, series, write } from "./Tapes.ts"

const small = Effect.gen(function* () {
  const base = yield* temporaryDirectory
  const directory = join(base, "disk")
  const mount = () => {
    mkdirSync(directory)
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" })
      return true
    } catch {
      return false
    }
  }
  const isMounted = yield* Effect.acquireRelease(Effect.sync(mount), (mounted) =>
    Effect.sync(() => (mounted ? execFileSync("umount", ["-l", directory]) : undefined))
  )
  return isMounted ? directory : undefined
})

describe("a disk that is full", () => {
  it.scoped("takes the rest when there is space again", (context) =>
    Effect.gen(function* () {
      const directory = yield* small
      if (directory === undefined) return context.skip("no small file system can be mounted here")
      const ballast = join(directory, "ballast")
      const [tape, close] = yield* closable(write(join(directory, "tape")))
      yield* Effect.promise(() => writeFile(ballast, Buffer.alloc(900_000)))
      for (let n = 1; n <= 10_000; n++) tape.append(numbered(n))
      yield* tape.flush
      assert.match((yield* tape.status).error ?? "", /ENOSPC/)
      assert.isBelow(tape.written(), 10_000)
      yield* Effect.promise(() => rm(ballast))
      yield* eventually(
        Effect.zipRight(
          TestClock.adjust("1 second"),
          Effect.sync(() => tape.written() === 10_000)
        )
      )
      assert.deepStrictEqual(yield* numbers(join(directory, "tape"), tape.run), series(1, 10_000))
      yield* close
    })
  )
})
