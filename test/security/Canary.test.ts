/** No secret of the configuration comes out again, wherever one looks and whatever goes wrong. */
import { writeFile } from "node:fs/promises"
import { createServer, type Socket } from "node:net"
import { join } from "node:path"
import { inspect } from "node:util"
import { NodeContext, NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  type Console,
  Effect,
  Either,
  Exit,
  Layer,
  Logger,
  LogLevel,
  Redacted,
  Schedule,
  Scope,
  Stream
} from "effect"
import * as App from "../../src/App.ts"
import * as Cli from "../../src/cli/Cli.ts"
import * as Logging from "../../src/cli/Logging.ts"
import { RateLimit } from "../../src/resilience/RateLimit.ts"
import { type Environment, keys, parse, render, type Settings } from "../../src/Settings.ts"
import * as KalshiSimulator from "../../src/simulator/KalshiSimulator.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import * as Kalshi from "../../src/venues/kalshi/Kalshi.ts"
import { temporaryDirectory } from "../storage/Databases.ts"
import * as Canaries from "./Canaries.ts"

const canaries = Canaries.make()
const { keyId, password, privateKey, token } = canaries

const secrets: Environment = {
  PARALLAX_HTTP_TOKEN: token,
  PARALLAX_DATABASE_PASSWORD: password,
  PARALLAX_PLATFORMS_KALSHI_KEY_ID: keyId,
  PARALLAX_PLATFORMS_KALSHI_PRIVATE_KEY: privateKey
}

const settingsOf = (env: Environment): Settings =>
  Either.getOrThrowWith(parse(undefined, { ...secrets, ...env }), (error) => new Error(render(error)))

/** Everything that came out, from wherever. */
const outputs = () => {
  const texts: Array<string> = []
  const keep = (text: string) => void texts.push(text)
  const note = (...values: ReadonlyArray<unknown>) => keep(values.map(String).join(" "))
  const unsafe = new Proxy({} as Console.UnsafeConsole, { get: () => note })
  const console = new Proxy({ unsafe } as unknown as Console.Console, {
    get: (target, name) =>
      name === "unsafe" ? target.unsafe : (...values: ReadonlyArray<unknown>) => Effect.sync(() => note(...values))
  })
  const loggers = [
    Logging.jsonLogger,
    Logging.prettyLogger({ colors: true }),
    Logger.stringLogger,
    Logger.logfmtLogger,
    Logger.map(Logger.structuredLogger, (entry) => inspect(entry, { depth: null }))
  ]
  const logger = Logger.make((options) => {
    for (const one of loggers) keep(one.log(options))
  })
  const logging = Layer.mergeAll(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All))
  return {
    text: () => texts.join("\n"),
    keep,
    console,
    logging,
    /** An error, as whoever prints it might. */
    failure: (cause: Cause.Cause<unknown>) => {
      keep(inspect(cause, { depth: null, showHidden: true }))
      keep(Cause.pretty(cause, { renderErrorCause: true }))
      keep(JSON.stringify(cause))
      for (const error of Cause.prettyErrors(cause)) keep(`${inspect(error, { depth: null })}\n${error.stack}`)
    }
  }
}
type Outputs = ReturnType<typeof outputs>

/** Nothing of the secrets is in what came out, and something did come out. */
const clean = (out: Outputs, ...expected: ReadonlyArray<string | RegExp>): void => {
  const text = out.text()
  assert.deepStrictEqual(Canaries.found(canaries, text), [])
  for (const one of expected) {
    const found = typeof one === "string" ? text.includes(one) : one.test(text)
    assert.isTrue(found, `${one} is not in what came out: ${text.slice(0, 3000)}`)
  }
}

