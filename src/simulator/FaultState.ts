/** The faults that are in force, and what they make of a frame or a request. Mutable, synchronous. */
import type { Fault } from "./Faults.ts"
import type { Frame } from "./Frame.ts"
import { type Reply, json } from "./Rest.ts"

/** Frames still to be hit: `left` more of this type and token, `undefined` meaning any. */
interface Hit {
  left: number
  readonly type: string | undefined
  readonly token: string | undefined
}

/** Commands still to be refused: `left` more on this channel, `undefined` meaning any. */
interface RefusedCommand {
  left: number
  readonly code: 26 | 27
  readonly channel: string | undefined
}

/** A reply that stands in for the real one until a time. */
interface Refusal {
  readonly until: number
  readonly reply: Reply
}

export interface FaultState {
  readonly lost: Array<Hit>
  readonly truncated: Array<Hit>
  readonly duplicated: Array<Hit>
  readonly reordered: Array<Hit>
  readonly commands: Array<RefusedCommand>
  /** By market, a frame held back until the next. */
  readonly held: Map<string, string>
  /** Token to the time at which it thaws, and whether a subscription thaws it sooner. */
  readonly frozen: Map<string, { readonly until: number; readonly untilSubscribed: boolean }>
  rest: Refusal | undefined
  upgrade: Refusal | undefined
  slow: { readonly until: number; readonly restMs: number; readonly socketMs: number } | undefined
  stale: { readonly until: number; readonly count: number } | undefined
}

export const make = (): FaultState => ({
  lost: [],
  truncated: [],
  duplicated: [],
  reordered: [],
  commands: [],
  held: new Map(),
  frozen: new Map(),
  rest: undefined,
  upgrade: undefined,
  slow: undefined,
  stale: undefined
})

/** Ends everything. */
export const heal = (state: FaultState): void => {
  Object.assign(state, make())
}

/** When a fault that begins now ends. */
export const until = (now: number, durationMs: number | undefined): number =>
  durationMs === undefined ? Number.POSITIVE_INFINITY : now + durationMs

const refusal = (
  status: number,
  error: string,
  body: "json" | "html",
  retryAfter: number | string | undefined
): Reply => {
  const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }
  return body === "html"
    ? {
        status,
        body: `<html><body><h1>${error}</h1></body></html>`,
        headers: { ...headers, "content-type": "text/html" }
      }
    : { ...json(status, { error }), headers }
}

/** Puts a lasting fault in force; those that act at once are the server's to carry out. */
export const begin = (state: FaultState, fault: Fault, now: number): void => {
  switch (fault.fault) {
    case "lost":
      state.lost.push({ left: fault.count ?? 1, type: fault.type ?? "price_change", token: fault.tokenId })
      return
    case "truncated":
      state.truncated.push({ left: fault.count ?? 1, type: undefined, token: fault.tokenId })
      return
    case "duplicate":
      state.duplicated.push({ left: fault.count ?? 1, type: fault.type, token: fault.tokenId })
      return
    case "reorder":
      state.reordered.push({ left: fault.count ?? 1, type: fault.type, token: fault.tokenId })
      return
    case "command_error":
      state.commands.push({ left: fault.count ?? 1, code: fault.code ?? 27, channel: fault.channel })
      return
    case "freeze":
      state.frozen.set(fault.tokenId, {
        until: until(now, fault.durationMs),
        untilSubscribed: fault.untilSubscribed ?? false
      })
      return
    case "rate_limited": {
      const reply = refusal(429, "Too Many Requests", fault.body ?? "json", fault.retryAfter)
      const entry = { until: until(now, fault.durationMs), reply }
      if (fault.on !== "upgrade") state.rest = entry
      if (fault.on === "upgrade" || fault.on === "both") state.upgrade = entry
      return
    }
    case "unavailable": {
      const reply = refusal(fault.status ?? 503, "service unavailable", "json", undefined)
      state.rest = { until: until(now, fault.durationMs), reply }
      return
    }
    case "refuse": {
      const reply = refusal(fault.status, "upgrade refused", "json", fault.retryAfter)
      state.upgrade = { until: until(now, fault.durationMs), reply }
      return
    }
    case "slow":
      state.slow = { until: until(now, fault.durationMs), restMs: fault.restMs ?? 0, socketMs: fault.socketMs ?? 0 }
      return
    case "stale":
      state.stale = { until: until(now, fault.durationMs), count: fault.count ?? 2 }
      return
    case "heal":
      heal(state)
      return
  }
}

