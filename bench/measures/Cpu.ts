/** What a message costs, side by side. */
import { type Candidate, bare, floor, parallax, peers, taped } from "../Candidates.ts"
import { type Heat, burst, startSender } from "../Contest.ts"
import type { Bench, Finding, Goal, Measure } from "../Measure.ts"
import * as Databases from "./Databases.ts"
import { median, short, spread, spreadText } from "../Statistics.ts"

const TOKENS = 500
export const DEPTH = 40

interface Result {
  readonly candidate: Candidate
  readonly heats: Array<Heat>
  /** CPU against the floor of the same round. */
  readonly ratios: Array<number>
  /** The same without the first third of the messages. */
  readonly warmRatios: Array<number>
}

/** The limits of the two goals, as ratios to the floor. */
const EVENT_BAR = 1.5
const STORED_BAR = 2.2

const perMillion = ({ sent, taken }: Heat): number => (taken.cpu / sent.frames) * 1e6

const perMillionWarm = ({ taken: { warm } }: Heat): number => (warm.cpu / warm.updates) * 1e6

const run = async (bench: Bench): Promise<Finding> => {
  const frames = bench.quick ? 60_000 : 300_000
  const listing = { seed: bench.seed, tokens: TOKENS, entries: "one" } as const
  const server = await Databases.postgres(bench)
  const stored = server === undefined ? [] : [server.candidate()]
  const sender = await startSender({ ...listing, depth: DEPTH, prebuilt: frames })
  const wanted = [bare, floor, parallax, taped, ...stored, ...peers].filter(
    ({ name }) => name === "floor" || bench.candidates === undefined || bench.candidates.includes(name)
  )
  const results = wanted.map((candidate): Result => ({ candidate, heats: [], ratios: [], warmRatios: [] }))
  try {
    for (let round = 0; round < bench.rounds; round++) {
      // Each round begins with another one, so that nobody always follows the same neighbour.
      const order = results.map((_, i) => results[(i + round) % results.length]!)
      for (const { candidate, heats } of order) {
        await server?.renew()
        const current = candidate.name === "postgres" ? server!.candidate() : candidate
        const heat = await burst(current, sender, { listing }, frames)
        heats.push(heat)
        bench.say(
          `cpu ${round + 1}/${bench.rounds} ${candidate.name.padEnd(16)} ${short(perMillion(heat)).padStart(6)} s per million, ` +
            `${short(frames / (heat.taken.millis / 1000))} /s, ${heat.taken.updates} updates, ` +
            `${heat.wrong ?? "–"} wrong books ${JSON.stringify(heat.facts)}`
        )
      }
      const base = results.find(({ candidate }) => candidate === floor)!.heats[round]!
      for (const { heats, ratios, warmRatios } of results) {
        ratios.push(perMillion(heats[round]!) / perMillion(base))
        warmRatios.push(perMillionWarm(heats[round]!) / perMillionWarm(base))
      }
    }
  } finally {
    await sender.dispose()
    await server?.dispose()
  }
  const resultOf = (name: string) => results.find(({ candidate }) => candidate.name === name)
  const goals: Array<Goal> = []
  const goal = (text: string, bar: string, limit: number, name: string) => {
    const result = resultOf(name)
    if (result === undefined) return
    const { ratios, warmRatios } = result
    const measured = `${spreadText(spread(ratios))} × the floor; ${spreadText(spread(warmRatios))} × after the first third`
    const obstacle =
      "the first third of the messages costs half as much again as later ones, until what runs for each of them is optimised; after that the " +
      "[profile](performance/profile.md) is flat"
    goals.push({ goal: text, bar, measured, holds: median(ratios) <= limit, obstacle })
  }
  goal("frame → validated → book → event with best bid and ask", `≤ ${EVENT_BAR} × the floor`, EVENT_BAR, "parallax")
  goal("the same plus the tape and rows ready for storage", `≤ ${STORED_BAR} × the floor`, STORED_BAR, "taped")
  const wrong = (heats: ReadonlyArray<Heat>) => {
    const worst = Math.max(...heats.map(({ wrong }) => wrong ?? -1))
    return worst < 0 ? "keeps none" : String(worst)
  }
  const hashed = (heats: ReadonlyArray<Heat>) => {
    const shares = heats.flatMap(({ facts, sent }) => {
      const { verified } = facts
      return typeof verified === "number" ? [(100 * (verified - TOKENS)) / sent.frames] : []
    })
    return shares.length === 0 ? "none" : `${short(median(shares))} %`
  }
  return {
    rounds: bench.rounds,
    goals,
    tables: [
      {
        title: "CPU per message, by candidate",
        head: [
          "Candidate",
          "CPU s per million (min–max)",
          "Ratio to the floor",
          "After the first third",
          "Messages/s",
          "Updates seen",
          "Wrong books",
          "Hashes checked"
        ],
        rows: results.map(({ candidate, heats, ratios, warmRatios }) => [
          candidate.title,
          spreadText(spread(heats.map(perMillion))),
          spreadText(spread(ratios)),
          spreadText(spread(warmRatios)),
          short(median(heats.map(({ sent, taken }) => sent.frames / (taken.millis / 1000)))),
          `${short(Math.min(...heats.map(({ sent, taken }) => (100 * taken.updates) / sent.frames)))} %`,
          wrong(heats),
          hashed(heats)
        ])
      }
    ],
    plots: [
      {
        kind: "bars",
        file: "cpu",
        title: "CPU for a million messages, as a multiple of the floor",
        unit: "× the floor",
        bars: results.map(({ candidate, ratios }) => {
          const { max, median, min } = spread(ratios)
          return { name: candidate.name, value: median, min, max }
        })
      }
    ],
    remarks: [
      `${frames.toLocaleString("en-US")} frames of ${short(sender.ready.averageBytes)} bytes over ${TOKENS} tokens with about ${DEPTH} levels a side, on one connection.`,
      "“Hashes checked” are the changes after which the venue's hash of the whole book was reproduced at once. The others were compared by the best " +
        "quotes that came with them, and their books are hashed at the next sweeps, fifty a second: hashing has a budget per millisecond, which a burst exceeds.",
      "The sockets in a thread of their own were tried and not kept: 5.2 to 6.6 µs a message against 3.9 to 4.4 for the same work in the main thread, and no more " +
        "messages a second on two cores, since every frame has to be handed over.",
      "In a burst the database falls behind: what there is no room for in memory is derived from the tape again when there is, and costs twice. “Storage” has what it costs at a steady rate."
    ],
    data: results.map(({ candidate, heats, ratios, warmRatios }) => ({
      name: candidate.name,
      ratios,
      warmRatios,
      perMillion: heats.map(perMillion),
      updates: heats.map(({ taken }) => taken.updates),
      wrong: heats.map(({ wrong }) => wrong),
      facts: heats.at(-1)?.facts
    }))
  }
}

export const cpu: Measure = {
  name: "cpu",
  title: "CPU per message",
  how:
    "A second process sends prebuilt `price_change` frames with true hashes of true books, permessage-deflate off, as fast as the " +
    "receiver takes them; the receiver's CPU (user and system, all threads) is taken from the first frame to the last update. " +
    "Each candidate is a process of its own, started anew for each round; rounds are interleaved; medians, with the range.",
  run
}
