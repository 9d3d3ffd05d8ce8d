/** Whatever a venue calls its markets is text to whoever is told of it, and nothing else. */
import { type Console, Effect, FastCheck as fc, Runtime } from "effect"
import type { HttpServer } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as Logging from "../../src/cli/Logging.ts"
import { clean, cutMiddle, width } from "../../src/cli/Text.ts"
import { VenueId } from "../../src/domain/Market.ts"
import { render } from "../../src/http/Metrics.ts"
import { ask, catalogInfo, connection, healthy, market, serving } from "../http/World.ts"
import { hostileText, titles } from "./Hostile.ts"

/** Runs a property against one server, whose world each run changes as it likes. */
const served = <A>(
  arbitrary: fc.Arbitrary<A>,
  runs: number,
  property: (world: ReturnType<typeof healthy>, value: A) => Effect.Effect<void, never, HttpServer.HttpServer>
) => {
  const world = healthy()
  return Effect.gen(function* () {
    const runPromise = Runtime.runPromise(yield* Effect.runtime<HttpServer.HttpServer>())
    const check = fc.asyncProperty(arbitrary, (value) => runPromise(property(world, value)))
    yield* Effect.promise(() => fc.assert(check, { numRuns: runs }))
  }).pipe(Effect.provide(serving(world)))
}

describe("in JSON", () => {
  it.live("titles and names come through unchanged, as data of a type that no browser runs", () =>
    served(hostileText, 150, (world, title) =>
      Effect.gen(function* () {
        const { outcomes } = market("a")
        world.markets = [
          market("a", {
            question: title,
            slug: title,
            category: title,
            tags: [title],
            outcomes: outcomes.map((outcome) => ({ ...outcome, name: title }))
          })
        ]
        const { headers, json, status } = yield* ask("/api/v1/markets/polymarket:a")
        assert.strictEqual(status, 200)
        assert.strictEqual(headers.get("content-type"), "application/json")
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
        assert.deepStrictEqual([json.question, json.slug, json.category, json.tags[0]], Array(4).fill(title))
        const book = yield* ask("/api/v1/books/polymarket:a-yes")
        assert.strictEqual(book.json.outcome, title)
      })
    )
  )

  it.live("a search finds the titles that contain it, letter by letter", () => {
    const sign = fc.constantFrom("%", "_", "*", "\\", "'", "a", "B", " ", "[", ".", "\u0000", "İ", "ß")
    const text = fc.array(sign, { maxLength: 6 }).map((signs) => signs.join(""))
    return served(fc.tuple(fc.array(text, { maxLength: 8 }), text), 150, (world, [titles, part]) =>
      Effect.gen(function* () {
        world.markets = titles.map((question, i) => market(`m${i}`, { question, slug: "" }))
        const { json, status } = yield* ask(`/api/v1/markets?q=${encodeURIComponent(part)}`)
        assert.strictEqual(status, 200)
        const wanted = part.trim().toLowerCase()
        assert.deepStrictEqual(
          json.markets.map(({ question }: { question: string }) => question),
          titles.filter((title) => title.toLowerCase().includes(wanted))
        )
      })
    )
  })

  it.live("ids of any kind are found, and lists of them are paged whole", () => {
    const ids = fc.uniqueArray(
      hostileText.filter((id) => id !== "" && id.length < 200 && Buffer.from(id).toString() === id),
      {
        minLength: 1,
        maxLength: 6
      }
    )
    return served(ids, 100, (world, ids) =>
      Effect.gen(function* () {
        world.markets = ids.map((id) => market(id))
        for (const id of ids) {
          const { json, status } = yield* ask(`/api/v1/markets/${encodeURIComponent(`polymarket:${id}`)}`)
          // The router takes ids of up to a thousand escaped signs.
          if (encodeURIComponent(id).length < 900) assert.strictEqual(json.venueMarketId, id)
          else assert.strictEqual(status, 404)
        }
      })
    )
  })

  it.live("pages go on after any id, half characters included", () => {
    const ids = fc.uniqueArray(
      hostileText.filter((id) => id.length < 200),
      { minLength: 1, maxLength: 6 }
    )
    return served(ids, 100, (world, ids) =>
      Effect.gen(function* () {
        world.markets = ids.map((id) => market(id))
        const seen: Array<string> = []
        let cursor: string | null = ""
        while (cursor !== null && seen.length <= ids.length) {
          const from: string = cursor === "" ? "" : `&cursor=${cursor}`
          const { json }: { readonly json: any } = yield* ask(`/api/v1/markets?limit=1${from}`)
          seen.push(json.markets[0].venueMarketId)
          cursor = json.nextCursor
        }
        assert.deepStrictEqual(seen, ids.toSorted())
      })
    )
  })
})

