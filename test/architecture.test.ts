/**
 * Keeps the source tree as it was designed. Every rule is also shown a tree that breaks it, so that a rule which finds
 * nothing is known to look.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  cycles,
  foreignLayers,
  importBreaches,
  impurities,
  namingBreaches,
  runners,
  undeclared,
  ungoverned
} from "./architecture/Rules.ts"
import { type Sources, filesOf, sourcesOf } from "./architecture/Sources.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const sources = sourcesOf(root, "src")

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>
}

/** A tree of the given sources, among modules that they may name. */
const tree = (files: Readonly<Record<string, string>>): Sources => {
  const neighbours = [
    "src/App.ts",
    "src/Settings.ts",
    "src/Parallax.ts",
    "src/main.ts",
    "src/bus/Bus.ts",
    "src/cli/Cli.ts",
    "src/collector/Books.ts",
    "src/domain/Money.ts",
    "src/http/Http.ts",
    "src/resilience/Reconnect.ts",
    "src/simulator/Exchange.ts",
    "src/storage/Sql.ts",
    "src/tape/Tape.ts",
    "src/venues/Venue.ts",
    "src/venues/Venues.ts",
    "src/venues/kalshi/Wire.ts",
    "src/venues/kalshi/Signing.ts",
    "src/venues/polymarket/BookHash.ts",
    "src/venues/polymarket/Wire.ts"
  ]
  return new Map([...neighbours.map((path) => [path, ""] as const), ...Object.entries(files)])
}

const importing = (from: string, specifier: string): Sources => tree({ [from]: `import { x } from "${specifier}"\n` })

