/** One candidate against one sender: started, fed, compared with the truth, ended. */
import type { Candidate } from "./Candidates.ts"
import { bundle } from "./Root.ts"
import * as Talk from "./Talk.ts"
import type {
  Memory,
  ReceiverOptions,
  ReceiverRequest,
  SenderOptions,
  SenderReady,
  SenderRequest,
  Sent,
  Taken,
  Truth
} from "./workload/Messages.ts"

export type Sender = Talk.Child<SenderRequest, SenderReady>
export type Receiver = Talk.Child<ReceiverRequest, unknown>

export const startSender = (options: SenderOptions): Promise<Sender> =>
  Talk.start(bundle("Sender"), options, { patience: 600_000 })

/** `PARALLAX_BENCH_NODE` holds options of Node for every receiver, as `--cpu-prof`. */
export const startReceiver = (
  candidate: Candidate,
  sender: Sender,
  options: Pick<ReceiverOptions, "listing"> & Partial<ReceiverOptions>,
  child: Talk.ChildOptions = {}
): Promise<Receiver> => {
  const all: ReceiverOptions = {
    port: sender.ready.port,
    timed: 0,
    ...options,
    extra: { ...candidate.extra, ...options.extra }
  }
  const given = process.env["PARALLAX_BENCH_NODE"]?.split(" ") ?? []
  return Talk.start(bundle(candidate.module), all, { ...child, nodeOptions: [...(child.nodeOptions ?? []), ...given] })
}

export interface Judged {
  /** Books that differ from the truth; `undefined` of candidates that keep none. */
  readonly wrong: number | undefined
  readonly truth: Truth
  readonly facts: Readonly<Record<string, number | string>>
}

/** Compares what a receiver has with what was sent. */
export const judge = async (candidate: Candidate, sender: Sender, receiver: Receiver): Promise<Judged> => {
  const truth = await sender.ask<Truth>({ do: "truth" })
  const facts = await receiver.ask<Record<string, number | string>>({ do: "facts" })
  if (!candidate.keepsBooks) return { wrong: undefined, truth, facts }
  const books = await receiver.ask<ReadonlyMap<string, string>>({ do: "books" })
  let wrong = 0
  for (const [token, digest] of truth.digests) if (books.get(token) !== digest) wrong++
  return { wrong, truth, facts }
}

export interface Heat extends Judged {
  readonly sent: Sent
  readonly taken: Taken
  readonly memory: Memory
}

/** How long nothing may come before a candidate is taken to have seen all that it will. */
export const PATIENCE = 2_000

/** All prebuilt frames at once, to a candidate that was just started. */
export const burst = async (
  candidate: Candidate,
  sender: Sender,
  options: Pick<ReceiverOptions, "listing"> & Partial<ReceiverOptions>,
  expected: number,
  chunkBytes = 65_536
): Promise<Heat> => {
  const receiver = await startReceiver(candidate, sender, options)
  try {
    await receiver.ask({ do: "begin" })
    const sending = sender.ask<Sent>({ do: "burst", chunkBytes })
    const taken = await receiver.ask<Taken>({ do: "await", updates: expected, patience: PATIENCE })
    const sent = await sending
    const memory = await receiver.ask<Memory>({ do: "memory", collect: false })
    return { sent, taken, memory, ...(await judge(candidate, sender, receiver)) }
  } finally {
    await receiver.ask({ do: "stop" }).catch(() => {})
    await receiver.dispose()
  }
}

export interface Paced extends Judged {
  readonly sent: Sent
  readonly taken: Taken
  /** Milliseconds from the sending of each frame to its effect; `NaN` for a frame that had none. */
  readonly delays: Float64Array
}

/** Frames at a steady rate, each with its time of sending and of effect. */
export const paced = async (
  candidate: Candidate,
  sender: Sender,
  options: Pick<ReceiverOptions, "listing"> & Partial<ReceiverOptions>,
  { isTimed, millis, rate }: { readonly rate: number; readonly millis: number; readonly isTimed: boolean }
): Promise<Paced> => {
  const frames = Math.round((rate * millis) / 1000)
  const receiver = await startReceiver(candidate, sender, { ...options, timed: isTimed ? frames : 0 })
  try {
    await receiver.ask({ do: "begin" })
    const sending = sender.ask<Sent>({ do: "pace", rate, millis })
    const taking = sending.then(() => receiver.ask<Taken>({ do: "await", updates: frames, patience: PATIENCE }))
    const sent = await sending
    const taken = await taking
    const times = isTimed ? await receiver.ask<Float64Array>({ do: "times" }) : new Float64Array()
    const delays = times.map((time, i) => (time === 0 ? Number.NaN : time - sent.times![i]!))
    return { sent, taken, delays, ...(await judge(candidate, sender, receiver)) }
  } finally {
    await receiver.ask({ do: "stop" }).catch(() => {})
    await receiver.dispose()
  }
}