const venues = (options: { readonly refusing?: boolean } = {}) =>
  Effect.gen(function* () {
    const small = { markets: 2, rate: 40 }
    const polymarket = yield* Simulator.make(small)
    const publicKey = options.refusing === true ? Canaries.make().publicKey : canaries.publicKey
    const kalshi = yield* KalshiSimulator.make({ ...small, keyId, publicKey })
    return {
      PARALLAX_PLATFORMS_POLYMARKET_CLOB_URL: polymarket.urls.clob_url,
      PARALLAX_PLATFORMS_POLYMARKET_GAMMA_URL: polymarket.urls.gamma_url,
      PARALLAX_PLATFORMS_POLYMARKET_WS_URL: polymarket.urls.ws_url,
      PARALLAX_PLATFORMS_POLYMARKET_MIN_LIQUIDITY: "0",
      PARALLAX_PLATFORMS_KALSHI_API_URL: kalshi.urls.api_url,
      PARALLAX_PLATFORMS_KALSHI_WS_URL: kalshi.urls.ws_url,
      PARALLAX_PLATFORMS_KALSHI_MIN_VOLUME_24H: "0",
      PARALLAX_HTTP_PORT: "0"
    }
  })

const until = (out: Outputs, ...wanted: ReadonlyArray<RegExp>) =>
  Effect.sync(() => wanted.every((one) => one.test(out.text()))).pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (yes) => yes }),
    Effect.timeout("30 seconds"),
    Effect.catchAll(() => Effect.dieMessage(`never came: ${wanted.join(" ")}\n${out.text().slice(-3000)}`))
  )

const urlOf = (out: Outputs): string => /"url":"(http:[^"]+)"/.exec(out.text())?.[1] ?? assert.fail("no URL was logged")

const paths = [
  "/",
  "/health/live",
  "/health/ready",
  "/metrics",
  "/docs",
  "/openapi.json",
  "/api/v1/markets",
  "/api/v1/markets/none",
  "/api/v1/markets?limit=0",
  "/api/v1/books",
  "/api/v1/books/none",
  "/api/v1/feeds"
]

const visit = (out: Outputs) =>
  Effect.promise(async () => {
    const statuses = new Set<number>()
    for (const path of paths) {
      for (const authorization of [undefined, `Bearer ${token}`, `Bearer ${token}x`, `Basic ${token}`, token]) {
        const response = await fetch(`${urlOf(out)}${path}`, {
          headers: authorization === undefined ? {} : { authorization, "x-request-id": "visit" }
        })
        statuses.add(response.status)
        out.keep(`${inspect([...response.headers])}\n${await response.text()}`)
      }
    }
    for (const status of [200, 400, 401, 404]) assert.isTrue(statuses.has(status), String(status))
  })

/** Runs the whole program with these settings, does something meanwhile, and ends it. */
const running = <A, E>(
  env: Environment,
  script: (out: Outputs) => Effect.Effect<A, E>
): Effect.Effect<Outputs, E, Scope.Scope> =>
  Effect.gen(function* () {
    const out = outputs()
    const settings = settingsOf({ PARALLAX_DATA_DIR: yield* temporaryDirectory, ...env })
    yield* Effect.gen(function* () {
      const scope = yield* Scope.make()
      const built = yield* Effect.exit(Layer.buildWithScope(App.layer(settings), scope))
      if (Exit.isFailure(built)) out.failure(built.cause)
      else yield* Effect.ensuring(script(out), Scope.close(scope, Exit.void))
    }).pipe(Effect.provide(out.logging), Effect.withConsole(out.console))
    return out
  })

