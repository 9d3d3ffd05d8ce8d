import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { InstrumentId } from "../../src/domain/Market.ts"
import { RowBuffer } from "../../src/storage/RowBuffer.ts"
import * as RowMapper from "../../src/storage/RowMapper.ts"
import { type Row, weight } from "../../src/storage/Rows.ts"
import { change, epoch, level, snapshot } from "./Events.ts"

const rows = (count: number, id = "polymarket:1", from = 0): Array<Row> => {
  const mapper = RowMapper.make()
  const out: Array<Row> = []
  const instrumentId = InstrumentId.make(id)
  for (let i = from; i < from + count; i++) mapper.map(change({ instrumentId, receivedTime: epoch + i }), out)
  return out
}

describe("RowBuffer", () => {
  it("gives rows in the order they came", () => {
    const buffer = new RowBuffer(100)
    const given = rows(5)
    assert.strictEqual(buffer.push(given), 0)
    assert.deepStrictEqual([...buffer.take(2), ...buffer.take(4), ...buffer.take(10)], given)
    assert.strictEqual(buffer.size, 0)
  })

  it("drops the oldest, and says what, by venue", () => {
    const buffer = new RowBuffer(4)
    buffer.push(rows(3, "polymarket:1"))
    assert.strictEqual(buffer.push(rows(4, "kalshi:a", 10)), 3)
    assert.strictEqual(buffer.push(rows(1, "kalshi:a", 14)), 1)
    assert.deepStrictEqual(buffer.takeLosses(), [
      { venue: "polymarket", from: epoch, to: epoch + 2, rows: 3 },
      { venue: "kalshi", from: epoch + 10, to: epoch + 10, rows: 1 }
    ])
    assert.deepStrictEqual(buffer.takeLosses(), [])
  })

  it("counts what was taken until it is settled", () => {
    const buffer = new RowBuffer(4)
    buffer.push(rows(4))
    buffer.take(3)
    assert.strictEqual(buffer.push(rows(1)), 1)
    buffer.settle()
    assert.strictEqual(buffer.push(rows(3)), 0)
  })

  it("weighs a snapshot by its levels, and takes one however heavy", () => {
    const out: Array<Row> = []
    const bids = Array.from({ length: 40 }, (_, i) => level(`0.${i + 10}`, "1"))
    RowMapper.make().map(snapshot({ bids, asks: [] }), out)
    assert.strictEqual(weight(out[0]!), 11)
    const buffer = new RowBuffer(100)
    buffer.push([...out, ...rows(1)])
    assert.strictEqual(buffer.load, 12)
    assert.lengthOf(buffer.take(5), 1)
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
            dropped += buffer.push(rows(step))
          } else {
            taken += buffer.take(-step).length
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
