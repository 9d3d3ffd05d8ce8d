import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, HashMap, Logger } from "effect"
import { ask, sendRaw, served } from "./World.ts"

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly cause: string
}

/** A logger that keeps its lines. */
const keeping = () => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
    lines.push({
      level: logLevel.label,
      message: String(message),
      annotations: Object.fromEntries(HashMap.entries(annotations)),
      cause: Cause.pretty(cause)
    })
  })
  return { lines, logger }
}

const unchanged = () => {}

describe("every request", () => {
  it.live("has an id: the caller's, if it is a sane one, or a new one", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const idFor = (given: string) =>
          Effect.map(ask("/health/live", { headers: { "x-request-id": given } }), ({ headers }) =>
            headers.get("x-request-id")
          )
        for (const given of ["abc", "A.b_c-9", "x".repeat(64)]) assert.strictEqual(yield* idFor(given), given)
        for (const given of ["x".repeat(65), "a b", "a,b", 'a"b', "é", "a/b"]) {
          const id = yield* idFor(given)
          assert.notStrictEqual(id, given)
          assert.match(id ?? "", /^[0-9a-f]{16}$/)
        }
        const first = yield* ask("/health/live")
        const second = yield* ask("/health/live")
        assert.notStrictEqual(first.headers.get("x-request-id"), second.headers.get("x-request-id"))
      })
    )
  )

  it.live("has its id on every line of the log, and machines' requests are quiet", () => {
    const { lines, logger } = keeping()
    return served(
      (world) => (world.before = Effect.logInfo("inside")),
      Effect.gen(function* () {
        yield* ask("/api/v1/feeds?x=1", { headers: { "x-request-id": "one" } })
        yield* ask("/health/ready", { headers: { "x-request-id": "two" } })
        yield* ask("/metrics", { headers: { "x-request-id": "three" } })
        const shown = lines.map(({ annotations, level, message }) => `${level} ${message} ${annotations["requestId"]}`)
        assert.deepStrictEqual(shown.slice(1), [
          "INFO inside one",
          "INFO request one",
          "INFO inside two",
          "DEBUG request two",
          "INFO inside three",
          "DEBUG request three"
        ])
        assert.include(lines[2]?.annotations, { method: "GET", url: "/api/v1/feeds?x=1", status: 200 })
        assert.isNumber(lines[2]?.annotations["milliseconds"])
      }),
      logger
    )
  })

  it.live("is answered with headers that keep browsers from guessing", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const path of [
          "/health/live",
          "/metrics",
          "/api/v1/markets?limit=0",
          "/nowhere",
          "/openapi.json",
          "/docs"
        ]) {
          const { headers } = yield* ask(path)
          assert.strictEqual(headers.get("x-content-type-options"), "nosniff", path)
          assert.strictEqual(headers.get("cache-control"), "no-store", path)
          assert.match(
            headers.get("content-security-policy") ?? "",
            /^default-src 'none';.*frame-ancestors 'none'/,
            path
          )
          assert.notMatch(headers.get("content-security-policy") ?? "", /unsafe|https?:|\*/, path)
          assert.strictEqual(headers.get("x-frame-options"), "DENY", path)
          assert.strictEqual(headers.get("referrer-policy"), "no-referrer", path)
          assert.strictEqual(headers.get("cross-origin-resource-policy"), "same-origin", path)
          assert.strictEqual(headers.get("cross-origin-opener-policy"), "same-origin", path)
          assert.isTrue(headers.has("x-request-id"), path)
          assert.isFalse(headers.has("access-control-allow-origin"), path)
        }
        const scripts = (policy: string | null) => policy?.includes("script-src") ?? false
        assert.isTrue(scripts((yield* ask("/docs")).headers.get("content-security-policy")))
        assert.isFalse(scripts((yield* ask("/api/v1/markets")).headers.get("content-security-policy")))
      })
    )
  )
})

describe("a request that nothing answers", () => {
  it.live("is 404 in JSON", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const path of [
          "/",
          "/api",
          "/api/v2/markets",
          "/api/v1/book/x",
          "/docs/x",
          "/%00",
          "//evil",
          "/API/V1/MARKETS"
        ]) {
          const { headers, json, status } = yield* ask(path)
          assert.strictEqual(status, 404, path)
          assert.match(headers.get("content-type") ?? "", /json/)
          assert.strictEqual(json._tag, "RouteNotFound")
          assert.include(json.message, path)
        }
      })
    )
  )

  it.live("is 405 where another method would be answered", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
          const { headers, json, status } = yield* ask("/api/v1/books/polymarket:a-yes", { method })
          assert.strictEqual(status, 405, method)
          assert.strictEqual(headers.get("allow"), "GET, HEAD")
          assert.strictEqual(json._tag, "MethodNotAllowed")
        }
        assert.strictEqual((yield* ask("/nowhere", { method: "POST" })).status, 404)
        assert.strictEqual((yield* ask("/api/v1/markets", { method: "POST", body: "{" })).status, 405)
      })
    )
  )

  it.live("is answered without a body when only the head is wanted", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const { status, text } = yield* ask("/api/v1/markets", { method: "HEAD" })
        assert.strictEqual(status, 200)
        assert.strictEqual(text, "")
      })
    )
  )

  it.live("is refused when it is malformed, and the server lives on", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        const end = "\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for (const [start, status] of [
          ["GET /api/v1/markets/%zz HTTP/1.1", 404],
          ["GET /api/v1/markets/%ff HTTP/1.1", 404],
          ["GET /api/v1/markets?q=%zz HTTP/1.1", 200],
          ["GET http://evil.example/ HTTP/1.1", 404],
          ["OPTIONS * HTTP/1.1", 404],
          ["GET /\u0001 HTTP/1.1", 400],
          ["nonsense", 400],
          [`GET /${"x".repeat(20_000)} HTTP/1.1`, 431],
          ["GET /api/v1/markets HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", 200]
        ] as const) {
          const answer = yield* sendRaw(`${start}${end}`)
          assert.match(answer, new RegExp(`^HTTP/1.1 ${status}`), start.slice(0, 40))
          assert.match(answer, /^content-type: application\/json/im)
          assert.match(answer, /^x-content-type-options: nosniff/im)
          assert.match(answer, /^content-security-policy: default-src 'none'/im)
        }
        assert.strictEqual((yield* ask("/health/live")).status, 200)
      })
    )
  )
})

describe("a defect", () => {
  it.live("is 500 without its reason, which the log has", () => {
    const { lines, logger } = keeping()
    return served(
      (world) => (world.before = Effect.die(new Error("the secret inside"))),
      Effect.gen(function* () {
        const { headers, json, status, text } = yield* ask("/api/v1/feeds", { headers: { "x-request-id": "bad-one" } })
        assert.strictEqual(status, 500)
        assert.strictEqual(json._tag, "InternalError")
        assert.notInclude(text, "secret")
        assert.strictEqual(headers.get("x-request-id"), "bad-one")
        const line = lines.find(({ level }) => level === "ERROR")
        assert.include(line?.cause, "the secret inside")
        assert.strictEqual(line?.annotations["requestId"], "bad-one")
      }),
      logger
    )
  })
})
