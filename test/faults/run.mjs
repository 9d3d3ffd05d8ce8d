/** Bundles the fault suite and runs it: `npm run test:faults -- [--short] [--only 1,5,6] [--seed N] [--kills N]`. */
import { rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const here = dirname(fileURLToPath(import.meta.url))
const outfile = join(here, `../../node_modules/.cache/faults-${process.pid}.mjs`)
await build({
  entryPoints: [join(here, "Main.ts")],
  outfile,
  bundle: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  logLevel: "warning",
  define: { ROOT: JSON.stringify(join(here, "../..")) }
})
process.on("exit", () => rmSync(outfile, { force: true }))
await import(pathToFileURL(outfile).href)
