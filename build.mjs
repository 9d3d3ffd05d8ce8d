/**
 * Builds what runs: `dist/main.js` (the program, in one file, because resolving hundreds of small modules would be most
 * of its start time), `dist/PgliteWorker.js` (the thread of the embedded database) and `dist/Parallax.js` (the package's
 * entry, which shares `effect` with the program that imports it).
 */
import { realpathSync } from "node:fs"
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = dirname(fileURLToPath(import.meta.url))

const entries = {
  program: "src/main.ts",
  worker: "src/storage/PgliteWorker.ts",
  library: "src/Parallax.ts"
}

/** The shebang must be the first line; the `require` serves bundled CommonJS packages that ask for Node's own modules. */
const banner = [
  "#!/usr/bin/env node",
  'import { createRequire as __createRequire } from "node:module"',
  "const require = __createRequire(import.meta.url)"
].join("\n")

/**
 * PGlite finds its WASM files beside itself. The database driver looks up optional native parts when it is loaded, and
 * is left out of a process that does not use it. The others are native, optional, and probed for by their users.
 */
const unbundled = [
  "@electric-sql/pglite",
  "pg",
  "pg-native",
  "pg-copy-streams",
  "@parcel/watcher",
  "bufferutil",
  "msgpackr-extract",
  "utf-8-validate"
]

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: true,
  // The sources are installed beside it: the map needs no copy of them.
  sourcesContent: false,
  charset: "utf8",
  logLevel: "warning",
  write: false
}

/** Written beside and renamed, so that a program started during a build never reads half a file. */
const write = async (file) => {
  const before = await readFile(file.path).catch(() => undefined)
  if (before?.equals(file.contents)) return
  const temporary = `${file.path}.${process.pid}`
  await writeFile(temporary, file.contents)
  if (file.text.startsWith("#!")) await chmod(temporary, 0o755)
  await rename(temporary, file.path)
}

/** How the program is put together, for whoever measures what ships. */
export const program = { ...common, external: unbundled, banner: { js: banner } }

const make = async (entry, outfile, options) => {
  const result = await build({ ...common, entryPoints: [entry], outfile: join(root, outfile), ...options })
  await Promise.all(result.outputFiles.map(write))
  const bytes = result.outputFiles.find((file) => file.path.endsWith(".js")).contents.length
  console.log(`${relative(root, join(root, outfile))}  ${(bytes / 1024).toFixed(0)} KB`)
}

const buildAll = async () => {
  await mkdir(join(root, "dist"), { recursive: true })
  await Promise.all([
    make(entries.program, "dist/main.js", program),
    make(entries.worker, "dist/PgliteWorker.js", { packages: "external" }),
    make(entries.library, "dist/Parallax.js", { packages: "external" })
  ])
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await buildAll().catch((error) => {
    // What is wrong with the sources, esbuild has said already.
    if (!Array.isArray(error.errors)) console.error(error)
    process.exitCode = 1
  })
}
