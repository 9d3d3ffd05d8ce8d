/** The fault suite: runs the scenarios one after the other and writes what came of them. */
import { parseArgs } from "node:util"
import * as Postgres from "../support/Postgres.ts"
import * as Report from "./Report.ts"
import { type Kit, type Outcome, type Scenario, blank } from "./Scenario.ts"
import { all } from "./Scenarios.ts"
import { now } from "./Waiting.ts"
import * as World from "./World.ts"

const placeOf = (scenario: Scenario): number =>
  scenario.world === undefined ? chosen.indexOf(scenario) : chosen.findIndex(({ world }) => world === scenario.world)

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    only: { type: "string" },
    seed: { type: "string" },
    kills: { type: "string" }
  }
})
const seed = Number(values.seed ?? Date.now() % 100_000)
const wanted = values.only?.split(",")
const chosen = all.filter(({ row, short }) =>
  wanted === undefined
    ? !values.short || short === true
    : wanted.some((one) => row === one || row.replace(/[a-z]$/, "") === one)
)

/** Those that share a world follow each other, where the first of them stands. */
const grouped = chosen.toSorted((a, b) => placeOf(a) - placeOf(b))

/** The world that the last scenario left in good order. */
let kept: { readonly options: World.WorldOptions; readonly world: World.World } | undefined

const disposeKept = async () => {
  const { world } = kept ?? {}
  kept = undefined
  await world?.dispose()
}

const runOne = async (scenario: Scenario, postgres: Postgres.Postgres): Promise<Outcome> => {
  const measures = blank()
  const kit: Kit = {
    seed,
    short: values.short,
    kills: Number(values.kills ?? (values.short ? 3 : 50)),
    measures,
    check: (what, ok, seen = "") => void measures.checks.push({ what, ok, seen: String(seen) }),
    note: (text) => void measures.notes.push(text)
  }
  const start = now()
  const took = () => Math.round((now() - start) / 1000)
  if (scenario.absent !== undefined) return { scenario, measures, result: "absent", seconds: 0 }
  let world: World.World | undefined
  try {
    if (scenario.alone === undefined) {
      const options = scenario.world ?? {}
      if (kept === undefined || kept.options !== options) {
        await disposeKept()
        kept = { options, world: await World.start(postgres, seed, options) }
      }
      world = kept.world
      // What was allowed for the fault before is not held against this one.
      world.invariants.reset()
      await scenario.run!(world, kit)
    } else {
      await disposeKept()
      await scenario.alone(kit, async (options) => (world = await World.start(postgres, seed, options)))
    }
  } catch (error) {
    kit.check("the scenario runs to its end", false, error instanceof Error ? error.message : error)
  }
  const result = measures.checks.every(({ ok }) => ok) ? "pass" : "fail"
  if (scenario.alone !== undefined) await world?.dispose()
  // What a failure left behind must not be held against the next one.
  else if (result === "fail") await disposeKept()
  return { scenario, measures, result, seconds: took() }
}

if (!Postgres.available) {
  say("The fault suite needs a PostgreSQL server: install postgresql, or name its programs' directory in PG_BIN.")
  process.exit(1)
}
say(`seed ${seed}: ${chosen.length} scenarios`)
const postgres = await Postgres.start({ max_connections: "60" })
const outcomes: Array<Outcome> = []
try {
  for (const scenario of grouped) {
    let outcome = await runOne(scenario, postgres)
    // The short form runs beside other work: what fails once and holds then was noise, what fails twice was not.
    if (values.short && outcome.result === "fail") {
      say(`again  ${scenario.row.padEnd(4)} ${outcome.measures.checks.find(({ ok }) => !ok)?.what ?? ""}`)
      outcome = await runOne(scenario, postgres)
    }
    outcomes.push(outcome)
    if (!values.short) await Report.write([outcome], seed)
    const { measures, result, seconds } = outcome
    const { detect, doubled, lost, recover } = measures
    say(
      `${result.padEnd(6)} ${scenario.row.padEnd(4)} ${scenario.fault} (${seconds} s): ` +
        `detected ${detect ?? "–"} ms, recovered ${recover ?? "–"} ms, lost ${lost ?? "–"}, doubled ${doubled ?? "–"}`
    )
    for (const { ok, seen, what } of measures.checks) if (!ok) say(`         not held: ${what}: ${seen}`)
    for (const text of measures.notes) say(`         ${text}`)
    if (process.env["FAULTS_VERBOSE"] !== undefined) {
      for (const { ok, seen, what } of measures.checks) if (ok) say(`         held: ${what}: ${seen}`)
    }
  }
} finally {
  await disposeKept()
  await postgres.dispose()
}
const failed = outcomes.filter(({ result }) => result === "fail")
say(`${outcomes.length - failed.length} of ${outcomes.length} hold`)
process.exit(failed.length === 0 ? 0 : 1)
