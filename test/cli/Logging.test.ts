import { assert, describe, it } from "@effect/vitest"
import { Cause, type Console, Duration, Effect, Option, Redacted } from "effect"
import * as Logging from "../../src/cli/Logging.ts"
import type { LogConfig } from "../../src/Settings.ts"

const terminal: Logging.Output = { isTerminal: true, colors: false }
const pipe: Logging.Output = { isTerminal: false, colors: false }

/** What an effect writes to the console, as it writes it. */
const written = <A, E>(
  effect: Effect.Effect<A, E>,
  config: Partial<LogConfig> = {},
  output: Logging.Output = pipe
): Effect.Effect<ReadonlyArray<string>, E> => {
  const lines: Array<string> = []
  const unsafe = { log: (line: unknown) => lines.push(String(line)) } as unknown as Console.UnsafeConsole
  return effect.pipe(
    Effect.provide(Logging.layer({ level: "info", format: "json", ...config }, output)),
    Effect.withConsole({ unsafe } as Console.Console),
    Effect.as(lines)
  )
}

const noDate = new Date(Number.NaN)

const one = (effect: Effect.Effect<unknown>): Effect.Effect<Record<string, unknown>> =>
  Effect.map(written(effect), (lines) => {
    assert.lengthOf(lines, 1)
    assert.notInclude(lines[0], "\n")
    return JSON.parse(lines[0]!) as Record<string, unknown>
  })

