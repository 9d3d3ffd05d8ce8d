/** `docs/reliability.md`: one line for each fault, kept from run to run, so that a run of some rows renews those alone. */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { cpus, release, totalmem } from "node:os"
import { dirname } from "node:path"
import { inRoot } from "./Root.ts"
import type { Outcome } from "./Scenario.ts"

const PATH = inRoot("docs/reliability.md")

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const duration = (millis: number | undefined): string =>
  millis === undefined ? "–" : millis < 1000 ? `${millis} ms` : `${(millis / 1000).toFixed(1)} s`

const count = (rows: number | undefined): string => (rows === undefined ? "–" : String(rows))

const VERDICTS = { pass: "pass", fail: "**fail**", absent: "not yet" } as const

const HEAD = "| # | Fault | How it is injected | What is promised | Detected | Recovered | Lost | Doubled | Result |"

const lineOf = ({ measures, result, scenario }: Outcome): string => {
  const { fault, injection, promise, row } = scenario
  const { detect, doubled, lost, recover } = measures
  const cells = [row, fault, injection, promise, duration(detect), duration(recover), count(lost), count(doubled)]
  return `| ${[...cells, VERDICTS[result]].map(cell).join(" | ")} |`
}

/** What stands below the table about a row: what did not hold, and what was seen. */
const remarksOf = ({ measures, result, scenario }: Outcome): string => {
  const broken = measures.checks.filter(({ ok }) => !ok).map(({ seen, what }) => `not held: ${what} (${seen})`)
  const remarks = result === "absent" ? [scenario.absent ?? ""] : [...broken, ...measures.notes]
  return remarks.length === 0
    ? ""
    : `- **${scenario.row}** ${remarks.map((text) => text.replaceAll("\n", " ")).join("; ")}`
}

const order = (row: string): number => (/^\d+/.test(row) ? Number.parseInt(row, 10) : 1000 + row.charCodeAt(0))

/** The rows of a table and the remarks of a former report, by row. */
const parse = (text: string) => {
  const lines = new Map<string, string>()
  const remarks = new Map<string, string>()
  for (const line of text.split("\n")) {
    const row = /^\| *([0-9]+[a-z]?|[A-Z]) *\|/.exec(line)?.[1]
    if (row !== undefined) lines.set(row, line)
    const about = /^- \*\*([0-9]+[a-z]?|[A-Z])\*\*/.exec(line)?.[1]
    if (about !== undefined) remarks.set(about, line)
  }
  return { lines, remarks }
}

/** Writes what was measured over what was measured before. */
export const write = async (outcomes: ReadonlyArray<Outcome>, seed: number): Promise<void> => {
  const { lines, remarks } = parse(await readFile(PATH, "utf8").catch(() => ""))
  for (const outcome of outcomes) {
    const { row } = outcome.scenario
    lines.set(row, lineOf(outcome))
    const remark = remarksOf(outcome)
    if (remark === "") remarks.delete(row)
    else remarks.set(row, remark)
  }
  const sorted = (map: ReadonlyMap<string, string>) =>
    [...map].sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b)).map(([, line]) => line)
  const passed = [...lines.values()].filter((line) => line.includes("| pass |")).length
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, Node ${process.versions.node}`
  const text = `# Reliability

Faults done from outside to the running program, over real sockets and with a real PostgreSQL, by \`npm run test:faults\`,
which writes this page. The venues are simulated by processes of their own; what they said is recorded, and compared with
the books that the program serves and the rows that it stores.

- **Detected**: from the fault until a book is no longer called live. **Recovered**: until every book is live again, from
  the fault, or from its end where it lasts.
- **Lost**: changes and trades that a venue said and that are neither stored nor inside a recorded gap. **Doubled**: rows
  stored more often than they were said.
- Beside its own promise every row holds the program to this: no book that differs from the venue's is called live for
  longer than what is promised, memory is bounded, nothing fails unhandled, the process lives.

${passed} of ${lines.size} rows pass. Last run: ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC, seed ${seed}, on ${machine}.

${HEAD}
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${sorted(lines).join("\n")}

## Remarks

${sorted(remarks).join("\n")}
`
  await mkdir(dirname(PATH), { recursive: true })
  await writeFile(PATH, text)
}
