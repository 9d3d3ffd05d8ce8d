import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Fiber, Option, Redacted, Schedule } from "effect"
import * as Demo from "../../src/cli/Demo.ts"
import * as Settings from "../../src/Settings.ts"
import { temporaryDirectory } from "../storage/Databases.ts"

const urls = { clob_url: "http://127.0.0.1:1", gamma_url: "http://127.0.0.1:1/gamma", ws_url: "ws://127.0.0.1:1/ws" }
const endpoints = {
  polymarket: urls,
  kalshi: {
    api_url: "http://127.0.0.1:2/trade-api/v2",
    ws_url: "ws://127.0.0.1:2/ws",
    key_id: "id",
    private_key: "pem"
  }
}
const { kalshi, polymarket } = Settings.defaults.platforms

/** Settings of a run that meets nobody: a free port, a directory that goes away. */
const settings = (changes: { readonly enabled?: boolean } = {}) =>
  Effect.map(temporaryDirectory, (data_dir): Settings.Settings => ({
    ...Settings.defaults,
    data_dir,
    http: { ...Settings.defaults.http, port: 0 },
    log: { level: "info", format: "json" },
    platforms: { polymarket: { ...polymarket, ...changes }, kalshi: { ...kalshi, ...changes } }
  }))

/** Runs with a console that remembers; gives the result and what was printed. */
const printing = <A, E, R>(effect: (printed: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const printed: Array<string> = []
  const unsafeNote = (text: unknown) => void printed.push(String(text))
  const note = (text: unknown) => Effect.sync(() => unsafeNote(text))
  return Console.consoleWith((console) =>
    Console.withConsole(effect(printed), {
      ...console,
      log: note,
      error: note,
      unsafe: { ...console.unsafe, log: unsafeNote, error: unsafeNote }
    })
  ).pipe(Effect.map((result) => ({ result, text: printed.join("\n") })))
}

/** The embedded database alone takes seconds to be made. */
const PATIENCE = 90_000

const small = { seed: 7, markets: 4, rate: 50 }

describe("Demo", () => {
  it("takes every simulated market, and keeps the rest of the settings", () => {
    const own: Settings.Settings = {
      ...Settings.defaults,
      data_dir: "/var/lib/parallax",
      platforms: {
        polymarket: { ...polymarket, max_markets: 3, min_liquidity: 5, categories: ["politics"], markets: ["0x1"] },
        kalshi: { ...kalshi, private_key_path: "/run/real.pem", min_volume_24h: 5, categories: ["politics"] }
      }
    }
    const { data_dir, database, platforms } = Demo.settingsFor(own, endpoints)
    assert.strictEqual(data_dir, "/var/lib/parallax/demo")
    assert.strictEqual(database, own.database)
    assert.deepStrictEqual(platforms.polymarket, {
      ...polymarket,
      ...urls,
      max_markets: 3,
      min_liquidity: 0,
      categories: [],
      markets: []
    })
    assert.deepStrictEqual(
      { ...platforms.kalshi, private_key: Redacted.value(platforms.kalshi.private_key) },
      { ...kalshi, ...endpoints.kalshi, min_volume_24h: 0, private_key_path: "" }
    )
  })

  it("leaves out a venue that is not simulated, rather than ask the real one", () => {
    const { platforms } = Demo.settingsFor(Settings.defaults, {})
    assert.deepStrictEqual([platforms.polymarket.enabled, platforms.kalshi.enabled], [false, false])
  })

  it.each([
    ["127.0.0.1", 8080, "http://127.0.0.1:8080"],
    ["0.0.0.0", 80, "http://127.0.0.1:80"],
    ["::", 80, "http://127.0.0.1:80"],
    ["::1", 80, "http://[::1]:80"],
    ["localhost", 0, undefined]
  ])("serves %s port %d at %s", (host, port, url) => {
    assert.strictEqual(Demo.urlOf({ ...Settings.defaults.http, host, port }), url)
  })

  it.scopedLive(
    "ends when its time is up, with every book live and every row stored",
    () =>
      Effect.gen(function* () {
        const used = yield* settings()
        const { text } = yield* printing(() => Demo.run({ ...small, settings: used, for: Option.some("3 seconds") }))
        const line =
          /^demo: 12 of 12 books live, (\d+) hashes verified, 0 hash mismatches, (\d+) rows stored, 0 rows lost$/m
        const [, verified, stored] = line.exec(text) ?? assert.fail(text)
        assert.isAbove(Number(verified), 50)
        assert.isAbove(Number(stored), 50)
        assert.notInclude(text, "not stored")
      }),
    PATIENCE
  )

  it.scopedLive(
    "prints its summary when it is interrupted, after everything is stored",
    () =>
      Effect.gen(function* () {
        const used = yield* settings()
        const { text } = yield* printing((printed) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(Demo.run({ ...small, settings: used, for: Option.none() }))
            const connected = Effect.sync(() => printed.some((line) => line.includes("feed connected")))
            yield* Effect.repeat(connected, { schedule: Schedule.spaced("100 millis"), until: (yes) => yes })
            yield* Effect.sleep("1 seconds")
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.match(text, /^demo: 12 of 12 books live, /m)
        assert.notInclude(text, "not stored")
      }),
    PATIENCE
  )

  it.scopedLive(
    "has nothing to collect where the venue is disabled",
    () =>
      Effect.gen(function* () {
        const used = yield* settings({ enabled: false })
        const { text } = yield* printing(() => Demo.run({ ...small, settings: used, for: Option.some("200 millis") }))
        assert.match(text, /^demo: 0 of 0 books live, 0 hashes verified/m)
      }),
    PATIENCE
  )

  it.scopedLive("fails where the collector cannot start, and has nothing to sum up", () =>
    Effect.gen(function* () {
      const used = yield* settings()
      const unusable = { ...used, data_dir: "/dev/null/nowhere" }
      const { result, text } = yield* printing(() =>
        Effect.either(Demo.run({ ...small, settings: unusable, for: Option.none() }))
      )
      assert.strictEqual(result._tag, "Left")
      assert.notInclude(text, "demo:")
    })
  )
})