describe("JSON", () => {
  it.effect("has annotations beside the message", () =>
    Effect.gen(function* () {
      const entry = yield* one(
        Effect.logInfo("connected").pipe(Effect.annotateLogs({ venue: "polymarket", connection: "p-1", attempts: 3 }))
      )
      assert.strictEqual(entry["timestamp"], "1970-01-01T00:00:00.000Z")
      assert.strictEqual(entry["level"], "INFO")
      assert.strictEqual(entry["message"], "connected")
      assert.include(entry, { venue: "polymarket", connection: "p-1", attempts: 3 })
      assert.match(String(entry["fiber"]), /^#\d+/)
      assert.sameMembers(Object.keys(entry), [
        "timestamp",
        "level",
        "message",
        "venue",
        "connection",
        "attempts",
        "fiber"
      ])
    })
  )

  it.effect("keeps annotations from replacing its own fields", () =>
    Effect.gen(function* () {
      const entry = yield* one(
        Effect.logInfo("real").pipe(Effect.annotateLogs({ message: "false", level: 1, __proto: "x" }))
      )
      assert.include(entry, { message: "real", _message: "false", level: "INFO", _level: 1 })
    })
  )

  it.effect("never shows what is redacted", () =>
    Effect.gen(function* () {
      const secret = Redacted.make("hunter2")
      const lines = yield* written(
        Effect.logInfo("with", secret, { deep: [secret], map: new Map([["k", secret]]) }).pipe(
          Effect.annotateLogs({ secret, settings: { database: { password: secret } } })
        )
      )
      assert.notInclude(lines.join(""), "hunter2")
      assert.include(lines.join(""), "<redacted>")
    })
  )

  it.effect("writes whatever it is given", () =>
    Effect.gen(function* () {
      const loop: Record<string, unknown> = {}
      loop["self"] = loop
      let deep: unknown = "bottom"
      for (let i = 0; i < 1000; i++) deep = { deep }
      const entry = yield* one(
        Effect.logInfo(
          "everything",
          10n,
          { nested: 5n, at: noDate },
          Number.NaN,
          Symbol("s"),
          () => 1,
          undefined,
          null,
          loop,
          deep,
          new Error("outer", { cause: new Error("inner") }),
          Option.some(1n),
          Duration.seconds(1),
          Cause.die("x"),
          new Set([1]),
          {
            get broken() {
              throw new Error("no")
            }
          },
          {
            toJSON: () => {
              throw new Error("no")
            }
          },
          Object.create(null),
          "\u0000\ud800"
        ).pipe(Effect.annotateLogs({ big: 12n, error: new TypeError("bad") }))
      )
      assert.strictEqual(entry["message"], "everything")
      assert.strictEqual(entry["big"], "12")
      assert.deepInclude(entry["error"], { name: "TypeError", message: "bad" })
      const details = entry["details"] as ReadonlyArray<unknown>
      assert.deepStrictEqual(details.slice(0, 3), ["10", { nested: "5", at: null }, "NaN"])
      assert.deepStrictEqual(details[7], { self: "[circular]" })
      assert.deepInclude(details[9], { name: "Error", message: "outer", cause: { name: "Error", message: "inner" } })
      assert.include(details, "[unreadable]")
    })
  )

  it.effect("takes the message of an error that stands alone, and causes as text", () =>
    Effect.gen(function* () {
      const alone = yield* one(Effect.logError(new Error("it broke")))
      assert.strictEqual(alone["message"], "it broke")
      const cause = yield* one(Effect.logError("failed", Cause.fail(new Error("why"))))
      assert.strictEqual(cause["message"], "failed")
      assert.include(cause["cause"], "Error: why")
      const span = yield* one(Effect.withLogSpan(Effect.logInfo("timed"), "query"))
      assert.deepStrictEqual(span["spans"], { query: 0 })
    })
  )
})

describe("text for people", () => {
  const pretty = (effect: Effect.Effect<unknown>) => written(effect, { format: "pretty" }, terminal)

  it.effect("is a line for each entry", () =>
    Effect.gen(function* () {
      const lines = yield* pretty(
        Effect.logWarning("reconnecting", { in: 5 }).pipe(
          Effect.annotateLogs({ venue: "polymarket", reason: "closed 1006", quoted: 'a"b', empty: "" })
        )
      )
      assert.lengthOf(lines, 1)
      const [line] = lines
      assert.isTrue(line?.startsWith("00:00:00.000 WARN  reconnecting "))
      for (const field of ["venue=polymarket", 'reason="closed 1006"', 'quoted="a\\"b"', 'empty=""', '{"in":5}']) {
        assert.include(line, field)
      }
    })
  )

  it.effect("cannot steer the terminal or fake another entry", () =>
    Effect.gen(function* () {
      const hostile = "\u001b[2J\u009b31m\u202etxt.exe\r\n12:00:00.000 ERROR fake"
      const lines = yield* pretty(
        Effect.logError(`m${hostile}`, Cause.fail(new Error(hostile))).pipe(
          Effect.annotateLogs({ title: hostile, [`key${hostile}`]: 1 })
        )
      )
      const text = lines.join("\n")
      // oxlint-disable-next-line no-control-regex -- these signs are what is looked for
      assert.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      for (const line of text.split("\n").slice(1)) assert.match(line, /^ {2}/)
      assert.strictEqual(text.split("\n")[0]?.includes("fake"), true)
    })
  )

  it.effect("has colors only where they are wanted", () =>
    Effect.gen(function* () {
      const plain = yield* written(Effect.logInfo("x"), { format: "pretty" }, pipe)
      assert.notInclude(plain[0], "\u001b")
      const colored = yield* written(Effect.logInfo("x"), { format: "auto" }, { isTerminal: true, colors: true })
      assert.include(colored[0], "\u001b[32mINFO ")
    })
  )
})

describe("the configuration", () => {
  it.effect("chooses the level", () =>
    Effect.gen(function* () {
      const all = Effect.all([
        Effect.logTrace("trace"),
        Effect.logDebug("debug"),
        Effect.logInfo("info"),
        Effect.logWarning("warn"),
        Effect.logError("error")
      ])
      const levels = ["trace", "debug", "info", "warn", "error", "none"] as const
      for (const [index, level] of levels.entries()) {
        const lines = yield* written(all, { level })
        assert.deepStrictEqual(
          lines.map((line) => (JSON.parse(line) as { readonly message: string }).message),
          levels.slice(index, -1)
        )
      }
    })
  )

  it.effect("chooses the form, by the output if it does not say", () =>
    Effect.gen(function* () {
      const isJson = (format: LogConfig["format"], output: Logging.Output) =>
        Effect.map(written(Effect.logInfo("x"), { format }, output), ([line]) => line?.startsWith("{"))
      assert.isTrue(yield* isJson("auto", pipe))
      assert.isFalse(yield* isJson("auto", terminal))
      assert.isTrue(yield* isJson("json", terminal))
      assert.isFalse(yield* isJson("pretty", pipe))
    })
  )
})
