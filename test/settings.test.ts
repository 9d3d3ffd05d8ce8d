import { generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { NodeFileSystem } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Either, FastCheck as fc, Redacted, Schema } from "effect"
import { isMap, isScalar, parseDocument } from "yaml"
import {
  checkKey,
  defaults,
  type Environment,
  keys,
  load,
  parse,
  render,
  Settings,
  type SettingsError
} from "../src/Settings.ts"

const sampleUrl = new URL("../configs/collector/config.sample.yaml", import.meta.url)
const sample = readFileSync(sampleUrl, "utf8")

const read = (text: string, env: Environment = {}): Settings =>
  Either.getOrThrowWith(parse({ name: "c.yaml", text }, env), (error) => new Error(render(error)))

const faultsOf = (result: Either.Either<Settings, SettingsError>): ReadonlyArray<string> =>
  Either.isLeft(result)
    ? result.left.faults.map(({ path, problem, source }) => `${source}: ${path === "" ? "" : `${path}: `}${problem}`)
    : []
const refusedFile = (text: string, env: Environment = {}) => faultsOf(parse({ name: "c.yaml", text }, env))
const refusedEnv = (env: Environment) => faultsOf(parse(undefined, env))

describe("the defaults", () => {
  it("serve without a file", () => {
    assert.deepStrictEqual(Either.getOrThrow(parse(undefined, {})), defaults)
    assert.deepStrictEqual(defaults.http, { host: "127.0.0.1", port: 8080, token: Redacted.make("") })
    assert.deepStrictEqual(defaults.log, { level: "info", format: "auto" })
    assert.strictEqual(defaults.data_dir, "./data")
    assert.strictEqual(defaults.database.driver, "embedded")
    const { refresh_every, stale_after, ...polymarket } = defaults.platforms.polymarket
    assert.deepStrictEqual(polymarket, {
      enabled: true,
      clob_url: "https://clob.polymarket.com",
      gamma_url: "https://gamma-api.polymarket.com",
      ws_url: "wss://ws-subscriptions-clob.polymarket.com/ws/market",
      max_markets: 500,
      min_liquidity: 10_000,
      categories: [],
      markets: [],
      max_assets_per_connection: 200
    })
    assert.deepStrictEqual([refresh_every, stale_after].map(Duration.toMillis), [600_000, 30_000])
  })

  it("survive being written and read back", () => {
    const encoded = Schema.encodeSync(Settings)(defaults)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Settings)(encoded), defaults)
  })

  it("serve for an empty file and for empty groups", () => {
    for (const text of ["", "# nothing\n", "---\n", "~", "http:\nplatforms:\n  polymarket:\n", "log: {}"]) {
      assert.deepStrictEqual(read(text), defaults)
    }
  })
})

describe("the sample", () => {
  it("is the defaults", () => {
    assert.deepStrictEqual(read(sample), defaults)
  })

  it("shows every key with its default and a comment, and no other", () => {
    const encoded = Schema.encodeSync(Settings)(defaults) as unknown as Record<string, unknown>
    const document = parseDocument(sample)
    const shown: Array<string> = []
    const walk = (node: unknown, path: ReadonlyArray<string>, comment: string): void => {
      if (!isMap(node)) {
        shown.push(path.join("."))
        assert.isNotEmpty(comment, `${path.join(".")} has no comment`)
        const value = path.reduce<unknown>((group, name) => (group as Record<string, unknown>)[name], encoded)
        assert.deepStrictEqual(JSON.parse(JSON.stringify(node)), value, path.join("."))
        return
      }
      node.items.forEach(({ key, value }, index) => {
        assert(isScalar(key))
        const above = key.commentBefore ?? (index === 0 ? (node.commentBefore ?? "") : "")
        walk(value, [...path, String(key.value)], above)
      })
    }
    walk(document.contents, [], "")
    assert.deepStrictEqual(
      shown,
      keys.map(({ path }) => path.join("."))
    )
  })
})

