/** What a container of the collector may do, and to whom it is reachable. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { parse as parseYaml } from "yaml"
import { keys, parse } from "../../src/Settings.ts"

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")
const composeText = read("docker-compose.yml")
const { services } = parseYaml(composeText)
const { collector } = services

const instructions = read("Dockerfile")
  .replace(/\\\n/g, " ")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.trim().split(/\s+/))
/** The last stage, which becomes the image: instructions with their words. */
const image = instructions.slice(instructions.findLastIndex(([instruction]) => instruction === "FROM"))

describe("the image", () => {
  it("runs as a user of its own, from the first instruction that runs nothing as root to the last", () => {
    const users = image.filter(([instruction]) => instruction === "USER")
    assert.deepStrictEqual(users, [["USER", "node"]])
    const after = image.slice(image.indexOf(users[0]!)).map(([instruction]) => instruction)
    assert.includeMembers(after, ["CMD", "HEALTHCHECK"])
    assert.notIncludeMembers(after, ["RUN"])
    assert.notIncludeMembers(after, ["COPY"])
  })

  it("carries no secret and no environment but its allocator, its address and its directory", () => {
    const names = image
      .filter(([instruction]) => instruction === "ENV")
      .flatMap(([, ...pairs]) => pairs.map((pair) => pair.split("=")[0]))
    const allocator = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]
    assert.sameMembers(names, [...allocator, "NODE_ENV", "PARALLAX_HTTP_HOST", "PARALLAX_DATA_DIR"])
    assert.isEmpty(image.filter(([instruction]) => instruction === "ARG"))
    // Whoever builds it may keep settings of their own beside the sample.
    const sent = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
    assert.strictEqual(sent[0], "*")
    assert.sameMembers(sent.slice(1), [
      ...["package.json", "package-lock.json", "build.mjs", "tsconfig.json", "LICENSE", "src"].map(
        (name) => `!${name}`
      ),
      "!configs/collector/config.sample.yaml"
    ])
  })

  it("does not start without a token, since others may reach it", () => {
    const result = parse(undefined, { PARALLAX_HTTP_HOST: "0.0.0.0" })
    assert(Either.isLeft(result))
    assert.include(result.left.message, "http.token")
  })
})

describe("compose", () => {
  it("gives every service no more rights than it needs", () => {
    for (const [name, service] of Object.entries<typeof collector>(services)) {
      assert.deepStrictEqual(service.cap_drop, ["ALL"], name)
      assert.deepStrictEqual(service.security_opt, ["no-new-privileges:true"], name)
      for (const key of ["privileged", "network_mode", "pid", "ipc", "devices", "user"])
        assert.notProperty(service, key)
      assert.notInclude(JSON.stringify(service.volumes), "docker.sock")
    }
    assert.notProperty(collector, "cap_add")
    assert.isTrue(collector.read_only)
    assert.isNotEmpty(collector.tmpfs)
    assert.deepStrictEqual(collector.volumes, ["data:/data"])
  })

  it("publishes nothing but the interface, on loopback", () => {
    for (const [name, { ports = [] }] of Object.entries<typeof collector>(services)) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name)
    }
    assert.lengthOf(collector.ports, 1)
    assert.notProperty(services.postgres, "ports")
  })

  it("asks for every secret, and the sample of .env names what it asks for", () => {
    const known = new Map(keys.map((key) => [key.variable, key]))
    for (const [variable, value] of Object.entries(collector.environment)) {
      const key = known.get(variable)
      assert.isDefined(key, variable)
      if (key?.secret === true) assert.match(String(value), /^\$\{[A-Z_]+:\?[^}]+\}$/, variable)
    }
    assert.property(collector.environment, "PARALLAX_HTTP_TOKEN")
    const sample = read(".env.sample")
    const asked = new Set([...composeText.matchAll(/\$\{([A-Z_]+):[?-]/g)].map(([, name]) => name!))
    assert.isAbove(asked.size, 2)
    for (const name of asked) assert.match(sample, new RegExp(`^#?${name}=`, "m"))
    // What has to be set is empty in the sample: a secret that everybody has is none.
    for (const [, name] of composeText.matchAll(/\$\{([A-Z_]+):\?/g))
      assert.match(sample, new RegExp(`^${name}=$`, "m"))
  })

  it("starts a collector that takes its settings", () => {
    const env = Object.fromEntries(
      Object.entries(collector.environment).map(([name, value]) => [
        name,
        String(value)
          .replace(/\$\{[A-Z_]+:-([^}]*)\}/, "$1")
          .replace(/\$\{[A-Z_]+:\?[^}]*\}/, "0123456789abcdef")
      ])
    )
    const result = parse(undefined, { PARALLAX_HTTP_HOST: "0.0.0.0", PARALLAX_DATA_DIR: "/data", ...env })
    assert.isTrue(Either.isRight(result))
  })
})
