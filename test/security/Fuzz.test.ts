/** No request, of whatever kind, breaks the server or changes what it serves. */
import { assert, describe, it } from "@effect/vitest"
import type { HttpServer } from "@effect/platform"
import { Effect, FastCheck as fc, Runtime } from "effect"
import { ask, healthy, sendRaw, serving, type World } from "../http/World.ts"
import { hostileText, inherited, inheritedNow } from "./Hostile.ts"

const encoded = hostileText.map((text) => encodeURIComponent(Buffer.from(text.slice(0, 300)).toString()))
const bytes = fc.array(fc.nat({ max: 0xff }), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes))
const escapes = fc.constantFrom("%", "%zz", "%00", "%ff", "%C3%28", "%2e%2e", "%2f", "%E0%80%AF", "..", "//", ";", "#")
const piece = fc.oneof(
  encoded,
  bytes,
  escapes,
  fc.constantFrom("api", "v1", "markets", "books", "feeds", "health", "live", "metrics", "docs", "polymarket:a"),
  fc.constantFrom(...inherited)
)
const path = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom("/api/v1/markets/", "/api/v1/books/"), piece).map((p) => p.join(""))
  },
  fc.constantFrom("/api/v1/markets", "/api/v1/books", "/api/v1/feeds", "/health/live", "/metrics", "*", "http://x/y"),
  fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join("/")}`),
  bytes
)
const name = fc.constantFrom(
  "q",
  "limit",
  "cursor",
  "status",
  "venue",
  "category",
  "market",
  "depth",
  "x",
  ...inherited
)
const value = fc.oneof(
  encoded,
  bytes,
  escapes,
  fc.constantFrom("1", "-1", "1e9", "9".repeat(400), "NaN", "null", "open", "live", "%25_%25", "[]", "{}"),
  fc.base64String().map(encodeURIComponent)
)
const query = fc
  .array(fc.tuple(name, fc.constantFrom("=", "[]=", "[a]=", ""), value), { maxLength: 5 })
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map((pair) => pair.join("")).join("&")}`))
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constant("GET") },
  fc.constantFrom("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "get", "")
)
const headerNames = (
  "host x-request-id authorization cookie traceparent b3 content-type accept-encoding content-length " +
  "transfer-encoding expect upgrade connection range if-none-match origin"
).split(" ")
const header = fc.oneof(
  fc.tuple(
    fc.constantFrom(...headerNames, ...inherited),
    fc.oneof(bytes, fc.constantFrom("", "chunked", "0", "5", "websocket", "Upgrade", "100-continue", "bytes=0-1"))
  ),
  fc.tuple(bytes, bytes)
)

const request = fc
  .record({ method, path, query, headers: fc.array(header, { maxLength: 4 }), body: bytes })
  .map(({ body, headers, method, path, query }) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
    const head = `${method} ${path}${query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines.join("")}\r\n`
    return Buffer.from(head + body, "latin1")
  })

const plain = (line: string, headers = ""): Buffer =>
  Buffer.from(`${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`, "latin1")

/** One for each kind of answer that there must be, whatever chance brings besides. */
const examples: Array<[Buffer]> = [
  [plain("GET /health/live")],
  [plain("GET /api/v1/books?limit=x")],
  [plain("GET /nothing")],
  [plain("DELETE /api/v1/books")],
  [plain("GET /api/v1/books", "Content-Length: 5\r\n")]
]

/** All that a request could have changed; whatever it might call to change more dies, which is an answer of 500. */
const shown = (world: World): string => JSON.stringify([world.markets, world.books, world.connections, world.catalogs])

describe("whatever is sent", () => {
  it.live(
    "is answered with something else than a failure, and changes nothing",
    () => {
      const world = healthy()
      return Effect.gen(function* () {
        const before = inheritedNow()
        const runPromise = Runtime.runPromise(yield* Effect.runtime<HttpServer.HttpServer>())
        const statuses = new Set<number>()
        const check = fc.asyncProperty(request, async (bytes) => {
          const answer = await runPromise(sendRaw(bytes))
          // A request whose end is missing has no answer yet; one for a tunnel has none at all.
          for (const [, status] of answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
            statuses.add(Number(status))
            assert.isBelow(Number(status), 500, bytes.toString("latin1"))
          }
          if (answer !== "") {
            assert.match(answer, /^HTTP\/1\.1 \d{3} /)
            assert.match(answer, /^x-content-type-options: nosniff\r$/im)
            assert.match(answer, /^content-security-policy: default-src 'none';/im)
          }
        })
        yield* Effect.promise(() => fc.assert(check, { numRuns: 600, examples, interruptAfterTimeLimit: 40_000 }))
        for (const status of [200, 400, 404, 405, 413]) assert.isTrue(statuses.has(status), `${status} never came`)
        assert.strictEqual(shown(world), shown(healthy()))
        assert.deepStrictEqual(inheritedNow(), before)
        assert.strictEqual((yield* ask("/health/ready")).status, 200)
      }).pipe(Effect.provide(serving(world)))
    },
    60_000
  )
})
