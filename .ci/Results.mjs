/**
 * Judges vitest's JSON report: everything passed and nothing was skipped. Only recordings that lie beside the repository
 * and not in it may be missing, and then by name.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const recordings = existsSync(resolve(root, "../shared"))

const report = JSON.parse(readFileSync(process.argv[2], "utf8"))
const tests = report.testResults.flatMap((file) =>
  file.assertionResults.map((test) => ({
    name: `${file.name.slice(root.length + 1)} > ${test.fullName}`,
    status: test.status
  }))
)

const passed = tests.filter((test) => test.status === "passed").length
const failed = tests.filter((test) => test.status === "failed")
// A file that breaks before its first test has no test to fail.
const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0)
const skipped = tests.filter((test) => test.status !== "passed" && test.status !== "failed")

for (const file of broken) console.error(`broken: ${file.name}: ${file.message}`)
for (const test of failed) console.error(`failed: ${test.name}`)
for (const test of skipped) console.error(`skipped: ${test.name}`)

console.log(`${passed} passed, ${failed.length + broken.length} failed`)

const complaint =
  tests.length === 0
    ? "no test was run"
    : failed.length + broken.length > 0
      ? "tests failed"
      : skipped.length > 0 && recordings
        ? "tests were skipped although everything they need is here"
        : undefined

if (complaint !== undefined) {
  console.error(complaint)
  process.exitCode = 1
}
