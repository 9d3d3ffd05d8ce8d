/**
 * What a row costs the main thread from an event on the bus to bytes for the database, without the database:
 * `node bench/storage/run.mjs RowCost [rows] [rounds]`. `NODE_FLAGS=--cpu-prof` profiles it.
 */
import type { InstrumentId } from "../../src/domain/Market.ts"
import * as Coverage from "../../src/storage/Coverage.ts"
import { LiveRows } from "../../src/storage/LiveRows.ts"
import { Outbox } from "../../src/storage/Outbox.ts"
import { encode } from "../../src/storage/RowEncoder.ts"
import { RowLedger } from "../../src/storage/RowLedger.ts"
import * as Ticks from "./Ticks.ts"

const [count = 500_000, rounds = 5] = process.argv.slice(2).map(Number)
const BATCH = 5000
/** Records that there are, over and over: events are young when they are mapped, not read from all over the memory. */
const RECORDS = 8_000
/** Events of one record of the tape. */
const EVENTS = 3

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

const numbers = new Map<InstrumentId, number>()
const numberOf = (id: InstrumentId): number => {
  const known = numbers.get(id)
  if (known !== undefined) return known
  numbers.set(id, numbers.size + 1)
  return numbers.size
}

/** A book, from which on the history of its venue counts. */
const opening = {
  _tag: "BookSnapshot",
  bids: [],
  asks: [],
  venueTime: 1_790_000_000_000,
  receivedTime: 1_790_000_000_000,
  sequence: null,
  hash: null,
  source: "socket",
  proof: undefined
} as const

const round = () => {
  const ledger = new RowLedger()
  const outbox = new Outbox({ ledger, capacity: 200_000, batch: BATCH })
  const tape = { requestRotation: () => {}, saveRowState: () => {} }
  const live = new LiveRows({ outbox, ledger, capacity: 200_000, tape, onBehind: () => {} })
  let [mapping, writing, bytes] = [0, 0, 0]
  let ordinal = 0
  let at = cpu()
  const lap = (): number => {
    const before = at
    at = cpu()
    return at - before
  }
  const write = () => {
    const { coverage, rows } = outbox.take(BATCH)
    Coverage.after(coverage, rows)
    for (const part of encode(rows, { run: 1_790_000_000_000_000, numberOf }).parts.values()) bytes += part.bytes.length
    outbox.settle()
  }
  const instrumentId = records[0]![0]!.instrumentId
  live.add({ events: [{ ...opening, instrumentId }], ordinal: 0, endsSegment: false })
  for (let turn = 0; turn < turns; turn++) {
    for (const events of records) {
      live.add({ events, ordinal: ++ordinal, endsSegment: false })
      if (outbox.load < BATCH) continue
      mapping += lap()
      write()
      writing += lap()
    }
  }
  mapping += lap()
  write()
  writing += lap()
  return { mapping, writing, bytes }
}

const frame = JSON.stringify({
  market: `0x${"a1".repeat(32)}`,
  price_changes: [
    {
      asset_id: "7".repeat(77),
      price: "0.41",
      size: "270.55",
      side: "BUY",
      hash: "5e".repeat(20),
      best_bid: "0.41",
      best_ask: "0.42"
    }
  ],
  timestamp: "1790000000000",
  event_type: "price_change"
})

/** `JSON.parse` of a venue's frame, as a measure of the machine. */
const parsing = (): number => {
  const start = cpu()
  for (let i = 0; i < 200_000; i++) if (JSON.parse(frame.slice(0, -1) + "}") === i) return 0
  return (cpu() - start) / 200_000
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >>> 1]!

const ticks = Ticks.make({ instruments: 500, quotes: 25, start: 1_790_000_000_000, rate: 20 })
const records = Array.from({ length: RECORDS }, () => ticks(EVENTS))
const turns = Math.ceil(count / (RECORDS * EVENTS))
const total = turns * RECORDS * EVENTS
round()
const results = Array.from({ length: rounds }, () => {
  globalThis.gc?.()
  return { ...round(), floor: parsing() }
})
const micros = (pick: (result: (typeof results)[number]) => number) => (median(results.map(pick)) / total).toFixed(3)
console.log(`${total} rows, ${rounds} rounds, medians, CPU µs a row on the main thread:`)
console.log(`  mapping and queueing  ${micros(({ mapping }) => mapping)}`)
console.log(`  taking and encoding   ${micros(({ writing }) => writing)}`)
console.log(`  both                  ${micros(({ mapping, writing }) => mapping + writing)}`)
console.log(`  JSON.parse of a frame ${median(results.map(({ floor }) => floor)).toFixed(3)}`)
console.log(`  bytes a row           ${(results[0]!.bytes / total).toFixed(1)}`)
