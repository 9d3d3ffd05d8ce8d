/** What is done to a running server from outside: faults that act at once, and questions that tests ask. */
import { Socket } from "node:net"
import * as FaultState from "./FaultState.ts"
import * as Faults from "./Faults.ts"
import type { Fault } from "./Faults.ts"
import type { Client, MarketChannel } from "./MarketChannel.ts"
import type * as Agenda from "./Agenda.ts"
import type { BookState } from "./PolymarketFrames.ts"
import { type Reply, failure, json } from "./Rest.ts"

/** Long enough for the half frame to arrive before the reset overtakes it. */
const RESET_AFTER = 20

/** The first half of a text frame that announces a thousand bytes. */
const halfFrame = (): Buffer => {
  const payload = Buffer.from(`{"market":"0x`.padEnd(500, "0"))
  return Buffer.concat([Buffer.from([0x81, 126, 1000 >> 8, 1000 & 0xff]), payload])
}

/** The head of a text frame with a length of eight bytes. */
const announcement = (bytes: number): Buffer => {
  const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64BE(BigInt(bytes), 2)
  return head
}

const unknownMessages = [
  `{"event_type":"liquidity_report", "market":"0x00", "values":[1, 2, {"deep":null}]}`,
  "null",
  "[]",
  "{}",
  "42"
]

/** Carries out the part of a fault that hits sockets at once. */
export const strike = (channel: MarketChannel, agenda: Agenda.Agenda, fault: Fault, now: number): void => {
  const limit = "sockets" in fault ? fault.sockets : undefined
  const targets: ReadonlyArray<Client> = [...channel.clients].slice(0, limit)
  switch (fault.fault) {
    case "drop":
      return targets.forEach(({ socket }) => socket.terminate())
    case "close":
      return targets.forEach(({ socket }) => socket.close(fault.code, fault.reason ?? ""))
    case "reset":
      return targets.forEach(({ socket, stream }) => {
        stream.write(halfFrame())
        agenda.at(now + RESET_AFTER, () => {
          if (stream instanceof Socket) stream.resetAndDestroy()
          else socket.terminate()
        })
      })
    case "stall":
      return targets.forEach((client) => {
        client.stalledUntil = FaultState.until(now, fault.durationMs)
      })
    case "silent":
      return targets.forEach((client) => {
        client.silentUntil = FaultState.until(now, fault.durationMs)
      })
    case "malformed": {
      const bytes = fault.base64 ?? Buffer.from(fault.text ?? "{not json")
      return targets.forEach(({ socket }) => socket.send(bytes, { binary: fault.binary ?? false }))
    }
    case "oversized":
      return targets.forEach(({ stream }) => stream.write(announcement(fault.bytes ?? 200 * 1024 * 1024)))
    case "unknown_event":
      return targets.forEach((client) => {
        for (const message of unknownMessages) channel.send(client, "unknown", message, now)
      })
    case "heal":
      return targets.forEach((client) => {
        client.stalledUntil = 0
        client.silentUntil = 0
      })
  }
}

/** The faults of a request: one command or a list of them, all or none. */
export const decode = (body: string): { readonly faults: ReadonlyArray<Fault> } | { readonly refusal: Reply } => {
  let input: unknown
  try {
    input = JSON.parse(body)
  } catch {
    return { refusal: failure(400, "not JSON") }
  }
  const commands: ReadonlyArray<unknown> = Array.isArray(input) ? input : [input]
  const decoded = commands.map(Faults.decode)
  const problems = decoded.flatMap((one, index) =>
    "problems" in one ? one.problems.map((problem) => ({ command: index, ...problem })) : []
  )
  if (problems.length > 0) return { refusal: json(400, { error: "bad fault", problems }) }
  return { faults: decoded.flatMap((one) => ("fault" in one ? [one.fault] : [])) }
}

const levelsOf = (levels: string): ReadonlyArray<unknown> => (JSON.parse(`[${levels}]`) as Array<unknown>).reverse()

/** A book as it is, whatever the faults in force make clients see: best level first. */
export const trueBook = (state: BookState | undefined): Reply =>
  state === undefined
    ? failure(404, "no such book")
    : json(200, {
        asset_id: state.asset,
        timestamp: state.timestamp,
        hash: state.hash,
        bids: levelsOf(state.bids),
        asks: levelsOf(state.asks)
      })
