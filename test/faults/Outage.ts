/** The course of most faults: something is done, it is noticed, it ends, and everything is live again. */
import type { Kit } from "./Scenario.ts"
import { sleep, until } from "./Waiting.ts"
import { TROUBLES, type FeedEvent, type World, troubled } from "./World.ts"

export interface Course {
  readonly inject: () => Promise<unknown>
  /** Ends what lasts, once the fault was noticed. */
  readonly heal?: () => Promise<unknown>
  /** Milliseconds within which the fault must be noticed, and those after it ended within which all must be live. */
  readonly detectWithin: number
  readonly recoverWithin: number
  /** Whether a gap must be on record; it is unless told. */
  readonly leavesGap?: boolean
  /** The book that it is about, if it is one. */
  readonly about?: string
}

export interface Told {
  /** When the fault was injected. */
  readonly since: number
  readonly events: ReadonlyArray<FeedEvent>
}

const seconds = (millis: number | undefined): string =>
  millis === undefined ? "never" : `${(millis / 1000).toFixed(2)} s`

/** Runs the course and measures it by what the feed's own records say of the times. */
export const outage = async (world: World, kit: Kit, course: Course): Promise<Told> => {
  const { about, detectWithin, heal, inject, leavesGap = true, recoverWithin } = course
  // Data has flowed, and what went before is over.
  await sleep(1_200)
  const since = Date.now()
  await inject()
  const noticed = await troubled(world, since, detectWithin + 2_000, about)
  await heal?.()
  const healed = Date.now()
  const live = noticed === undefined ? undefined : await world.allLive(recoverWithin + 5_000)
  const until_ = Date.now()
  await world.stored()
  const isAbout = ({ instrumentId }: FeedEvent) => about === undefined || instrumentId === about
  const read = async () => (await world.events(since)).filter(isAbout)
  // A gap is told when the last book of a connection has come.
  if (leavesGap) await until(async () => (await read()).some(({ kind }) => kind === "gap"), 6_000, 100)
  const events = await read()
  const first = events.find(({ from, kind }) => TROUBLES.has(kind) && from >= since - 5)
  const ends = events.flatMap(({ kind, to }) => (kind === "live" && to !== null && to <= until_ ? [to] : []))
  const { measures } = kit
  measures.detect = first === undefined ? noticed : Math.round(Math.max(0, first.from - since))
  const from = heal === undefined ? since : healed
  measures.recover =
    live === undefined ? undefined : Math.round(Math.max(0, (ends.length > 0 ? Math.max(...ends) : until_) - from))
  kit.check(
    `noticed within ${seconds(detectWithin)}`,
    measures.detect !== undefined && measures.detect <= detectWithin,
    first === undefined ? seconds(measures.detect) : `${seconds(measures.detect)}: ${first.kind}, ${first.reason}`
  )
  kit.check(
    `live within ${seconds(recoverWithin)}${heal === undefined ? "" : " of its end"}`,
    measures.recover !== undefined && measures.recover <= recoverWithin,
    seconds(measures.recover)
  )
  if (leavesGap) {
    const gap = events.find(({ kind }) => kind === "gap")
    kit.check("a gap is on record", gap !== undefined, gap === undefined ? "none" : gap.reason)
  }
  return { since, events }
}

/** Waits for a counter to reach more than it was. */
export const counted = async (world: World, kind: RegExp, before: number, within = 5_000): Promise<boolean> =>
  (await until(async () => (await countOf(world, kind)) > before, within, 50)) !== undefined

/** Faults that the connections have counted of the kinds that fit. */
export const countOf = async (world: World, kind: RegExp): Promise<number> => {
  const errors = await world.collector.errors()
  return Object.entries(errors).reduce((sum, [name, count]) => (kind.test(name) ? sum + count : sum), 0)
}