/** A database that asks for the password in plain text and then refuses it, repeating what it can. */
const refusingDatabase = Effect.acquireRelease(
  Effect.async<{ readonly port: number; readonly heard: () => string; readonly close: () => void }>((resume) => {
    let heard = ""
    const message = (kind: string, body: Buffer) => {
      const head = Buffer.alloc(5)
      head.write(kind, "latin1")
      head.writeInt32BE(body.length + 4, 1)
      return Buffer.concat([head, body])
    }
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.once("data", () => {
        socket.write(message("R", Buffer.from([0, 0, 0, 3])))
        socket.once("data", (data) => {
          heard += data.toString()
          const fields = ["SFATAL", "VFATAL", "C28P01", 'Mpassword authentication failed for user "parallax"', ""]
          socket.end(message("E", Buffer.from(fields.map((field) => `${field}\0`).join(""))))
        })
      })
    }).listen(0, "127.0.0.1", () => {
      const address = server.address()
      assert(address !== null && typeof address === "object")
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      resume(Effect.succeed({ port: address.port, heard: () => heard, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const PATIENCE = 90_000

describe("a secret of the configuration", () => {
  it("would be found", () => {
    for (const [name, forms] of Canaries.forms(canaries)) {
      assert.isAbove(forms.length, 1)
      for (const form of forms) {
        assert.isAbove(form.length, 15, name)
        assert.lengthOf(Canaries.found(canaries, `x${form}y`), 1, name)
      }
    }
    for (const secret of [password, token, keyId]) {
      for (const before of ["", "x", "xy", "xyz"]) {
        const text = Buffer.from(`${before}${secret}z`).toString("base64")
        assert.isNotEmpty(Canaries.found(canaries, text), text)
      }
    }
  })

  it.scopedLive(
    "does not come out of a collector at work",
    () =>
      Effect.gen(function* () {
        const out = yield* running(yield* venues(), (out) =>
          Effect.gen(function* () {
            yield* until(out, /the HTTP server listens/, /feed connected[^]*feed connected/)
            yield* visit(out)
          })
        )
        clean(
          out,
          "feed connected",
          "polymarket",
          "kalshi",
          "WWW-Authenticate".toLowerCase(),
          "parallax_books",
          /closed/
        )
      }),
    PATIENCE
  )

  it.scopedLive(
    "does not come out where venue and database refuse it",
    () =>
      Effect.gen(function* () {
        const database = yield* refusingDatabase
        const env = {
          ...(yield* venues({ refusing: true })),
          PARALLAX_DATABASE_DRIVER: "postgres",
          PARALLAX_DATABASE_PORT: String(database.port)
        }
        const out = yield* running(env, (out) =>
          Effect.gen(function* () {
            yield* until(out, /the HTTP server listens/, /authentication failed/, /401/)
            yield* visit(out)
          })
        )
        assert.include(database.heard(), password)
        clean(out, "authentication failed", "kalshi")
      }),
    PATIENCE
  )

  it.scopedLive(
    "does not come out where nobody answers, and the key cannot be read",
    () =>
      Effect.gen(function* () {
        const nobody = {
          PARALLAX_PLATFORMS_POLYMARKET_CLOB_URL: "http://127.0.0.1:1",
          PARALLAX_PLATFORMS_POLYMARKET_GAMMA_URL: "http://127.0.0.1:1",
          PARALLAX_PLATFORMS_POLYMARKET_WS_URL: "ws://127.0.0.1:1",
          PARALLAX_PLATFORMS_KALSHI_API_URL: "http://127.0.0.1:1",
          PARALLAX_PLATFORMS_KALSHI_WS_URL: "ws://127.0.0.1:1",
          PARALLAX_DATABASE_DRIVER: "postgres",
          PARALLAX_DATABASE_PORT: "1",
          PARALLAX_HTTP_PORT: "0"
        }
        const broken = privateKey.replace("BEGIN PRIVATE KEY", "BEGIN NOTHING")
        const unusable = [
          { PARALLAX_PLATFORMS_KALSHI_PRIVATE_KEY: broken },
          { PARALLAX_PLATFORMS_KALSHI_PRIVATE_KEY: "", PARALLAX_PLATFORMS_KALSHI_PRIVATE_KEY_PATH: "/nowhere/key.pem" }
        ]
        const outs = yield* Effect.forEach(
          unusable,
          (key) =>
            running({ ...nobody, ...key }, (out) =>
              Effect.gen(function* () {
                yield* until(out, /the HTTP server listens/, /ECONNREFUSED|unreachable/, /private.key/)
                yield* visit(out)
              })
            ),
          { concurrency: "unbounded" }
        )
        for (const out of outs) clean(out, /unreachable|ECONNREFUSED/, /private.key/)
      }),
    PATIENCE
  )

  it.scopedLive(
    "is in no error of a start that failed",
    () =>
      Effect.gen(function* () {
        const taken = yield* refusingDatabase
        const out = yield* running({ ...(yield* venues()), PARALLAX_HTTP_PORT: String(taken.port) }, () =>
          Effect.dieMessage("it started")
        )
        clean(out, "cannot listen")
      }),
    PATIENCE
  )

  it.scopedLive("is in no error of a venue, nor in what it is caused by", () =>
    Effect.gen(function* () {
      const out = outputs()
      for (const url of ["http://127.0.0.1:1", (yield* venues({ refusing: true })).PARALLAX_PLATFORMS_KALSHI_API_URL]) {
        const { kalshi } = settingsOf({ PARALLAX_PLATFORMS_KALSHI_API_URL: url }).platforms
        const exits = yield* Effect.gen(function* () {
          const venue = yield* Kalshi.make(kalshi)
          return [
            yield* Effect.exit(venue.market("NONE")),
            yield* Effect.exit(Stream.runCount(venue.markets({ maxMarkets: 1, categories: [], markets: ["NONE"] })))
          ]
        }).pipe(Effect.provide([RateLimit.layer, NodeHttpClient.layerUndici]), Effect.provide(out.logging))
        for (const exit of exits) if (Exit.isFailure<unknown, unknown>(exit)) out.failure(exit.cause)
      }
      clean(out, "VenueError", /unreachable|unavailable/)
    })
  )
})

describe("settings", () => {
  it("show no secret, however they are printed", () => {
    const settings = settingsOf({})
    const { key_id: _, ...kalshi } = settings.platforms.kalshi
    const shown = { ...settings, platforms: { ...settings.platforms, kalshi } }
    const out = outputs()
    // The first is how the REPL prints. It shows the id of the key, by which people tell their keys apart.
    out.keep(inspect(shown, { depth: 4, maxArrayLength: 10 }))
    out.keep(inspect(shown, { depth: null, showHidden: true }))
    out.keep(JSON.stringify(shown))
    out.keep(`${String(settings.http.token)} ${settings.database.password}`)
    clean(out, "<redacted>")
    assert.strictEqual(Redacted.value(settings.http.token), token)
  })

  it("are refused without showing one", () => {
    const out = outputs()
    const refused = (text: string | undefined, env: Environment) => {
      const result = parse(text === undefined ? undefined : { name: "c.yaml", text }, env)
      assert(Either.isLeft(result))
      out.keep(render(result.left))
      out.failure(Cause.fail(result.left))
    }
    const quoted = JSON.stringify
    refused(undefined, { PARALLAX_HTTP_TOKEN: `${token} !` })
    refused(undefined, {
      ...secrets,
      PARALLAX_LOG_LEVEL: "loud",
      PARALLAX_HTTP_HOST: "0.0.0.0",
      PARALLAX_HTTP_TOKEN: ""
    })
    for (const { secret, variable } of keys)
      if (secret) refused(undefined, { [`${variable}_`]: password, [variable]: token, PARALLAX_X: keyId })
    for (const [section, key] of [
      ["http", "token"],
      ["database", "password"]
    ] as const) {
      for (const value of [quoted(password), quoted(token), quoted(privateKey)]) {
        refused(`${section}: { ${key}: [${value}] }`, {})
        refused(`${section}: { ${key}: { a: ${value} } }`, {})
        refused(`${section}: { ${key}: ${value}, nope: 1 }`, {})
        refused(`${section}: { ${key}: ${value}`, {})
        refused(`${section}: { ${key}s: ${value} }`, {})
        refused(`${section}:\n  ${key}: ${value}\n  ${key}: ${value}`, {})
        refused(`${section}:\n  ${key}: *${value}`, {})
      }
    }
    refused(`http: { host: 0.0.0.0, token: ${quoted(`${token}é`)} }`, {})
    clean(out, "http.token", "database.password", "what is given is not")
  })
})

describe("the command line", () => {
  it.scopedLive("shows no secret of the environment or of a file", () =>
    Effect.gen(function* () {
      const out = outputs()
      const file = join(yield* temporaryDirectory, "c.yaml")
      yield* Effect.promise(() =>
        writeFile(
          file,
          `http: { token: ${JSON.stringify(token)}, host: 0.0.0.0, port: x }\ndatabase: { password: ${JSON.stringify(password)} }`
        )
      )
      for (const args of [["--help"], ["start", "--help"], ["--version"], ["start", "--config", file], ["strat"]]) {
        yield* Cli.run(["node", "parallax", ...args], secrets).pipe(
          Effect.exit,
          Effect.provide(Layer.merge(NodeContext.layer, out.logging)),
          Effect.withConsole(out.console)
        )
      }
      clean(out, "http.port", /start/)
    })
  )
})
