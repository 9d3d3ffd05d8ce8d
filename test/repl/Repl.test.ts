/** The prompt as a process of its own, since it takes over the globals and the standard streams. */
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { afterAll, beforeAll } from "vitest"
import { examples } from "../../src/repl/Repl.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const caches = join(root, "node_modules", ".cache")
let directory = ""

const program = `
import { NodeRuntime } from "@effect/platform-node"
import * as Repl from "${join(root, "src/repl/Repl.ts")}"
import * as Settings from "${join(root, "src/Settings.ts")}"
const simulator = process.argv.includes("--simulator")
NodeRuntime.runMain(Repl.run({ settings: Settings.defaults, simulator }))
`

beforeAll(async () => {
  await mkdir(caches, { recursive: true })
  directory = await mkdtemp(join(caches, "repl-"))
  const entry = join(directory, "entry.ts")
  await writeFile(entry, program)
  await build({
    entryPoints: [entry],
    outfile: join(directory, "repl.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external"
  })
})

afterAll(() => (directory === "" ? undefined : rm(directory, { recursive: true, force: true })))

interface Answer {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Types lines at a prompt that has no terminal; keeps it open until it is interrupted where `end` says so. */
const type = (lines: ReadonlyArray<string>, options: { readonly end?: "interrupt" } = {}): Promise<Answer> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(directory, "repl.mjs"), "--simulator"], { cwd: dirname(caches) })
    const answer = { stdout: "", stderr: "" }
    child.stderr.on("data", (data: Buffer) => (answer.stderr += data.toString()))
    child.stdout.on("data", (data: Buffer) => {
      answer.stdout += data.toString()
      if (options.end === "interrupt" && data.includes("ready")) child.kill("SIGINT")
    })
    child.on("close", (code) => resolve({ ...answer, code }))
    child.stdin.write(lines.map((line) => `${line}\n`).join(""))
    if (options.end === undefined) child.stdin.end()
  })

describe("Repl", () => {
  it("answers what is piped into it, and ends", async () => {
    const answer = await type([
      "1 + 1",
      "// nothing",
      "if (true) {",
      "  'two lines'",
      "}",
      "Money.formatDecimal(410000)"
    ])
    assert.deepStrictEqual(answer, { code: 0, stdout: "2\n'two lines'\n'0.41'\n", stderr: "" })
  })

  it("takes from a feed", async () => {
    const { code, stderr, stdout } = await type([
      `const events = await take(feed("polymarket"), 4)`,
      `events.map((event) => event._tag)`
    ])
    assert.strictEqual(stdout, "[ 'Connected', 'Subscribed', 'BookSnapshot', 'BookSnapshot' ]\n")
    assert.deepStrictEqual([code, stderr], [0, ""])
  })

  it("feeds the markets that are named", async () => {
    const { stdout } = await type([
      `const found = await take(markets("polymarket"), 3)`,
      `const [, second, third] = found.map(({ slug }) => slug)`,
      `const wanted = found.slice(1).flatMap(Market.instruments).map(({ id }) => id).sort()`,
      `const subscribed = feed("polymarket", second, third).pipe(Stream.filter(({ _tag }) => _tag === "Subscribed"))`,
      `const [event] = await take(subscribed, 1)`,
      `JSON.stringify(wanted) === JSON.stringify([...event.instrumentIds].sort())`
    ])
    assert.strictEqual(stdout, "true\n")
  })

  it("does what its greeting promises", async () => {
    const { code, stdout, stderr } = await type(examples.map(([line]) => line))
    assert.notInclude(stdout, "Uncaught")
    assert.match(stdout, /^\[\n( {2}'[\w-]+',?\n){5}\]\n/)
    assert.match(stdout, /_tag: 'BookSnapshot'/)
    assert.match(stdout, /\nConnected\nSubscribed\nBookSnapshot\n/)
    assert.deepStrictEqual([code, stderr], [0, ""])
  })

  it("goes on after errors, and says what they are", async () => {
    const { code, stdout } = await type([
      `await run(Effect.fail("boom"))`,
      `await take(feed("polymarket", "no-such-market"), 1)`,
      `await take(feed("nowhere"), 1)`,
      `nonsense`,
      `"still here"`
    ])
    assert.match(stdout, /Uncaught 'boom'/)
    assert.match(stdout, /UnknownMarket: polymarket knows no market "no-such-market"/)
    assert.match(stdout, /UnknownVenue: no venue is named "nowhere": there is polymarket/)
    assert.match(stdout, /nonsense is not defined/)
    assert.match(stdout, /'still here'\n$/)
    assert.strictEqual(code, 0)
  })

  it("interrupts what still runs when the input ends", async () => {
    const { code, stdout } = await type([
      `run(Effect.onInterrupt(Effect.never, () => Console.log("cleaned up"))); "begun"`
    ])
    assert.deepStrictEqual([code, stdout], [0, "'begun'\ncleaned up\n"])
  })

  it("ends cleanly when it is interrupted", async () => {
    const { code, stdout } = await type(
      [
        `await run(Effect.onInterrupt(Effect.zipRight(Console.log("ready"), Effect.never), () => Console.log("cleaned up")))`
      ],
      { end: "interrupt" }
    )
    assert.deepStrictEqual([code, stdout], [0, "ready\ncleaned up\n"])
  })
})