describe("architecture", () => {
  it("reads the sources", () => {
    assert.isAbove(sources.size, 5)
    assert.isTrue(sources.has("src/domain/Money.ts"))
  })

  describe("imports", () => {
    it("follow the table", () => {
      assert.deepStrictEqual(importBreaches(sources), [])
    })

    it("are ruled for every folder", () => {
      assert.deepStrictEqual(ungoverned(sources), [])
    })

    it.each([
      ["src/domain/Money.ts", "node:crypto"],
      ["src/domain/Money.ts", "crypto"],
      ["src/domain/Money.ts", "@effect/platform"],
      ["src/domain/Money.ts", "../venues/Venue.ts"],
      ["src/resilience/Reconnect.ts", "../domain/Money.ts"],
      ["src/resilience/Reconnect.ts", "../venues/Venue.ts"],
      ["src/resilience/Reconnect.ts", "pg"],
      ["src/venues/Venue.ts", "../resilience/Reconnect.ts"],
      ["src/venues/Venue.ts", "./polymarket/Wire.ts"],
      ["src/venues/polymarket/Feed.ts", "../kalshi/Wire.ts"],
      ["src/venues/polymarket/Feed.ts", "../Venues.ts"],
      ["src/venues/polymarket/Feed.ts", "../../bus/Bus.ts"],
      ["src/venues/polymarket/Feed.ts", "../../storage/Sql.ts"],
      ["src/venues/polymarket/Feed.ts", "../../http/Http.ts"],
      ["src/venues/polymarket/Feed.ts", "../../collector/Books.ts"],
      ["src/venues/polymarket/Feed.ts", "../../Settings.ts"],
      ["src/venues/polymarket/Feed.ts", "ws"],
      ["src/collector/Books.ts", "../venues/polymarket/Wire.ts"],
      ["src/collector/Books.ts", "../venues/Venues.ts"],
      ["src/collector/Books.ts", "../http/Http.ts"],
      ["src/collector/Books.ts", "../App.ts"],
      ["src/bus/Bus.ts", "../storage/Sql.ts"],
      ["src/bus/Bus.ts", "../collector/Books.ts"],
      ["src/tape/Tape.ts", "../bus/Bus.ts"],
      ["src/storage/Sql.ts", "../collector/Books.ts"],
      ["src/storage/Sql.ts", "../venues/Venue.ts"],
      ["src/simulator/Exchange.ts", "../venues/polymarket/BookHash.ts"],
      ["src/simulator/Exchange.ts", "../venues/kalshi/Signing.ts"],
      ["src/simulator/Exchange.ts", "../venues/Venue.ts"],
      ["src/simulator/Exchange.ts", "../resilience/Reconnect.ts"],
      ["src/http/Http.ts", "../App.ts"],
      ["src/http/Http.ts", "../venues/polymarket/Wire.ts"],
      ["src/http/Http.ts", "../simulator/Exchange.ts"],
      ["src/cli/Cli.ts", "../storage/Sql.ts"],
      ["src/cli/Cli.ts", "../main.ts"],
      ["src/cli/Cli.ts", "../../tsconfig.json"],
      ["src/repl/Repl.ts", "../cli/Cli.ts"],
      ["src/http/Http.ts", "../../package.json"],
      ["src/domain/Money.ts", "../../test/domain/Arbitraries.ts"],
      ["src/App.ts", "../test/domain/Arbitraries.ts"],
      ["src/App.ts", "../package.json"],
      ["src/App.ts", "./Absent.ts"]
    ])("refuses %s importing %s", (from, specifier) => {
      assert.lengthOf(importBreaches(importing(from, specifier)), 1)
    })

    it.each([
      ["src/domain/Order.ts", "./Money.ts"],
      ["src/domain/Money.ts", "effect"],
      ["src/domain/Money.ts", "effect/Schema"],
      ["src/resilience/Reconnect.ts", "node:http"],
      ["src/resilience/Reconnect.ts", "@effect/platform/HttpClient"],
      ["src/venues/Venue.ts", "../domain/Money.ts"],
      ["src/venues/Venues.ts", "./polymarket/Wire.ts"],
      ["src/venues/Venues.ts", "../resilience/Reconnect.ts"],
      ["src/venues/polymarket/Feed.ts", "./Wire.ts"],
      ["src/venues/polymarket/Feed.ts", "../Venue.ts"],
      ["src/venues/polymarket/Feed.ts", "../../resilience/Reconnect.ts"],
      ["src/collector/Books.ts", "../storage/Sql.ts"],
      ["src/simulator/Exchange.ts", "../venues/polymarket/Wire.ts"],
      ["src/simulator/Exchange.ts", "ws"],
      ["src/http/Http.ts", "../collector/Books.ts"],
      ["src/cli/Cli.ts", "../App.ts"],
      ["src/cli/Cli.ts", "../../package.json"],
      ["src/repl/Repl.ts", "../simulator/Exchange.ts"],
      ["src/App.ts", "./storage/Sql.ts"]
    ])("allows %s importing %s", (from, specifier) => {
      assert.deepStrictEqual(importBreaches(importing(from, specifier)), [])
    })

    it.each([
      'import "../bus/Bus.ts"',
      'import type { Bus } from "../bus/Bus.ts"',
      'import { type Bus } from "../bus/Bus.ts"',
      'import * as Bus from "../bus/Bus.ts"',
      'export { Bus } from "../bus/Bus.ts"',
      'export * from "../bus/Bus.ts"',
      'export type { Bus } from "../bus/Bus.ts"',
      'const bus = await import("../bus/Bus.ts")',
      "const bus = await import(`../bus/Bus.ts`)",
      'const bus = require("../bus/Bus.ts")',
      'import bus = require("../bus/Bus.ts")',
      'type Bus = import("../bus/Bus.ts").Bus',
      "const bus = await import(name)"
    ])("are seen in %s", (text) => {
      assert.lengthOf(importBreaches(tree({ "src/domain/Money.ts": text })), 1)
    })

    it("are not seen in comments and text", () => {
      const text = '// import "../bus/Bus.ts"\nexport const text = `import "../bus/Bus.ts"`\n'
      assert.deepStrictEqual(importBreaches(tree({ "src/domain/Money.ts": text })), [])
    })

    it("a new folder needs a rule", () => {
      assert.lengthOf(ungoverned(tree({ "src/utils/Text.ts": "" })), 1)
      assert.lengthOf(ungoverned(tree({ "src/Text.ts": "" })), 1)
    })

    it("name packages that a bare installation has", () => {
      assert.deepStrictEqual(undeclared(sources, Object.keys(dependencies)), [])
      assert.lengthOf(undeclared(importing("src/App.ts", "typescript"), Object.keys(dependencies)), 1)
      assert.lengthOf(undeclared(importing("src/App.ts", "@effect/vitest/utils"), Object.keys(dependencies)), 1)
      assert.lengthOf(undeclared(importing("src/App.ts", "effect/Schema"), Object.keys(dependencies)), 0)
    })
  })

  describe("cycles", () => {
    it("do not exist", () => {
      assert.deepStrictEqual(cycles(sources), [])
    })

    it("are found over any number of modules, through types too", () => {
      const round = tree({
        "src/domain/A.ts": 'import type { B } from "./B.ts"',
        "src/domain/B.ts": 'export * from "./C.ts"',
        "src/domain/C.ts": 'import { A } from "./A.ts"\nimport { self } from "./C.ts"'
      })
      assert.deepStrictEqual(cycles(round), [
        "src/domain/A.ts → src/domain/B.ts → src/domain/C.ts → src/domain/A.ts",
        "src/domain/C.ts → src/domain/C.ts"
      ])
    })

    it("are not found in a diamond", () => {
      const diamond = tree({
        "src/domain/A.ts": 'import "./B.ts"\nimport "./C.ts"',
        "src/domain/B.ts": 'import "./D.ts"',
        "src/domain/C.ts": 'import "./D.ts"',
        "src/domain/D.ts": ""
      })
      assert.deepStrictEqual(cycles(diamond), [])
    })
  })

  describe("names", () => {
    it("are lower case for folders and PascalCase for modules, and no module is a barrel", () => {
      assert.deepStrictEqual(namingBreaches(filesOf(root, "src")), [])
    })

    it.each([
      "src/domain/index.ts",
      "src/Domain/Money.ts",
      "src/venues/polyMarket/Wire.ts",
      "src/domain/money.ts",
      "src/domain/order-book.ts",
      "src/cli/main.ts",
      "src/storage/migrations/1_tables.ts",
      "src/storage/migrations/Tables.ts",
      "src/storage/0001_tables.ts"
    ])("refuses %s", (path) => {
      assert.lengthOf(namingBreaches([path]), 1)
    })

    it.each([
      "src/main.ts",
      "src/App.ts",
      "src/venues/README.md",
      "src/venues/polymarket/BookHash.ts",
      "src/storage/migrations/0001_tables.ts"
    ])("allows %s", (path) => {
      assert.deepStrictEqual(namingBreaches([path]), [])
    })
  })

  describe("the domain", () => {
    it("knows neither time nor chance, and speaks to nobody", () => {
      assert.deepStrictEqual(impurities(sources), [])
    })

    it.each([
      "const now = Date.now()",
      'const now = Date["now"]()',
      "const now = new Date()",
      "const one = Math.random()",
      'console.log("hello")',
      "const { log } = console",
      "const home = process.env.HOME",
      "setTimeout(() => {}, 1)"
    ])("may not say %s", (text) => {
      assert.isNotEmpty(impurities(tree({ "src/domain/Money.ts": text })))
    })

    it("may speak of them, and have members of that name", () => {
      const text =
        "// Date.now()\nexport const a = { console: 1, fetch: 'Math.random()' }\nexport const b = new Date(0)\n"
      assert.deepStrictEqual(impurities(tree({ "src/domain/Money.ts": text })), [])
    })
  })

  describe("layers", () => {
    it("of another folder are used by the composition root alone", () => {
      assert.deepStrictEqual(foreignLayers(sources), [])
    })

    it.each([
      'import { Bus } from "../bus/Bus.ts"\nexport const live = Bus.layer',
      'import * as Bus from "../bus/Bus.ts"\nexport const live = Bus.layerMemory',
      'import { layer } from "../bus/Bus.ts"',
      'import { layerNats as live } from "../bus/Bus.ts"'
    ])("are refused in %j", (text) => {
      assert.lengthOf(foreignLayers(tree({ "src/http/Http.ts": text })), 1)
      assert.deepStrictEqual(foreignLayers(tree({ "src/App.ts": text.replace("../", "./") })), [])
    })

    it("of one's own folder, and services, are free to use", () => {
      const text = [
        'import { Routes } from "./Routes.ts"',
        'import { Bus } from "../bus/Bus.ts"',
        'import { Layer } from "effect"',
        "export const live = Layer.provide(Routes.layer, Bus.subscribe)"
      ].join("\n")
      assert.deepStrictEqual(foreignLayers(tree({ "src/http/Http.ts": text })), [])
    })
  })

  it("runs the program in one place", () => {
    assert.deepStrictEqual(runners(sources), [])
    assert.lengthOf(runners(tree({ "src/cli/Cli.ts": "NodeRuntime.runMain(program)" })), 1)
    assert.deepStrictEqual(runners(tree({ "src/main.ts": "NodeRuntime.runMain(program)" })), [])
  })
})
