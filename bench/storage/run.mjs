/**
 * Measurements of the storage, each a module beside this one, bundled and run: `node bench/storage/run.mjs RowCost`.
 * What follows the name goes to the module.
 */
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const here = dirname(fileURLToPath(import.meta.url))
const [name, ...rest] = process.argv.slice(2)
if (name === undefined || !/^\w+$/.test(name)) {
  console.error("node bench/storage/run.mjs RowCost | Write | Explain [options]")
  process.exit(2)
}
const outfile = join(here, "..", "..", "dist", `bench-${name}-${process.pid}.mjs`)
try {
  await build({
    entryPoints: [join(here, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning"
  })
  const flags = (process.env["NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "")
  const { status } = spawnSync(process.execPath, ["--expose-gc", ...flags, outfile, ...rest], { stdio: "inherit" })
  process.exitCode = status ?? 1
} finally {
  rmSync(outfile, { force: true })
}