describe("every key", () => {
  it("has a variable of its own, a description and a word for what it allows", () => {
    assert.strictEqual(new Set(keys.map(({ variable }) => variable)).size, keys.length)
    for (const { allowed, description, path } of keys) {
      assert.isNotEmpty(allowed, path.join("."))
      assert.isNotEmpty(description, path.join("."))
      assert.notMatch(description, /Redacted|Expected/)
    }
    const byVariable = new Map(keys.map((key) => [key.variable, key.path.join(".")]))
    assert.strictEqual(byVariable.get("PARALLAX_DATABASE_HOST"), "database.host")
    assert.strictEqual(byVariable.get("PARALLAX_DATA_DIR"), "data_dir")
    assert.strictEqual(byVariable.get("PARALLAX_PLATFORMS_POLYMARKET_WS_URL"), "platforms.polymarket.ws_url")
    assert.deepStrictEqual(
      keys.filter(({ secret }) => secret).map(({ path }) => path.join(".")),
      ["http.token", "database.password", "platforms.kalshi.private_key"]
    )
  })

  it("takes from the environment what it takes from a file", () => {
    const encoded = Schema.encodeSync(Settings)(defaults) as unknown as Record<string, unknown>
    for (const { path, variable } of keys) {
      const value = path.reduce<unknown>((group, name) => (group as Record<string, unknown>)[name], encoded)
      const text = Array.isArray(value) ? `[${value.join(", ")}]` : String(value)
      assert.deepStrictEqual(Either.getOrThrow(parse(undefined, { [variable]: text })), defaults, variable)
    }
  })
})