describe("in metrics", () => {
  it.live("a name is the value of a label, whatever is in it", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(hostileText, async (name) => {
          const values = [{ labels: { type: name }, value: 1 }]
          const text = await render([{ name: "parallax_x", help: name, type: "gauge", values }])
          const lines = text.split("\n").filter((line) => line !== "")
          assert.lengthOf(lines, 3)
          const [, escaped] = /^parallax_x\{type="((?:[^"\\\n]|\\[\\n"])*)"\} 1$/.exec(lines[2]!) ?? assert.fail(text)
          assert.strictEqual(
            escaped!.replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign)),
            name
          )
        }),
        { numRuns: 300 }
      )
    )
  )

  it.live("are served with such names", () =>
    served(fc.constantFrom(...titles), titles.length * 2, (world, name) =>
      Effect.gen(function* () {
        world.catalogs = [catalogInfo({ venue: VenueId.make(name) })]
        world.connections = [connection({ slot: name, venue: VenueId.make(name), reason: name })]
        const { status, text } = yield* ask("/metrics")
        assert.strictEqual(status, 200)
        for (const line of text.split("\n")) assert.match(line, /^$|^# |^[a-zA-Z_:][\w:]*(\{[^]*\})? \S+$/)
        assert.strictEqual((yield* ask("/health/ready")).status, 200)
        assert.strictEqual((yield* ask("/api/v1/feeds")).json.feeds.at(-1).venue, name)
      })
    )
  )
})

/** What an effect logs in a format. */
const logged = (format: "json" | "pretty", effect: Effect.Effect<void>): Effect.Effect<string> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const unsafe = { log: (line: unknown) => lines.push(String(line)) } as unknown as Console.UnsafeConsole
    return effect.pipe(
      Effect.provide(Logging.layer({ level: "trace", format }, { isTerminal: true, colors: false })),
      Effect.withConsole({ unsafe } as Console.Console),
      Effect.map(() => lines.join("\n"))
    )
  })

// oxlint-disable-next-line no-control-regex -- these signs are what is looked for
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}\p{Cs}]/u

describe("in logs", () => {
  it.live("a text steers nothing and stays on its line, in both formats", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(hostileText, async (text) => {
          const entry = Effect.annotateLogs(Effect.logInfo(text, text, { nested: [text] }), { title: text, [text]: 1 })
          for (const format of ["json", "pretty"] as const) {
            const output = await Effect.runPromise(logged(format, entry))
            assert.notMatch(output, STEERING)
            assert.notInclude(output, "\n")
            assert.isBelow(output.length, 1_000_000)
            if (format === "json" && text.length <= 16_384) {
              const read = JSON.parse(output)
              assert.strictEqual(read.title, text)
              assert.strictEqual(read.message, text)
            }
          }
        }),
        { numRuns: 300 }
      )
    )
  )
})

describe("on the terminal", () => {
  it.prop(
    "a title of any length takes its place and no more",
    [hostileText, fc.nat({ max: 80 })],
    ([title, columns]) => {
      const shown = cutMiddle(clean(title), columns)
      assert.isAtMost(width(shown), columns)
      assert.notMatch(shown, STEERING)
      assert.notInclude(shown, "\n")
    },
    { fastCheck: { numRuns: 500 } }
  )
})
