/** What every scenario is judged by in the end, beside its own promise. */
import type { Kit } from "./Scenario.ts"
import * as Storage from "./Storage.ts"
import type { World } from "./World.ts"

export interface VerdictOptions {
  /** Milliseconds for which a live book may be wrong or old before it is noticed: what is promised for the fault. */
  readonly wrongFor?: number
  /** The scenario sent changes that no venue meant. */
  readonly forged?: boolean
  /** Changes whose loss nobody could have noticed. */
  readonly unknowable?: number
  /** Bytes by which memory may grow. */
  readonly growth?: number
  /** Up to when what was said must be stored; all of it unless told. */
  readonly until?: number
  /** The program has ended as it should. */
  readonly ended?: boolean
}

/** Polymarket's rules leave up to two seconds of doubt after a trade; and what the watch itself takes. */
const WRONG_FOR = 3_000
const GROWTH = 200 * 1024 * 1024

const MEGABYTE = 1024 * 1024
const PANICS =
  /unhandled(Promise)?Rejection|uncaughtException|FATAL ERROR|heap out of memory|a session broke|fiber.*defect/i

/** Totals of the audits before, where scenarios share a world. */
const before = new WeakMap<World, { readonly lost: number; readonly doubled: number; readonly invented: number }>()

export const verify = async (
  world: World,
  { check, measures, note }: Kit,
  options: VerdictOptions = {}
): Promise<void> => {
  const { ended = false, forged = false, growth = GROWTH, unknowable = 0, until, wrongFor = WRONG_FOR } = options
  const { collector, invariants } = world
  const worst = invariants.worst()
  check(
    `no live book wrong for longer than ${wrongFor / 1000} s`,
    worst === undefined || worst.milliseconds <= wrongFor,
    worst === undefined
      ? `${invariants.confirmed()} looks, all right`
      : `${worst.instrumentId.slice(0, 30)} was ${worst.what} for ${(worst.milliseconds / 1000).toFixed(1)} s`
  )
  const { first, most } = invariants.memory()
  check(
    `memory grew by at most ${Math.round(growth / MEGABYTE)} MB`,
    most - first <= growth,
    `${Math.round(first / MEGABYTE)} MB, at most ${Math.round(most / MEGABYTE)} MB`
  )
  if (!ended) check("the process lives", collector.exit() === undefined, JSON.stringify(collector.exit() ?? "alive"))
  const panic = collector.lines.find((line) => PANICS.test(line))
  check("no unhandled failure in the log", panic === undefined, panic?.slice(0, 300) ?? "none")
  const audit = await world.audit(until)
  const earlier = before.get(world) ?? { lost: 0, doubled: 0, invented: 0 }
  before.set(world, audit)
  measures.lost = audit.lost - earlier.lost
  measures.doubled = audit.doubled - earlier.doubled
  check(
    "no row lost without a word",
    measures.lost <= unknowable,
    audit.samples.filter((s) => s.startsWith("lost")).join("; ")
  )
  const [, id, time] = /^lost: (\S+) .* said at (\d+)/.exec(audit.samples.find((s) => s.startsWith("lost")) ?? "") ?? []
  if (measures.lost > unknowable && id !== undefined) {
    note(`around the first that is lost: ${await world.sql((query) => Storage.story(query, id, Number(time)))}`)
  }
  check("no row doubled", measures.doubled <= 0, audit.samples.filter((s) => s.startsWith("doubled")).join("; "))
  if (!forged) {
    const invented = audit.invented - earlier.invented
    check("no row that was never said", invented <= 0, audit.samples.filter((s) => s.startsWith("never")).join("; "))
  }
  check("the record was read in time", !world.truth.missed())
  if (measures.lost > 0 && measures.lost <= unknowable) {
    note(`${measures.lost} changes were made good by a whole book before their loss could show`)
    measures.lost = 0
  }
  if (audit.beside > 0) note(`${audit.beside} changes are missing up to ${audit.farthest} ms before or after their gap`)
  note(`${audit.said} changes and trades said, ${audit.stored} stored, ${audit.conceded} in recorded gaps`)
}
