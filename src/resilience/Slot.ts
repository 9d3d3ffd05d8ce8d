/**
 * A place for a connection, which stays over all the connections that fill it one after the other: what is shown of
 * it, what is counted, and how its ups and downs are told.
 */
import { Clock, Effect, Random } from "effect"
import type { Duration } from "effect"
import type { SessionEnd } from "./Reconnect.ts"
import type { FrameBatch } from "./WebSocketFeed.ts"

export type SlotState = "connecting" | "connected" | "waiting" | "halted" | "closed"

/** What is counted over all connections of a slot: messages by type, and faults by kind. */
export interface Tally {
  readonly messages: Map<string, number>
  readonly errors: Map<string, number>
}

export const makeTally = (): Tally => ({ messages: new Map(), errors: new Map() })

/** Names come from outside: a map, never an object's keys, and a bound against a sender who makes them up. */
const MAX_KINDS = 64

export const count = (counts: Map<string, number>, key: string, times = 1): void => {
  const name = counts.has(key) || counts.size < MAX_KINDS ? key : "other"
  counts.set(name, (counts.get(name) ?? 0) + times)
}

export interface Slot {
  readonly name: string
  readonly tally: Tally
  /** The connection that fills it now, or did last. */
  connection: string
  /** The connection on which its items were last subscribed. */
  feeding: string
  state: SlotState
  since: number
  attempts: number
  reason: string
  frames: number
  bytes: number
  lastData: number | undefined
  /** When the real data of this connection began. */
  firstData: number | undefined
  /** What the log says last of the slot. */
  reported: "up" | "down" | "halted"
}

export const make = (name: string, now: number): Slot => ({
  name,
  tally: makeTally(),
  connection: "",
  feeding: "",
  state: "connecting",
  since: now,
  attempts: 0,
  reason: "",
  frames: 0,
  bytes: 0,
  lastData: undefined,
  firstData: undefined,
  reported: "up"
})

export const enter = (slot: Slot, state: SlotState, reason: string, now: number): void => {
  if (slot.state !== state) slot.since = now
  slot.state = state
  slot.reason = reason
}

/** The connection is open, and what is subscribed is subscribed on it from here on. */
export const opened = (slot: Slot, now: number): void => {
  enter(slot, "connected", "", now)
  slot.feeding = slot.connection
}

/** Names the connection that is about to fill the slot: the slot's name and a suffix that tells it from the others. */
export const begin = (slot: Slot): Effect.Effect<string> =>
  Effect.gen(function* () {
    const suffix = yield* Random.nextIntBetween(0, 16 ** 6)
    slot.connection = `${slot.name}-${suffix.toString(16).padStart(6, "0")}`
    slot.firstData = undefined
    enter(slot, "connecting", slot.reason, yield* Clock.currentTimeMillis)
    return slot.connection
  })

/** Counts frames that came. */
export const received = (slot: Slot, batch: FrameBatch): void => {
  if (batch.frames.length === 0) return
  slot.frames += batch.frames.length
  slot.lastData = batch.receivedTime
  for (const frame of batch.frames) slot.bytes += frame.length
}

/** How the session went, for the delay before the next. */
export const sessionEnd = (slot: Slot, atLeast: Duration.Duration): SessionEnd => ({
  healthyMillis: slot.firstData === undefined ? 0 : Math.max(1, (slot.lastData ?? slot.firstData) - slot.firstData),
  atLeast
})

/** Says that the slot is filled again. */
export const reportUp = (slot: Slot): Effect.Effect<void> =>
  Effect.suspend(() => {
    const again = slot.reported !== "up"
    slot.reported = "up"
    return Effect.logInfo(again ? "feed connected again" : "feed connected")
  })

/** Says once that the slot is down, and once that it is halted, not again at every attempt. */
export const reportDown = (slot: Slot, message: string, reason: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = slot.state === "halted" ? "halted" : "down"
    if (slot.reported === "halted" || slot.reported === now) return Effect.void
    slot.reported = now
    return Effect.annotateLogs(Effect.logWarning(message), { reason })
  })

/** The slot for people, with the number of items that it carries. */
export const summary = (slot: Slot, subscribed: number) => ({
  slot: slot.name,
  connection: slot.connection,
  state: slot.state,
  since: slot.since,
  attempts: slot.attempts,
  reason: slot.reason,
  subscribed,
  frames: slot.frames,
  bytes: slot.bytes,
  lastDataTime: slot.lastData ?? null,
  messages: Object.fromEntries(slot.tally.messages),
  errors: Object.fromEntries(slot.tally.errors)
})
