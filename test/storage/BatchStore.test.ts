import { assert, describe, it } from "@effect/vitest"
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Fiber, TestClock } from "effect"
import * as BatchStore from "../../src/storage/BatchStore.ts"
import * as Coverage from "../../src/storage/Coverage.ts"
import { type Batch, type FlushTransaction, RowUnwritable } from "../../src/storage/FlushTransaction.ts"
import { Mapping } from "../../src/storage/Mapping.ts"
import type { Row } from "../../src/storage/Rows.ts"
import { change, epoch } from "./Events.ts"

const rows = (count: number): Array<Row> => {
  const out: Array<Row> = []
  const events = Array.from({ length: count }, (_, i) => change({ receivedTime: epoch + i }))
  Mapping.begin().map(events, out)
  return out
}

const fault = (code: string) => new SqlError({ cause: Object.assign(new Error(code), { code, severity: "ERROR" }) })

/** Stores with a transaction that does as it is told; gives what was committed, and what was reported. */
const storing = (batch: BatchStore.Batch, judge: (batch: Batch) => Effect.Effect<void, SqlError | RowUnwritable>) =>
  Effect.gen(function* () {
    const committed: Array<Batch> = []
    const delays: Array<string> = []
    const refused: Array<Row> = []
    const transaction: FlushTransaction = {
      store: (one) =>
        Effect.map(judge(one), () => {
          committed.push(one)
          return new Map()
        }),
      end: Effect.void
    }
    const store = BatchStore.make({
      onStored: () => Effect.void,
      onRefused: (row) => Effect.sync(() => void refused.push(row)).pipe(Effect.as(undefined)),
      onDelayed: (why) => Effect.sync(() => void delays.push(why))
    })(transaction)
    const running = yield* Effect.fork(store(batch))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(running)
    return { committed, delays, refused }
  })

const batch = (count: number): BatchStore.Batch => ({ rows: rows(count), position: 7, coverage: Coverage.none })

describe("what becomes of a batch that fails", () => {
  for (const code of ["40P01", "40001", "53100", "53300", "25006", "57P01", "55P03", "42P01", "08006"]) {
    it.effect(`${code} passes: it is stored whole, later`, () =>
      Effect.gen(function* () {
        let left = 3
        const outcome = yield* storing(batch(5), () => (left-- > 0 ? Effect.fail(fault(code)) : Effect.void))
        assert.lengthOf(outcome.delays, 3)
        assert.deepStrictEqual(outcome.refused, [])
        assert.deepStrictEqual(
          outcome.committed.map(({ position, rows }) => [rows.length, position]),
          [[5, 7]]
        )
      })
    )
  }

  it.effect("a fault of the driver's is no reason to give rows up", () =>
    Effect.gen(function* () {
      let left = 2
      const outcome = yield* storing(batch(2), () => (left-- > 0 ? Effect.die(new TypeError("oops")) : Effect.void))
      assert.deepStrictEqual(outcome.refused, [])
      assert.lengthOf(outcome.committed, 1)
    })
  )

  for (const code of ["57014", "53200"]) {
    it.effect(`${code} is too much at once: parts of it may pass`, () =>
      Effect.gen(function* () {
        const outcome = yield* storing(batch(8), ({ rows }) =>
          rows.length > 2 ? Effect.fail(fault(code)) : Effect.void
        )
        assert.deepStrictEqual(outcome.refused, [])
        assert.deepStrictEqual(
          outcome.committed.map(({ position, rows }) => [rows.length, position]),
          [
            [2, null],
            [2, null],
            [2, null],
            [2, 7]
          ]
        )
      })
    )
  }

  for (const refusal of [fault("22021"), fault("23514"), fault("54000"), new RowUnwritable({ cause: "NaN" })]) {
    const name = refusal._tag === "SqlError" ? String(refusal.cause) : refusal._tag
    it.effect(`${name} is the fault of a row, which is found and left out`, () =>
      Effect.gen(function* () {
        const given = batch(7)
        const bad = given.rows[6]!
        const outcome = yield* storing(given, ({ rows }) => (rows.includes(bad) ? Effect.fail(refusal) : Effect.void))
        assert.deepStrictEqual(outcome.refused, [bad])
        assert.deepStrictEqual(
          outcome.committed.flatMap(({ rows }) => rows),
          given.rows.slice(0, 6)
        )
        // The position is stored although its last row is not.
        assert.deepStrictEqual(
          outcome.committed.map(({ position }) => position).filter((position) => position !== null),
          [7]
        )
      })
    )
  }
})
