import { assert, describe, it } from "@effect/vitest"
import { DateTime, FastCheck as fc } from "effect"
import type { Input } from "../../src/domain/Input.ts"
import { timeOf } from "../../src/domain/Input.ts"
import { BAD, decode, endOf, LONGEST_BODY, nextRecord, RecordBuffer, SHORT, timeAt } from "../../src/tape/Format.ts"
import { decodeHeader, encodeHeader } from "../../src/tape/Header.ts"
import { frames, input, numbered, numberOf } from "./Inputs.ts"

const header = { run: 1_700_000_000_000_000, after: 7, begun: 1_700_000_000_000, program: "0.1.0" }

const encode = (inputs: ReadonlyArray<Input>): Buffer => {
  const buffer = new RecordBuffer()
  for (const one of inputs) buffer.append(one)
  return Buffer.from(buffer.take())
}

/** The inputs of the whole records at the beginning, and why there are no more. */
const read = (bytes: Buffer): { readonly inputs: Array<Input>; readonly stop: number; readonly rest: number } => {
  const inputs: Array<Input> = []
  let at = 0
  for (;;) {
    const end = endOf(bytes, at)
    if (end <= 0) return { inputs, stop: end, rest: bytes.length - at }
    inputs.push(decode(bytes, at, end))
    at = end
  }
}

