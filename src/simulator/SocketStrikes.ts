/** The faults that hit open sockets at once, whatever is said on them. */
import { Socket } from "node:net"
import type * as Agenda from "./Agenda.ts"
import type { Fault } from "./Faults.ts"
import * as FaultState from "./FaultState.ts"
import type { Peer, Sockets } from "./Sockets.ts"

/** Long enough, in milliseconds, for the half frame to arrive before the reset overtakes it. */
const RESET_AFTER = 20
/** Bytes of the half frame; the whole is announced with twice as many. */
const HALF = 500
/** Announced by an oversized frame, in bytes, unless the fault says otherwise. */
const OVERSIZED = 200 * 1024 * 1024

/** How a venue's messages look, where a fault has to speak like it. */
export interface Dialect {
  /** How a message begins, and the digit with which it goes on to the middle of the frame. */
  readonly begun: { readonly text: string; readonly digit: string }
  /** A well-formed message of a type that no client knows. */
  readonly unknown: string
}

/** The first half of a text frame. */
const halfFrame = ({ digit, text }: Dialect["begun"]): Buffer => {
  const head = Buffer.from([0x81, 126, 0, 0])
  head.writeUInt16BE(2 * HALF, 2)
  return Buffer.concat([head, Buffer.from(text.padEnd(HALF, digit))])
}

/** The head of a text frame with a length of eight bytes. */
const announcement = (bytes: number): Buffer => {
  const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64BE(BigInt(bytes), 2)
  return head
}

/** The open sockets that a fault hits, oldest first. */
export const targetsOf = <P extends Peer>(clients: Iterable<P>, fault: Fault): ReadonlyArray<P> =>
  [...clients].slice(0, "sockets" in fault ? fault.sockets : undefined)

/** Carries out the part of a fault that hits sockets at once. */
export const strike = <P extends Peer>(
  sockets: Pick<Sockets<P>, "clients" | "send">,
  dialect: Dialect,
  agenda: Agenda.Agenda,
  fault: Fault,
  now: number
): void => {
  const targets = targetsOf(sockets.clients, fault)
  switch (fault.fault) {
    case "drop":
      return targets.forEach(({ socket }) => socket.terminate())
    case "close":
      return targets.forEach(({ socket }) => socket.close(fault.code, fault.reason ?? ""))
    case "reset":
      return targets.forEach(({ socket, stream }) => {
        stream.write(halfFrame(dialect.begun))
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
      return targets.forEach(({ stream }) => stream.write(announcement(fault.bytes ?? OVERSIZED)))
    case "unknown_event":
      return targets.forEach((client) => {
        for (const text of [dialect.unknown, "null", "[]", "{}", "42"]) sockets.send(client, "unknown", text, now)
      })
    case "heal":
      return targets.forEach((client) => {
        client.stalledUntil = 0
        client.silentUntil = 0
      })
  }
}
