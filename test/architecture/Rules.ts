/**
 * The rules of the source tree, each a function from sources to the breaches it finds, as text that names the place.
 * A folder that is not in the table may not exist: whoever adds one says here what it may know.
 */
import { posix } from "node:path"
import { type Import, type Sources, importsOf, isModule, usesOf } from "./Sources.ts"

interface Rule {
  /** The modules that it governs, as a pattern; the first rule that fits counts. */
  readonly of: string
  /** Patterns of modules that they may import, beside their own folder. */
  readonly imports: ReadonlyArray<string>
  /** Packages; `node` stands for all that come with Node. */
  readonly packages: ReadonlyArray<string>
}

/**
 * In patterns, `*` is any name and `**` anything below; `<v>` is the same venue as that of the importing module.
 */
const rules: ReadonlyArray<Rule> = [
  { of: "src/domain/**", imports: [], packages: ["effect"] },
  {
    of: "src/resilience/**",
    imports: [],
    packages: ["effect", "@effect/platform", "@effect/experimental", "ws", "node"]
  },
  { of: "src/venues/Venue.ts", imports: ["src/domain/**"], packages: ["effect"] },
  {
    // What all venues share of a feed and of reading: it knows none of them.
    of: "src/venues/SocketFeed.ts",
    imports: ["src/domain/**", "src/resilience/**", "src/venues/Venue.ts"],
    packages: ["effect"]
  },
  {
    of: "src/venues/Protocol.ts",
    imports: ["src/domain/**", "src/resilience/**", "src/venues/Venue.ts"],
    packages: ["effect"]
  },
  {
    of: "src/venues/Venues.ts",
    imports: ["src/domain/**", "src/resilience/**", "src/venues/Venue.ts", "src/venues/*/*.ts"],
    packages: ["effect", "@effect/platform"]
  },
  {
    of: "src/venues/<v>/**",
    imports: [
      "src/domain/**",
      "src/resilience/**",
      "src/venues/Venue.ts",
      "src/venues/Protocol.ts",
      "src/venues/SocketFeed.ts",
      "src/venues/<v>/**"
    ],
    packages: ["effect", "@effect/platform", "@effect/experimental", "node"]
  },
  {
    of: "src/collector/**",
    imports: [
      "src/domain/**",
      "src/resilience/**",
      "src/venues/Venue.ts",
      "src/bus/**",
      "src/tape/**",
      "src/storage/**"
    ],
    packages: ["effect", "@effect/platform", "@effect/experimental", "node"]
  },
  {
    of: "src/tape/**",
    // Every segment names the version of the program.
    imports: ["src/domain/**", "src/resilience/**", "package.json"],
    packages: ["effect", "@effect/platform", "node"]
  },
  { of: "src/bus/**", imports: ["src/domain/**", "src/resilience/**"], packages: ["effect", "@effect/platform"] },
  {
    of: "src/storage/**",
    imports: ["src/domain/**", "src/resilience/**", "src/bus/**", "src/tape/**"],
    packages: [
      "effect",
      "@effect/platform",
      "@effect/experimental",
      "@effect/sql",
      "@effect/sql-pg",
      "@electric-sql/pglite",
      "pg",
      "pg-copy-streams",
      "node"
    ]
  },
  { of: "src/simulator/**", imports: ["src/domain/**", "src/venues/*/Wire.ts"], packages: ["*"] },
  {
    of: "src/http/**",
    imports: [
      "src/domain/**",
      "src/resilience/**",
      "src/venues/Venue.ts",
      "src/collector/**",
      "src/tape/**",
      "src/bus/**",
      "src/storage/**"
    ],
    packages: ["effect", "@effect/platform", "@effect/platform-node", "@effect/sql", "prom-client", "ws", "node"]
  },
  {
    of: "src/cli/**",
    imports: [
      "src/domain/**",
      "src/simulator/**",
      "src/repl/**",
      "src/tape/**",
      "src/App.ts",
      "src/Settings.ts",
      "src/Parallax.ts",
      // The version is told from there.
      "package.json"
    ],
    packages: ["*"]
  },
  {
    of: "src/repl/**",
    imports: ["src/domain/**", "src/simulator/**", "src/App.ts", "src/Settings.ts", "src/Parallax.ts"],
    packages: ["*"]
  },
  { of: "src/App.ts", imports: ["src/**"], packages: ["*"] },
  { of: "src/main.ts", imports: ["src/**"], packages: ["*"] },
  { of: "src/Parallax.ts", imports: ["src/**"], packages: ["*"] },
  { of: "src/Settings.ts", imports: ["src/**"], packages: ["*"] }
]

/** Modules that may provide the layers of others: the composition root and those who stand above it. */
const composes = (path: string): boolean => /^src\/(\w+\.ts$|cli\/|repl\/)/.test(path)

const folderOf = (path: string): string => (path.split("/").length > 2 ? path.split("/").slice(0, 2).join("/") : path)

const toRegExp = (pattern: string, venue: string): RegExp =>
  new RegExp(
    `^${pattern
      .replaceAll("<v>", venue)
      .replace(/[.]/g, "\\.")
      .replace(/\*\*|\*/g, (star) => (star === "**" ? ".+" : "[^/]+"))}$`
  )

const anyVenue = "[a-z][a-z0-9]*"

const ruleOf = (path: string): Rule | undefined => rules.find((rule) => toRegExp(rule.of, anyVenue).test(path))

const venueOf = (path: string): string => /^src\/venues\/([^/]+)\//.exec(path)?.[1] ?? anyVenue