describe("a file", () => {
  it("is taken as it is written", () => {
    const settings = read(`
http: { host: "::1", port: 9000 }
log:
  level: warn
data_dir: 2024
database:
  driver: postgres
  user: on
  password: 0123
  ssl: TRUE
platforms:
  polymarket:
    gamma_url: http://127.0.0.1:8081/gamma/
    min_liquidity: 0.5
    max_markets: 1_000
    categories: [politics, 'US election', &x sports, *x]
    markets: [0x9c1a953fe92c8357f1b646ba25d983aa83e90c525992db14fb726fa895cb5763, 12e5, no]
    stale_after: 1500 millis
`)
    assert.deepStrictEqual(settings.http, { host: "::1", port: 9000, token: Redacted.make("") })
    assert.deepStrictEqual(settings.log, { level: "warn", format: "auto" })
    assert.strictEqual(settings.data_dir, "2024")
    assert.strictEqual(settings.database.user, "on")
    assert.strictEqual(Redacted.value(settings.database.password), "0123")
    assert.isTrue(settings.database.ssl)
    const { polymarket } = settings.platforms
    assert.strictEqual(polymarket.gamma_url, "http://127.0.0.1:8081/gamma")
    assert.strictEqual(polymarket.min_liquidity, 0.5)
    assert.strictEqual(polymarket.max_markets, 1000)
    assert.deepStrictEqual(polymarket.categories, ["politics", "US election", "sports", "sports"])
    assert.deepStrictEqual(polymarket.markets, [
      "0x9c1a953fe92c8357f1b646ba25d983aa83e90c525992db14fb726fa895cb5763",
      "12e5",
      "no"
    ])
    assert.strictEqual(Duration.toMillis(polymarket.stale_after), 1500)
  })

  it("is refused with all its faults at once, each with its line and what is allowed", () => {
    assert.deepStrictEqual(
      refusedFile(`htpp: { port: 1 }
http:
  port: 99999
  host: "a b"
log: [a]
data_dir:
database:
  driver: oracle
  ssl: yes
  port: abc
  batch_rows: 0
  pasword: hunter2
platforms:
  polymarket:
    ws_url: http://x
    clob_url: wss://x
    gamma_url: nonsense
    categories: politics
    markets: [ok, ""]
    max_assets_per_connection: 501
    min_liquidity: -1
    max_markets: 1.5
    refresh_every: 3 parsecs
    stale_after: Infinity
  kalshy: {}
`).toSorted((a, b) => Number(a.split(":")[1]) - Number(b.split(":")[1])),
      [
        "c.yaml:1: htpp: there is no such key; did you mean http?",
        "c.yaml:3: http.port: 99999 is not a whole number from 0 to 65535",
        'c.yaml:4: http.host: "a b" is not a host name or an address',
        "c.yaml:5: log: a group of keys belongs here, each on its own line",
        "c.yaml:6: data_dir: nothing is given; text that is not empty belongs here, or remove the key to get the default",
        'c.yaml:8: database.driver: "oracle" is not one of embedded, postgres',
        'c.yaml:9: database.ssl: "yes" is not true or false',
        'c.yaml:10: database.port: "abc" is not a whole number from 1 to 65535',
        "c.yaml:11: database.batch_rows: 0 is not a whole number above 0",
        "c.yaml:12: database.pasword: there is no such key; did you mean password?",
        'c.yaml:15: platforms.polymarket.ws_url: "http://x" is not a URL of ws:// or wss:// without user, query or fragment',
        'c.yaml:16: platforms.polymarket.clob_url: "wss://x" is not a URL of http:// or https:// without user, query or fragment',
        'c.yaml:17: platforms.polymarket.gamma_url: "nonsense" is not a URL of http:// or https:// without user, query or fragment',
        "c.yaml:18: platforms.polymarket.categories: a value is not a list, as [one, two], of entries that are not empty",
        'c.yaml:19: platforms.polymarket.markets: ["ok",""] is not a list, as [one, two], of entries that are not empty',
        "c.yaml:20: platforms.polymarket.max_assets_per_connection: 501 is not a whole number from 1 to 500",
        "c.yaml:21: platforms.polymarket.min_liquidity: -1 is not a number of 0 or more",
        "c.yaml:22: platforms.polymarket.max_markets: 1.5 is not a whole number from 1 to 100000",
        'c.yaml:23: platforms.polymarket.refresh_every: "3 parsecs" is not a time of at most 7 days, as "30 seconds" or "10 minutes"',
        'c.yaml:24: platforms.polymarket.stale_after: "Infinity" is not a time of at most 7 days, as "30 seconds" or "10 minutes"',
        "c.yaml:25: platforms.kalshy: there is no such key; did you mean kalshi?"
      ]
    )
  })

  it.each([
    ["a: [", "a bracket is not closed"],
    ["http:\n\tport: 1", "spaces, not of tabs"],
    ["a: 1\n---\nb: 2", "one document is expected"],
    ["http: {}\nhttp: {}", "c.yaml:2: this key is given twice"],
    ["http:\n  port: 1\n  port: 2", "c.yaml:3: this key is given twice"],
    ["- http", "groups of keys belong here, not a list"],
    ["just text", "groups of keys belong here, not a value"],
    ["data_dir: *gone", "data_dir: an alias (*) has no anchor"],
    ["http: 8080", "a group of keys belongs here"],
    ["http: []", "a group of keys belongs here"],
    ["data_dir: [a]", "a list is not text"],
    ["data_dir: { a: b }", "a group of keys is not text"],
    ["platforms: { polymarket: { categories: { a: b } } }", "a group of keys is not a list"],
    ["platforms: { polymarket: { categories: [[a]] } }", "is not a list"],
    ["platforms: { polymarket: { ws_url: 'wss://u:secret@h' } }", "is not a URL of ws://"],
    ["__proto__: { polluted: 1 }", "__proto__: there is no such key"],
    ["http: { __proto__: { port: 1 } }", "http.__proto__: there is no such key"],
    ["http: { constructor: 1, toString: 1 }", "http.constructor: there is no such key"],
    ["http: { host: '' }", 'http.host: "" is not a host name'],
    ["? [a, b]\n: 1", "there is no such key"],
    ["a: &a [*a]\nhttp: *a", "there is no such key"],
    ["http: { port: .inf }", 'http.port: ".inf" is not'],
    ["http: { port: 0x50 }", 'http.port: "0x50" is not'],
    ["http: { port: -1 }", "http.port: -1 is not"],
    ["http: { port: 80.5 }", "http.port: 80.5 is not"]
  ])("is refused: %j", (text, expected) => {
    const faults = refusedFile(text)
    assert.isTrue(
      faults.some((fault) => fault.includes(expected)),
      faults.join("\n")
    )
    assert.notProperty({}, "polluted")
  })

  it("never shows a secret", () => {
    const texts = [
      "database: { password: { a: hunter2 } }",
      "database: { password: [hunter2] }",
      "database: { pasword: hunter2 }",
      "database: { password: *hunter2 }",
      "database: { password: hunter2",
      "database: { password: hunter2, ssl: maybe }",
      "database:\n  password: !!int hunter2\n  nope: 1",
      "platforms: { polymarket: { ws_url: 'http://me:hunter2@host/' } }"
    ]
    for (const text of texts) {
      const faults = refusedFile(text, { PARALLAX_DATABASE_PASSWORDD: "hunter2" })
      assert.isAbove(faults.length, 1)
      assert.notInclude(faults.join("\n"), "hunter2")
    }
    const settings = read("database: { password: hunter2 }")
    assert.notInclude(JSON.stringify(settings) + String(settings.database.password), "hunter2")
  })
})

