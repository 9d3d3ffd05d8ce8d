/** What the tests of both scanners have in common: JSON as the judge, and frames that are nearly those of the venue. */
import { FastCheck as fc } from "effect"
import type { FeedEvent } from "../../../src/domain/MarketEvent.ts"
import { watch } from "../../../src/resilience/DriftLog.ts"
import { makeTally } from "../../../src/resilience/Slot.ts"
import { makeDecoder } from "../../../src/venues/polymarket/Normalize.ts"
import { channels } from "../../../src/venues/polymarket/Watched.ts"
import { instrument, market } from "../../support/Events.ts"

export const M = "0xabc123"
export const one = { ...market("m"), venueMarketId: M }
export const instruments = new Map(one.outcomes.map((outcome, i) => [outcome.venueInstrumentId, instrument(one, i)]))
export const T = 1_790_766_981_628

/** What the frame is read as by JSON, and what besides was counted. */
export const byJson = (frame: Buffer, of = instruments) => {
  const tally = makeTally()
  const out: Array<FeedEvent> = []
  const decode = makeDecoder({
    connection: "c",
    instrument: (token) => of.get(token),
    instruments: () => of.values(),
    tally,
    onFault: () => {}
  })
  decode(frame.toString("utf8"), T, out)
  return { out, messages: [...tally.messages], errors: [...tally.errors] }
}

/** Where a message deviates from what is known of its type. */
export const deviations = (frame: Buffer, type: string): ReadonlyArray<string> => {
  const noted: Array<string> = []
  const note = (_: string, channel: string, path: string, kind: string) => noted.push(`${channel} ${kind} ${path}`)
  watch({ note, list: () => [] }, "v", channels).message(type, JSON.parse(frame.toString("utf8")), T)
  return noted
}

/** Decimals and what is nearly one. */
export const decimal = fc.oneof(
  { weight: 60, arbitrary: fc.integer({ min: 1, max: 999_999 }).map((n) => String(n / 1_000_000)) },
  { weight: 3, arbitrary: fc.tuple(fc.nat(), fc.nat(999_999)).map(([a, b]) => `${a}.${b}`) },
  fc.constantFrom(
    "0",
    "1",
    "",
    ".",
    ".5",
    "5.",
    "00.500",
    "0.1234567",
    "0.12345600",
    "1e-2",
    "-0.5",
    "+0.5",
    " 0.5",
    "NaN"
  ),
  fc.constantFrom("9007199254.740991", "9007199254.740992", "99999999999999999999", "0.5\\u0030", "０.5"),
  fc.maxSafeNat().map(String)
)
const someText = fc.oneof(fc.string({ maxLength: 50 }), fc.string({ unit: "binary", maxLength: 10 }))
export const value = (usual: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 120, arbitrary: usual },
    { weight: 1, arbitrary: fc.constantFrom(null, true, 0.41, 5, [], {}, undefined) },
    { weight: 1, arbitrary: someText }
  )
export const members = (
  fields: Record<string, fc.Arbitrary<unknown>>
): fc.Arbitrary<ReadonlyArray<readonly [string, unknown]>> => {
  const entries = Object.entries(fields).map(([key, arbitrary]) => arbitrary.map((drawn) => [key, drawn] as const))
  const all = fc.tuple(...entries) as fc.Arbitrary<ReadonlyArray<readonly [string, unknown]>>
  const odd = fc.tuple(fc.constantFrom("novelty", "__proto__", "constructor", "price", "hash", "market", ""), someText)
  return fc.oneof(
    { weight: 12, arbitrary: all },
    { weight: 2, arbitrary: all.chain((list) => fc.shuffledSubarray([...list], { minLength: list.length })) },
    { weight: 1, arbitrary: all.chain((list) => fc.shuffledSubarray([...list])) },
    { weight: 1, arbitrary: fc.tuple(all, odd).map(([list, more]) => [...list, more]) }
  )
}
/** Prints members as they are, twice ones too, with the venue's spacing or another. */
export const print = (list: ReadonlyArray<readonly [string, unknown]>, comma: string, colon: string): string =>
  `{${list
    .map(
      ([key, drawn]) =>
        `${JSON.stringify(key)}${colon}${typeof drawn === "string" && drawn.startsWith("[{") ? drawn : JSON.stringify(drawn ?? null)}`
    )
    .join(comma)}}`

export const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 })
export const spacing = fc.oneof(
  { weight: 8, arbitrary: fc.constant([", ", ":"] as const) },
  { weight: 3, arbitrary: fc.constantFrom([",", ":"] as const, [", ", ": "] as const) },
  { weight: 1, arbitrary: fc.constantFrom([" ,", ":"] as const, [",\n", ":"] as const, [",", " : "] as const) }
)

const PIECES = ['"', ",", ", ", ":", "{", "}", "]", "\\", "0", "9", ".", "é", " ", "\n"]

/** A frame with a few bytes changed, added or gone. */
export const edited = (whole: Buffer): fc.Arbitrary<Buffer> => {
  const edit = fc.record({
    at: fc.nat(whole.length),
    gone: fc.nat(3),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...PIECES).map((text) => Buffer.from(text))
    )
  })
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
    let frame = whole
    for (const { at, bytes, gone } of edits) {
      frame = Buffer.concat([frame.subarray(0, at), bytes, frame.subarray(at + gone)])
    }
    return frame
  })
}