const place = (one: { readonly from: string; readonly line: number }): string => `${one.from}:${one.line}`

const allImports = (sources: Sources): Array<Import> => [...sources.keys()].flatMap((path) => importsOf(sources, path))

/** Who may import whom. */
export const importBreaches = (sources: Sources): Array<string> =>
  allImports(sources).flatMap((one) => {
    const rule = ruleOf(one.from)
    if (rule === undefined) return []
    if (one.package !== undefined) {
      const allowed = rule.packages.includes("*") || rule.packages.includes(one.package)
      return allowed ? [] : [`${place(one)} imports the package ${one.package}`]
    }
    const path = one.path!
    if (rule.imports.includes(path) && !isModule(path)) return []
    if (!path.startsWith("src/")) return [`${place(one)} imports ${path}, which is outside src`]
    if (!sources.has(path)) return [`${place(one)} imports ${path}, which is not there`]
    const own = !rule.of.includes("<v>") && rule.of.endsWith("/**") && toRegExp(rule.of, "").test(path)
    const allowed = own || rule.imports.some((pattern) => toRegExp(pattern, venueOf(one.from)).test(path))
    return allowed ? [] : [`${place(one)} imports ${path}`]
  })

/** Modules that no rule governs. */
export const ungoverned = (sources: Sources): Array<string> =>
  [...sources.keys()].filter((path) => ruleOf(path) === undefined).map((path) => `${path} has no rule`)

/** Cycles of imports, written as the way around: not all of them, but one wherever there is any. */
export const cycles = (sources: Sources): Array<string> => {
  const found = new Map<string, string>()
  const done = new Set<string>()
  const way: Array<string> = []
  const walk = (path: string): void => {
    const start = way.indexOf(path)
    if (start >= 0) {
      const round = way.slice(start)
      const key = [...round].sort().join()
      if (!found.has(key)) found.set(key, [...round, path].join(" → "))
      return
    }
    if (done.has(path)) return
    way.push(path)
    for (const one of importsOf(sources, path)) if (one.path !== undefined && sources.has(one.path)) walk(one.path)
    way.pop()
    done.add(path)
  }
  for (const path of sources.keys()) walk(path)
  return [...found.values()]
}

/** Folders in lower case, modules in PascalCase, no barrels. */
export const namingBreaches = (paths: ReadonlyArray<string>): Array<string> =>
  paths.flatMap((path) => {
    const faults: Array<string> = []
    const folders = posix.dirname(path).split("/")
    const name = posix.basename(path)
    if (!folders.every((folder) => /^[a-z][a-z0-9]*$/.test(folder))) faults.push(`${path}: a folder is not lower case`)
    if (!name.endsWith(".ts")) return faults
    if (/^index\./i.test(name)) faults.push(`${path} is a barrel`)
    else if (path.startsWith("src/storage/migrations/")) {
      if (!/^\d{4}_[a-z0-9_]+\.ts$/.test(name)) faults.push(`${path}: a migration is named 0001_name.ts`)
    } else if (path !== "src/main.ts" && !/^[A-Z][A-Za-z0-9]*\.ts$/.test(name)) {
      faults.push(`${path} is not in PascalCase`)
    }
    return faults
  })

const impure = new Set([
  "Date.now",
  "new Date()",
  "Math.random",
  "console",
  "process",
  "performance",
  "crypto",
  "globalThis",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch"
])

/** The domain knows neither time nor chance, and speaks to nobody. */
export const impurities = (sources: Sources): Array<string> =>
  [...sources.keys()]
    .filter((path) => path.startsWith("src/domain/"))
    .flatMap((path) => usesOf(sources, path))
    .filter((use) => impure.has(use.name))
    .map((use) => `${use.path}:${use.line} uses ${use.name}`)

const isLayer = (name: string): boolean => /^layer($|[A-Z])/.test(name)

/** Layers are put together at the top: a folder asks for the services of another and never for what provides them. */
export const foreignLayers = (sources: Sources): Array<string> =>
  [...sources.keys()]
    .filter((path) => !composes(path))
    .flatMap((path) => {
      const foreign = importsOf(sources, path).filter(
        (one) => one.path !== undefined && folderOf(one.path) !== folderOf(path)
      )
      const named = foreign.flatMap((one) =>
        [...one.names.values()].filter(isLayer).map((name) => `${place(one)} imports ${name} of ${one.path}`)
      )
      const locals = new Map(foreign.flatMap((one) => [...one.names.keys()].map((name) => [name, one.path] as const)))
      const reached = usesOf(sources, path).flatMap((use) => {
        const [object = "", member = ""] = use.name.split(".")
        return locals.has(object) && isLayer(member) ? [`${path}:${use.line} uses ${use.name}`] : []
      })
      return [...named, ...reached]
    })

/** One place runs the program. */
export const runners = (sources: Sources): Array<string> =>
  [...sources.keys()]
    .filter((path) => path !== "src/main.ts")
    .flatMap((path) => usesOf(sources, path))
    .filter((use) => use.name.endsWith(".runMain"))
    .map((use) => `${use.path}:${use.line} uses ${use.name}`)

/** Packages that the program imports although an installation without the development tools lacks them. */
export const undeclared = (sources: Sources, dependencies: ReadonlyArray<string>): Array<string> =>
  allImports(sources)
    .filter((one) => one.package !== undefined && one.package !== "node" && !dependencies.includes(one.package))
    .map((one) => `${place(one)} imports ${one.specifier}, which is not in "dependencies"`)
