/** Runs the measurements that are wanted, one after the other, and writes what came of them. */
import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { install } from "./Ending.ts"
import * as Guard from "./Guard.ts"
import * as Machine from "./Machine.ts"
import type { Bench } from "./Measure.ts"
import { all } from "./Measures.ts"
import * as Report from "./Report.ts"
import * as Results from "./Results.ts"

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    candidates: { type: "string" },
    seed: { type: "string", default: "1" },
    "soak-minutes": { type: "string" },
    guard: { type: "boolean", default: false },
    calibrate: { type: "string" },
    report: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})
const seed = Number(values.seed)

const HELP = `npm run bench -- [options]

  --only a,b           some of: ${all.map(({ name }) => name).join(", ")}
  --rounds N           rounds of each comparison (5)
  --quick              shorter, and written nowhere: for a look
  --candidates a,b     some of those that are compared; the floor always is
  --soak-minutes N     how long the soak lasts (3; 30 for what the goal says)
  --seed N             another workload (1)
  --report             writes docs/performance.md anew from bench/results.json
  --guard              fails when the product has become dearer than bench/guard.json allows
  --calibrate N        runs the guard N times more, and sets its bars by all such runs`

const measureAll = async (): Promise<void> => {
  const only = values.only?.split(",")
  const unknown = (only ?? []).filter((name) => all.every((measure) => measure.name !== name))
  if (unknown.length > 0) throw new Error(`no such measurement: ${unknown.join(", ")}`)
  const { quick } = values
  const bench: Bench = {
    rounds: Number(values.rounds ?? (quick ? 1 : 5)),
    quick,
    seed,
    soakMillis: Number(values["soak-minutes"] ?? (quick ? 0.5 : 3)) * 60_000,
    candidates: values.candidates?.split(","),
    say
  }
  for (const measure of all) {
    if (only !== undefined && !only.includes(measure.name)) continue
    say(`\n${measure.title}`)
    const [load = 0] = loadavg()
    const finding = await measure.run(bench)
    for (const { head, rows, title } of finding.tables) {
      say(`\n${title}`)
      const columns = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
      for (const row of [head, ...rows]) say(row.map((text, i) => text.padEnd(columns[i]!)).join("  "))
    }
    for (const { bar, goal, holds, measured } of finding.goals) {
      say(`${holds ? "pass" : "FAIL"}  ${goal}: ${measured} (${bar})`)
    }
    for (const text of finding.remarks) say(text)
    // What is only a look, or a part of a comparison, does not replace what is published.
    if (quick || bench.candidates !== undefined) continue
    const at = new Date().toISOString().slice(0, 16).replace("T", " ")
    const about = { at, machine: Machine.machine(), versions: Machine.versions(), load, quick, seed }
    // Another run may have written meanwhile.
    const results = { ...(await Results.read()), [measure.name]: { ...about, finding } }
    await Results.write(results)
    await Report.write(all, results)
  }
}

install()
if (values.help) say(HELP)
else if (values.report) await Report.write(all, await Results.read())
else if (values.calibrate !== undefined) await Guard.calibrate(Number(values.calibrate), seed, say)
else if (values.guard) process.exitCode = (await Guard.run(seed, say)) ? 0 : 1
else await measureAll()
// A chart that was drawn may keep timers of its own.
process.exit()
