import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseDecimal } from "../../src/domain/Money.ts"
import * as Faults from "../../src/simulator/Faults.ts"
import * as FaultsFile from "../../src/simulator/FaultsFile.ts"
import * as Simulator from "../../src/simulator/Simulator.ts"
import { start } from "./Harness.ts"

const json = (text: string): any => JSON.parse(text)

describe("Faults", () => {
  it.scoped("drop and close end every socket, or as many as are asked for", () =>
    Effect.gen(function* () {
      const { connect, post, stats } = yield* start()
      const first = yield* connect
      const second = yield* connect
      const third = yield* connect
      yield* post("/_control/faults", { fault: "drop", sockets: 1 })
      assert.strictEqual((yield* first.closed).code, 1006)
      assert.strictEqual((yield* stats).connections, 2)
      yield* post("/_control/faults", [{ fault: "close", code: 1012, reason: "restart" }])
      assert.deepStrictEqual(yield* second.closed, { code: 1012, reason: "restart" })
      assert.deepStrictEqual(yield* third.closed, { code: 1012, reason: "restart" })
    })
  )

  it.scoped("reset breaks off in the middle of a frame", () =>
    Effect.gen(function* () {
      const { pass, simulator, subscribe } = yield* start({ rate: 0 })
      const client = yield* subscribe()
      yield* simulator.inject({ fault: "reset" })
      yield* pass(50)
      assert.strictEqual((yield* client.closed).code, 1006)
      assert.deepStrictEqual(yield* client.waiting, [])
    })
  )

  it.scoped("stall keeps PONG alive and withholds data, from REST too if asked", () =>
    Effect.gen(function* () {
      const { get, pass, simulator, subscribe, tokens } = yield* start()
      const client = yield* subscribe()
      const before = (yield* get(`/book?token_id=${tokens[0]}`)).text
      yield* simulator.inject({ fault: "stall", rest: true })
      yield* pass(1000)
      yield* client.send("PING")
      assert.strictEqual(yield* client.take, "PONG")
      assert.strictEqual((yield* get(`/book?token_id=${tokens[0]}`)).text, before)
      const well = yield* subscribe(tokens)
      yield* pass(500)
      assert.isAbove((yield* well.waiting).length, 20, "a new socket is well")
      yield* simulator.inject({ fault: "heal" })
      yield* pass(300)
      yield* client.next("price_change")
      assert.notStrictEqual((yield* get(`/book?token_id=${tokens[0]}`)).text, before)
    })
  )

  it.scoped("silent withholds even PONG, for as long as it lasts", () =>
    Effect.gen(function* () {
      const { pass, simulator, stats, subscribe } = yield* start()
      const client = yield* subscribe()
      yield* simulator.inject({ fault: "silent", durationMs: 1000 })
      const before = (yield* stats).frames
      yield* client.send("PING")
      yield* pass(500)
      assert.deepStrictEqual((yield* stats).frames, before)
      yield* pass(1000)
      yield* client.next("price_change")
    })
  )

  it.scoped("lost leaves changes out, of one token only where it says so", () =>
    Effect.gen(function* () {
      const { pass, simulator, stats, subscribe, tokens } = yield* start({ markets: 2 })
      const client = yield* subscribe()
      yield* simulator.inject({ fault: "lost", count: 3, tokenId: tokens[0]! })
      yield* pass(300)
      const other = (yield* client.waiting).filter((text) => text.includes("price_change"))
      const sent = (yield* stats).frames["price_change"] ?? 0
      yield* simulator.inject({ fault: "lost", count: 100_000 })
      yield* pass(300)
      assert.strictEqual((yield* stats).frames["price_change"], sent)
      assert.isNotEmpty(other)
    })
  )

  it.scoped("crossed sends a book that crosses itself and is not the true one", () =>
    Effect.gen(function* () {
      const { get, simulator, subscribe, tokens } = yield* start({ rate: 0 })
      const client = yield* subscribe()
      const before = (yield* get(`/_control/books/${tokens[2]}`)).json
      yield* simulator.inject({ fault: "crossed", tokenId: tokens[2]!, heals: true })
      const bogus = yield* client.next("price_change")
      const [own] = bogus.price_changes
      assert.strictEqual(own.asset_id, tokens[2])
      assert.isAtLeast(parseDecimal(own.best_bid), parseDecimal(own.best_ask))
      const healed = yield* client.next("price_change")
      assert.deepStrictEqual([healed.price_changes[0].price, healed.price_changes[0].size], [own.price, "0"])
      assert.strictEqual(healed.price_changes[0].hash, before.hash)
      assert.deepStrictEqual((yield* get(`/_control/books/${tokens[2]}`)).json, before)
    })
  )

  it.scoped("rate_limited answers 429 with whatever Retry-After, on REST and on upgrades", () =>
    Effect.gen(function* () {
      const { connect, get, pass, post } = yield* start()
      yield* post("/_control/faults", { fault: "rate_limited", retryAfter: 7, durationMs: 1000, on: "both" })
      const answer = yield* get("/ok")
      assert.deepStrictEqual(
        [answer.status, answer.headers.get("retry-after"), answer.json],
        [429, "7", { error: "Too Many Requests" }]
      )
      assert.strictEqual((yield* Effect.flip(connect)).headers["retry-after"], "7")
      yield* pass(1000)
      assert.strictEqual((yield* get("/ok")).status, 200)
      yield* connect
      const date = "Wed, 21 Oct 2026 07:28:00 GMT"
      yield* post("/_control/faults", { fault: "rate_limited", retryAfter: date, body: "html" })
      const html = yield* get("/gamma/tags")
      assert.deepStrictEqual([html.headers.get("retry-after"), html.json], [date, undefined])
    })
  )

  it.scoped("unavailable and refuse answer with the status they are given", () =>
    Effect.gen(function* () {
      const { connect, get, pass, post } = yield* start()
      yield* post("/_control/faults", [
        { fault: "unavailable", status: 502, durationMs: 500 },
        { fault: "refuse", status: 403, durationMs: 500 }
      ])
      assert.strictEqual((yield* get("/gamma/markets/keyset")).status, 502)
      assert.strictEqual((yield* Effect.flip(connect)).status, 403)
      yield* pass(500)
      assert.strictEqual((yield* get("/ok")).status, 200)
      yield* connect
    })
  )

  it.scoped("slow holds frames back in their order", () =>
    Effect.gen(function* () {
      const { pass, simulator, stats, subscribe } = yield* start({ markets: 1 })
      const client = yield* subscribe()
      yield* simulator.inject({ fault: "slow", socketMs: 400, durationMs: 200 })
      yield* pass(300)
      assert.isUndefined((yield* stats).frames["price_change"])
      yield* pass(700)
      const times = (yield* client.waiting)
        .map(json)
        .filter((frame) => frame.event_type === "price_change")
        .map((frame) => Number(frame.timestamp))
      assert.isAbove(times.length, 100)
      assert.deepStrictEqual(
        times,
        [...times].sort((a, b) => a - b)
      )
    })
  )

  it.scoped("malformed, truncated, duplicate and unknown frames arrive as described", () =>
    Effect.gen(function* () {
      const { pass, post, simulator, subscribe } = yield* start({ markets: 1 })
      const client = yield* subscribe()
      yield* post("/_control/faults", [
        { fault: "malformed", text: "<html>" },
        { fault: "malformed", base64: "eyJhIjo=" },
        { fault: "unknown_event" }
      ])
      assert.deepStrictEqual([yield* client.take, yield* client.take], ["<html>", '{"a":'])
      assert.strictEqual(json(yield* client.take).event_type, "liquidity_report")
      for (const text of ["null", "[]", "{}", "42"]) assert.strictEqual(yield* client.take, text)
      yield* simulator.inject({ fault: "truncated" })
      yield* pass(100)
      const cut = yield* client.take
      assert.throws(() => json(cut))
      yield* client.waiting
      yield* simulator.inject({ fault: "duplicate", type: "price_change" })
      yield* pass(100)
      const frames = (yield* client.waiting).filter((text) => text.includes(`"price_change"`))
      assert.strictEqual(frames[0], frames[1])
      assert.notStrictEqual(frames[1], frames[2])
    })
  )

  it.scoped("malformed bytes and oversized frames end the connection of a client that checks", () =>
    Effect.gen(function* () {
      const { connect, post, simulator } = yield* start({ markets: 1 })
      const first = yield* connect
      yield* post("/_control/faults", { fault: "malformed", base64: "//4=" })
      assert.strictEqual((yield* first.closed).code, 1006)
      const second = yield* connect
      yield* simulator.inject({ fault: "oversized" })
      assert.strictEqual((yield* second.closed).code, 1006)
    })
  )

  it.scoped("freeze silences one market until it thaws", () =>
    Effect.gen(function* () {
      const { pass, simulator, subscribe, tokens } = yield* start({ markets: 2 })
      const client = yield* subscribe()
      yield* simulator.inject({ fault: "freeze", tokenId: tokens[0]!, durationMs: 500 })
      yield* pass(490)
      const during = yield* client.waiting
      assert.isNotEmpty(during)
      assert.isTrue(during.every((text) => !text.includes(tokens[1]!)))
      yield* pass(500)
      assert.isTrue((yield* client.waiting).some((text) => text.includes(tokens[0]!)))
    })
  )

  it.scoped("stale repeats changes from before the dump right after it", () =>
    Effect.gen(function* () {
      const { pass, simulator, subscribe, tokens } = yield* start({ markets: 1 })
      const first = yield* subscribe()
      yield* pass(300)
      const changes = (yield* first.waiting).filter((text) => text.includes(`"price_change"`))
      yield* simulator.inject({ fault: "stale", count: 2 })
      const second = yield* subscribe(tokens)
      assert.deepStrictEqual([yield* second.take, yield* second.take], changes.slice(-2))
    })
  )

  it.scoped("says which command is wrong and how", () =>
    Effect.gen(function* () {
      const { post } = yield* start({ markets: 1 })
      const answer = yield* post("/_control/faults", [
        { fault: "drop" },
        { fault: "close", code: 1006 },
        { fault: "x" }
      ])
      assert.strictEqual(answer.status, 400)
      assert.deepStrictEqual(
        answer.json.problems.map((problem: any) => [problem.command, problem.field]),
        [
          [1, "code"],
          [2, "fault"]
        ]
      )
      assert.strictEqual((yield* post("/_control/faults", "{")).status, 400)
    })
  )
})

