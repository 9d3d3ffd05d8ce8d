/** What the venue really sent, compared with what is known of it. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { isObject, type Json } from "../../../src/resilience/Reading.ts"
import { make, watch } from "../../../src/resilience/DriftLog.ts"
import { channels } from "../../../src/venues/polymarket/Watched.ts"
import * as Wire from "../../../src/venues/polymarket/Wire.ts"
import { haveRecordings, path, text } from "../../support/Recordings.ts"

/** Deviations that recordings have for a reason. */
const EXPLAINED = new Set([
  // The forms before 2025-09-15 (§5.2).
  ...["asset_id", "hash", "price", "side", "size", "changes"].map((key) => `price_change unknown ${key}`),
  "price_change missing price_changes",
  // Written by hand, in a test of another project.
  "GET gamma /markets/keyset unknown markets[].questionId"
])

const files = (folder: string): ReadonlyArray<string> =>
  readdirSync(path(folder)).flatMap((name) => {
    const file = join(folder, name)
    return statSync(path(file)).isDirectory() ? files(file) : [file]
  })

const parsed = (line: string): ReadonlyArray<unknown> => {
  for (const print of [line, line.replaceAll("'", '"')]) {
    try {
      return [JSON.parse(print)]
    } catch {
      continue
    }
  }
  return []
}

/** All JSON of a file: the whole of it, or each of its lines, Python's print among them. */
const values = (file: string): ReadonlyArray<unknown> => {
  const all = text(file)
  try {
    return [JSON.parse(all)]
  } catch {
    return all.split("\n").flatMap(parsed)
  }
}

/** Everything in a value that is a message or an answer that is watched, as it would have come. */
const objects = (value: unknown): ReadonlyArray<Json> => {
  if (Array.isArray(value)) return value.flatMap(objects)
  if (!isObject(value)) return []
  if (typeof value["payloadUtf8"] === "string") return parsed(value["payloadUtf8"]).flatMap(objects)
  return [value, ...Object.values(value).flatMap(objects)]
}

const types = new Set(Array.from(channels.messages, ([type]) => type))

describe.skipIf(!haveRecordings)("recordings", () => {
  it("deviate nowhere from the Schemas, except for reasons that are known", () => {
    const { list, note } = make(() => {})
    const drift = watch({ list, note }, "polymarket", channels)
    const seen = new Map<string, number>()
    const count = (name: string) => seen.set(name, (seen.get(name) ?? 0) + 1)
    const folders = ["captures/polymarket_ws", "captures/polymarket_rest", "venues/samples/polymarket"]
    for (const file of folders.flatMap(files).filter((name) => /\.(?:json|jsonl|txt)$/.test(name))) {
      for (const one of values(file).flatMap(objects)) {
        const type = one["event_type"]
        if (typeof type === "string") {
          if (!types.has(type)) continue
          count(type)
          drift.message(type, one, 0, true)
        } else if ("conditionId" in one && "clobTokenIds" in one) {
          count("gamma market")
          drift.answer(Wire.GammaPage, { markets: [one] }, 0)
        } else if ("market_slug" in one && "tokens" in one) {
          count("clob market")
          drift.answer(Wire.ClobPage, { data: [one], next_cursor: "" }, 0)
        } else if ("asset_id" in one && "bids" in one) {
          count("book of REST")
          drift.answer(Wire.RestBook, one, 0)
        } else if ("next_cursor" in one && "data" in one && file.includes("clob_markets_page")) {
          count("clob page")
          drift.answer(Wire.ClobPage, one, 0)
        } else if (file.includes("tags") && "label" in one) {
          count("tag")
          drift.answer(Wire.GammaTag, one, 0)
        }
      }
    }
    const found = list().map(({ channel, kind, path }) => `${channel} ${kind} ${path}`)
    assert.deepStrictEqual(new Set(found), EXPLAINED)
    for (const type of types) assert.isAtLeast(seen.get(type) ?? 0, 2, type)
    assert.isAtLeast(seen.get("gamma market")!, 300)
    assert.isAtLeast(seen.get("clob market")!, 1_000)
    assert.isAtLeast(seen.get("book of REST")!, 10)
    assert.deepStrictEqual([seen.get("clob page"), seen.has("tag")], [1, true])
  })
})
