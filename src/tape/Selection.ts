/** Which inputs somebody wants to see, and how one is shown: as JSON that other tools read. */
import { isUtf8 } from "node:buffer"
import type { Input } from "../domain/Input.ts"
import { timeOf } from "../domain/Input.ts"
import type { Record } from "./TapeReader.ts"

export interface Selection {
  /** Received at or after this time, in milliseconds since the epoch. */
  readonly from?: number | undefined
  /** Received before this time. */
  readonly to?: number | undefined
  readonly connection?: string | undefined
  readonly venue?: string | undefined
}

/** The connection that an input is about, where it is about one. */
export const connectionOf = (input: Input): string | undefined => {
  const subject = input._tag === "Told" ? input.event : input
  return "connection" in subject ? subject.connection : undefined
}

/** Ids of instruments and markets begin with their venue. */
const venueIn = (id: string): string => id.slice(0, id.indexOf(":"))

/** The venue that an input is about; time passes for all of them. */
export const venueOf = (input: Input): string | undefined => {
  const subject = input._tag === "Told" ? input.event : input
  if ("venue" in subject) return subject.venue
  if ("market" in subject) return subject.market.venue
  if ("marketId" in subject) return venueIn(subject.marketId)
  return "instrumentId" in subject ? venueIn(subject.instrumentId) : undefined
}

export const selects = ({ connection, from, to, venue }: Selection, input: Input): boolean => {
  const time = timeOf(input)
  if (from !== undefined && time < from) return false
  if (to !== undefined && time >= to) return false
  if (connection !== undefined && connectionOf(input) !== connection) return false
  return venue === undefined || venueOf(input) === venue
}

/** A frame as text, or as `{"base64": …}` where it is none. */
export const frameJson = (frame: Buffer): unknown =>
  isUtf8(frame) ? frame.toString("utf8") : { base64: frame.toString("base64") }

/** The last moment that a date can tell. */
const LATEST = 8.64e15

/** RFC 3339 with milliseconds. */
export const timeText = (millis: number): string =>
  new Date(Math.min(Math.max(Math.trunc(millis), 0), LATEST)).toISOString()

/** One line of JSON; keys of the input follow the number and the time of its record. */
export const line = ({ input, ordinal, run }: Record): string => {
  const place = { run, record: ordinal, time: timeText(timeOf(input)) }
  return JSON.stringify(
    input._tag === "Frames" ? { ...place, ...input, frames: input.frames.map(frameJson) } : { ...place, ...input }
  )
}
