import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { InstrumentId } from "../../src/domain/Market.ts"
import * as Coverage from "../../src/storage/Coverage.ts"
import { type Mark, RowBuffer } from "../../src/storage/RowBuffer.ts"
import * as RowMapper from "../../src/storage/RowMapper.ts"
import { type Row, weight } from "../../src/storage/Rows.ts"
import { change, epoch, level, snapshot } from "./Events.ts"

const rows = (count: number, id = "polymarket:1", from = 0): Array<Row> => {
  const mapper = RowMapper.make()
  const out: Array<Row> = []
  const instrumentId = InstrumentId.make(id)
  for (let i = from; i < from + count; i++) mapper(change({ instrumentId, receivedTime: epoch + i }), out)
  return out
}

const mark = (ordinal = 0): Mark => ({ ordinal, coverage: Coverage.none })

/** Pushes, and drops what there is no room for. */
const force = (buffer: RowBuffer, given: ReadonlyArray<Row>): number => {
  buffer.push(given, mark())
  return buffer.trim()
}

describe("RowBuffer", () => {
  it("gives rows in the order they came", () => {
    const buffer = new RowBuffer(100)
    const given = rows(5)
    assert.strictEqual(force(buffer, given), 0)
    assert.deepStrictEqual([...buffer.take(2).rows, ...buffer.take(4).rows, ...buffer.take(10).rows], given)
    assert.strictEqual(buffer.size, 0)
  })

  it("drops the oldest, and says what, by venue", () => {
    const buffer = new RowBuffer(4)
    force(buffer, rows(3, "polymarket:1"))
    assert.strictEqual(force(buffer, rows(4, "kalshi:a", 10)), 3)
    assert.strictEqual(force(buffer, rows(1, "kalshi:a", 14)), 1)
    assert.deepStrictEqual(buffer.takeLosses(), [
      { venue: "polymarket", from: epoch, to: epoch + 2, rows: 3, sequence: 3 },
      { venue: "kalshi", from: epoch + 10, to: epoch + 10, rows: 1, sequence: 1 }
    ])
    assert.deepStrictEqual(buffer.takeLosses(), [])
  })

  it("counts what was taken until it is settled", () => {
    const buffer = new RowBuffer(4)
    force(buffer, rows(4))
    buffer.take(3)
    assert.strictEqual(force(buffer, rows(1)), 1)
    buffer.settle()
    assert.strictEqual(force(buffer, rows(3)), 0)
  })

  it("weighs a snapshot by its levels, and takes one however heavy", () => {
    const out: Array<Row> = []
    const bids = Array.from({ length: 40 }, (_, i) => level(`0.${i + 10}`, "1"))
    RowMapper.make()(snapshot({ bids, asks: [] }), out)
    assert.strictEqual(weight(out[0]!), 11)
    const buffer = new RowBuffer(100)
    force(buffer, [...out, ...rows(1)])
    assert.strictEqual(buffer.load, 12)
    assert.lengthOf(buffer.take(5).rows, 1)
  })

  it("never holds more than it may, and accounts for every row", () => {
    const steps = fc.array(fc.oneof(fc.nat(30), fc.integer({ min: -30, max: -1 })), { maxLength: 200 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), (history, capacity) => {
        const buffer = new RowBuffer(capacity)
        let [pushed, dropped, taken] = [0, 0, 0]
        for (const step of history) {
          if (step >= 0) {
            pushed += step
            dropped += force(buffer, rows(step))
          } else {
            taken += buffer.take(-step).rows.length
            buffer.settle()
          }
          assert.isAtMost(buffer.size, capacity)
          assert.strictEqual(pushed, dropped + taken + buffer.size)
        }
        assert.strictEqual(
          buffer.takeLosses().reduce((sum, loss) => sum + loss.rows, 0),
          dropped
        )
      })
    )
  })
})

describe("the records of rows", () => {
  it("a position is told once all rows up to it are taken", () => {
    const buffer = new RowBuffer(1000)
    buffer.push(rows(20), mark(3))
    buffer.push(rows(20), mark(5))
    buffer.push([], mark(6))
    assert.deepInclude(buffer.take(10), { position: null, upTo: 3 })
    buffer.settle()
    assert.deepInclude(buffer.take(15), { position: 3, upTo: 6 })
    buffer.settle()
    assert.deepInclude(buffer.take(100), { position: 6, upTo: 6 })
    buffer.push([], mark(9))
    assert.deepInclude(buffer.take(100), { rows: [], position: 9 })
  })

  it("whatever is pushed and taken, a position is never ahead of the rows, and in the end it is the last", () => {
    const steps = fc.array(fc.oneof(fc.nat(30), fc.integer({ min: -30, max: -1 })), { minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(steps, (history) => {
        const buffer = new RowBuffer(100_000)
        const ends: Array<number> = [0]
        let [pushed, taken, position] = [0, 0, 0]
        const take = (limit: number) => {
          const out = buffer.take(limit)
          buffer.settle()
          taken += out.rows.length
          position = out.position ?? position
          assert.isAtMost(ends[position]!, taken)
          if (out.rows.length > 0) assert.isAtLeast(ends[out.upTo]!, taken)
        }
        for (const step of history) {
          if (step >= 0) {
            buffer.push(rows(step), mark(ends.length))
            ends.push((pushed += step))
          } else take(-step)
        }
        take(100_000)
        assert.strictEqual(position, ends.length - 1)
      })
    )
  })
})