describe("a token", () => {
  const TOKEN = "0123456789abcdef"

  it.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST."])("is not needed on %s", (host) => {
    assert.strictEqual(read(`http: { host: "${host}" }`).http.host, host)
  })

  it.each(["0.0.0.0", "::", "192.168.1.5", "fe80::1", "::2", "128.0.0.1", "127.1", "localhost.example", "a", "127"])(
    "is needed on %s",
    (host) => {
      const problem =
        `http.token: a token is needed, since other machines reach ${host}: ` +
        "give 16 random letters and digits or more, or set http.host to 127.0.0.1"
      assert.deepStrictEqual(refusedFile(`http:\n  host: "${host}"`), [`c.yaml:2: ${problem}`])
      assert.deepStrictEqual(refusedEnv({ PARALLAX_HTTP_HOST: host }), [`PARALLAX_HTTP_HOST: ${problem}`])
      assert.deepStrictEqual(refusedEnv({ PARALLAX_HTTP_HOST: host, PARALLAX_HTTP_TOKEN: "" }), [
        `PARALLAX_HTTP_TOKEN: ${problem}`
      ])
      const { token } = read(`http: { host: "${host}" }`, { PARALLAX_HTTP_TOKEN: TOKEN }).http
      assert.strictEqual(Redacted.value(token), TOKEN)
    }
  )

  it.each(["short", "x".repeat(15), "x".repeat(513), `${TOKEN} `, `${TOKEN}é`, `${TOKEN}\n`, `=${TOKEN}`])(
    "of a poor kind is refused, and not shown: %j",
    (token) => {
      assert.deepStrictEqual(refusedEnv({ PARALLAX_HTTP_TOKEN: token }), [
        "PARALLAX_HTTP_TOKEN: http.token: what is given is not 16 to 512 letters, digits or any of - . _ ~ + /"
      ])
    }
  )

  it("is missed beside all else that is wrong", () => {
    assert.deepStrictEqual(refusedEnv({ PARALLAX_HTTP_HOST: "0.0.0.0", PARALLAX_LOG_LEVEL: "loud" }).length, 2)
  })
})