/** As data alone: a time remembers what it was asked before. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, function (this: Record<string, unknown>, key, shown: unknown) {
      const own = this[key]
      if (Buffer.isBuffer(own)) return own.toString("hex")
      return DateTime.isDateTime(own) ? DateTime.formatIso(own) : shown
    })
  )

const inputs = fc.array(input, { maxLength: 6 })

describe("records", () => {
  it.prop("read back as what was written", [inputs], ([inputs]) => {
    const back = read(encode(inputs))
    assert.deepStrictEqual(back.inputs.map(plain), inputs.map(plain))
    assert.deepStrictEqual([back.stop, back.rest], [SHORT, 0])
    // Beyond data: bytes are buffers, and keys of JSON are keys, whatever they are called.
    for (const [i, one] of back.inputs.entries()) {
      const before = inputs[i]!
      if (one._tag === "Frames" && before._tag === "Frames") assert.deepStrictEqual(one.frames, [...before.frames])
      if (one._tag === "Answer" && before._tag === "Answer") assert.deepStrictEqual(one.body, before.body)
    }
  })

  it.prop("carry the time at a fixed place", [input], ([input]) => {
    assert.strictEqual(timeAt(encode([input]), 0), timeOf(input))
  })

  it.prop(
    "cut anywhere are a beginning of them",
    [fc.array(input, { minLength: 1, maxLength: 4 })],
    ([inputs]) => {
      const bytes = encode(inputs)
      const ends = inputs.map((_, i) => encode(inputs.slice(0, i + 1)).length)
      for (let length = 0; length < bytes.length; length++) {
        const back = read(bytes.subarray(0, length))
        assert.lengthOf(back.inputs, ends.filter((end) => end <= length).length)
        assert.strictEqual(back.stop, SHORT)
      }
    },
    { fastCheck: { numRuns: 30 } }
  )

  it.prop(
    "show any byte that is not what was written",
    [fc.array(input, { minLength: 1, maxLength: 4 }), fc.nat(), fc.integer({ min: 1, max: 255 })],
    ([inputs, place, change]) => {
      const bytes = encode(inputs)
      bytes[place % bytes.length]! ^= change
      const back = read(bytes)
      assert.isBelow(back.inputs.length, inputs.length)
      assert.isAbove(back.rest, 0)
      assert.deepStrictEqual(back.inputs.map(plain), inputs.slice(0, back.inputs.length).map(plain))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop("are no more than bytes to whoever reads nonsense", [fc.uint8Array({ maxLength: 300 })], ([noise]) => {
    assert.lengthOf(read(Buffer.from(noise)).inputs, 0)
    assert.strictEqual(nextRecord(Buffer.from(noise), 0), -1)
  })

  it("are found again behind what is damaged", () => {
    const bytes = encode([1, 2, 3].map(numbered))
    const third = encode([1, 2].map(numbered)).length
    bytes[20]! ^= 1
    assert.strictEqual(endOf(bytes, 0), BAD)
    const second = nextRecord(bytes, 1)
    assert.strictEqual(numberOf(decode(bytes, second, third)), 2)
    assert.strictEqual(nextRecord(bytes, second + 1), third)
    assert.strictEqual(nextRecord(bytes, third + 1), -1)
  })

  it("are refused without a trace when they cannot be written", () => {
    const buffer = new RecordBuffer()
    buffer.append(numbered(1))
    const before = buffer.length
    const { connection, receivedTime, venue } = numbered(1)
    assert.throws(() => buffer.append({ _tag: "Opened", slot: "s", terms: { n: 1n }, venue, connection, receivedTime }))
    assert.throws(() => buffer.append(frames("x".repeat(70_000), 1)))
    assert.strictEqual(buffer.length, before)
    const huge = Buffer.alloc(LONGEST_BODY)
    assert.throws(() => buffer.append({ ...frames("c", 1), frames: [huge] }))
    buffer.append(numbered(2))
    assert.deepStrictEqual(read(Buffer.from(buffer.take())).inputs.map(numberOf), [1, 2])
  })

  it("of another kind are no input", () => {
    const buffer = new RecordBuffer()
    buffer.append({ _tag: "Swept", receivedTime: 1 })
    const bytes = Buffer.from(buffer.take().toString("latin1").replace("Swept", "Slept"), "latin1")
    assert.throws(() => decode(bytes, 0, bytes.length), /Slept/)
    bytes[8] = 0x58
    assert.throws(() => decode(bytes, 0, bytes.length), /kind/)
  })

  it("whose frames do not fill them are no input", () => {
    for (const change of [1, -1, 1000]) {
      const bytes = encode([frames("c", 1, "ab", "cd")])
      const count = bytes.length - 2 * 6 - 4
      bytes.writeUInt32LE(2 + change, count)
      assert.throws(() => decode(bytes, 0, bytes.length))
    }
  })

  it("reuse memory without mixing", () => {
    const buffer = new RecordBuffer()
    buffer.append(numbered(1))
    const first = buffer.take()
    buffer.append(numbered(2))
    assert.deepStrictEqual(read(first).inputs.map(numberOf), [1])
    buffer.giveBack(first)
    assert.deepStrictEqual(read(buffer.take()).inputs.map(numberOf), [2])
    buffer.append(numbered(3))
    assert.deepStrictEqual(read(buffer.take()).inputs.map(numberOf), [3])
  })
})

describe("the header", () => {
  it("reads back, with where it ends", () => {
    const bytes = Buffer.concat([encodeHeader(header), encode([numbered(1)])])
    assert.deepStrictEqual(decodeHeader(bytes), { header, length: encodeHeader(header).length })
  })

  it("is short until it is whole", () => {
    const bytes = encodeHeader(header)
    for (let length = 0; length < bytes.length; length++) {
      assert.deepStrictEqual(decodeHeader(bytes.subarray(0, length)), { fault: "short" })
    }
  })

  it.prop(
    "shows any byte that is not what was written",
    [fc.nat(), fc.integer({ min: 1, max: 255 })],
    ([at, change]) => {
      const bytes = encodeHeader(header)
      bytes[at % bytes.length]! ^= change
      assert.property(decodeHeader(Buffer.concat([bytes, encode([numbered(1)])])), "fault")
    }
  )

  it("tells a later version from damage", () => {
    const later = encodeHeader(header).toString("latin1").replace("parallax-tape 1", "parallax-tape 2")
    assert.deepStrictEqual(decodeHeader(Buffer.from(later, "latin1")), { fault: "version" })
    assert.deepStrictEqual(decodeHeader(Buffer.alloc(5000, 32)), { fault: "damaged" })
  })
})
