import { request } from "node:http"
import { HttpServer } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Redacted } from "effect"
import { isLoopback } from "../../src/http/Access.ts"
import { ask, options, sendRaw, served } from "./World.ts"

const TOKEN = "correct-horse.battery_staple~42="
const token = Redacted.make(TOKEN)
const unchanged = () => {}

const guarded = <A, E>(test: Effect.Effect<A, E, HttpServer.HttpServer>) =>
  served(unchanged, test, undefined, { ...options, token })

const asking = (path: string, authorization: string | undefined, init: RequestInit = {}) =>
  ask(path, { ...init, headers: authorization === undefined ? {} : { authorization } })

const paths = [
  "/metrics",
  "/docs",
  "/openapi.json",
  "/api/v1/markets",
  "/api/v1/markets/polymarket:a",
  "/api/v1/books",
  "/api/v1/books/polymarket:a-yes",
  "/api/v1/feeds"
]

/** The status of a request that says it is for this host; none where nothing is said. */
const statusFor = (host: string | undefined, path = "/api/v1/feeds") =>
  HttpServer.addressWith((address) =>
    Effect.async<number>((resume) => {
      assert(address._tag === "TcpAddress")
      const { port } = address
      request(
        { host: "127.0.0.1", port, path, setHost: false, headers: host === undefined ? {} : { host } },
        (response) => {
          response.resume()
          resume(Effect.succeed(response.statusCode ?? 0))
        }
      ).end()
    })
  )

describe("with a token", () => {
  it.live("everything but health needs it", () =>
    guarded(
      Effect.gen(function* () {
        for (const path of [...paths, "/", "/nowhere", "/health", "/health/", "/Health/live", "/health/live/x"]) {
          for (const given of [undefined, `Bearer ${TOKEN}x`]) {
            const { headers, json, status } = yield* asking(path, given)
            assert.strictEqual(status, 401, path)
            assert.strictEqual(headers.get("www-authenticate"), "Bearer")
            assert.strictEqual(json._tag, "Unauthorized")
            assert.isNotEmpty(json.message)
            assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
            assert.isTrue(headers.has("x-request-id"))
          }
        }
        for (const path of paths) {
          assert.strictEqual((yield* asking(path, `Bearer ${TOKEN}`)).status, 200, path)
          assert.strictEqual((yield* asking(path, undefined, { method: "HEAD" })).status, 401, path)
          assert.strictEqual((yield* asking(path, undefined, { method: "POST" })).status, 401, path)
        }
        assert.strictEqual((yield* asking("/nowhere", `Bearer ${TOKEN}`)).status, 404)
        for (const path of ["/health/live", "/health/ready", "/health/live/"]) {
          assert.strictEqual((yield* asking(path, undefined)).status, 200, path)
        }
      })
    )
  )

  it.live("no path leads around it", () =>
    guarded(
      Effect.gen(function* () {
        for (const path of [
          "/health/../metrics",
          "/health/live/../../metrics",
          "/health/%2e%2e/metrics",
          "/health/live%2f..%2f..%2fmetrics",
          "//metrics",
          "http://localhost/metrics",
          "http://localhost/health/../metrics",
          "/metrics?/health/live",
          "/metrics#/health/live",
          "/metrics;/health/live"
        ]) {
          const answer = yield* sendRaw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
          assert.match(answer, /^HTTP\/1.1 40[014]/, path)
          assert.notInclude(answer, "# HELP", path)
        }
      })
    )
  )

  it.live("it is told from all others, in the one place where it belongs", () =>
    guarded(
      Effect.gen(function* () {
        for (const given of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER   ${TOKEN} `]) {
          assert.strictEqual((yield* asking("/metrics", given)).status, 200, given)
        }
        for (const given of [
          "",
          "Bearer",
          "Bearer ",
          TOKEN,
          `Basic ${TOKEN}`,
          `Bearer${TOKEN}`,
          `Bearer ${TOKEN} ${TOKEN}`,
          `Bearer ${TOKEN.slice(0, -1)}`,
          `Bearer ${TOKEN.toUpperCase()}`,
          `Bearer "${TOKEN}"`,
          "Bearer <redacted>",
          "Bearer undefined",
          "Bearer ="
        ]) {
          assert.strictEqual((yield* asking("/metrics", given)).status, 401, given)
        }
        assert.strictEqual((yield* ask(`/metrics?access_token=${TOKEN}`)).status, 401)
        assert.strictEqual((yield* ask("/metrics", { headers: { cookie: `token=${TOKEN}` } })).status, 401)
      })
    )
  )

  it.live("any name of the host will do: it may stand behind a proxy", () =>
    guarded(
      Effect.gen(function* () {
        assert.strictEqual(yield* statusFor("parallax.example", "/health/live"), 200)
        assert.strictEqual(yield* statusFor("parallax.example"), 401)
      })
    )
  )
})

describe("without a token", () => {
  it.live("a page of another site cannot pass for one of this machine", () =>
    served(
      unchanged,
      Effect.gen(function* () {
        for (const host of [
          "evil.example",
          "evil.example:8080",
          "127.0.0.1.evil.example",
          "localhost.evil.example",
          "evil.example@127.0.0.1",
          "[::2]",
          "192.168.0.1",
          "0.0.0.0:8080",
          "",
          "[",
          "localhost:8080:1",
          "[::1%25lo]"
        ]) {
          assert.strictEqual(yield* statusFor(host), 421, host)
          assert.strictEqual(yield* statusFor(host, "/health/ready"), 421, host)
        }
        for (const host of [
          "localhost",
          "LOCALHOST:1",
          "127.0.0.1",
          "127.0.0.1:8080",
          "127.9.9.9",
          "[::1]",
          "[::1]:1"
        ]) {
          assert.strictEqual(yield* statusFor(host), 200, host)
        }
        // HTTP/1.0 knows no Host; a browser never speaks it.
        assert.match(yield* sendRaw("GET /health/live HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 200/)
      })
    )
  )
})

describe("loopback", () => {
  it.prop("is the whole of 127.0.0.0/8 and no other address of four bytes", [fc.ipV4()], ([address]) => {
    assert.strictEqual(isLoopback(address), address.startsWith("127."))
    assert.isTrue(isLoopback(address.replace(/^\d+/, "127")))
  })

  it.prop("is told of any text", [fc.string({ unit: "binary" })], ([text]) => {
    assert.isBoolean(isLoopback(text))
  })

  it.each(["::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"])("is %s", (host) => {
    assert.isTrue(isLoopback(host))
  })
})