describe("the environment", () => {
  it("overrides a file", () => {
    const settings = read("http: { port: 1, host: localhost }\ndatabase: { password: x }", {
      PARALLAX_HTTP_PORT: "2",
      PARALLAX_DATABASE_PASSWORD: "0x: [y",
      PARALLAX_LOG_LEVEL: "debug",
      PARALLAX_PLATFORMS_POLYMARKET_ENABLED: "false",
      PARALLAX_PLATFORMS_POLYMARKET_CATEGORIES: "[politics, 'a, b']",
      PARALLAX_PLATFORMS_POLYMARKET_MARKETS: " 0xabc , slug-1 ",
      PARALLAX_PLATFORMS_POLYMARKET_STALE_AFTER: "5 seconds",
      PARALLAX_CONFIG: "elsewhere.yaml",
      PARALLAX: "1",
      PATH: "/bin",
      HTTP_PORT: "3"
    })
    assert.deepStrictEqual(settings.http, { host: "localhost", port: 2, token: Redacted.make("") })
    assert.strictEqual(Redacted.value(settings.database.password), "0x: [y")
    assert.strictEqual(settings.log.level, "debug")
    const { polymarket } = settings.platforms
    assert.isFalse(polymarket.enabled)
    assert.deepStrictEqual(polymarket.categories, ["politics", "a, b"])
    assert.deepStrictEqual(polymarket.markets, ["0xabc", "slug-1"])
    assert.strictEqual(Duration.toMillis(polymarket.stale_after), 5000)
  })

  it("empties a list, and overrides a fault", () => {
    assert.deepStrictEqual(
      read("platforms: { polymarket: { categories: [a] } }", { PARALLAX_PLATFORMS_POLYMARKET_CATEGORIES: "" }).platforms
        .polymarket.categories,
      []
    )
    assert.strictEqual(read("http: { port: zzz }", { PARALLAX_HTTP_PORT: "1" }).http.port, 1)
  })

  it("is refused by the name of the variable", () => {
    assert.deepStrictEqual(
      refusedEnv({
        PARALLAX_HTTP_PORT: "zzz",
        PARALLAX_LOG_LEVEL: "",
        PARALLAX_DATABASE_SSL: "1",
        PARALLAX_PLATFORMS_POLYMARKET_CATEGORIES: "[a",
        PARALLAX_PLATFORMS_POLYMARKET_MARKETS: "a,,b",
        PARALLAX_HTTP_PROT: "1",
        PARALLAX___PROTO__: "x",
        PARALLAX_PLATFORMS_NOWHERE_LISTED: "true",
        PARALLAX_CONFIGG: "x"
      }).toSorted(),
      [
        "PARALLAX_CONFIGG: there is no such variable; did you mean PARALLAX_CONFIG?",
        'PARALLAX_DATABASE_SSL: database.ssl: "1" is not true or false',
        'PARALLAX_HTTP_PORT: http.port: "zzz" is not a whole number from 0 to 65535',
        "PARALLAX_HTTP_PROT: there is no such variable; did you mean PARALLAX_HTTP_PORT?",
        'PARALLAX_LOG_LEVEL: log.level: "" is not one of trace, debug, info, warn, error, none',
        "PARALLAX_PLATFORMS_NOWHERE_LISTED: there is no such variable",
        'PARALLAX_PLATFORMS_POLYMARKET_CATEGORIES: platforms.polymarket.categories: "[a" is not a list, as [one, two], of entries that are not empty',
        'PARALLAX_PLATFORMS_POLYMARKET_MARKETS: platforms.polymarket.markets: ["a","","b"] is not a list, as [one, two], of entries that are not empty',
        "PARALLAX___PROTO__: there is no such variable"
      ].toSorted()
    )
  })
})

describe("loading", () => {
  const withFile = <A, E>(use: (path: string, directory: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const path = `${directory}/own.yaml`
      yield* fs.writeFileString(path, "http: { port: 1234 }")
      return yield* use(path, directory)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

  it.effect("takes the file of --config, else that of PARALLAX_CONFIG, else none", () =>
    withFile((path) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* load({ file: path, env: {} })).http.port, 1234)
        assert.strictEqual((yield* load({ env: { PARALLAX_CONFIG: path } })).http.port, 1234)
        assert.strictEqual((yield* load({ file: path, env: { PARALLAX_CONFIG: "/nowhere" } })).http.port, 1234)
        assert.deepStrictEqual(yield* load({ env: { PARALLAX_CONFIG: "" } }), defaults)
        assert.deepStrictEqual(yield* load({ env: {} }), defaults)
      })
    )
  )

  it.effect("says what is wrong with the file itself", () =>
    withFile((path, directory) =>
      Effect.gen(function* () {
        const problem = (options: Parameters<typeof load>[0]) => Effect.map(Effect.flip(load(options)), render)
        assert.strictEqual(
          yield* problem({ file: `${path}x`, env: {} }),
          `The configuration is refused: one fault.\n  --config: ${path}x: there is no such file`
        )
        assert.include(yield* problem({ env: { PARALLAX_CONFIG: directory } }), "PARALLAX_CONFIG:")
        assert.include(yield* problem({ env: { PARALLAX_CONFIG: directory } }), "not a directory")
        assert.include(yield* problem({ file: "", env: {} }), "--config")
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFile(path, new Uint8Array([0xff, 0xfe, 0x00, 0x7b]))
        assert.include(yield* problem({ file: path, env: {} }), "refused")
      })
    )
  )
})