/** Takes one hit for this frame, if one is due. */
const hit = (hits: Array<Hit>, frame: Pick<Frame, "type" | "assets">): boolean => {
  const index = hits.findIndex(
    (one) =>
      (one.type === undefined || one.type === frame.type) &&
      (one.token === undefined || frame.assets.includes(one.token))
  )
  if (index === -1) return false
  if (--hits[index]!.left === 0) hits.splice(index, 1)
  return true
}

/** What a command on these channels is refused with, if it is; being asked uses a refusal up. */
export const refusedCommand = (state: FaultState, channels: ReadonlyArray<string>): 26 | 27 | undefined => {
  const index = state.commands.findIndex(({ channel }) => channel === undefined || channels.includes(channel))
  const refused = state.commands[index]
  if (refused !== undefined && --refused.left === 0) state.commands.splice(index, 1)
  return refused?.code
}

/** Whether nothing more is said of this frame's assets. */
export const isFrozen = (state: FaultState, assets: ReadonlyArray<string>, now: number): boolean => {
  if (state.frozen.size === 0) return false
  for (const [token, thaws] of state.frozen) if (now >= thaws.until) state.frozen.delete(token)
  return assets.some((asset) => state.frozen.has(asset))
}

/** These assets are subscribed anew. */
export const subscribed = (state: FaultState, assets: Iterable<string>): void => {
  for (const asset of assets) if (state.frozen.get(asset)?.untilSubscribed === true) state.frozen.delete(asset)
}

export type Fate = "whole" | "lost" | "halved" | "doubled" | "held"

/** What becomes of a frame; a hit is used up by asking. None is held back while there is another before it. */
export const fate = (state: FaultState, frame: Pick<Frame, "type" | "assets">, holding: boolean): Fate => {
  if (state.lost.length > 0 && hit(state.lost, frame)) return "lost"
  if (state.truncated.length > 0 && hit(state.truncated, frame)) return "halved"
  if (state.duplicated.length > 0 && hit(state.duplicated, frame)) return "doubled"
  if (state.reordered.length > 0 && !holding && hit(state.reordered, frame)) return "held"
  return "whole"
}

/** What is sent of a text at once. */
export const texts = (text: string, fate: Fate): ReadonlyArray<string> => {
  switch (fate) {
    case "lost":
    case "held":
      return []
    case "halved":
      return [text.slice(0, Math.floor(text.length / 2))]
    case "doubled":
      return [text, text]
    case "whole":
      return [text]
  }
}

/** What goes out in place of a frame: nothing, the frame, half of it, the frame twice, or it and one held back before. */
export const distort = (state: FaultState, frame: Frame, now: number): ReadonlyArray<string> => {
  if (isFrozen(state, frame.assets, now)) return []
  const held = state.held.get(frame.market)
  const outcome = fate(state, frame, held !== undefined)
  if (outcome === "held") state.held.set(frame.market, frame.text)
  if (outcome === "held" || outcome === "lost" || held === undefined) return texts(frame.text, outcome)
  state.held.delete(frame.market)
  return [...texts(frame.text, outcome), held]
}

/** Of a lasting fault, what is left of it now. */
export const inForce = <A extends { readonly until: number }>(fault: A | undefined, now: number): A | undefined =>
  fault !== undefined && now < fault.until ? fault : undefined