describe("FaultsFile", () => {
  const drop: FaultsFile.ScheduledFault = { at: 5000, fault: { fault: "drop" } }

  it("reads JSON lines and lists alike", () => {
    assert.deepStrictEqual(FaultsFile.parse(`{"at":5,"fault":"drop"}\n\n{"at":5,"fault":"drop"}`), [drop, drop])
    assert.deepStrictEqual(FaultsFile.parse(`[\n  {"at": 5,\n   "fault": "drop"}\n]`), [drop])
    assert.deepStrictEqual(FaultsFile.parse(""), [])
  })

  it("names the line and the field of everything that is wrong", () => {
    const result = FaultsFile.parse(
      [
        `{"at":1,"fault":"drop"}`,
        `{"fault":"drop"}`,
        `{"at":1,"fault":"explode"}`,
        `{"at":1,"fault":"stall","durationMs":-3,"mode":"x"}`,
        `{"at":1,"fault":`,
        `nonsense`
      ].join("\n")
    )
    if (!("problems" in result)) return assert.fail("accepted")
    assert.deepStrictEqual(
      result.problems.map(({ field, line }) => [line, field]),
      [
        [2, "at"],
        [3, "fault"],
        [4, "mode"],
        [4, "durationMs"],
        [5, ""]
      ]
    )
    assert.include(FaultsFile.format(result.problems), 'line 3: fault: "explode" is unknown; known are drop, close')
  })

  it("knows every fault by name", () => {
    assert.sameMembers(
      ["drop", "close", "reset", "stall", "silent", "lost", "crossed", "rate_limited", "unavailable", "slow"],
      Faults.names.slice(0, 10)
    )
  })

  it.scoped("makes faults happen at their time", () =>
    Effect.gen(function* () {
      const path = join(mkdtempSync(join(tmpdir(), "faults-")), "faults.jsonl")
      writeFileSync(path, `{"at":1.5,"fault":"drop"}\n`)
      const { pass, stats, subscribe } = yield* start({ faults: path })
      const client = yield* subscribe()
      yield* pass(1490)
      assert.strictEqual((yield* stats).connections, 1)
      yield* pass(20)
      assert.strictEqual((yield* client.closed).code, 1006)
    })
  )

  it.scoped("does not start on a file that is wrong or absent", () =>
    Effect.gen(function* () {
      const path = join(mkdtempSync(join(tmpdir(), "faults-")), "faults.jsonl")
      writeFileSync(path, `{"at":1,"fault":"drop"}\n{"at":1,"fault":"close"}\n`)
      const wrong = yield* Effect.flip(Simulator.make({ faults: path }))
      assert.deepStrictEqual([wrong.reason, wrong.where], ["faults", path])
      assert.include(wrong.message, "line 2: code: is missing")
      assert.strictEqual((yield* Effect.flip(Simulator.make({ faults: `${path}.none` }))).reason, "faults")
    })
  )
})
