/** The commands as processes, since standard output, its end and exit codes are theirs. */
import { spawn, spawnSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { afterAll, beforeAll } from "vitest"
import { instrumentId, VenueId } from "../../src/domain/Market.ts"
import { nameOf, packedName, plainName } from "../../src/tape/TapeDirectory.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import { frames, numbered } from "../tape/Inputs.ts"
import { closable, eventually, files, write } from "../tape/Tapes.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const caches = join(root, "node_modules", ".cache")
let program = ""

beforeAll(async () => {
  await mkdir(caches, { recursive: true })
  program = await mkdtemp(join(caches, "cli-"))
  await build({
    entryPoints: [join(root, "src/main.ts")],
    outfile: join(program, "main.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    // In one file, since looking for hundreds of modules would be most of the time that a command takes.
    external: ["@electric-sql/pglite", "pg", "pg-native", "pg-copy-streams", "bufferutil", "utf-8-validate"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)' }
  })
})

afterAll(() => (program === "" ? undefined : rm(program, { recursive: true, force: true })))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const parallax = (...args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.promise(
    () =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [join(program, "main.mjs"), "tape", ...args], { cwd: root })
        const ended = { stdout: "", stderr: "" }
        child.stdout.on("data", (data: Buffer) => (ended.stdout += data.toString()))
        child.stderr.on("data", (data: Buffer) => (ended.stderr += data.toString()))
        child.on("close", (code) => resolve({ ...ended, code }))
      })
  )

const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const kalshi = VenueId.make("kalshi")

/** A tape in use: a compressed segment with records 1 to 4 and an open one with 5 and 6. */
const tape = Effect.gen(function* () {
  const dataDir = yield* temporaryDirectory
  const directory = join(dataDir, "tape")
  const [tape, close] = yield* closable(write(directory))
  tape.append({ _tag: "Opened", venue: kalshi, slot: "k", connection: "k-1", terms: { a: 1 }, receivedTime: 1000 })
  tape.append({ ...frames("k-1", 2000, "one"), venue: kalshi })
  tape.append({ ...frames("p-1", 3000, "two", "drei €"), frames: [Buffer.from("two"), Buffer.from([0xff, 0x00])] })
  tape.append({ _tag: "ResyncBegun", instrumentId: instrumentId(kalshi, "A"), receivedTime: 4000 })
  tape.rotate(Buffer.from("state"))
  tape.saveRowState(4, Buffer.from("rows"))
  tape.append({ ...frames("k-1", 5000, "three"), venue: kalshi })
  tape.append({ _tag: "Swept", receivedTime: 6000 })
  yield* tape.flush
  yield* tape.noteStored(4)
  const expected = [packedName(nameOf(tape.run, 0)), plainName(nameOf(tape.run, 4))]
  yield* eventually(
    Effect.map(files(directory), (all) => {
      const segments = all.filter((name) => name.includes(".tape"))
      return segments.join() === expected.join() && all.some((name) => name.endsWith(".state"))
    })
  )
  return { dataDir, directory, tape, close, segments: expected.map((name) => join(directory, name)) }
})

