/**
 * What several connections of a venue brought, one after the other or side by side, as if it had come on one: the form in
 * which a recording is served. A line is `{"receivedAt": …, "payloadUtf8": "<frame>"}`.
 */
import type { Frames } from "../domain/Input.ts"

/** Turns frames into the lines of a recording; frames that one connection would not have are left out. */
export type Retelling = (input: Frames) => ReadonlyArray<string>

const line = (receivedTime: number, payloadUtf8: string): string =>
  JSON.stringify({ receivedAt: new Date(receivedTime).toISOString(), payloadUtf8 })

/** Polymarket's frames stand for themselves. */
export const polymarket = (): Retelling => (input) =>
  input.frames.map((frame) => line(input.receivedTime, frame.toString("utf8")))

interface Message {
  readonly type?: unknown
  readonly sid?: unknown
  readonly seq?: unknown
  readonly msg?: { readonly channel?: unknown; readonly sid?: unknown }
}

const parse = (text: string): Message | undefined => {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === "object" && json !== null && !Array.isArray(json) ? json : undefined
  } catch {
    return undefined
  }
}

/**
 * Kalshi's messages with the subscription ids and the numbering of one connection: a channel keeps its id, and its
 * messages count on where another connection had begun anew. Answers to commands are left out, but for the first
 * acknowledgement of each channel.
 */
export const kalshi = (): Retelling => {
  const ids = new Map<string, number>()
  const numbers = new Map<number, number>()
  const channels = new Map<string, string>()
  return ({ connection, frames, receivedTime }) => {
    const lines: Array<string> = []
    for (const frame of frames) {
      const message = parse(frame.toString("utf8"))
      if (message === undefined) continue
      const { msg, seq, sid, type } = message
      if (type === "subscribed" && typeof msg?.channel === "string") {
        const { channel } = msg
        channels.set(`${connection} ${String(msg.sid)}`, channel)
        if (ids.has(channel)) continue
        ids.set(channel, ids.size + 1)
        lines.push(line(receivedTime, JSON.stringify({ type, id: ids.size, msg: { channel, sid: ids.size } })))
        continue
      }
      const id = ids.get(channels.get(`${connection} ${String(sid)}`) ?? "")
      if (id === undefined || type === "ok" || type === "unsubscribed" || type === "error") continue
      if (seq === undefined) {
        lines.push(line(receivedTime, JSON.stringify({ ...message, sid: id })))
        continue
      }
      const number = (numbers.get(id) ?? 0) + 1
      numbers.set(id, number)
      lines.push(line(receivedTime, JSON.stringify({ ...message, sid: id, seq: number })))
    }
    return lines
  }
}