describe("a key of Kalshi", () => {
  const path = "platforms.kalshi"
  const variable = (name: string) => `PARALLAX_PLATFORMS_KALSHI_${name}`
  const pem = Buffer.from(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" })).toString()
  const checked = (env: Environment) =>
    Effect.runSync(Effect.either(Effect.map(checkKey(Either.getOrThrow(parse(undefined, env))), () => undefined)))

  it.each([
    [
      { KEY_ID: "k" },
      `${variable("KEY_ID")}: ${path}.private_key: there is a key_id but neither private_key_path nor private_key`
    ],
    [{ PRIVATE_KEY: "sesame" }, `${variable("PRIVATE_KEY")}: ${path}.key_id: there is a private key but no key_id`],
    [
      { PRIVATE_KEY_PATH: "/x" },
      `${variable("PRIVATE_KEY_PATH")}: ${path}.key_id: there is a private key but no key_id`
    ],
    [
      { KEY_ID: "k", PRIVATE_KEY: "sesame", PRIVATE_KEY_PATH: "/x" },
      `${variable("PRIVATE_KEY")}: ${path}.private_key: both private_key and private_key_path are given; one of them is needed`
    ]
  ])("is refused when its parts do not go together: %j", (given, fault) => {
    const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [variable(name), value]))
    assert.deepStrictEqual(refusedEnv(env), [fault])
  })

  it("is refused at its line of the file", () => {
    assert.deepStrictEqual(refusedFile("platforms:\n  kalshi:\n    key_id: k"), [
      `c.yaml:3: ${path}.private_key: there is a key_id but neither private_key_path nor private_key`
    ])
  })

  it.effect("is refused when it cannot be read or is none, and never shown", () =>
    Effect.gen(function* () {
      const refused = (given: Record<string, string>) => {
        const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [variable(name), value]))
        return Effect.flip(checkKey(Either.getOrThrow(parse(undefined, { ...env, [variable("KEY_ID")]: "k" }))))
      }
      const missing = yield* refused({ PRIVATE_KEY_PATH: "/nowhere/key.pem" })
      assert.match(render(missing), /platforms\.kalshi\.private_key_path: .*cannot be read: ENOENT/)
      const nonsense = yield* refused({ PRIVATE_KEY: "sesame" })
      assert.match(render(nonsense), /platforms\.kalshi\.private_key: the private key is not an unencrypted PEM/)
      assert.notInclude(render(nonsense) + JSON.stringify(nonsense), "sesame")
    })
  )

  it("is taken when it is whole, and not looked at where the venue is off", () => {
    const whole = { [variable("KEY_ID")]: "k", [variable("PRIVATE_KEY")]: pem }
    assert.isTrue(Either.isRight(checked(whole)))
    const off = { ...whole, [variable("PRIVATE_KEY")]: "sesame", [variable("ENABLED")]: "false" }
    assert.isTrue(Either.isRight(checked(off)))
  })
})

describe("whatever is given", () => {
  const encoded = Schema.encodeSync(Settings)

  it("settings survive being written and read back", () => {
    const settings = fc.record({
      port: fc.integer({ min: 0, max: 65_535 }),
      categories: fc.array(fc.stringMatching(/^[^\s].{0,10}[^\s]$/)),
      password: fc.string(),
      token: fc.oneof(fc.constant(""), fc.stringMatching(/^[\w.~+/-]{16,40}={0,2}$/)),
      millis: fc.integer({ min: 1, max: 604_800_000 })
    })
    fc.assert(
      fc.property(settings, ({ categories, millis, password, port, token }) => {
        const own: Settings = {
          ...defaults,
          http: { ...defaults.http, port, token: Redacted.make(token) },
          database: { ...defaults.database, password: Redacted.make(password) },
          platforms: {
            polymarket: { ...defaults.platforms.polymarket, categories, stale_after: Duration.millis(millis) },
            kalshi: {
              ...defaults.platforms.kalshi,
              private_key: Redacted.make(password),
              key_id: password === "" ? "" : "k"
            }
          }
        }
        // JSON is YAML.
        const again = read(JSON.stringify(encoded(own)))
        assert.deepStrictEqual(encoded(again), encoded(own))
      })
    )
  })

  it("is either read or refused, in text and in the environment", () => {
    const value = fc.oneof(fc.string(), fc.constantFrom("[", "{a: b}", "*x", "!!int 3", "~", "1e999", "\u0000"))
    const env = fc.dictionary(fc.constantFrom(...keys.map(({ variable }) => variable), "PARALLAX_X"), value)
    fc.assert(
      fc.property(fc.string(), env, (text, env) => {
        const result = parse({ name: "c.yaml", text }, env)
        if (Either.isLeft(result)) assert.isNotEmpty(result.left.faults)
      })
    )
  })
})
