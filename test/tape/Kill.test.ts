/** A process that writes a tape and is killed in the middle of it, again and again. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { afterAll, beforeAll } from "vitest"
import { temporaryDirectory } from "../storage/Databases.ts"
import { numberOf } from "./Inputs.ts"
import { closable, reader, records, write } from "./Tapes.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const caches = join(root, "node_modules", ".cache")
let built = ""

/** Appends as fast as the disk lets it, begins segments now and then, and says what is written. */
const program = `
import { Effect, Schema } from "effect"
import { writeSync } from "node:fs"
import { Tape } from "${join(root, "src/tape/Tape.ts")}"
import { TapeConfig } from "${join(root, "src/tape/TapeConfig.ts")}"
const config = { ...Schema.decodeSync(TapeConfig)({ fsync: "never" }), segment_mb: 0.3 }
const filling = Buffer.alloc(300, 32)
const main = Effect.gen(function* () {
  const tape = yield* Tape
  for (;;) {
    for (let i = 0; i < 50; i++) {
      const n = tape.last() + 1
      const frame = Buffer.concat([Buffer.from('{"n":' + n + '}'), filling])
      tape.append({ _tag: "Frames", venue: "v", connection: "c", frames: [frame], receivedTime: n })
    }
    if (tape.isRotationDue()) {
      tape.rotate(Buffer.from("state " + tape.last()))
      tape.saveRowState(tape.last(), Buffer.from("rows"))
    }
    yield* tape.room
    writeSync(1, tape.run + " " + tape.written() + "\\n")
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
})
Effect.runPromise(Effect.provide(main, Tape.layer(config, process.argv[2])))
`

beforeAll(async () => {
  await mkdir(caches, { recursive: true })
  built = await mkdtemp(join(caches, "tape-"))
  await writeFile(join(built, "entry.ts"), program)
  await build({
    entryPoints: [join(built, "entry.ts")],
    outfile: join(built, "writer.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external"
  })
})

afterAll(() => (built === "" ? undefined : rm(built, { recursive: true, force: true })))

/** Kills the writer once it has written so many records; gives the run and what it last said was written. */
const killed = async (dataDir: string, records: number) => {
  const child = spawn(process.execPath, [join(built, "writer.mjs"), dataDir], { cwd: root })
  let said = { run: 0, written: -1 }
  let rest = ""
  let errors = ""
  child.stderr.on("data", (data: Buffer) => (errors += data.toString()))
  child.stdout.on("data", (data: Buffer) => {
    const lines = (rest + data.toString()).split("\n")
    rest = lines.pop() ?? ""
    const [run, written] = lines.at(-1)?.split(" ").map(Number) ?? []
    if (run !== undefined && written !== undefined) said = { run, written }
    if (said.written >= records) child.kill("SIGKILL")
  })
  await once(child, "close")
  assert.isAtLeast(said.written, records, errors)
  return said
}

describe("a tape whose process is killed", () => {
  it.scoped("has every record that was written, whole and in order", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const directory = join(dataDir, "tape")
      const said: Array<{ readonly run: number; readonly written: number }> = []
      for (let i = 0; i < 10; i++) {
        said.push(yield* Effect.promise(() => killed(dataDir, 200 + ((i * 1237) % 4000))))
      }
      const check = Effect.gen(function* () {
        const { runs } = yield* reader(directory)
        assert.deepStrictEqual(
          (yield* runs).map(({ run }) => run).filter((run) => run <= said.at(-1)!.run),
          said.map(({ run }) => run)
        )
        for (const { run, written } of said) {
          const all = yield* records(directory, run)
          assert.isAtLeast(all.length, written)
          for (const [index, { input, ordinal }] of all.entries()) {
            assert.strictEqual(ordinal, index + 1)
            assert.strictEqual(numberOf(input), ordinal)
          }
        }
      })
      yield* check
      const [, close] = yield* closable(write(directory))
      yield* close
      yield* check
    })
  )
})
