import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Rhythm from "../../src/collector/Rhythm.ts"

/** A book whose data came at these times. */
const after = (times: ReadonlyArray<number>): Rhythm.Rhythm => {
  const rhythm = Rhythm.begin(times[0]!)
  for (const time of times.slice(1)) Rhythm.note(rhythm, time)
  return rhythm
}

const every = (gap: number, count: number) => Array.from({ length: count }, (_, i) => (i + 1) * gap)

/** The first second of a silence in which a look is due. */
const dueAfter = (rhythm: Rhythm.Rhythm, patience = 45_000): number => {
  for (let silent = 1_000; silent < 10_000_000; silent += 1_000) {
    if (Rhythm.urgency(rhythm, rhythm.last + silent, patience) >= 1) return silent
  }
  return Number.POSITIVE_INFINITY
}

describe("a silence", () => {
  it("is worth a look after four of the book's own beats, within limits", () => {
    assert.strictEqual(dueAfter(after(every(1_000, 20))), 15_000)
    assert.strictEqual(dueAfter(after(every(6_000, 20))), 24_000)
    assert.strictEqual(dueAfter(after(every(60_000, 20))), 45_000)
  })

  it("after bursts is measured by the pauses between them", () => {
    const bursts = every(10_000, 10).flatMap((at) => [at, at + 5, at + 10, at + 400])
    assert.strictEqual(dueAfter(after(bursts)), 40_000)
  })

  it("of a book of which nothing is known is worth a look soon", () => {
    assert.strictEqual(dueAfter(Rhythm.begin(0)), 15_000)
    assert.strictEqual(dueAfter(after([0, 9_000])), 36_000)
  })

  it("is looked at again after 45 s, or 5 s where the book is not trusted to go on", () => {
    const rhythm = after(every(1_000, 20))
    rhythm.looked = rhythm.last + 20_000
    assert.strictEqual(dueAfter(rhythm), 65_000)
    rhythm.watchedUntil = rhythm.last + 60_000
    assert.strictEqual(dueAfter(rhythm), 25_000)
  })

  it("of many quiet books waits as long as the budget takes for all of them", () => {
    const rhythm = after(every(1_000, 20))
    rhythm.looked = rhythm.last + 400_000
    const patience = Rhythm.quietWait(10_000, 20)
    assert.strictEqual(patience, 500_000)
    assert.isBelow(Rhythm.urgency(rhythm, rhythm.looked + 499_000, patience), 1)
    assert.isAtLeast(Rhythm.urgency(rhythm, rhythm.looked + 500_000, patience), 1)
    assert.strictEqual(Rhythm.quietWait(10, 20), 45_000)
  })

  it("of a book that spoke in the last minutes is never left for longer than 45 s", () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(gaps, fc.nat(1_000_000), (pauses, patience) => {
        let at = 0
        const rhythm = after(pauses.map((gap) => (at += gap)))
        const due = dueAfter(rhythm, 45_000 + patience)
        return due >= 15_000 && due <= 45_000
      })
    )
  })

  it("of the busier book is the more urgent one, and every silence becomes urgent", () => {
    const gap = fc.integer({ min: 1_000, max: 60_000 })
    fc.assert(
      fc.property(gap, gap, fc.integer({ min: 1_000, max: 290_000 }), (one, two, silent) => {
        const [busy, slow] = [after(every(Math.min(one, two), 9)), after(every(Math.max(one, two), 9))]
        const of = (rhythm: Rhythm.Rhythm) => Rhythm.urgency(rhythm, rhythm.last + silent, 45_000)
        return of(busy) >= of(slow) && (silent < 45_000 || of(slow) >= 1)
      })
    )
  })
})
