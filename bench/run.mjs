/**
 * Bundles the benchmarks and runs them: `npm run bench -- [--only cpu,latency] [--rounds N] [--quick] [--guard]`. What is
 * measured is bundled as the program is.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"
import { program } from "../build.mjs"

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, "..")
/** A folder of its own: were it an ancestor of the sources, its packages would take the place of the product's. */
const peers = join(here, "peers")
const needsPeers = !process.argv.includes("--guard") && !process.argv.includes("--help")

// What is compared with, and what draws, is not the product's to install.
if (needsPeers && !existsSync(join(peers, "node_modules/.package-lock.json"))) {
  console.log("installing what the benchmarks compare with (once)")
  const npm = process.platform === "win32" ? "npm.cmd" : "npm"
  const { status } = spawnSync(npm, ["ci", "--prefix", peers, "--no-audit", "--no-fund", "--ignore-scripts"], {
    stdio: "inherit"
  })
  if (status !== 0) process.exit(1)
}

const outdir = join(root, `node_modules/.cache/bench-${process.pid}`)
mkdirSync(outdir, { recursive: true })
process.on("exit", () => rmSync(outdir, { recursive: true, force: true }))

const candidates = readdirSync(join(here, "candidates")).filter((name) => /^[A-Z].*\.ts$/.test(name))
const define = { ROOT: JSON.stringify(root), BUNDLES: JSON.stringify(outdir) }
const { write: _, ...asProgram } = program
const entry = (folder, name) => ({ in: join(here, folder, name), out: name.replace(/\.ts$/, "") })
await Promise.all([
  build({
    ...asProgram,
    entryPoints: candidates.map((name) => entry("candidates", name)),
    outdir,
    outExtension: { ".js": ".mjs" },
    define,
    banner: { js: program.banner.js.split("\n").slice(1).join("\n") }
  }),
  build({
    ...asProgram,
    entryPoints: [entry(".", "Main.ts"), entry("workload", "Sender.ts"), entry("workload", "Dumps.ts")],
    outdir,
    outExtension: { ".js": ".mjs" },
    packages: "external",
    external: [],
    banner: {},
    define
  }),
  build({
    ...asProgram,
    entryPoints: [join(root, "src/storage/PgliteWorker.ts")],
    outfile: join(outdir, "PgliteWorker.js"),
    packages: "external",
    external: [],
    banner: {}
  })
])
await import(pathToFileURL(join(outdir, "Main.mjs")).href)