describe("parallax tape", () => {
  it.scoped("ls lists runs and segments", () =>
    Effect.gen(function* () {
      const { directory, tape: writer } = yield* tape
      const people = yield* parallax("ls", "--dir", directory)
      assert.deepStrictEqual([people.code, people.stderr], [0, ""])
      assert.match(people.stdout, new RegExp(`^run ${writer.run}: begun .*, 2 segments, 6 records, 0\\.00\\d MB\\n`))
      assert.match(people.stdout, /\n +1–4 {2}\S+Z {2}\S+Z +\S+ MB +[\d.]+× +yes +\S+\.tape\.gz\n/)
      assert.match(people.stdout, /\n +5–6 .* yes {4}no +\S+\.tape\n$/)
      const [run] = JSON.parse((yield* parallax("ls", "--dir", directory, "--json")).stdout) as [
        { readonly stored: number; readonly segments: ReadonlyArray<Record<string, unknown>> }
      ]
      assert.strictEqual(run.stored, 4)
      assert.deepStrictEqual(
        run.segments.map(({ after, compressed, hasState, records, stored }) => ({
          after,
          compressed,
          hasState,
          records,
          stored
        })),
        [
          { after: 0, compressed: true, hasState: false, records: 4, stored: true },
          { after: 4, compressed: false, hasState: true, records: 2, stored: false }
        ]
      )
      assert.strictEqual(run.segments[1]!["ended"], "1970-01-01T00:00:06.000Z")
    })
  )

  it.scoped("cat prints every input, or those that are asked for", () =>
    Effect.gen(function* () {
      const { dataDir, directory, tape: writer } = yield* tape
      const config = join(dataDir, "config.yaml")
      yield* Effect.promise(() => writeFile(config, `data_dir: ${dataDir}\n`))
      const { code, stderr, stdout } = yield* parallax("cat", "--config", config)
      assert.deepStrictEqual([code, stderr], [0, ""])
      const lines = jsonLines(stdout)
      assert.deepStrictEqual(
        lines.map(({ record }) => record),
        [1, 2, 3, 4, 5, 6]
      )
      assert.deepStrictEqual(lines[2], {
        run: writer.run,
        record: 3,
        time: "1970-01-01T00:00:03.000Z",
        _tag: "Frames",
        venue: "polymarket",
        connection: "p-1",
        frames: ["two", { base64: "/wA=" }],
        receivedTime: 3000
      })
      const cat = (...args: ReadonlyArray<string>) =>
        Effect.map(parallax("cat", "--dir", directory, ...args), (ended) =>
          jsonLines(ended.stdout).map(({ record }) => record)
        )
      assert.deepStrictEqual(yield* cat("--venue", "kalshi"), [1, 2, 4, 5])
      assert.deepStrictEqual(yield* cat("--connection", "k-1"), [1, 2, 5])
      assert.deepStrictEqual(yield* cat("--from", "2000", "--to", "1970-01-01T00:00:05Z"), [2, 3, 4])
      const refused = yield* parallax("cat", "--dir", directory, "--from", "yesterday")
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, 'not "yesterday"')
    })
  )

  it.scoped("cat ends when nobody reads any more", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "tape")
      const [writer] = yield* closable(write(directory))
      for (let n = 1; n <= 50_000; n++) writer.append(numbered(n))
      yield* writer.flush
      const command = `"${process.execPath}" "${join(program, "main.mjs")}" tape cat --dir "${directory}" | head -n 2; echo "\${PIPESTATUS[0]}"`
      const { stderr, stdout } = spawnSync("bash", ["-c", command], { encoding: "utf8" })
      assert.strictEqual(stderr, "")
      const lines = stdout.trimEnd().split("\n")
      assert.lengthOf(lines, 3)
      assert.strictEqual(lines[2], "0")
    })
  )

  it.scoped("export writes the frames of each connection", () =>
    Effect.gen(function* () {
      const { dataDir, directory } = yield* tape
      const target = join(dataDir, "out")
      const ended = yield* parallax("export", "--dir", directory, "--to-dir", target)
      assert.deepStrictEqual([ended.code, ended.stdout], [0, `4 frames of 2 connections in ${target}\n`])
      assert.deepStrictEqual(yield* files(target), ["k-1.ndjson.gz", "p-1.ndjson.gz"])
      const of = (name: string) =>
        Effect.promise(async () => jsonLines(gunzipSync(await readFile(join(target, name))).toString()))
      assert.deepStrictEqual(yield* of("k-1.ndjson.gz"), [
        { time: "1970-01-01T00:00:02.000Z", venue: "kalshi", frame: "one" },
        { time: "1970-01-01T00:00:05.000Z", venue: "kalshi", frame: "three" }
      ])
      assert.deepStrictEqual(
        (yield* of("p-1.ndjson.gz")).map(({ frame }) => frame),
        ["two", { base64: "/wA=" }]
      )
      const again = yield* parallax("export", "--dir", directory, "--to-dir", target)
      assert.strictEqual(again.code, 1)
      assert.include(again.stderr, "not empty")
    })
  )

  it.scoped("verify finds every fault, with its place", () =>
    Effect.gen(function* () {
      const { close, directory, segments } = yield* tape
      const sound = yield* parallax("verify", "--dir", directory)
      assert.deepStrictEqual(sound, { code: 0, stdout: "1 run, 2 segments: no faults\n", stderr: "" })
      yield* close
      const open = segments[1]!
      const whole = yield* Effect.promise(() => readFile(open))
      yield* Effect.promise(() => writeFile(open, whole.subarray(0, -1)))
      const torn = yield* parallax("verify", "--dir", directory)
      assert.strictEqual(torn.code, 0)
      assert.match(torn.stdout, /at the end are no whole record \(the end of a run may be so\)\n.*no faults\n$/)

      const at = whole.lastIndexOf("three")
      const changed = Buffer.from(whole)
      changed[at]! ^= 1
      const state = (yield* Effect.promise(() => readdir(directory))).find((name) => name.endsWith(".state"))!
      yield* Effect.promise(async () => {
        await writeFile(open, changed)
        await writeFile(join(directory, state), "nothing")
        await rm(segments[0]!)
      })
      const faulty = yield* parallax("verify", "--dir", directory)
      assert.strictEqual(faulty.code, 1)
      const start = whole.indexOf("\n", whole.indexOf("\n") + 1) + 1
      assert.include(faulty.stdout, `${open} at ${start}: `)
      assert.include(faulty.stdout, `${join(directory, state)}: `)
      assert.include(faulty.stdout, "1 run, 1 segment: 2 faults\n")
      const cat = yield* parallax("cat", "--dir", directory)
      assert.strictEqual(cat.code, 1)
      assert.include(cat.stderr, `${open} at ${start}: `)
    })
  )

  it.scoped("says where there is none", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "none")
      for (const command of ["ls", "verify", "cat"]) {
        assert.deepStrictEqual(yield* parallax(command, "--dir", directory), {
          code: 1,
          stdout: "",
          stderr: `There is no tape in ${directory}.\n`
        })
      }
    })
  )
})
