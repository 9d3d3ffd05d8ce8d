/** What happens when somebody behind the books cannot keep up. */
import { parallax } from "../Candidates.ts"
import { startReceiver, startSender } from "../Contest.ts"
import type { Bench, Finding, Measure } from "../Measure.ts"
import { short } from "../Statistics.ts"
import type { Sent } from "../workload/Messages.ts"
import { DEPTH } from "./Cpu.ts"

const TOKENS = 500
/** About a hundred times what the product itself takes over a change. */
const DELAY = 1
const MEGABYTE = 1024 * 1024
const MESSAGES_BAR = 8_192
const BYTES_BAR = 8 * MEGABYTE

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const run = async (bench: Bench): Promise<Finding> => {
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const frames = bench.quick ? 100_000 : 300_000
  const millis = bench.quick ? 8_000 : 25_000
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: frames })
  const frameBytes = sender.ready.averageBytes + 4
  const receiver = await startReceiver(parallax, sender, { listing, extra: { delay: DELAY, frameBytes } })
  try {
    void sender.ask<Sent>({ do: "burst", chunkBytes: 65_536 }).catch(() => {})
    await sleep(millis)
    const facts = await receiver.ask<Record<string, number>>({ do: "facts" })
    const bytes = facts["backlogBytes"]!
    const messages = bytes / frameBytes
    const resident = facts["backlogResident"]! / MEGABYTE
    const paused = facts["backlogPauses"]!
    bench.say(`slow: ${JSON.stringify(facts)}`)
    return {
      rounds: 1,
      goals: [
        {
          goal: "slow consumer: what waits before the socket is paused",
          bar: `≤ ${MESSAGES_BAR.toLocaleString("en-US")} messages or ${BYTES_BAR / MEGABYTE} MB`,
          measured: `${Math.round(messages).toLocaleString("en-US")} messages (${short(bytes / MEGABYTE)} MB) at most, socket ${paused > 0 ? "paused" : "**not paused**"}, memory +${short(resident)} MB`,
          holds: paused > 0 && (messages <= MESSAGES_BAR || bytes <= BYTES_BAR) && facts["disconnects"] === 0,
          obstacle:
            "this counts all that the process has read and the subscriber has not seen: what waits at the socket, on its way to the books, and on the bus, each of which is bounded by itself"
        }
      ],
      tables: [],
      plots: [],
      remarks: [
        `${frames.toLocaleString("en-US")} messages were there to be read in ${millis / 1000} s; the subscriber took ${DELAY} ms over each. ` +
          `Disconnected ${facts["disconnects"]} times; books live at the end: ${facts["live"]}.`
      ],
      data: { ...facts, messages }
    }
  } finally {
    await receiver.dispose()
    await sender.dispose()
  }
}

export const slow: Measure = {
  name: "slow",
  title: "Slow consumer",
  how:
    "A subscriber of the bus takes a hundred times as long over a change as the product itself, while the venue sends all it has. " +
    "What waits is what the process has read from its socket (counted at the TCP connection, 200 times a second) and the subscriber has not seen.",
  run
}
