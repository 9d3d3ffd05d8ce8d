/** `docs/performance.md`, made of what the measurements came to and of nothing else. */
import { mkdir, writeFile } from "node:fs/promises"
import type { Measure, Table } from "./Measure.ts"
import * as Plots from "./Plots.ts"
import type { Result, Results } from "./Results.ts"
import { inRoot } from "./Root.ts"
import { short } from "./Statistics.ts"

/** The load under which times of a clock say something of the program alone. */
const QUIET = 1

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")
const line = (cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

const tableText = (table: Table): string =>
  [`**${table.title}**`, "", line(table.head), line(table.head.map(() => "---")), ...table.rows.map(line)].join("\n")

const roundsText = ({ finding: { rounds } }: Result): string => `${rounds} ${rounds === 1 ? "round" : "rounds"}`

const sectionOf = (measure: Measure, result: Result): string => {
  const { goals, plots, remarks, tables } = result.finding
  const obstacles = goals.flatMap(({ goal, holds, obstacle }) =>
    holds || obstacle === undefined ? [] : [`- **What stands in the way** of “${goal}”: ${obstacle}`]
  )
  return [
    `## ${measure.title}`,
    measure.how,
    `Measured ${result.at} UTC, ${roundsText(result)}, seed ${result.seed}, on ${result.machine}. ` +
      `Load average of the machine when it began: ${short(result.load)}${result.load > QUIET ? ", so that times are those of a crowded machine" : ""}.`,
    ...tables.map(tableText),
    ...plots.map(({ file, title }) => `![${title}](performance/${file}.svg)`),
    [...remarks.map((text) => `- ${text}`), ...obstacles].join("\n")
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

/** Writes the page and its plots. */
export const write = async (measures: ReadonlyArray<Measure>, results: Results): Promise<void> => {
  const known = measures.flatMap((measure) => {
    const result = results[measure.name]
    return result === undefined ? [] : [{ measure, result }]
  })
  const goals = known.flatMap(({ measure, result }) =>
    result.finding.goals.map(({ bar, goal, holds, measured }) => [
      goal,
      bar,
      measured,
      holds ? "pass" : "**fail**",
      `[${measure.name}](#${measure.title
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-")}), ${result.at.slice(0, 10)}`
    ])
  )
  const held = known.flatMap(({ result }) => result.finding.goals).filter(({ holds }) => holds).length
  const versions = Object.assign({}, ...known.map(({ result }) => result.versions)) as Readonly<Record<string, string>>
  const text = `# Performance

Measured and written by \`npm run bench\`. Everything runs in processes of its own on loopback, from a seed. What is measured
is bundled as the program is. The floor is the same feed read by the bare \`ws\` package with \`JSON.parse\` and nothing else,
in the same run: machines differ, ratios hardly do.

${held} of ${goals.length} goals hold.

${line(["Goal", "Bar", "Measured", "Result", "Measurement"])}
${line(["---", "---", "---", "---", "---"])}
${goals.map(line).join("\n")}

Versions: ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.

${known.map(({ measure, result }) => sectionOf(measure, result)).join("\n\n")}
`
  await mkdir(inRoot("docs/performance"), { recursive: true })
  const drawn = await Plots.draw(known.flatMap(({ result }) => result.finding.plots))
  for (const [file, svg] of drawn) await writeFile(inRoot("docs/performance", `${file}.svg`), svg)
  await writeFile(inRoot("docs/performance.md"), text)
}
