/** A million frames with faults in them, live and from the tape: the same events, the same books, to the byte. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import * as Core from "../../src/collector/Core.ts"
import { Tape, directoryIn } from "../../src/tape/Tape.ts"
import { TapeReader } from "../../src/tape/TapeReader.ts"
import * as Venues from "../../src/venues/Venues.ts"
import { traffic } from "../support/Traffic.ts"

const FRAMES = 1_000_000
/** Inputs between two turns of other fibers, the tape's among them. */
const TURN = 200

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "parallax tape "))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const begin = () => Core.make({ protocols: Venues.protocols, onResync: () => {} })!

const books = ({ books }: Core.Core) => [...books.ids()].map((id) => books.view(id))

const config = {
  enabled: true,
  segment_mb: 64,
  buffer_mb: 64,
  fsync: "never",
  keep_days: 1,
  max_mb: 10_000
} as const

describe("a run and its replay", () => {
  it.scopedLive(
    "agree on a million frames",
    () =>
      Effect.gen(function* () {
        const place = yield* directory
        const live = begin()
        const run = yield* Effect.gen(function* () {
          const tape = yield* Tape
          let count = 0
          for (const input of traffic({ seed: 20, frames: FRAMES, markets: 8, trouble: 0.002 })) {
            tape.append(input)
            live.apply(input)
            if (tape.isRotationDue()) {
              tape.rotate(live.save())
              tape.saveRowState(tape.last(), Buffer.of())
            }
            if (++count % TURN === 0) yield* Effect.zipRight(tape.room, Effect.yieldNow())
          }
          return tape.run
        }).pipe(Effect.provide(Tape.layer(config, place)))
        assert.isAbove(live.books.counters.verified, FRAMES / 4)
        assert.isAbove(live.books.counters.mismatches, 100)

        const repeated = begin()
        yield* Effect.flatMap(TapeReader, ({ records }) =>
          Stream.runForEachChunk(records(run, 0), (chunk) =>
            Effect.sync(() => {
              for (const { input } of chunk) repeated.apply(input)
            })
          )
        ).pipe(Effect.provide(TapeReader.layer(directoryIn(place))))
        assert.deepStrictEqual(repeated.chain(), live.chain())
        assert.deepStrictEqual(repeated.books.counters, live.books.counters)
        assert.deepStrictEqual(books(repeated), books(live))
      }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))),
    900_000
  )
})
